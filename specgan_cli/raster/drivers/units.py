"""Units in which files give wavelengths, and what their sizes say of them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence

import numpy as np

from specgan_cli.errors import RasterError

__all__ = ["NUMBER", "WITH_UNIT", "found_bands", "one_to_nanometres", "to_nanometres"]

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

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
"""A number in a text."""

WITH_UNIT = re.compile(r"(\d+\.?\d*|\.\d+)\s*(nm\b|nanomet|um\b|µm|μm|microm)", re.IGNORECASE)
"""A wavelength with its unit in a text, such as a description."""

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


def one_to_nanometres(value: float, unit: str) -> float | None:
    """Return one wavelength in nanometres, without doubt about a unit that is named.

    Args:
        value: The number.
        unit: Its unit; when empty, the number's size decides.

    Returns:
        Nanometres; None where the unit is none of light, or the number none above 0.
    """
    name = unit.strip().lower()
    scale = _named(name) if name else (_by_size(value), 1)
    return None if scale is None or value <= 0 else scale[0] * value ** scale[1]


def _named(name: str) -> tuple[float, int] | None:
    """Return nanometres of one unit, and 1 where values count lengths, -1 where their inverse."""
    if name.startswith(_WAVENUMBERS):
        return 1e7, -1
    for frequency, hertz in _FREQUENCIES:
        if name.startswith(frequency):
            return 1e9 * _LIGHT_SPEED / hertz, -1
    return next(((nm, 1) for names, nm in _LENGTHS if name.startswith(names)), None)


def _conversion(values: Sequence[float], units: str | None) -> Convert:
    """Return the function that makes nanometres of a value."""
    name, middle = (units or "").strip().lower(), float(np.median(values))
    if name.startswith("index"):
        raise RasterError(
            f"wavelengths are given in {units}; give them in nanometres with --wavelengths FILE.csv"
        )
    factor, power = _named(name) or (_by_size(middle), 1)
    if factor == 1.0 and middle < _NO_OPTICS_NM:
        factor = 1e3
        logger.warning(
            "wavelengths about %.3g are called %s, yet must be micrometres", middle, units
        )
    return lambda value: factor / value if power < 0 else factor * value


def _by_size(value: float) -> float:
    """Return nanometres of a unit that is not named: metres, micrometres or nanometres."""
    return 1e9 if value < 1e-4 else 1e3 if value < 100 else 1.0


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
