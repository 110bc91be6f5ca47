"""Sentinel-2 products as they come: the SAFE folder or its .zip, through GDAL's driver."""

import os
from collections.abc import Sequence
from pathlib import Path

import rasterio
from rasterio.io import DatasetReader

from specgan import files
from specgan_cli.errors import RasterError

_DRIVER = "SENTINEL2"
_METADATA = ("MTD_MSI*.xml", "S2*_MTD_SAF*.xml")


def open_raster(name: str) -> DatasetReader:
    """Open what GDAL opens; of a Sentinel-2 product its 10 m bands.

    Raises:
        RasterioError: Nothing there that GDAL reads.
    """
    dataset = rasterio.open(metadata_of(name))
    bands = ten_metres(dataset)
    if bands is None:
        return dataset
    dataset.close()
    return rasterio.open(bands)


def metadata_of(name: str) -> str:
    """Return the metadata file of a SAFE folder, which GDAL opens; any other name as it is."""
    if files.is_remote(name) or not Path(name).is_dir():
        return name
    found = [path for pattern in _METADATA for path in sorted(Path(name).glob(pattern))]
    return str(found[0]) if found else name


def ten_metres(dataset: DatasetReader) -> str | None:
    """Return the 10 m bands of an open product, by the name that GDAL opens.

    Returns:
        None for what is no whole product, or lies in several zones.
    """
    if dataset.driver != _DRIVER or dataset.count:
        return None
    found: list[str] = [name for name in dataset.subdatasets if ":10m:" in name]
    return found[0] if len(found) == 1 else None


def scale_of(dataset: DatasetReader, band: int) -> tuple[float, float]:
    """Return factor and offset from a band's values to physical ones.

    GDAL leaves quantification and offset of Sentinel-2 in tags: reflectance is the sum of value and
    offset over the quantification.
    """
    plain = float(dataset.scales[band - 1]), float(dataset.offsets[band - 1])
    tags = dataset.tags(band)
    if dataset.driver != _DRIVER or "WAVELENGTH" not in tags or plain != (1.0, 0.0):
        return plain
    shared = dataset.tags()
    one = float(shared.get("BOA_QUANTIFICATION_VALUE", shared.get("QUANTIFICATION_VALUE", 1)))
    added = float(tags.get("BOA_ADD_OFFSET", tags.get("RADIO_ADD_OFFSET", 0)))
    return 1 / one, added / one


def check_files(dataset: DatasetReader, bands: Sequence[int], name: str) -> None:
    """Raise where the image of a band is missing, which GDAL reads as zeros.

    Args:
        dataset: An open raster; only Sentinel-2 products are looked at.
        bands: 1-based numbers of the bands that are read.
        name: The product, for messages.

    Raises:
        RasterError: With the name that the missing file ends with.
    """
    if dataset.driver != _DRIVER:
        return
    images = [os.path.basename(path) for path in dataset.files]
    for band in bands:
        called = dataset.tags(band).get("BANDNAME", "")
        ending = f"_B{called.removeprefix('B').rjust(2, '0')}"
        if called[:1] == "B" and not any(ending in image for image in images):
            raise RasterError(
                f"{name}: the image of its band {called} (...{ending}_10m.jp2) is "
                "missing; download the product again"
            )


def nodata_of(dataset: DatasetReader) -> float | None:
    """Return the value of missing pixels that a product names, or None."""
    value = dataset.tags().get("SPECIAL_VALUE_NODATA")
    return float(value) if dataset.driver == _DRIVER and value is not None else None
