"""Whole numbers out of octaves, without losing that each octave is the mean of the next."""

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Remainders nearer than this, in whole units, are taken for equal.
_STEP = 1 / 64


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
