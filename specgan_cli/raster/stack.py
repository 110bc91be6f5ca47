"""Rasters of one band each as one raster of several, as Sentinel-2 and Landsat are shipped."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree

from rasterio.io import DatasetReader, MemoryFile

from specgan_cli.errors import MismatchError
from specgan_cli.raster.bands import light_bands
from specgan_cli.raster.drivers.sentinel2 import scale_of
from specgan_cli.raster.drivers.vrt import VRT_TYPES, dataset_element
from specgan_cli.raster.validation import open_dataset
from specgan_cli.redaction import redact

_BAND_NAME = re.compile(r"(?:^|_)(B\d{1,2}A?)(?=_|$)", re.IGNORECASE)


@contextmanager
def stacked(paths: Sequence[str]) -> Iterator[str]:
    """Yield the path of a raster in memory whose bands are those of several files, in their order.

    Each band is described by the name that its file gives it (B04 of T34UCF_20230823_B04_10m.jp2),
    else by its description, else by the file's name.

    Args:
        paths: Anything GDAL opens.

    Raises:
        RasterError: A file cannot be read.
        MismatchError: The files differ in grid or type.
    """
    with ExitStack() as stack:
        datasets = [stack.enter_context(open_dataset(path)) for path in paths]
        for path, dataset in zip(paths, datasets, strict=True):
            _check_alike(paths[0], datasets[0], path, dataset)
        content = ElementTree.tostring(_vrt(paths, datasets))
    # Named by its content, so that a repeated run knows it again.
    folder = sha256(content).hexdigest()[:16]
    stem = "_".join(Path(redact(path)).stem for path in paths)[:120]
    with MemoryFile(content, dirname=f"stack_{folder}", filename=f"{stem}.vrt") as memory:
        yield memory.name


def _check_alike(first: str, expected: DatasetReader, path: str, dataset: DatasetReader) -> None:
    here, there = redact(path), redact(first)
    if dataset.shape != expected.shape or not dataset.transform.almost_equals(expected.transform):
        size, box = expected.res, " ".join(f"{each:.12g}" for each in expected.bounds)
        raise MismatchError(
            f"{here}: {dataset.width} x {dataset.height} pixels of {dataset.res[0]:g} are not on "
            f"the grid of {there}, {expected.width} x {expected.height} of {size[0]:g}; bring it "
            f"there with: gdalwarp -r bilinear -tr {size[0]:g} {size[1]:g} -te {box} {here} OUT.tif"
        )
    if dataset.crs != expected.crs:
        raise MismatchError(
            f"{here}: its CRS is {dataset.crs}, that of {there} {expected.crs}; warp it: "
            f"gdalwarp -t_srs {expected.crs} {here} OUT.tif"
        )
    if set(dataset.dtypes) != {expected.dtypes[0]}:
        raise MismatchError(
            f"{here}: holds {dataset.dtypes[0]}, {there} {expected.dtypes[0]}; "
            f"convert it: rio convert -t {expected.dtypes[0]} {here} OUT.tif"
        )


def _vrt(paths: Sequence[str], datasets: Sequence[DatasetReader]) -> ElementTree.Element:
    first = datasets[0]
    root = dataset_element(first.shape, first.transform, first.crs)
    number = 0
    for path, dataset in zip(paths, datasets, strict=True):
        for band in light_bands(dataset):
            number += 1
            _add_band(root, number, _absolute(dataset.name), dataset, band, _label(path))
    return root


def _add_band(
    root: ElementTree.Element,
    number: int,
    source: str,
    dataset: DatasetReader,
    band: int,
    label: str,
) -> None:
    element = ElementTree.SubElement(
        root, "VRTRasterBand", dataType=VRT_TYPES[dataset.dtypes[band - 1]], band=str(number)
    )
    named = label if dataset.count == 1 else dataset.descriptions[band - 1]
    ElementTree.SubElement(element, "Description").text = named or f"{label} {band}"
    nodata = dataset.nodatavals[band - 1]
    if nodata is not None:
        ElementTree.SubElement(element, "NoDataValue").text = repr(float(nodata))
    scale, offset = scale_of(dataset, band)
    if (scale, offset) != (1.0, 0.0):
        ElementTree.SubElement(element, "Offset").text = repr(offset)
        ElementTree.SubElement(element, "Scale").text = repr(scale)
    part = ElementTree.SubElement(element, "SimpleSource")
    ElementTree.SubElement(part, "SourceFilename", relativeToVRT="0").text = source
    ElementTree.SubElement(part, "SourceBand").text = str(band)


def _label(path: str) -> str:
    stem = Path(redact(path)).stem
    found = _BAND_NAME.search(stem)
    return found[1].upper() if found else stem


def _absolute(name: str) -> str:
    return os.path.abspath(name) if os.path.exists(name) else name
