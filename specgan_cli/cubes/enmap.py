"""EnMAP L2A products: a GeoTIFF with its spectral image, and an XML with what its bands are.

Layout after the EnMAP HSI product specification (EN-PCV-ICD-2009-2, level 2A): files
``...-SPECTRAL_IMAGE.TIF`` and ``...-METADATA.XML``; reflectance = GainOfBand * value +
OffsetOfBand; ``specific/backgroundValue`` marks pixels without a measurement.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from numpy.typing import NDArray

from specgan.bands import Bands
from specgan_cli.cubes.gdal import RasterStore
from specgan_cli.errors import RasterError
from specgan_cli.raster.grid import Window
from specgan_cli.types import Mask

__all__ = ["EnmapStore", "enmap_files"]

_IMAGE = re.compile(r"-SPECTRAL_IMAGE(?:_COG)?\.TIFF?$", re.IGNORECASE)
_METADATA = re.compile(r"-METADATA\.XML$", re.IGNORECASE)


def enmap_files(name: str) -> tuple[Path, Path] | None:
    """The image and the metadata of an EnMAP product, when either of them is named.

    Raises:
        RasterError: The metadata are named and there is no image beside them.
    """
    path = Path(name)
    for own, other in ((_IMAGE, _METADATA), (_METADATA, _IMAGE)):
        stem = own.sub("", path.name)
        if stem == path.name or not path.is_file():
            continue
        found = [p for p in path.parent.glob(f"{stem}-*") if other.sub("", p.name) == stem]
        if found:
            return (path, found[0]) if own is _IMAGE else (found[0], path)
        if own is _METADATA:
            raise RasterError(f"{name}: its -SPECTRAL_IMAGE.TIF is not beside it")
    return None


class EnmapStore:
    """An EnMAP L2A product."""

    def __init__(self, image: Path, metadata: Path) -> None:
        bands = _band_items(metadata)
        self._image = RasterStore(str(image))
        layout = self._image.layout
        if len(bands) != layout.count:
            self.close()
            raise RasterError(
                f"{metadata.name}: describes {len(bands)} bands, but the image has {layout.count}"
            )
        centres, widths, gains, offsets = zip(*bands, strict=True)
        self._bands = Bands(centres, widths)
        nodata = layout.nodata
        if all(value is None for value in nodata):
            nodata = (_background(metadata),) * layout.count
        self.layout = replace(layout, gains=gains, offsets=offsets, nodata=nodata)

    def find_bands(self) -> Bands:
        """The bands that the metadata describe."""
        return self._bands

    def read(self, window: Window, indices: Sequence[int]) -> NDArray[Any]:
        """Stored values: bands x height x width."""
        return self._image.read(window, indices)

    def mask(self, window: Window) -> Mask | None:
        """Where the image's masks say that pixels are measured."""
        return self._image.mask(window)

    def close(self) -> None:
        """Give the file back."""
        self._image.close()


def _root(metadata: Path) -> ElementTree.Element:
    try:
        return ElementTree.parse(metadata).getroot()
    except (ElementTree.ParseError, OSError) as error:
        raise RasterError(f"{metadata}: is no readable EnMAP metadata ({error})") from error


def _band_items(metadata: Path) -> list[tuple[float, float, float, float]]:
    """Centre, width, gain and offset of every band."""
    names = ("wavelengthCenterOfBand", "FWHMOfBand", "GainOfBand", "OffsetOfBand")
    nodes = _root(metadata).findall(".//specific/bandCharacterisation/bandID")
    try:
        items = [tuple(float(node.findtext(name, "")) for name in names) for node in nodes]
    except ValueError as error:
        raise RasterError(f"{metadata}: a band lacks a number ({error})") from error
    return [(centre, width, gain, offset) for centre, width, gain, offset in items]


def _background(metadata: Path) -> float | None:
    text = _root(metadata).findtext(".//specific/backgroundValue")
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
