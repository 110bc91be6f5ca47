"""Cloud-optimised GeoTIFFs, copied from finished GeoTIFFs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from specgan_cli.errors import OutputError
from specgan_cli.raster.complaints import strict_options
from specgan_cli.raster.output import LOSSLESS


def check_cog_options(co: Mapping[str, str]) -> None:
    """Try the user's options of GDAL's COG driver on a few pixels in memory.

    Raises:
        OutputError: If GDAL does not know one, or not with this value.
    """
    tiny: dict[str, Any] = {"width": 16, "height": 16, "count": 1, "dtype": "uint8"}
    with (
        MemoryFile(ext=".tif") as source,
        MemoryFile(ext=".tif") as target,
        strict_options(),
    ):
        with source.open(driver="GTiff", **tiny, transform=Affine(2, 0, 0, 0, -2, 0)) as dataset:
            dataset.write(np.zeros((1, 16, 16), np.uint8))
        try:
            rasterio.shutil.copy(source.name, target.name, driver="COG", **_options(co))
        except (RasterioError, CPLE_BaseError) as error:
            raise OutputError(f"--co: {_words(error)}") from error


def copy_to_cog(source: Path, target: Path, co: Mapping[str, str]) -> None:
    """Copy a GeoTIFF with its overviews, mask, tags and colours to a COG.

    Args:
        source: A finished GeoTIFF; its overviews are kept as they are.
        target: The COG; written over.
        co: The user's creation options of GDAL's COG driver.

    Raises:
        OutputError: If the disk is full.
    """
    try:
        rasterio.shutil.copy(source, target, driver="COG", strict=True, **_options(co))
    except (RasterioError, CPLE_BaseError, OSError) as error:
        target.unlink(missing_ok=True)
        raise OutputError(f"{target.name}: the COG cannot be made: {_words(error)}") from error


def _options(co: Mapping[str, str]) -> dict[str, str]:
    given = {key.upper(): value for key, value in co.items()}
    options = {
        "COMPRESS": "DEFLATE",
        "BIGTIFF": "IF_SAFER",
        "NUM_THREADS": "ALL_CPUS",
        "OVERVIEWS": "AUTO",
        "RESAMPLING": "AVERAGE",
        **given,
    }
    if options["COMPRESS"].upper() in LOSSLESS:
        options.setdefault("PREDICTOR", "YES")
    return options


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())
