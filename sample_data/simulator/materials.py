"""Reflectance spectra of the simulator's materials, as analytic curves of the right shape.

The curves are sums and products of logistic steps and Gaussian dips: the red edge at 715 nm, the
chlorophyll bands at 440 and 670 nm, liquid water at 970 nm, iron oxide at 530 and 870 nm, the slope
of soils, the fall of water towards the near infrared.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Spectrum = NDArray[np.float32]

WAVELENGTHS_NM: Spectrum = np.arange(380.0, 1051.0, 5.0, dtype=np.float32)
"""Sampling of every curve in this module, in nanometres."""


def _step(centre_nm: float, width_nm: float) -> Spectrum:
    """Return a logistic step from 0 to 1."""
    return 1.0 / (1.0 + np.exp(-(WAVELENGTHS_NM - centre_nm) / width_nm))


def _bump(centre_nm: float, sigma_nm: float) -> Spectrum:
    """Return a Gaussian of height 1."""
    return np.exp(-0.5 * ((WAVELENGTHS_NM - centre_nm) / sigma_nm) ** 2)


def _slope(low: float, high: float, bend: float = 1.0) -> Spectrum:
    """Return a rise from `low` at 380 nm to `high` at 1050 nm; a bend under 1 is concave."""
    position = (WAVELENGTHS_NM - 380.0) / 670.0
    return low + (high - low) * position**bend


def _plant(visible: float, green: float, infrared: float, edge_nm: float = 715.0) -> Spectrum:
    """Return a green leaf canopy: visible floor, green peak, red edge, plateau, water at 970 nm."""
    floor = visible * (1.0 + 0.35 * _bump(610.0, 40.0) - 0.25 * _bump(440.0, 40.0))
    plateau = infrared * (1.0 - 0.12 * _bump(970.0, 25.0) - 0.03 * _bump(760.0, 20.0))
    return floor + green * _bump(552.0, 32.0) + plateau * _step(edge_nm, 13.0)


def _soil(low: float, high: float, iron: float, water: float) -> Spectrum:
    """Return a soil: concave rise, iron oxide dips, and a dip of moisture at 970 nm."""
    dips = 1.0 - iron * _bump(520.0, 45.0) - 0.5 * iron * _bump(875.0, 50.0)
    return _slope(low, high, 0.8) * dips * (1.0 - water * _bump(970.0, 30.0))


def _tile(level: float) -> Spectrum:
    """Return fired clay: dark blue, a step at 580 nm, the iron oxide dip at 870 nm."""
    rise = 0.16 + 0.84 * _step(583.0, 22.0)
    return (0.035 + level * rise) * (1.0 - 0.18 * _bump(870.0, 55.0)) * _slope(0.95, 1.15)


def _river_water() -> Spectrum:
    """Return turbid water: a peak at 565 nm, next to nothing beyond 750 nm."""
    peak = 0.050 * _bump(565.0, 60.0) + 0.018 * _bump(470.0, 60.0)
    return 0.008 + peak + 0.012 * _bump(700.0, 18.0) * (1.0 - _step(745.0, 8.0))


CURVES: dict[str, Callable[[], Spectrum]] = {
    "lawn": lambda: _plant(0.045, 0.062, 0.42),
    "dry_grass": lambda: _slope(0.10, 0.40, 0.75) * (1.0 - 0.10 * _bump(672.0, 22.0)),
    "broadleaf": lambda: _plant(0.034, 0.058, 0.47, 717.0),
    "conifer": lambda: _plant(0.024, 0.026, 0.29, 713.0),
    "crop": lambda: _plant(0.038, 0.058, 0.50, 719.0),
    "dry_soil": lambda: _soil(0.09, 0.42, 0.10, 0.04),
    "moist_soil": lambda: _soil(0.045, 0.24, 0.12, 0.14),
    "gravel": lambda: _slope(0.20, 0.38, 0.55),
    "water": _river_water,
    "asphalt": lambda: _slope(0.075, 0.145, 0.6),
    "paint": lambda: 0.68 * _step(402.0, 7.0) * _slope(1.0, 0.93),
    "concrete": lambda: _slope(0.21, 0.38, 0.45) * (1.0 - 0.04 * _bump(970.0, 30.0)),
    "red_tile": lambda: _tile(0.27),
    "brown_tile": lambda: _tile(0.17) + 0.02,
    "metal": lambda: _slope(0.33, 0.43, 0.7) * (1.0 - 0.16 * _bump(1010.0, 60.0)),
    "bitumen": lambda: _slope(0.055, 0.075),
    "solar": lambda: 0.028 + 0.045 * _bump(440.0, 45.0) + 0.05 * _step(1000.0, 25.0),
    "blue_paint": lambda: 0.05 + 0.22 * _bump(460.0, 45.0) + 0.35 * _step(760.0, 25.0),
    "red_paint": lambda: 0.035 + 0.42 * _step(598.0, 10.0),
    "pool": lambda: 0.03 + 0.27 * _bump(475.0, 65.0) * (1.0 - _step(640.0, 25.0)),
}
"""Reflectance (0 to 1) of each material; the order is the order of a truth's abundances."""

NAMES: tuple[str, ...] = tuple(CURVES)


def spectra() -> Spectrum:
    """Return the reflectance of every material, materials x wavelengths, 0 to 1."""
    return np.stack([CURVES[name]() for name in NAMES]).astype(np.float32)


def band_reflectance(centres_nm: Spectrum, fwhm_nm: Spectrum) -> Spectrum:
    """Return what bands with Gaussian responses see of every material.

    Args:
        centres_nm: Band centres, B values in nanometres.
        fwhm_nm: Full widths at half maximum, B values in nanometres.

    Returns:
        Materials x B reflectances, 0 to 1.
    """
    return spectra() @ band_response(centres_nm, fwhm_nm).T


def band_response(centres_nm: Spectrum, fwhm_nm: Spectrum) -> Spectrum:
    """Return Gaussian responses, B x wavelengths, each with unit sum."""
    sigma = np.asarray(fwhm_nm, dtype=np.float32)[:, None] / 2.3548
    offset = WAVELENGTHS_NM[None, :] - np.asarray(centres_nm, dtype=np.float32)[:, None]
    weights = np.exp(-0.5 * (offset / sigma) ** 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
