"""Results whose block means equal the input: smooth corrections, block fixes, exact rounding.

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
import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from specgan.errors import ShapeError
from specgan.layers import pad_edge

# Coarse pixels that `smooth_upsample` uses up on every side.
REACH = 2
# The first half of a pixel from its neighbourhood of five; mirrored for the second half.
_AVERAGE_INTERPOLATION = (-3 / 128, 11 / 64, 1.0, -11 / 64, 3 / 128)
# Ratio of the inverse of [1/8, 3/4, 1/8]: the root of r**2 + 6 r + 1 inside the unit circle.
_DECAY = 2 * math.sqrt(2) - 3
# 0.172**13 is below 1e-9: exact for float32.
_EXACT_RADIUS = 12
# Remainders nearer than this, in whole units, are taken for equal.
_STEP = 1 / 64


@functools.cache
def _doubling_kernel(device: torch.device, dtype: torch.dtype) -> Tensor:
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
    kernel = _doubling_kernel(coarse.device, coarse.dtype)
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


def keep_coarse(
    proposal: Tensor, coarse: Tensor, *, smooth: bool = True, repeat_edge: bool = False
) -> Tensor:
    """Make an octave keep the coarser octave: 2x2 means exact, values in [-1, 1].

    A smooth correction takes the difference away without printing blocks; the block fix settles
    what clipping to the range costs.

    Args:
        proposal: N x C x 2H x 2W, the octave as the network proposes it.
        coarse: N x C x H x W in [-1, 1], over the same ground.
        smooth: False leaves the smooth correction out (block fix alone).
        repeat_edge: Whether the edge is repeated outside; else the smooth correction uses up two
            coarse pixels on every side.

    Returns:
        N x C x 2H' x 2W' in [-1, 1], H' and W' smaller by 4 unless `repeat_edge` or not `smooth`.
    """
    if smooth:
        error = coarse - F.avg_pool2d(proposal, 2)
        if repeat_edge:
            error = pad_edge(error, REACH)
        else:
            proposal, coarse = crop(proposal, 2 * REACH), crop(coarse, REACH)
        proposal = proposal + smooth_upsample(error)
    return block_fix(proposal.clamp(-1, 1), coarse)


def crop(image: Tensor, margin: int) -> Tensor:
    """Take `margin` pixels off every side of N x C x H x W."""
    if margin == 0:
        return image
    return image[..., margin:-margin, margin:-margin]


def project(sr: Tensor, lr: Tensor, mask: Tensor | None = None, *, iterations: int = 8) -> Tensor:
    """Correct any super-resolved image smoothly so that its block means are the input.

    x + U (A U)^-1 (y - A x), alternated with clipping to [-1, 1]; the block fix settles what the
    last clipping left.  The correction reaches a few LR pixels (0.172 a pixel), so a window with
    12 LR pixels around it gives what the whole image gives.

    Args:
        sr: N x C x sH x sW, s even.
        lr: N x C x H x W in [-1, 1].
        mask: N x 1 x H x W, 1 where `lr` is valid; elsewhere the image is only clipped.
        iterations: Smooth corrections at most.

    Returns:
        N x C x sH x sW in [-1, 1]; the means of valid blocks equal `lr` to rounding error.

    Raises:
        ShapeError: If the sizes are not an even multiple of each other.
    """
    factor = sr.shape[-1] // lr.shape[-1]
    expected = (*lr.shape[:2], lr.shape[2] * factor, lr.shape[3] * factor)
    if factor < 2 or factor % 2 or tuple(sr.shape) != expected:
        raise ShapeError(
            f"sr is {tuple(sr.shape)} and lr {tuple(lr.shape)}: sr must be an even multiple of lr"
        )
    valid = torch.ones_like(lr[:, :1]) if mask is None else mask.to(lr.dtype)
    result = sr
    for _ in range(iterations):
        error = (lr - F.avg_pool2d(result, factor)) * valid
        result = (result + _exact_upsample(error, factor)).clamp(-1, 1)
        if float(error.abs().amax()) < 1e-6:
            break
    fixed = block_fix(result, lr.clamp(-1, 1))
    weight = F.interpolate(valid, scale_factor=factor, mode="nearest")
    return torch.where(weight > 0, fixed, result)


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
    """Apply U (A U)^-1 by separable filters."""
    taps = _bilinear_taps(factor).to(coarse)
    reach = _EXACT_RADIUS + 1
    for axis in (-1, -2):
        moved = coarse.movedim(axis, -1)
        padded = moved.index_select(-1, _symmetric(moved.shape[-1], reach, coarse.device))
        line = padded.reshape(-1, 1, padded.shape[-1])
        phases = F.conv1d(line, taps.unsqueeze(1))
        fine = phases.movedim(1, 2).reshape(*moved.shape[:-1], -1)
        coarse = fine.movedim(-1, axis)
    return coarse


def _symmetric(length: int, reach: int, device: torch.device) -> Tensor:
    """Return indices that extend an axis by `reach` on both sides as cba|abc|cba.

    A U repeats one edge pixel; the inverse filter, whose taps never end, undoes just that when the
    image goes on in this way.
    """
    position = torch.arange(-reach, length + reach, device=device) % (2 * length)
    return torch.minimum(position, 2 * length - 1 - position)


def quantise(octaves: list[Tensor], lr: Tensor, low: float, high: float) -> list[Tensor]:
    """Round octaves to integers so that every level is the exact 2x2 mean of the next.

    Rounding each pixel for itself breaks scale coherence by up to three quarters of a grey level.
    Here a block's four integers always sum to four times the coarser integer: fractions are rounded
    down and the units that are missing go to the largest remainders.

    Args:
        octaves: N x C x 2^k H x 2^k W for k = 1, 2, ... in file units, each the 2x2 mean of the
            next.
        lr: N x C x H x W, whole numbers in [low, high], the mean of each block.
        low: Smallest value of the output type.
        high: Largest value of the output type.

    Returns:
        Whole numbers in [low, high], of the shapes of `octaves`; at every level
        `4 * coarser == sum of the 2x2 block`, exactly.
    """
    rounded: list[Tensor] = []
    exact, whole = lr, lr
    for octave in octaves:
        shift = F.interpolate(whole - exact, scale_factor=2, mode="nearest")
        children = _share_out((octave + shift).clamp(low, high), 4 * whole, low, high)
        rounded.append(children)
        exact, whole = octave, children
    return rounded


def _share_out(values: Tensor, totals: Tensor, low: float, high: float) -> Tensor:
    """Round 2x2 blocks to whole numbers in [low, high] that sum to `totals`.

    Remainders are compared in steps of `_STEP`, so that what differs by rounding errors alone (flat
    ground, computed in another tiling) is a tie, and ties go to the first of the block.
    """
    quarters = [values[..., row::2, col::2] for row in (0, 1) for col in (0, 1)]
    wholes = [quarter.floor() for quarter in quarters]
    keys = [
        torch.where(whole < high, ((quarter - whole) / _STEP).round_(), -1.0)
        for quarter, whole in zip(quarters, wholes, strict=True)
    ]
    missing = totals - (wholes[0] + wholes[1] + wholes[2] + wholes[3])
    ranks = [torch.zeros_like(missing) for _ in range(4)]
    for i, j in itertools.combinations(range(4), 2):
        later_first = (keys[j] > keys[i]).to(missing.dtype)
        ranks[i] += later_first
        ranks[j] += 1 - later_first
    for whole, key, rank in zip(wholes, keys, ranks, strict=True):
        whole += ((rank < missing) & (key >= 0)).to(missing.dtype)
    rest = totals - (wholes[0] + wholes[1] + wholes[2] + wholes[3])
    odd = rest != 0
    if bool(odd.any()):
        blocks = torch.stack([whole[odd] for whole in wholes], 1)
        parts = torch.stack([quarter[odd] for quarter in quarters], 1)
        for whole, settled in zip(
            wholes, _share_rest(blocks, parts, rest[odd], low, high).unbind(1), strict=True
        ):
            whole[odd] = settled
    return F.pixel_shuffle(torch.stack(wholes, 2).flatten(1, 2), 2)


def _share_rest(whole: Tensor, values: Tensor, missing: Tensor, low: float, high: float) -> Tensor:
    """Share out what is still missing in single blocks: M x 4 and M; limits stop some of it."""
    for _ in range(4):
        open_up = (missing[:, None] > 0) & (whole < high)
        open_down = (missing[:, None] < 0) & (whole > low)
        remainder = values - whole
        key = torch.where(open_up, remainder, torch.where(open_down, -remainder, -math.inf))
        order = key.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        slots = (open_up | open_down).sum(1, keepdim=True).clamp_min(1)
        units = (missing[:, None].abs() - order + slots - 1).div(slots, rounding_mode="floor")
        step = torch.where(open_up | open_down, units.clamp_min(0) * missing[:, None].sign(), 0.0)
        settled = (whole + step).clamp(low, high)
        missing = missing - (settled - whole).sum(1)
        whole = settled
        if not bool(missing.any()):
            break
    return whole
