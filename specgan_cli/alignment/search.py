"""Coarse displacement and its significance, by masked correlation at whole pixels.

Both images are high-passed first: in real pairs the sun and the view differ, so that broad light
and shade disagree where the detail still agrees, and broad structure agrees by chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import maximum_filter
from scipy.special import ndtr

from specgan_cli.alignment.views import Resampled, View, high_pass
from specgan_cli.types import F64

__all__ = ["HIGH_PASS", "Surface", "correlation", "effective_pixels", "reliability", "search"]


HIGH_PASS = 5
"""Coarse pixels over which the local mean is taken away."""
_LEAST_PIXELS = 64
_LEAST_OVERLAP = 0.3
_FULL_SHARE = 0.5
_FLAT = 1e-8


@dataclass(frozen=True)
class Surface:
    """Correlation at every whole-pixel displacement."""

    correlation: F64
    """Mean over the channels; rows and columns from -reach to +reach; -1 where not comparable."""
    reach: int
    """Largest displacement searched, coarse pixels."""

    def candidates(self, count: int) -> list[tuple[float, float]]:
        """Displacements (rows, columns) of the highest local maxima, best first."""
        peak = (maximum_filter(self.correlation, 3) == self.correlation) & (self.correlation > -1)
        at = np.argwhere(peak)
        order = np.argsort(-self.correlation[peak], kind="stable")[:count]
        return [(float(r - self.reach), float(c - self.reach)) for r, c in at[order]]

    def at(self, shift: tuple[float, float]) -> float:
        """Correlation at a whole-pixel displacement (rows, columns)."""
        return float(self.correlation[round(shift[0]) + self.reach, round(shift[1]) + self.reach])


def search(views: list[View], reach: int) -> Surface:
    """Correlate all views at every displacement of up to `reach` coarse pixels.

    Args:
        views: Windows, each padded by at least `reach`.
        reach: Coarse pixels.
    """
    edge = 2 * reach + 1
    channels = len(views[0].coarse)
    sums = np.zeros((5, channels, edge, edge))
    counts = np.zeros((edge, edge))
    for view in views:
        more, count = _sums(view, reach)
        sums += more
        counts += count
    n = np.maximum(counts, 1.0)
    a, b, ab, aa, bb = sums
    covariance = ab - a * b / n
    power = np.maximum(aa - a * a / n, 0) * np.maximum(bb - b * b / n, 0)
    scale = power.max(initial=0.0)
    seen = power > max(_FLAT * scale, 1e-30)
    r = np.divide(covariance, np.sqrt(power), out=np.zeros_like(power), where=seen).mean(axis=0)
    enough = counts >= max(_LEAST_PIXELS, _LEAST_OVERLAP * counts.max(initial=0.0))
    return Surface(np.where(enough, r, -1.0), reach)


def correlation(view: View, sample: Resampled) -> F64:
    """Covariance and both variances (3 x channels) of the high-passed images of one view."""
    weight = (view.valid & (sample.share >= _FULL_SHARE)).astype(np.float64)
    fine = high_pass(sample.value, weight, HIGH_PASS)
    coarse = high_pass(np.where(view.valid, view.coarse, 0.0), weight, HIGH_PASS)
    products = (fine * coarse, fine * fine, coarse * coarse)
    return np.stack([product.sum(axis=(1, 2)) for product in products])


def effective_pixels(views: list[View]) -> float:
    """Number of independent pixels that a correlation by chance would have (Bartlett 1935)."""
    pixels = 0.0
    overlap = 0.0
    for view in views:
        coarse, fine, weight = _filtered(view, view.pad)
        crop = (
            slice(view.pad, view.pad + view.shape_yx[0]),
            slice(view.pad, view.pad + view.shape_yx[1]),
        )
        ours, theirs = _autocorrelation(coarse), _autocorrelation(fine[:, *crop])
        count = float(weight[crop].sum())
        pixels += count
        overlap += count * float(np.mean(np.sum(ours * theirs, axis=(1, 2))))
    return pixels * pixels / max(overlap, pixels) if pixels else 0.0


def reliability(r: float, pixels: float, trials: int) -> float:
    """Probability that the best of many positions of unrelated images correlates less than `r`.

    Args:
        r: Correlation found, -1 to 1.
        pixels: Independent pixels, from `effective_pixels`.
        trials: Positions that were searched.
    """
    if pixels <= 4 or r <= 0:
        return 0.0
    z = math.atanh(min(r, 0.999999)) * math.sqrt(pixels - 3)
    return float(ndtr(z) ** trials)


def _filtered(view: View, reach: int) -> tuple[F64, F64, F64]:
    """High-passed coarse and fine images at whole pixels, and the fine one's weight."""
    m, skip = view.oversampling, view.pad - reach
    start = skip * m
    height, width = view.shape_yx
    rows = slice(start, start + (height + 2 * reach - 1) * m + 1, m)
    cols = slice(start, start + (width + 2 * reach - 1) * m + 1, m)
    weight = (view.share[rows, cols] >= _FULL_SHARE).astype(np.float64)
    fine = high_pass(view.area_mean[:, rows, cols], weight, HIGH_PASS)
    valid = view.valid.astype(np.float64)
    coarse = high_pass(np.where(view.valid, view.coarse, 0.0), valid, HIGH_PASS)
    return coarse, fine, weight


def _sums(view: View, reach: int) -> tuple[F64, F64]:
    """Sums of a, b, ab, aa, bb over the common pixels of every displacement, and their count."""
    coarse, fine, weight = _filtered(view, reach)
    height, width = weight.shape
    shape = next_fast_len(height, real=True), next_fast_len(width, real=True)
    edge = 2 * reach + 1

    def transform(images: F64) -> NDArray[np.complex128]:
        return np.asarray(rfft2(images, s=shape))

    def product(left: NDArray[np.complex128], right: NDArray[np.complex128]) -> F64:
        return np.asarray(irfft2(np.conj(left) * right, s=shape))[..., :edge, :edge]

    valid, one = transform(view.valid.astype(np.float64)), transform(weight)
    ours, theirs = transform(coarse), transform(fine)
    sums = np.stack(
        (
            product(ours, one),
            product(valid, theirs),
            product(ours, theirs),
            product(transform(coarse**2), one),
            product(valid, transform(fine**2)),
        )
    )
    return sums, product(valid, one)


def _autocorrelation(images: F64) -> F64:
    """Circular autocorrelation of each zero-mean image, 1 at no displacement."""
    power = np.abs(rfft2(images)) ** 2
    correlation = np.asarray(irfft2(power, s=images.shape[1:]))
    return np.asarray(correlation / np.maximum(correlation[:, :1, :1], 1e-30))
