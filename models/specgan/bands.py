"""Spectral bands of cubes and of what networks take, and the 48 that are canonical."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specgan.errors import ShapeError

__all__ = ["CANONICAL_BANDS", "Bands"]


@dataclass(frozen=True)
class Bands:
    """Spectral bands, in the order of a cube's or a network's channels.

    Raises:
        ShapeError: A value is not a positive number, or the lengths differ.
    """

    wavelengths_nm: tuple[float, ...]
    """Centre of every band, nanometres; any order, duplicates allowed."""
    fwhm_nm: tuple[float, ...]
    """Full width at half maximum of every band's response, nanometres."""

    def __post_init__(self) -> None:
        if len(self.wavelengths_nm) != len(self.fwhm_nm):
            raise ShapeError(
                f"{len(self.wavelengths_nm)} wavelengths but {len(self.fwhm_nm)} FWHM values; "
                "give one FWHM for every band"
            )
        values = np.asarray(self.wavelengths_nm + self.fwhm_nm, dtype=np.float64)
        if not np.all(np.isfinite(values) & (values > 0)):
            raise ShapeError("wavelengths and FWHM must be positive numbers of nanometres")

    def __len__(self) -> int:
        return len(self.wavelengths_nm)

    @classmethod
    def from_wavelengths(
        cls, wavelengths_nm: Iterable[float], fwhm_nm: Iterable[float] | None = None
    ) -> Bands:
        """Bands from centres; a missing FWHM is the spacing to the neighbouring bands.

        Args:
            wavelengths_nm: Centres in nanometres, in any order.
            fwhm_nm: Widths in nanometres, or None to take the local spacing.

        Raises:
            ShapeError: A value is not a positive number, or the lengths differ.
        """
        centres = tuple(float(value) for value in wavelengths_nm)
        if fwhm_nm is None:
            return cls(centres, tuple(_spacing(np.asarray(centres)).tolist()))
        return cls(centres, tuple(float(value) for value in fwhm_nm))

    def between(self, low_nm: float, high_nm: float) -> tuple[int, ...]:
        """Indices of the bands whose centre lies in [low_nm, high_nm]."""
        return tuple(i for i, nm in enumerate(self.wavelengths_nm) if low_nm <= nm <= high_nm)

    def matches(self, other: Bands, tolerance_nm: float = 0.05) -> bool:
        """Whether both have the same centres and widths, within a tolerance in nanometres."""
        if len(self) != len(other):
            return False
        ours = np.asarray(self.wavelengths_nm + self.fwhm_nm)
        theirs = np.asarray(other.wavelengths_nm + other.fwhm_nm)
        return bool(np.all(np.abs(ours - theirs) <= tolerance_nm))


def _spacing(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each centre to its neighbours: their mean inside, the one there is at an end."""
    distinct = np.unique(centres)
    if distinct.size < 2:
        return np.full(centres.shape, 10.0)
    return np.asarray(np.interp(centres, distinct, np.gradient(distinct)), dtype=np.float64)


_CENTRES = np.linspace(380.0, 1050.0, 48)

CANONICAL_BANDS = Bands.from_wavelengths(_CENTRES, np.full(48, _CENTRES[1] - _CENTRES[0]))
"""The 48 bands that networks and datasets use: those of the DFC2018 cube (380 to 1050 nm)."""
