"""Noise that belongs to a place on the ground, not to a tile.

Every value is a hash of (seed, layer, absolute row, absolute column), so any window of any tiling
sees the same noise at the same pixel, on every device.  All arithmetic is on 32-bit integers that
wrap around, hence exact; the normal value is the centred sum of the hash's four bytes (Irwin-Hall
of order four, 256 levels a byte), which integer arithmetic makes the same to the bit everywhere.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

# Multipliers of the 32-bit finaliser `lowbias32`.
_MIX_1 = 0x21F0AAAD
_MIX_2 = 0x735A2D97
_GOLDEN = 0x61C88647
# Variance of one uniform byte is (256**2 - 1) / 12; four of them are summed.
_BYTE_SUM_MEAN = 4 * 255 / 2
_BYTE_SUM_STD = ((256**2 - 1) / 3) ** 0.5


def position_noise(
    seed: int | Tensor,
    layer: int,
    origins_yx: Sequence[tuple[int, int]],
    shape_yx: tuple[int, int],
    *,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Return standard normal noise for a window of an unbounded plane.

    Args:
        seed: One seed, or an integer tensor of N seeds, one a sample.
        layer: Which of the network's independent noise planes.
        origins_yx: Absolute row and column of the window's first pixel, one pair or one a sample;
            may be negative.
        shape_yx: Rows and columns of the window.
        device: Where the noise is made.
        dtype: Floating point type of the result.

    Returns:
        N x 1 x H x W (N = 1 for one seed and one origin), mean 0, standard deviation 1, within
        +-3.46.
    """
    seeds = torch.as_tensor(seed, dtype=torch.int64, device=device).reshape(-1)
    # A seed of 64 bits is folded to 32.
    folded = _wrap(seeds) ^ _mix(_wrap(seeds >> 32) ^ _GOLDEN)
    key = _mix(folded ^ (layer + 1) * _GOLDEN % 2**31)
    starts = torch.tensor(origins_yx, device=device, dtype=torch.int32)
    rows, cols = (
        starts[:, axis, None] + torch.arange(shape_yx[axis], device=device, dtype=torch.int32)
        for axis in (0, 1)
    )
    row_key = _mix(key[:, None] ^ _mix(rows))
    bits = _mix(row_key[:, :, None] ^ _mix(cols ^ _GOLDEN)[:, None, :])
    total = (bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24 & 255)
    return ((total.to(dtype) - _BYTE_SUM_MEAN) / _BYTE_SUM_STD).unsqueeze(1)


def octave_noises(
    seed: int | Tensor,
    origins_yx: Sequence[tuple[int, int]],
    shape_yx: tuple[int, int],
    margins: Sequence[int],
    *,
    device: torch.device | None = None,
) -> list[Tensor]:
    """Return each octave's noise over a window and the context that it needs.

    Args:
        seed: As for `position_noise`.
        origins_yx: Absolute row and column of the window's first LR pixel, one pair or one a
            sample.
        shape_yx: Rows and columns of the window in LR pixels.
        margins: Pixels of context on every side of each octave's own grid; the first belongs to the
            LR grid, which has no noise.
        device: Where the noise is made.

    Returns:
        For each octave k = 1, 2, ... N x 1 x (2^k H + 2 margin) x (2^k W + 2 margin).
    """
    planes = []
    for level, margin in enumerate(margins[1:], start=1):
        starts = [((row << level) - margin, (col << level) - margin) for row, col in origins_yx]
        height, width = ((side << level) + 2 * margin for side in shape_yx)
        planes.append(position_noise(seed, level, starts, (height, width), device=device))
    return planes


def _wrap(value: Tensor) -> Tensor:
    """Take the lower 32 bits of int64 values as int32."""
    low = value & 0xFFFFFFFF
    return torch.where(low >= 2**31, low - 2**32, low).to(torch.int32)


def _mix(value: Tensor) -> Tensor:
    """Hash int32 values bijectively; the products wrap around."""
    value = (value ^ (value >> 16 & 0xFFFF)) * _MIX_1
    value = (value ^ (value >> 15 & 0x1FFFF)) * _MIX_2
    return value ^ (value >> 15 & 0x1FFFF)
