"""Whole numbers out of a real image, with block means that are exactly the input."""

import math

import torch
from torch import Tensor

# Remainders nearer than this, in whole units, are taken for equal.
_STEP = 1 / 64


def quantise(image: Tensor, lr: Tensor, low: float | Tensor, high: float) -> Tensor:
    """Round an image to integers whose block means are exactly the input.

    Every pixel is rounded to the nearest whole number.  What a block then has too much or too
    little is taken from, or given to, the pixels that were nearest to being rounded the other way:
    on a slope the steps between two grey levels move a little, and flat ground stays flat.

    Args:
        image: N x C x sH x sW in file units, with block means of about `lr`.
        lr: N x C x H x W, whole numbers in [low, high].
        low: Smallest whole number that may come out, of all or of each LR pixel.
        high: Largest value of the output type.

    Returns:
        Whole numbers in [low, high], of the image's shape; the mean of each block is `lr` exactly.
    """
    factor = image.shape[-1] // lr.shape[-1]
    lowest = torch.as_tensor(low, dtype=lr.dtype, device=lr.device).expand(lr.shape).reshape(-1, 1)
    values = torch.maximum(_to_blocks(image, factor), lowest).clamp_max_(high)
    whole = values.round()
    # Sums of differences are small, and exact in single precision.
    level = lr.reshape(-1, 1)
    missing = (level - whole).sum(1)
    _move(whole, values, missing, lowest, high)
    missing = (level - whole).sum(1)
    odd = missing != 0
    if bool(odd.any()):
        whole[odd] = _share_rest(whole[odd], values[odd], missing[odd], lowest[odd], high)
    return _from_blocks(whole, lr.shape, factor)


def _move(whole: Tensor, values: Tensor, missing: Tensor, low: Tensor, high: float) -> None:
    """Move pixels of M x n blocks by one unit, in place: the M missing ones, by remainder.

    Remainders are compared in steps of `_STEP`, so that what differs by rounding errors alone (flat
    ground, computed in another tiling) is a tie, and ties go to the first of the block.
    """
    most, size = int(missing.abs().max()), whole.shape[1]
    if most == 0:
        return
    direction = missing.sign()[:, None]
    steps = (values - whole).mul_(direction / _STEP).round_()
    key = steps.mul_(size).sub_(torch.arange(size, dtype=whole.dtype, device=whole.device))
    key.masked_fill_(whole == torch.where(direction > 0, high, low), -math.inf)
    best, pixels = key.topk(min(most, size), dim=1)
    rank = torch.arange(best.shape[1], device=whole.device)
    chosen = (rank < missing.abs()[:, None]) & (best > -math.inf)
    whole.scatter_add_(1, pixels, chosen * direction)


def _share_rest(whole: Tensor, values: Tensor, missing: Tensor, low: Tensor, high: float) -> Tensor:
    """Share out what is still missing in single blocks: M x n and M; limits stop some of it."""
    for _ in range(whole.shape[1]):
        open_up = (missing[:, None] > 0) & (whole < high)
        open_down = (missing[:, None] < 0) & (whole > low)
        remainder = values - whole
        key = torch.where(open_up, remainder, torch.where(open_down, -remainder, -math.inf))
        order = key.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        slots = (open_up | open_down).sum(1, keepdim=True).clamp_min(1)
        units = (missing[:, None].abs() - order + slots - 1).div(slots, rounding_mode="floor")
        step = torch.where(open_up | open_down, units.clamp_min(0) * missing[:, None].sign(), 0.0)
        settled = torch.maximum(whole + step, low).clamp_max_(high)
        missing = missing - (settled - whole).sum(1)
        whole = settled
        if not bool(missing.any()):
            break
    return whole


def _to_blocks(image: Tensor, factor: int) -> Tensor:
    count, channels, height, width = image.shape
    rows, cols = height // factor, width // factor
    parts = image.reshape(count, channels, rows, factor, cols, factor)
    return parts.transpose(3, 4).reshape(-1, factor**2)


def _from_blocks(blocks: Tensor, shape: torch.Size, factor: int) -> Tensor:
    count, channels, rows, cols = shape
    parts = blocks.reshape(count, channels, rows, cols, factor, factor).transpose(3, 4)
    return parts.reshape(count, channels, rows * factor, cols * factor)
