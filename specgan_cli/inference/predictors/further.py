"""Further bands of a scene: their detail follows that of its super-resolved red, green and blue.

Around every LR pixel the band is regressed on red, green and blue.  The detail that the three have
beyond their smooth interpolation, times the regression's slopes, is added to the band's own smooth
interpolation, as far as the regression explains the band: where it explains nothing the band stays
smooth.  Octave by octave the 2x2 means of what is added are the octave before, so block means are
the input's and smaller factors are the means of larger ones, as for red, green and blue.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from specgan.consistency import crop, smooth_upsample
from specgan_cli.inference.reader import MARGIN

WINDOW_RADIUS = 2
"""LR pixels: the regression sees 5 x 5."""

_RIDGE = 0.05
"""Added to the variances, as a share of their mean: red, green and blue are nearly one."""

_FEWEST = 8
"""Pixels that a regression with three slopes needs."""


def regress(lr: Tensor, valid: Tensor, noise: float) -> Tensor:
    """Regress bands on red, green and blue around every pixel.

    Args:
        lr: (3 + M) x H x W, red, green and blue first; units in which values are about 1.
        valid: H x W, 1 where a pixel counts and 0 elsewhere.
        noise: Variance of what is no signal, such as rounding.

    Returns:
        M x 3 x (H - 4) x (W - 4): slopes, times the share of the band's variance that they explain
        (adjusted for the number of pixels, 0 for too few).
    """
    count = _windows(valid[None]).sum(1)[0].clamp_min(1)
    weights = _windows(valid[None]) / count
    beside = _windows(lr) - crop(lr, WINDOW_RADIUS)[:, None]
    beside = beside - (beside * weights).sum(1, keepdim=True)
    covariance = torch.einsum("ikhw,jkhw->hwij", beside[:3] * weights, beside)
    inner, outer = covariance[..., :3], covariance[..., 3:]
    ridge = _RIDGE * inner.diagonal(dim1=-2, dim2=-1).mean(-1) + noise
    slopes = torch.linalg.solve(inner + ridge[..., None, None] * torch.eye(3).to(lr), outer)
    explained = (slopes * (2 * outer - inner @ slopes)).sum(-2)
    variance = (beside[3:] ** 2 * weights).sum(1).permute(1, 2, 0) + noise
    freedom = ((count - 1) / (count - 4).clamp_min(1))[..., None]
    fit = (1 - (1 - explained / variance) * freedom).clamp(0, 1)
    fit = fit * (count > _FEWEST)[..., None]
    fitted: Tensor = (slopes * fit[..., None, :]).permute(3, 2, 0, 1)
    return fitted


def further_bands(fine_rgb: Tensor, lr: Tensor, valid: Tensor, noise: float) -> Tensor:
    """Return further bands on the fine grid.

    Args:
        fine_rgb: 3 x sH x sW, super-resolved, with the block means of `lr`.
        lr: (3 + M) x (H + 2 margin) x (W + 2 margin), the margin being `MARGIN`; no value missing.
        valid: (H + 2 margin) x (W + 2 margin), 1 where a pixel counts and 0 elsewhere.
        noise: As for `regress`.

    Returns:
        M x sH x sW, not limited to any range; its block means are those of `lr`.
    """
    height = lr.shape[-2] - 2 * MARGIN
    octaves = [fine_rgb[None]]
    while octaves[0].shape[-2] > height:
        octaves.insert(0, F.avg_pool2d(octaves[0], 2))
    slopes = crop(regress(lr, valid, noise), MARGIN - WINDOW_RADIUS - 1).to(fine_rgb)
    smooth = lr[None].to(fine_rgb)
    detail = octaves[0] - crop(smooth, MARGIN)[:, :3]
    added = torch.zeros_like(crop(smooth, MARGIN)[:, 3:])
    for level, octave in enumerate(octaves[1:]):
        smooth = smooth_upsample(smooth)
        edge = (smooth.shape[-2] - octave.shape[-2]) // 2
        finer = octave - crop(smooth, edge)[:, :3]
        change = finer - _twice(detail)
        here = _twice(_at_octave(slopes, level))
        added = _twice(added) + (here * change).sum(1)[None]
        detail = finer
    edge = (smooth.shape[-2] - fine_rgb.shape[-2]) // 2
    return (crop(smooth, edge)[:, 3:] + added)[0]


def _at_octave(slopes: Tensor, level: int) -> Tensor:
    """Interpolate M x 3 x (H + 2) x (W + 2) to M x 3 x 2^level H x 2^level W."""
    if level == 0:
        return crop(slopes, 1)
    fine = F.interpolate(slopes, scale_factor=2**level, mode="bilinear", align_corners=False)
    return crop(fine, 2**level)


def _twice(image: Tensor) -> Tensor:
    return F.interpolate(image, scale_factor=2, mode="nearest")


def _windows(image: Tensor) -> Tensor:
    """Return C x 25 x (H - 4) x (W - 4): what lies around every pixel."""
    side = 2 * WINDOW_RADIUS + 1
    views: Tensor = image.unfold(1, side, 1).unfold(2, side, 1)
    around: Tensor = views.reshape(*views.shape[:3], side**2).permute(0, 3, 1, 2)
    return around
