"""The bands of a raster that measure light, and those of them that are of no use."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from rasterio.enums import ColorInterp

from specgan_cli.cubes.envi_header import envi_list
from specgan_cli.raster.bands import light_bands

__all__ = ["LightBands", "stored_bad"]

logger = logging.getLogger(__name__)

_LISTS = ("bbl", "good_wavelengths", "good_bands")
"""Tags that hold 1 for a band of use and 0 for a bad one: ENVI's, EMIT's, and copies of them."""


@dataclass(frozen=True)
class LightBands:
    """A raster as if it held only the bands that measure light, not alpha or quality."""

    dataset: Any
    """The open `rasterio.DatasetReader`."""
    numbers: tuple[int, ...]
    """Its 1-based numbers of the bands."""

    @classmethod
    def of(cls, dataset: Any, count: int | None = None) -> Self:
        """Leave out alpha that is not described as light, and bands without a wavelength tag.

        The latter only where most bands have such a tag; neither where the user names as many
        wavelengths as there are bands.

        Args:
            dataset: The open file.
            count: Bands whose wavelengths the user gives, or None.
        """
        if count == dataset.count:
            return cls(dataset, tuple(dataset.indexes))
        numbers = light_bands(dataset)
        tagged = [band for band in numbers if _has_wavelength(dataset.tags(band))]
        return cls(dataset, tuple(tagged) if 2 * len(tagged) > len(numbers) else numbers)

    @property
    def name(self) -> str:
        """Path of the file."""
        return str(self.dataset.name)

    @property
    def count(self) -> int:
        """Number of bands."""
        return len(self.numbers)

    @property
    def indexes(self) -> tuple[int, ...]:
        """Numbers of the bands from 1, among themselves."""
        return tuple(range(1, self.count + 1))

    @property
    def descriptions(self) -> tuple[str | None, ...]:
        """Description of each band."""
        return tuple(self.dataset.descriptions[number - 1] for number in self.numbers)

    @property
    def colorinterp(self) -> tuple[ColorInterp, ...]:
        """Colour interpretation of each band."""
        return tuple(self.dataset.colorinterp[number - 1] for number in self.numbers)

    def tags(self, band: int = 0, ns: str | None = None) -> dict[str, str]:
        """Return the tags of a band, or of the dataset."""
        found: dict[str, str] = self.dataset.tags(self.numbers[band - 1] if band else 0, ns=ns)
        return found

    def chosen(self, values: list[float]) -> list[float] | None:
        """Return the items of a list that belong to the bands; None for a list of other bands."""
        if len(values) == self.count:
            return values
        if len(values) == self.dataset.count:
            return [values[number - 1] for number in self.numbers]
        return None


def stored_bad(bands: LightBands, envi: Mapping[str, str], name: str) -> tuple[bool, ...]:
    """Return which bands the file marks as bad: in its ENVI header, its tags, or its bands' tags.

    A list that calls every band bad is not believed.

    Args:
        bands: The bands of the file.
        envi: Items of the ENVI header.
        name: The file, for messages.
    """
    bad = [False] * bands.count
    lists = {**_lower(bands.tags()), **envi}
    for key in _LISTS:
        flags = bands.chosen(envi_list(lists.get(key, ""))) or _of_bands(bands, key)
        if flags and not any(flags):
            logger.warning("%s: its %s calls every band bad, so it is ignored", name, key)
        elif flags:
            bad = [known or flag == 0 for known, flag in zip(bad, flags, strict=True)]
    return tuple(bad)


def _of_bands(bands: LightBands, key: str) -> list[float] | None:
    """Return the flags that the bands' own tags hold; bands without one are of use."""
    texts = [_lower(bands.tags(band)).get(key) for band in bands.indexes]
    if not any(texts):
        return None
    return [(envi_list(text or "") or [1.0])[0] for text in texts]


def _lower(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags by their lower names, without the variable that netCDF puts before them."""
    return {key.rpartition("#")[2].lower(): value for key, value in tags.items()}


def _has_wavelength(tags: Mapping[str, str]) -> bool:
    return any("wavelength" in key.lower() and "unit" not in key.lower() for key in tags)
