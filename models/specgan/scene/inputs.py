"""Checks and completion of what a scene network is called with."""

from collections.abc import Sequence

import torch
from torch import Tensor

from specgan.consistency import crop
from specgan.errors import ShapeError
from specgan.layers import check_tensors, pad_edge
from specgan.scene.config import OCTAVES

# The LR pixel in metres that is assumed when the caller does not say.
DEFAULT_GSD = 3.2
# RGB values may leave [-1, 1] by rounding only.
_SLACK = 1e-3


def octave_count(scale: int | None) -> int:
    """Return the octaves that make a scale: 5 for 32 or None.

    Raises:
        ShapeError: If `scale` is not 2, 4, 8, 16 or 32.
    """
    scales = [2**k for k in range(1, OCTAVES + 1)]
    if scale is None:
        return OCTAVES
    if scale not in scales:
        raise ShapeError(f"scale is {scale}, expected one of {', '.join(map(str, scales))}")
    return scale.bit_length() - 1


def gsd_tensor(gsd: float | Sequence[float] | Tensor | None, rgb: Tensor) -> Tensor:
    """Return N pixel sizes in metres for N images.

    Raises:
        ShapeError: If there are neither one nor N, or one is not positive.
    """
    metres = torch.as_tensor(
        DEFAULT_GSD if gsd is None else gsd, dtype=torch.float32, device=rgb.device
    ).reshape(-1)
    if metres.numel() == 1:
        metres = metres.expand(len(rgb))
    if metres.shape != (len(rgb),) or not bool((metres > 0).all()):
        raise ShapeError(f"gsd is {gsd!r}, expected one or {len(rgb)} positive numbers of metres")
    return metres.to(rgb.dtype)


def origin_pairs(
    origin_yx: tuple[int, int] | Sequence[tuple[int, int]], count: int
) -> tuple[tuple[int, int], ...]:
    """Return one absolute LR row and column for all of `count` images, or one for each.

    Raises:
        ShapeError: If there are neither one nor `count`, or some are even where others are odd:
            style codes lie at every second LR pixel, and images of a batch share their grid.
    """
    rows = torch.as_tensor(origin_yx, dtype=torch.int64).reshape(-1, 2).tolist()
    pairs = tuple((row, col) for row, col in rows)
    if len(pairs) not in (1, count):
        raise ShapeError(f"origin_yx holds {len(pairs)} pairs, expected one or {count}")
    if len({(row % 2, col % 2) for row, col in pairs}) > 1:
        raise ShapeError(f"origin_yx is {list(pairs)}, expected rows and columns of equal parity")
    return pairs


def fit(image: Tensor, held: int, wanted: int) -> Tensor:
    """Bring an image that carries `held` pixels of context to `wanted`, or repeat its edges."""
    return crop(image, held - wanted) if held >= wanted else pad_edge(image, wanted)


def check_images(
    rgb: Tensor, hsi: Tensor | None, mask: Tensor | None, bands: int
) -> tuple[Tensor, Tensor]:
    """Check the inputs of a scene network, and fill in what is not given.

    Args:
        rgb: What should be N x 3 x H x W in [-1, 1].
        hsi: What should be N x bands x H x W; None for no cube.
        mask: What should be N x 1 x H x W; None for a valid cube.
        bands: Bands that the network takes.

    Returns:
        The cube, zero where invalid, and its mask, both as `rgb` in type.

    Raises:
        ShapeError: Says what was found and what was expected.
    """
    check_tensors(rgb=rgb, hsi=hsi, hsi_mask=mask)
    if rgb.ndim != 4 or rgb.shape[1] != 3 or not rgb.is_floating_point() or not rgb.numel():
        raise ShapeError(
            f"rgb is {rgb.dtype} {tuple(rgb.shape)}, expected floating point N x 3 x H x W"
        )
    largest = float(rgb.detach().abs().amax())
    # Written so that NaN, which compares false, fails too.
    if not largest <= 1 + _SLACK:
        raise ShapeError(f"rgb holds values of magnitude {largest:.6g}, expected [-1, 1]")
    if hsi is None:
        zeros = rgb.new_zeros(len(rgb), bands, *rgb.shape[2:])
        return zeros, zeros[:, :1]
    expected = (len(rgb), bands, *rgb.shape[2:])
    if tuple(hsi.shape) != expected or not hsi.is_floating_point():
        raise ShapeError(
            f"hsi is {hsi.dtype} {tuple(hsi.shape)}, expected floating point {expected} "
            f"to go with rgb {tuple(rgb.shape)}"
        )
    if mask is None:
        mask = torch.ones_like(hsi[:, :1])
    expected = (len(rgb), 1, *rgb.shape[2:])
    if tuple(mask.shape) != expected:
        raise ShapeError(f"hsi_mask is {tuple(mask.shape)}, expected {expected}")
    hsi = torch.where(mask > 0, hsi.to(rgb.dtype), 0.0)
    if not bool(torch.isfinite(hsi).all()):
        raise ShapeError("hsi holds NaN or infinity where hsi_mask says it is valid")
    return hsi, mask.to(rgb.dtype)
