"""Measures of two images, defined once for validation in training and for `evaluate`.

Images are C x H x W, masks H x W and true where both images are measured.  numpy alone, because
training runs on machines without scipy.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specgan_cli.types import F64, Mask

RADIUS = 5
"""Pixels from the centre of an SSIM window to its edge: windows are 11 x 11."""

SIGMA = 1.5
"""Standard deviation of the window's Gaussian weights, pixels."""

_OFFSETS = np.arange(-RADIUS, RADIUS + 1)
_KERNEL = np.exp(-((_OFFSETS / SIGMA) ** 2) / 2)
_KERNEL = _KERNEL / _KERNEL.sum()


def block_means(
    values: NDArray[np.generic], valid: Mask, factor: int, min_valid: float = 1.0
) -> tuple[F64, Mask]:
    """Average the valid pixels of every block of factor x factor.

    Args:
        values: C x H x W; what invalid pixels hold does not matter.
        valid: H x W.
        factor: Pixels a block along each axis.
        min_valid: Share of a block's pixels that must be valid; those beyond the image's edge are
            not.

    Returns:
        Means, C x ceil(H / factor) x ceil(W / factor), 0 where invalid, and their mask.
    """
    bands, height, width = values.shape
    rows, cols = -(-height // factor), -(-width // factor)
    blocks = (rows, factor, cols, factor)
    padding = ((0, rows * factor - height), (0, cols * factor - width))
    known = np.pad(valid, padding).reshape(blocks)
    # Values under the mask may be anything, not-a-number included: choose, do not multiply.
    kept = np.pad(np.where(valid, values, 0), ((0, 0), *padding)).reshape(bands, *blocks)
    count = known.sum((1, 3), dtype=np.float64)
    total = kept.sum((2, 4), dtype=np.float64)
    enough = count >= min_valid * factor * factor
    return np.where(enough, total / np.maximum(count, 1), 0.0), enough


def mean_squared_error(sr: F64, reference: F64, valid: Mask) -> float:
    """Return the mean squared difference over bands and valid pixels; NaN where none is valid."""
    difference = (sr - reference)[:, valid]
    return float(np.square(difference).mean()) if difference.size else math.nan


def psnr(mean_squared_error: float, data_range: float) -> float:
    """Peak signal-to-noise ratio, 10 log10(range^2 / MSE), dB; infinite for identical images.

    Args:
        mean_squared_error: Image units squared; NaN where nothing was measured.
        data_range: Difference between the largest and the smallest value that the units allow.
    """
    if mean_squared_error == 0:
        return math.inf
    return float(10 * np.log10(data_range**2 / mean_squared_error))


def ssim(sr: F64, reference: F64, valid: Mask, data_range: float) -> float:
    """Return the mean SSIM over bands and windows; NaN where no window holds valid pixels only.

    Args:
        sr: Output, C x H x W.
        reference: Of the same shape and units.
        valid: H x W.
        data_range: Difference between white and black.
    """
    if min(valid.shape) <= 2 * RADIUS:
        return math.nan
    keep = window_valid(valid)
    if not keep.any():
        return math.nan
    similarity, _ = ssim_maps(moments(sr, reference), data_range)
    return float(similarity[:, keep].mean())


@dataclass(frozen=True)
class Moments:
    """Weighted local moments of two images at every window that lies inside the array."""

    mean_sr: F64
    """C x (H - 10) x (W - 10)."""
    mean_reference: F64
    """Of the same shape, like all that follow."""
    variance_sr: F64
    """Never negative."""
    variance_reference: F64
    """Never negative."""
    covariance: F64
    """Between the two images."""


def moments(sr: F64, reference: F64) -> Moments:
    """Filter two C x H x W images with the window of Wang et al. 2004 (sigma 1.5, 11 x 11)."""
    stack = np.stack([sr, reference, sr * sr, reference * reference, sr * reference])
    mean_sr, mean_reference, sr_sr, reference_reference, cross = _filter(stack)
    return Moments(
        mean_sr,
        mean_reference,
        np.maximum(sr_sr - mean_sr**2, 0),
        np.maximum(reference_reference - mean_reference**2, 0),
        cross - mean_sr * mean_reference,
    )


def window_valid(valid: Mask) -> Mask:
    """Return, for an H x W mask, the (H - 10) x (W - 10) windows that hold valid pixels only."""
    side = 2 * RADIUS + 1
    rows = np.lib.stride_tricks.sliding_window_view(valid, side, axis=0).all(-1)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(rows, side, axis=1).all(-1))


def _filter(images: F64) -> F64:
    """Weigh every 11 x 11 window of ... x H x W that lies inside: rows first, then columns."""
    height, width = images.shape[-2] - 2 * RADIUS, images.shape[-1] - 2 * RADIUS
    rows = sum(
        weight * images[..., shift : shift + height, :] for shift, weight in enumerate(_KERNEL)
    )
    both = sum(weight * rows[..., shift : shift + width] for shift, weight in enumerate(_KERNEL))
    return np.asarray(both)


def ssim_maps(local: Moments, data_range: float) -> tuple[F64, F64]:
    """Return the SSIM and its contrast-structure part of every window (Wang et al. 2004, eq. 13).

    The constants are (0.01 range)^2 and (0.03 range)^2.
    """
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    contrast = (2 * local.covariance + c2) / (local.variance_sr + local.variance_reference + c2)
    luminance = (2 * local.mean_sr * local.mean_reference + c1) / (
        local.mean_sr**2 + local.mean_reference**2 + c1
    )
    return luminance * contrast, contrast
