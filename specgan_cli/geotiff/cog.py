"""Cloud-optimised GeoTIFFs, copied from finished GeoTIFFs."""

import math
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader, MemoryFile

from specgan_cli.errors import OutputError, reason
from specgan_cli.geotiff.creation_options import LOSSLESS, is_lossy, strict_options
from specgan_cli.threads import used_threads
from specgan_cli.types import Pixels

# GDAL's default, then what is neither its half nor its double: widths halve from level to level.
_BLOCK_SIDES = (512, 384, 640)

# What libtiff prints and GDAL does not report, such as a full disk in its last writes.
_PRINTED = re.compile(rb"^_?tiff\w*: (.*)$", re.IGNORECASE | re.MULTILINE)


def check_cog_options(co: Mapping[str, str], count: int, dtype: str) -> None:
    """Try the user's options of GDAL's COG driver on a few pixels in memory.

    Args:
        co: The options.
        count: Bands of the output, with alpha.
        dtype: Name of the output's numpy dtype.

    Raises:
        OutputError: If GDAL does not know one, or not with this value, or not for such bands.
    """
    tiny: dict[str, Any] = {"width": 16, "height": 16, "count": count, "dtype": dtype}
    # Somewhere that any other grid would move.
    place = {"transform": Affine(2, 0, 5e5, 0, -2, 5.3e6), "crs": CRS.from_epsg(32632)}
    options = _options(co)
    with (
        MemoryFile(ext=".tif") as source,
        MemoryFile(ext=".tif") as target,
        strict_options(),
    ):
        with source.open(driver="GTiff", **tiny, **place) as dataset:
            dataset.write(np.arange(count * 256).reshape(count, 16, 16).astype(dtype))
            dataset.build_overviews([2])
        try:
            rasterio.shutil.copy(source.name, target.name, driver="COG", **options)
            same = _is_copy(Path(source.name), Path(target.name), exact=not is_lossy(options))
        except (RasterioError, CPLE_BaseError) as error:
            raise OutputError(f"--co: {reason(error)}") from error
    if not same:
        shown = " ".join(f"{key}={value}" for key, value in co.items())
        raise OutputError(
            f"--co {shown}: changes grid, pixels or overviews while the COG is made; leave it out, "
            "and change the output with gdalwarp or gdal_translate"
        )


def copy_to_cog(name: Path, source: Path, target: Path, co: Mapping[str, str]) -> None:
    """Copy a GeoTIFF with its overviews, mask, tags and colours to a COG.

    Args:
        name: The output, for messages.
        source: A finished GeoTIFF; its overviews are kept as they are.
        target: The COG; written over.
        co: The user's creation options of GDAL's COG driver.

    Raises:
        OutputError: If the disk is full.
    """
    try:
        options = {"BLOCKSIZE": str(_block_side(source)), **_options(co)}
        with _printed_errors_raise():
            rasterio.shutil.copy(source, target, driver="COG", strict=True, **options)
        if not _is_copy(source, target, exact=not is_lossy(options)):
            raise OSError("it is damaged; is the disk full, or failing?")
    except (RasterioError, CPLE_BaseError, OSError, SystemError) as error:
        target.unlink(missing_ok=True)
        raise OutputError(f"{name}: the COG cannot be made: {reason(error)}") from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _is_copy(source: Path, target: Path, *, exact: bool) -> bool:
    """Read all of a copy back: GDAL and libtiff may only print that the disk is full.

    Args:
        source: The original.
        target: The copy.
        exact: Whether the pixels have to be the same; else it is enough that they can be read.

    Returns:
        Whether it is what it should be.

    Raises:
        RasterioError: A block cannot be read.
    """
    with rasterio.open(source) as original, rasterio.open(target) as copy:
        count, given = len(copy.overviews(1)), len(original.overviews(1))
        same = _description(copy) == _description(original) and count >= given
        same &= _reads(copy, original if exact else None)
    for level in range(count):
        with ExitStack() as stack:
            copy, original = (
                stack.enter_context(rasterio.open(path, overview_level=level))
                for path in (target, source if level < given else target)
            )
            same &= _reads(copy, original if exact else None)
    return same


def _reads(copy: DatasetReader, original: DatasetReader | None) -> bool:
    """Read all of a copy, and return whether it is the original, where one is given."""
    same = True
    for _, window in copy.block_windows(1):
        pixels = copy.read(window=window), copy.dataset_mask(window=window)
        if original is not None:
            wanted = original.read(window=window), original.dataset_mask(window=window)
            same &= all(map(_equal, pixels, wanted))
    return same


def _description(dataset: DatasetReader) -> list[str]:
    """Return all that a raster says of its pixels; NaN equals itself."""
    tags = [dataset.tags(band) for band in range(dataset.count + 1)]
    grid = (dataset.shape, dataset.transform, dataset.crs, dataset.dtypes, dataset.nodatavals)
    looks = (dataset.colorinterp, dataset.scales, dataset.offsets, dataset.mask_flag_enums)
    names = (dataset.descriptions, dataset.units)
    return [repr(each) for each in (*grid, *looks, *names, *tags)]


def _equal(ours: Pixels, theirs: Pixels) -> bool:
    return np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f")


def _block_side(source: Path) -> int:
    """Return GDAL's block side, or another where an image would be exactly one block wide.

    Validators look at widths alone: they take an image of 512 x 4,096 pixels in blocks of 512 for
    one without tiles, and scenes of 2^k pixels times 32 have such overviews.
    """
    with rasterio.open(source) as dataset:
        factors = (1, *dataset.overviews(1))
        tall = {
            math.ceil(dataset.width / factor)
            for factor in factors
            if dataset.height / factor > _BLOCK_SIDES[0]
        }
    return next(side for side in _BLOCK_SIDES if side not in tall)


def _options(co: Mapping[str, str]) -> dict[str, str]:
    given = {key.upper(): value for key, value in co.items()}
    options = {
        "COMPRESS": "DEFLATE",
        "BIGTIFF": "IF_SAFER",
        "NUM_THREADS": str(used_threads()),
        "OVERVIEWS": "AUTO",
        "RESAMPLING": "AVERAGE",
        **given,
    }
    if options["COMPRESS"].upper() in LOSSLESS:
        options.setdefault("PREDICTOR", "YES")
    return options


@contextmanager
def _printed_errors_raise() -> Iterator[None]:
    """Raise for what libtiff prints on the process's stderr, and pass the rest of it on.

    Raises:
        OSError: With libtiff's first words.
    """
    sys.stderr.flush()
    try:
        stderr = os.dup(2)
    except OSError:  # a service without stderr: nothing is printed
        yield
        return
    with tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            printed.seek(0)
            text = printed.read()
            sys.stderr.write(_PRINTED.sub(b"", text).decode(errors="replace").lstrip("\n"))
    found = _PRINTED.search(text)
    if found:
        raise OSError(found[1].decode(errors="replace").rstrip("."))
