"""Wavelengths that a raster's bands are tagged with, where they help to find its colours."""

from collections.abc import Mapping
from typing import Any

from specgan_cli.raster.drivers.units import NUMBER, WITH_UNIT, one_to_nanometres

_KEYS = ("wavelength", "central_wavelength", "center_wavelength", "centre_wavelength")
_LIGHT = (100.0, 30000.0)
"""Nanometres between which a number is believed to be a wavelength."""


def centres_nm(dataset: Any) -> list[float | None]:
    """Return the central wavelength of every band in nanometres, None where nothing tells.

    Looks at band tags, the IMAGERY domain, the ENVI list and descriptions such as "665 nm".

    Args:
        dataset: A `rasterio.DatasetReader`.
    """
    envi = dataset.tags(ns="ENVI")
    listed = NUMBER.findall(envi.get("wavelength", ""))
    if len(listed) != dataset.count:
        listed = [None] * dataset.count
    found = []
    for band, item in zip(dataset.indexes, listed, strict=True):
        tags = {key.lower(): value for key, value in dataset.tags(band).items()}
        imagery = dataset.tags(band, ns="IMAGERY").get("CENTRAL_WAVELENGTH_UM")
        found.append(
            _of_tags(tags)
            or to_nm(imagery, "um")
            or to_nm(item, envi.get("wavelength_units"))
            or _of_text(dataset.descriptions[band - 1])
        )
    return found


def to_nm(text: str | None, units: str | None = None) -> float | None:
    """Return a wavelength in nanometres; None for what is none.

    Args:
        text: A number, perhaps with its unit behind it.
        units: What the file calls the unit; without one, the number's size decides.
    """
    match = NUMBER.match((text or "").strip())
    if match is None:
        return None
    unit = (text or "").strip()[match.end() :].strip() or units or ""
    nm = one_to_nanometres(float(match[0]), unit)
    return nm if nm is not None and _LIGHT[0] <= nm <= _LIGHT[1] else None


def _of_tags(tags: Mapping[str, str]) -> float | None:
    units = next((tags[key] for key in tags if "wavelength_unit" in key), None)
    return next((nm for key in _KEYS if (nm := to_nm(tags.get(key), units))), None)


def _of_text(text: str | None) -> float | None:
    match = WITH_UNIT.search(text or "")
    return None if match is None else to_nm(match[1], match[2])
