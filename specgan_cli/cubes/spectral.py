"""Spectral resampling between sets of bands, as one matrix.

The source spectrum is taken as straight between its band centres and weighted with a Gaussian
response around each target band. Three properties are wanted of the matrix and hold exactly:

- rows sum to one, so flat spectra stay flat;
- the response is cut symmetrically where the source ends, so straight spectra stay straight up to
  the last source band;
- a source band is itself a Gaussian average, so only the width that is still missing is applied
  (squared widths add under convolution): resampling bands to themselves is the identity.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specgan.bands import Bands
from specgan_cli.errors import MismatchError, ShapeError
from specgan_cli.types import F64, Mask

__all__ = ["WATER_ABSORPTION_NM", "known_bands", "resampling_matrix", "water_bands"]

WATER_ABSORPTION_NM = ((1340.0, 1445.0), (1790.0, 1955.0))
"""Ranges in which the atmosphere is opaque and airborne reflectance is noise (NEON's own list)."""

FWHM_PER_SIGMA = float(2.0 * np.sqrt(2.0 * np.log(2.0)))
_REACH_SIGMAS = 5.0
_WIDEST_GAP_NM = 50.0
"""Distance of neighbouring bands between which nothing counts as measured, whatever their width:
a camera's red and near infrared say nothing of the red edge."""
MEASURED = 0.5
"""Share of a band's response that makes it known."""
_SAME_BAND_NM = 1e-3
_POINT_NM = 1e-3
_SAME_WIDTH = 1.001
"""Ratio of two widths up to which they differ by the rounding of a file alone."""


def resampling_matrix(
    source: Bands, target: Bands, bad: ArrayLike | None = None
) -> tuple[F64, F64]:
    """The linear map from spectra on `source` bands to spectra on `target` bands.

    Args:
        source: Bands of the cube, in any order.
        target: Bands wanted.
        bad: One truth value a source band; true bands get no weight and cover nothing.

    Returns:
        The matrix (targets x sources; rows sum to one) and the coverage (targets; 0 to 1): the
        share of each target response over wavelengths that the source measures. A target beyond
        the source's range takes the nearest band's value and has low coverage.

    Raises:
        ShapeError: `bad` has not one value for every band.
        MismatchError: No usable band is left.
    """
    usable = _usable(source, bad)
    centres, merge = _distinct(np.asarray(source.wavelengths_nm)[usable])
    widths = merge @ np.asarray(source.fwhm_nm)[usable]
    weights = np.stack(
        [
            _row(centres, widths, centre, width)
            for centre, width in zip(target.wavelengths_nm, target.fwhm_nm, strict=True)
        ]
    )
    matrix = np.zeros((len(target), len(source)))
    matrix[:, usable] = weights @ merge
    return matrix, _coverage(centres, widths, target)


def water_bands(bands: Bands) -> Mask:
    """Which bands lie in the water-absorption ranges: one truth value per band."""
    centres = np.asarray(bands.wavelengths_nm)
    inside = [(centres >= low) & (centres <= high) for low, high in WATER_ABSORPTION_NM]
    return np.asarray(np.any(inside, axis=0), dtype=np.bool_)


def known_bands(coverage: F64, target: Bands, name: str) -> Mask:
    """Say which target bands a cube measures: at least half of their response.

    Args:
        coverage: Per target band, 0 to 1, from `resampling_matrix`.
        target: The bands wanted.
        name: The cube, for the message.

    Returns:
        One truth value a target band.

    Raises:
        MismatchError: The cube measures none of them.
    """
    known = coverage >= MEASURED
    if not known.any():
        low, high = min(target.wavelengths_nm), max(target.wavelengths_nm)
        raise MismatchError(
            f"{name}: none of its bands lies between {low:.0f} and {high:.0f} nm; use a cube of "
            "the visible and near infrared, or give its wavelengths with --wavelengths"
        )
    return np.asarray(known, dtype=np.bool_)


def _usable(source: Bands, bad: ArrayLike | None) -> NDArray[np.intp]:
    if bad is None:
        return np.arange(len(source))
    flags = np.asarray(bad, dtype=np.bool_)
    if flags.shape != (len(source),):
        raise ShapeError(f"bad-band list of shape {flags.shape} for {len(source)} bands")
    if flags.all():
        raise MismatchError("every band of the cube is marked bad; check --bad-bands")
    return np.flatnonzero(~flags)


def _distinct(centres: F64) -> tuple[F64, F64]:
    """Increasing distinct centres, and the matrix that averages duplicates (distinct x bands)."""
    order = np.argsort(centres, kind="stable")
    first = np.concatenate(([True], np.diff(centres[order]) > _SAME_BAND_NM))
    label = np.cumsum(first) - 1
    merge = np.zeros((int(label[-1]) + 1, centres.size))
    merge[label, order] = 1.0
    merge /= merge.sum(axis=1, keepdims=True)
    return merge @ centres, merge


def _row(centres: F64, widths: F64, centre: float, width: float) -> F64:
    """Weights on the source centres of one target band."""
    own = float(np.interp(centre, centres, widths))
    missing = width**2 - own**2 if width > own * _SAME_WIDTH else 0.0
    sigma = np.sqrt(missing) / FWHM_PER_SIGMA
    reach = min(_REACH_SIGMAS * sigma, centre - centres[0], centres[-1] - centre)
    if reach < _POINT_NM:
        return _interpolation_row(centres, centre)
    row = _gaussian_row(centres, centre, sigma, reach)
    return np.asarray(row / row.sum(), dtype=np.float64)


def _interpolation_row(centres: F64, at: float) -> F64:
    row = np.zeros(centres.size)
    right = int(np.clip(np.searchsorted(centres, at), 0, centres.size - 1))
    left = max(right - 1, 0) if centres[right] > at else right
    span = centres[right] - centres[left]
    share = (at - centres[left]) / span if span > 0 else 0.0
    row[left] += 1.0 - share
    row[right] += share
    return row


def _gaussian_row(centres: F64, centre: float, sigma: float, reach: float) -> F64:
    """Closed integrals of each hat function times the Gaussian, cut at `reach` on both sides."""
    from scipy.special import ndtr

    low = np.clip((centres[:-1] - centre) / sigma, -reach / sigma, reach / sigma)
    high = np.clip((centres[1:] - centre) / sigma, -reach / sigma, reach / sigma)
    mass = ndtr(high) - ndtr(low)
    first_moment = _density(low) - _density(high)
    span = np.diff(centres)
    rising = (sigma * first_moment + (centre - centres[:-1]) * mass) / span
    row = np.zeros(centres.size)
    row[1:] += rising
    row[:-1] += mass - rising
    return row


def _density(z: F64) -> F64:
    return np.asarray(np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi))


def _coverage(centres: F64, widths: F64, target: Bands) -> F64:
    """Share of each target response inside the union of the source bands' own intervals."""
    from scipy.special import ndtr

    gap = np.diff(centres)
    joined = (gap <= widths[:-1] + widths[1:]) & (gap <= _WIDEST_GAP_NM)
    after = np.append(np.where(joined, gap / 2, widths[:-1] / 2), widths[-1] / 2)
    before = np.insert(np.where(joined, gap / 2, widths[1:] / 2), 0, widths[0] / 2)
    sigma = np.asarray(target.fwhm_nm)[:, None] / FWHM_PER_SIGMA
    at = np.asarray(target.wavelengths_nm)[:, None]
    mass = ndtr((centres + after - at) / sigma) - ndtr((centres - before - at) / sigma)
    return np.asarray(np.clip(mass.sum(axis=1), 0.0, 1.0))
