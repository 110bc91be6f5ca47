"""Results whose block means equal the input: smooth corrections and block fixes.

Averaging over blocks is called A.  A correction has to be put back onto the fine grid without
printing the blocks, through some smooth U with A U = 1.

Between octaves (factor 2) U is average interpolation: the two halves of a pixel are those of the
quartic whose means over five pixels are the given ones (the predictor of the biorthogonal 1.5
wavelet).  It has five taps, keeps means exactly, and on aerial images lies closer to the truth than
the corrected bilinear interpolation, with the same steps across block edges.

For any even factor U is bilinear interpolation, corrected: A U is then the separable filter
[1/8, 3/4, 1/8] (with the edge pixel repeated outside), and its inverse is the two-sided geometric
filter with ratio 2 sqrt(2) - 3 = -0.172.
"""

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from specgan.errors import ShapeError
from specgan.layers import pad_mirrored

# Coarse pixels that `smooth_upsample` uses up on every side.
REACH = 2
# The first half of a pixel from its neighbourhood of five; mirrored for the second half.
_AVERAGE_INTERPOLATION = (-3 / 128, 11 / 64, 1.0, -11 / 64, 3 / 128)
# Ratio of the inverse of [1/8, 3/4, 1/8]: the root of r**2 + 6 r + 1 inside the unit circle.
_DECAY = 2 * math.sqrt(2) - 3
# 0.172**13 is below 1e-9: exact for float32.
_EXACT_RADIUS = 12


@functools.cache
def doubling_kernel(device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the filters of `smooth_upsample`, one for each pixel of a block: 4 x 1 x 5 x 5."""
    # A tensor made under inference mode could not be used in training later.
    with torch.inference_mode(False):
        half = torch.tensor(_AVERAGE_INTERPOLATION, dtype=torch.float64)
        taps = torch.stack((half, half.flip(0)))
        kernel = torch.einsum("ai,bj->abij", taps, taps).reshape(4, 1, 5, 5)
        return kernel.to(device, dtype, copy=True)


def smooth_upsample(coarse: Tensor) -> Tensor:
    """Double an image by average interpolation: its 2x2 means are the coarse pixels, exactly.

    Args:
        coarse: N x C x H x W, in any units.

    Returns:
        N x C x 2(H - 4) x 2(W - 4): `REACH` coarse pixels are used up on every side.
    """
    n, c, h, w = coarse.shape
    kernel = doubling_kernel(coarse.device, coarse.dtype)
    phases = F.conv2d(coarse.reshape(n * c, 1, h, w), kernel)
    fine = F.pixel_shuffle(phases, 2)
    return fine.reshape(n, c, fine.shape[-2], fine.shape[-1])


def block_fix(fine: Tensor, coarse: Tensor) -> Tensor:
    """Give every block exactly its coarse mean, and stay in [-1, 1].

    Each block's mean is replaced by the coarse pixel, and its deviations are scaled down just
    enough to stay in range.  Strictly local; exact with saturated coarse pixels.

    Args:
        fine: N x C x sH x sW.
        coarse: N x C x H x W in [-1, 1].

    Returns:
        N x C x sH x sW in [-1, 1].
    """
    n, c, h, w = coarse.shape
    factor = fine.shape[-1] // w
    blocks = fine.reshape(n, c, h, factor, w, factor)
    deviation = blocks - blocks.mean(dim=(3, 5), keepdim=True)
    level = coarse[:, :, :, None, :, None]
    top = deviation.amax(dim=(3, 5), keepdim=True).clamp_min(1e-12)
    bottom = (-deviation).amax(dim=(3, 5), keepdim=True).clamp_min(1e-12)
    room = torch.minimum((1 - level) / top, (1 + level) / bottom)
    return (level + deviation * room.clamp(0, 1)).reshape(fine.shape)


def keep_above(fine: Tensor, coarse: Tensor, floor: Tensor) -> Tensor:
    """Raise what lies below a floor, and keep the means of all octaves.

    From octave to octave, where a pixel of a 2x2 block is below the floor, the block becomes the
    nearest one (in least squares) that has its mean and is not below.  So the 2x2 means of the
    result are the result for the coarser octave.

    Args:
        fine: N x C x sH x sW, s a power of two, in any units, with block means of about `coarse`.
        coarse: N x C x H x W.
        floor: N x C x H x W, not above `coarse`: the lowest value in each pixel's block.

    Returns:
        N x C x sH x sW; `fine` itself where nothing is below.
    """
    factor = fine.shape[-1] // coarse.shape[-1]
    if bool((-F.max_pool2d(-fine, factor) >= floor).all()):
        return fine
    octaves = [fine]
    while octaves[-1].shape[-1] > 2 * coarse.shape[-1]:
        octaves.append(F.avg_pool2d(octaves[-1], 2))
    for octave in reversed(octaves):
        coarse = _nearest_above(octave, coarse, floor)
        floor = F.interpolate(floor, scale_factor=2, mode="nearest")
    return coarse


def _nearest_above(fine: Tensor, coarse: Tensor, floor: Tensor) -> Tensor:
    """Return the 2x2 blocks nearest to N x C x 2H x 2W with given means and not below a floor.

    They are max(fine - t, floor).  The mean falls with t in straight pieces that bend upwards, so
    Newton's steps never go too far, and each but the last finds a pixel more on the floor.
    """
    n, c, h, w = coarse.shape
    blocks = fine.reshape(n, c, h, 2, w, 2)
    level, lowest = coarse[:, :, :, None, :, None], floor[:, :, :, None, :, None]
    blocks = blocks + (level - blocks.mean(dim=(3, 5), keepdim=True))
    for _ in range(4):
        free = (blocks > lowest).to(fine.dtype).mean(dim=(3, 5), keepdim=True)
        excess = torch.maximum(blocks, lowest).mean(dim=(3, 5), keepdim=True) - level
        blocks = blocks - excess / free.clamp_min(0.25)
    return torch.maximum(blocks, lowest).reshape(fine.shape)


def crop(image: Tensor, margin: int) -> Tensor:
    """Take `margin` pixels off every side of N x C x H x W."""
    if margin == 0:
        return image
    return image[..., margin:-margin, margin:-margin]


def project(sr: Tensor, lr: Tensor, *, iterations: int = 8) -> Tensor:
    """Correct any super-resolved image smoothly so that its block means are the input.

    x + U (A U)^-1 (y - A x), alternated with clipping to [-1, 1]; the block fix settles what the
    last clipping left.  The correction reaches a few LR pixels (0.172 a pixel), so a window with
    12 LR pixels around it gives what the whole image gives.

    Args:
        sr: N x C x sH x sW, s even.
        lr: N x C x H x W in [-1, 1].
        iterations: Smooth corrections at most.

    Returns:
        N x C x sH x sW in [-1, 1]; the means of blocks equal `lr` to rounding error.

    Raises:
        ShapeError: If the sizes are not an even multiple of each other.
    """
    factor = sr.shape[-1] // lr.shape[-1]
    expected = (*lr.shape[:2], lr.shape[2] * factor, lr.shape[3] * factor)
    if factor < 2 or factor % 2 or tuple(sr.shape) != expected:
        raise ShapeError(
            f"sr is {tuple(sr.shape)} and lr {tuple(lr.shape)}: sr must be an even multiple of lr"
        )
    result = sr
    for _ in range(iterations):
        error = lr - F.avg_pool2d(result, factor)
        result = (result + _exact_upsample(error, factor)).clamp(-1, 1)
        if float(error.abs().amax()) < 1e-6:
            break
    return block_fix(result, lr.clamp(-1, 1))


@functools.cache
def _bilinear_taps(factor: int) -> Tensor:
    """Return the `factor` phases of corrected bilinear interpolation, factor x taps."""
    radius = _EXACT_RADIUS
    with torch.inference_mode(False):
        inverse = _DECAY ** torch.arange(-radius, radius + 1, dtype=torch.float64).abs()
        inverse /= inverse.sum()
        taps = torch.zeros(factor, 2 * radius + 3, dtype=torch.float64)
        for phase in range(factor):
            position = (phase + 0.5) / factor - 0.5
            left = math.floor(position)
            share = position - left
            for tap, weight in ((left, 1 - share), (left + 1, share)):
                taps[phase, tap + 1 : tap + 2 + 2 * radius] += weight * inverse
        return taps


def _exact_upsample(coarse: Tensor, factor: int) -> Tensor:
    """Apply U (A U)^-1 by separable filters.

    A U repeats one edge pixel; the inverse filter, whose taps never end, undoes just that when the
    image goes on mirrored.
    """
    taps = _bilinear_taps(factor).to(coarse)
    for axis in (-1, -2):
        moved = pad_mirrored(coarse, _EXACT_RADIUS + 1, [axis]).movedim(axis, -1)
        line = moved.reshape(-1, 1, moved.shape[-1])
        phases = F.conv1d(line, taps.unsqueeze(1))
        fine = phases.movedim(1, 2).reshape(*moved.shape[:-1], -1)
        coarse = fine.movedim(-1, axis)
    return coarse
