"""A VRT that shows rasters, one below the other, as one (`osgeo`, which could, has no wheels)."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader

from specgan import files
from specgan_cli.errors import writing
from specgan_cli.raster.grid import Grid

VRT_TYPES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "uint64": "UInt64",
    "int64": "Int64",
    "float32": "Float32",
    "float64": "Float64",
}
"""GDAL's names of numpy's types."""


def write_vrt(path: Path, grid: Grid, parts: Sequence[Path], tags: Mapping[str, str]) -> None:
    """Write a VRT that shows parts, one below the other, as one raster.

    Args:
        path: The VRT; parts are named relative to its folder.
        grid: Of the whole.
        parts: GeoTIFFs of the full width, from top to bottom.
        tags: Dataset tags.

    Raises:
        OutputError: It cannot be written.
    """
    with rasterio.open(parts[0]) as first:
        heights = [_height(part) for part in parts]
        root = dataset_element(grid.shape_yx, grid.transform, first.crs)
        _add_tags(root, tags)
        for index in first.indexes:
            band = _band_element(root, first, index)
            _add_sources(band, path, parts, heights, grid.shape_yx[1], str(index))
        if MaskFlags.per_dataset in first.mask_flag_enums[0] and ColorInterp.alpha not in (
            first.colorinterp
        ):
            mask = ElementTree.SubElement(root, "MaskBand")
            band = ElementTree.SubElement(mask, "VRTRasterBand", dataType="Byte")
            _add_sources(band, path, parts, heights, grid.shape_yx[1], "mask,1")
    with writing(path), files.replacing(path) as temporary:
        ElementTree.ElementTree(root).write(temporary, encoding="utf-8")


def dataset_element(
    shape_yx: tuple[int, int], transform: Affine, crs: CRS | None
) -> ElementTree.Element:
    """Return the root of a VRT, without bands: its size and, where there are, its place and CRS."""
    rows, cols = shape_yx
    root = ElementTree.Element("VRTDataset", rasterXSize=str(cols), rasterYSize=str(rows))
    if crs is not None:
        ElementTree.SubElement(root, "SRS").text = crs.to_wkt()
    if not transform.is_identity:
        numbers = ", ".join(repr(float(number)) for number in transform.to_gdal())
        ElementTree.SubElement(root, "GeoTransform").text = numbers
    return root


def _height(part: Path) -> int:
    with rasterio.open(part) as dataset:
        return int(dataset.height)


def _add_tags(parent: ElementTree.Element, tags: Mapping[str, str], space: str = "") -> None:
    if tags:
        where = {"domain": space} if space else {}
        metadata = ElementTree.SubElement(parent, "Metadata", where)
        for key, value in tags.items():
            ElementTree.SubElement(metadata, "MDI", key=key).text = value


def _band_element(
    root: ElementTree.Element, first: DatasetReader, index: int
) -> ElementTree.Element:
    kind = VRT_TYPES[first.dtypes[index - 1]]
    band = ElementTree.SubElement(root, "VRTRasterBand", dataType=kind, band=str(index))
    if first.descriptions[index - 1]:
        ElementTree.SubElement(band, "Description").text = first.descriptions[index - 1]
    for space in ("", "IMAGERY"):
        _add_tags(band, first.tags(index, ns=space or None), space)
    if first.units[index - 1]:
        ElementTree.SubElement(band, "UnitType").text = first.units[index - 1]
    if first.nodata is not None:
        nodata = "nan" if np.isnan(first.nodata) else repr(first.nodata)
        ElementTree.SubElement(band, "NoDataValue").text = nodata
    ElementTree.SubElement(band, "ColorInterp").text = first.colorinterp[
        index - 1
    ].name.capitalize()
    if first.scales[index - 1] != 1 or first.offsets[index - 1] != 0:
        ElementTree.SubElement(band, "Offset").text = repr(first.offsets[index - 1])
        ElementTree.SubElement(band, "Scale").text = repr(first.scales[index - 1])
    return band


def _add_sources(
    band: ElementTree.Element,
    path: Path,
    parts: Sequence[Path],
    heights: Sequence[int],
    width: int,
    source_band: str,
) -> None:
    top = 0
    for part, height in zip(parts, heights, strict=True):
        source = ElementTree.SubElement(band, "SimpleSource")
        name = os.path.relpath(part, path.parent)
        ElementTree.SubElement(source, "SourceFilename", relativeToVRT="1").text = name
        ElementTree.SubElement(source, "SourceBand").text = source_band
        size = {"xSize": str(width), "ySize": str(height)}
        ElementTree.SubElement(source, "SrcRect", {"xOff": "0", "yOff": "0", **size})
        ElementTree.SubElement(source, "DstRect", {"xOff": "0", "yOff": str(top), **size})
        top += height
