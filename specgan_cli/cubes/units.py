"""Units in which files give wavelengths, and what their sizes say of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np

from specgan_cli.errors import RasterError

__all__ = ["found_bands", "to_nanometres"]

logger = logging.getLogger(__name__)

_LIGHT_SPEED = 299_792_458.0
"""Metres a second."""

_LENGTHS = (
    (("um", "µm", "μm", "microm", "micron"), 1e3),
    (("nm", "nanom"), 1.0),
    (("angstr", "ångstr", "aa", "å"), 0.1),
    (("mm", "millim"), 1e6),
    (("m", "met"), 1e9),
)
"""Beginnings of the names of lengths, and nanometres in each."""

_FREQUENCIES = (("thz", 1e12), ("ghz", 1e9), ("mhz", 1e6), ("hz", 1.0))
_WAVENUMBERS = ("cm-1", "cm^-1", "1/cm", "cm**-1", "wavenumber", "wave number", "kayser")

_NO_OPTICS_NM = 10.0
"""No imaging spectrometer sees shorter light."""

Convert = Callable[[float], float]


def to_nanometres(values: Sequence[float], units: str | None = None) -> list[float]:
    """Return wavelengths in nanometres.

    Args:
        values: Wavelengths, frequencies or wavenumbers.
        units: What the file calls their unit; when that says nothing, their size does: a median
            below 1e-4 is metres, below 100 micrometres.  Nanometres below 10 are micrometres.

    Raises:
        RasterError: The unit is none of light (index).
    """
    convert = _conversion(values, units)
    return [convert(value) for value in values]


def found_bands(
    centres: Sequence[float], widths: Sequence[float] | None, units: str | None
) -> tuple[list[float], list[float] | None]:
    """Return centres and widths in nanometres; widths only where there is one for every band.

    Args:
        centres: Wavelengths, frequencies or wavenumbers.
        widths: FWHM in the same unit, or in micrometres where their size says so.
        units: As for `to_nanometres`.
    """
    convert = _conversion(centres, units)
    converted = [convert(centre) for centre in centres]
    if widths is None or len(widths) != len(centres) or min(widths) <= 0:
        return converted, None
    pairs = zip(centres, widths, strict=True)
    ends = [(convert(centre + width / 2), convert(centre - width / 2)) for centre, width in pairs]
    return converted, _checked(converted, [abs(high - low) for high, low in ends])


def _conversion(values: Sequence[float], units: str | None) -> Convert:
    """Return the function that makes nanometres of a value."""
    name, middle = (units or "").strip().lower(), float(np.median(values))
    if name.startswith(_WAVENUMBERS):
        return lambda value: 1e7 / value
    for frequency, hertz in _FREQUENCIES:
        if name.startswith(frequency):
            return lambda value: 1e9 * _LIGHT_SPEED / (hertz * value)
    if name.startswith("index"):
        raise RasterError(
            f"wavelengths are given in {units}; give them in nanometres with --wavelengths FILE.csv"
        )
    factor = next((nm for names, nm in _LENGTHS if name.startswith(names)), None)
    if factor == 1.0 and middle < _NO_OPTICS_NM:
        factor = 1e3
        logger.warning(
            "wavelengths about %.3g are called %s, yet must be micrometres", middle, units
        )
    if factor is None:
        factor = 1e9 if middle < 1e-4 else 1e3 if middle < 100 else 1.0
    return lambda value: factor * value


def _checked(centres: Sequence[float], widths: list[float]) -> list[float]:
    """Return widths; 1000 times wider where they are micrometres beside nanometres."""
    spacing = float(np.median(np.abs(np.diff(np.sort(centres))))) if len(centres) > 1 else 0.0
    width = float(np.median(widths))
    if width < 0.02 * spacing and 0.2 * spacing < 1000 * width < 20 * spacing:
        logger.warning(
            "bands about %.3g nm apart have FWHM of %.3g: taken for micrometres", spacing, width
        )
        return [1000 * each for each in widths]
    return widths
