"""EnMAP L2A products: a raster with the spectral image, and an XML with what its bands are.

Layout after the EnMAP HSI product specification (EN-PCV-ICD-2009-2, level 2A): files
``...-SPECTRAL_IMAGE.TIF`` (EnPT also writes .bsq) and ``...-METADATA.XML``; reflectance =
GainOfBand * value + OffsetOfBand; ``specific/backgroundValue`` marks pixels without a measurement.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

from numpy.typing import NDArray

from specgan.bands import Bands
from specgan_cli.cubes.archive import names_beside, read_text
from specgan_cli.cubes.gdal import RasterStore
from specgan_cli.errors import RasterError
from specgan_cli.raster.grid import Window
from specgan_cli.types import Mask

__all__ = ["EnmapStore", "enmap_files"]

_IMAGE = re.compile(r"-SPECTRAL_IMAGE(?:_COG)?\.(?:TIFF?|BSQ|BIL|BIP)$", re.IGNORECASE)
_METADATA = re.compile(r"-METADATA\.XML$", re.IGNORECASE)


def enmap_files(name: str) -> tuple[str, str] | None:
    """The image and the metadata of an EnMAP product, when either of them is named.

    Args:
        name: A local file, or one in a local archive (/vsizip/).

    Raises:
        RasterError: The metadata are named and there is no image beside them.
    """
    folder, own_name = os.path.split(name)
    for own, other in ((_IMAGE, _METADATA), (_METADATA, _IMAGE)):
        stem = own.sub("", own_name)
        beside = names_beside(name) if stem != own_name else []
        if own_name not in beside or own_name.upper().startswith("DESIS"):
            continue
        found = [each for each in beside if each != own_name and other.sub("", each) == stem]
        if found:
            pair = name, f"{folder}/{found[0]}" if folder else found[0]
            return pair if own is _IMAGE else (pair[1], pair[0])
        if own is _METADATA:
            raise RasterError(
                f"{name}: its image, -SPECTRAL_IMAGE.TIF or .bsq, is not beside it; unpack all "
                "files of the product into one folder"
            )
    return None


class EnmapStore:
    """An EnMAP L2A product."""

    def __init__(self, image: str, metadata: str) -> None:
        root = _root(metadata)
        _check_level(root, metadata)
        bands = _band_items(root, metadata)
        self._image = RasterStore(image)
        layout = self._image.layout
        if len(bands) != layout.count:
            self.close()
            raise RasterError(
                f"{metadata}: describes {len(bands)} bands, but the image has {layout.count}"
            )
        centres, widths, gains, offsets = zip(*bands, strict=True)
        self._bands = Bands(centres, widths)
        nodata = layout.nodata
        if all(value is None for value in nodata):
            nodata = (_background(root),) * layout.count
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


def _root(metadata: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(read_text(metadata))
    except (ElementTree.ParseError, OSError, UnicodeDecodeError) as error:
        raise RasterError(f"{metadata}: is no readable EnMAP metadata ({error})") from error


def _check_level(root: ElementTree.Element, metadata: str) -> None:
    """Raise for products of radiance.

    Raises:
        RasterError: Any level but 2A.
    """
    level = (root.findtext(".//base/level") or "").strip().upper()
    named = re.search(r"_*(L[12][A-C])-", os.path.basename(metadata))
    level = level or (named[1] if named else "")
    if level and level != "L2A":
        raise RasterError(
            f"{metadata}: EnMAP {level} is radiance, not reflectance; use the L2A product of the "
            "same scene"
        )


def _band_items(
    root: ElementTree.Element, metadata: str
) -> list[tuple[float, float, float, float]]:
    """Centre, width, gain and offset of every band."""
    names = ("wavelengthCenterOfBand", "FWHMOfBand", "GainOfBand", "OffsetOfBand")
    nodes = root.findall(".//specific/bandCharacterisation/bandID")
    try:
        items = [tuple(float(node.findtext(name, "")) for name in names) for node in nodes]
    except ValueError as error:
        raise RasterError(f"{metadata}: a band lacks a number ({error})") from error
    return [(centre, width, gain, offset) for centre, width, gain, offset in items]


def _background(root: ElementTree.Element) -> float | None:
    text = root.findtext(".//specific/backgroundValue")
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
