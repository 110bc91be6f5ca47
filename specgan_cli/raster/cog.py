"""Cloud-optimised GeoTIFFs, copied from finished GeoTIFFs."""

from collections.abc import Mapping
from pathlib import Path

import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from specgan_cli.errors import OutputError


def copy_to_cog(source: Path, target: Path, co: Mapping[str, str]) -> None:
    """Copy a GeoTIFF with its overviews, mask, tags and colours to a COG.

    Args:
        source: A finished GeoTIFF; its overviews are kept as they are.
        target: The COG; written over.
        co: The user's creation options of GDAL's COG driver.

    Raises:
        OutputError: If GDAL refuses an option or the disk is full.
    """
    options = {
        "COMPRESS": "DEFLATE",
        "PREDICTOR": "YES",
        "BIGTIFF": "IF_SAFER",
        "NUM_THREADS": "ALL_CPUS",
        "OVERVIEWS": "AUTO",
        "RESAMPLING": "AVERAGE",
        **{key.upper(): value for key, value in co.items()},
    }
    try:
        rasterio.shutil.copy(source, target, driver="COG", strict=True, **options)
    except (RasterioError, CPLE_BaseError, OSError) as error:
        target.unlink(missing_ok=True)
        reason = " ".join(str(error).split())
        raise OutputError(f"{target.name}: the COG cannot be made: {reason}") from error
