"""The block encoder: GDAL compresses blocks in memory, so every creation option works."""

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetWriter, MemoryFile

from specgan_cli.errors import OutputError, reason
from specgan_cli.geotiff.creation_options import creation_options, strict_options
from specgan_cli.geotiff.description import Description
from specgan_cli.geotiff.directory import (
    BLOCK_COUNTS,
    BLOCK_OFFSETS,
    Directory,
    TiffHeader,
    lay_out,
    overview_of,
    read_directories,
)
from specgan_cli.geotiff.options import WriteOptions
from specgan_cli.raster.bands import RGB
from specgan_cli.raster.drivers.cache import bound_cache
from specgan_cli.raster.grid import Grid
from specgan_cli.threads import used_threads
from specgan_cli.types import Mask, Pixels

ANYWHERE = Affine(2, 0, 0, 0, -2, 0)
"""A transform for files that are only kept in memory, where GDAL would warn of none."""


@dataclass(frozen=True)
class Encoding:
    """How blocks are stored; equal encodings give equal bytes."""

    count: int
    """Bands, alpha included."""
    dtype: str
    """Name of the numpy dtype."""
    block: int
    """Rows and columns of a block."""
    masked: bool
    """With an internal mask band."""
    options: Mapping[str, str]
    """GDAL creation options, keys in lower case."""

    @classmethod
    def of(cls, description: Description, options: WriteOptions) -> "Encoding":
        """Choose how the blocks of a raster are stored.

        Raises:
            OutputError: If a creation option would make the file untiled or its blocks not square.
        """
        block = options.block_of(description.grid.shape_yx)
        co = {} if options.of == "COG" else options.co
        created = creation_options(description.dtype, block, co)
        if description.all_colours[:3] == RGB:
            created.setdefault("photometric", "RGB")
        masked = description.mask_kind == "mask"
        return cls(description.all_bands, description.dtype, block, masked, created)

    def profile(self, shape_yx: tuple[int, int]) -> dict[str, Any]:
        """Return what `rasterio.open` takes for a file of this shape."""
        return {
            "driver": "GTiff",
            "height": shape_yx[0],
            "width": shape_yx[1],
            "count": self.count,
            "dtype": self.dtype,
            "num_threads": used_threads(),
            **self.options,
        }


def check_encoding(encoding: Encoding, co: Mapping[str, str]) -> None:
    """Try the user's creation options on one block in memory.

    Args:
        encoding: How the blocks are stored.
        co: The user's options, for messages.

    Raises:
        OutputError: If GDAL does not know an option, or cannot store such bands with it.
    """
    side = (encoding.block, encoding.block)
    values = np.zeros((encoding.count, *side), encoding.dtype)
    try:
        with strict_options():
            encode(encoding, values, np.ones(side, bool) if encoding.masked else None)
    except (RasterioError, CPLE_BaseError, ValueError, TypeError) as error:
        shown = " ".join(f"{key}={value}" for key, value in co.items())
        raise OutputError(
            f"--co {shown}: GDAL cannot store {encoding.count} bands of {encoding.dtype} so: "
            f"{_words(error)}; choose another, or leave it out"
        ) from error


def _words(error: BaseException) -> str:
    """Return what GDAL says, without the name of a file in memory."""
    cause = error.__cause__ or error.__context__
    said = reason(cause if isinstance(cause, CPLE_BaseError) else error)
    return re.sub(r"^\S*\.tif: ", "", said).rstrip(".")


def make_head(encoding: Encoding, description: Description, levels: int) -> TiffHeader:
    """Return the head of a GeoTIFF without blocks, with directories for `levels` overviews.

    Its directories are the image, its mask where there is one, then those of each overview.

    Raises:
        OutputError: If GDAL refuses a creation option or the description.
    """
    bound_cache()
    grid = description.grid
    profile = encoding.profile(grid.shape_yx) | {"sparse_ok": "TRUE"}
    where = {"crs": grid.crs, "transform": grid.transform, "nodata": description.nodata_tag}
    try:
        with (
            _quiet(),
            strict_options(),
            _in_memory() as memory,
        ):
            with memory.open(**profile, **where) as dataset:
                _describe(dataset, description)
                if encoding.masked:
                    corner = rasterio.windows.Window(0, 0, 1, 1)
                    dataset.write_mask(np.zeros((1, 1), bool), window=corner)
            directories, big = read_directories(memory.getbuffer())
    except (RasterioError, ValueError, TypeError) as error:
        raise OutputError(f"the output cannot be described to GDAL: {_words(error)}") from error
    kept = [dict(directory) for directory in directories]
    for level in range(1, levels + 1):
        kept += [overview_of(directory, level) for directory in directories]
    return lay_out(kept, big)


def keeps_crs(head: TiffHeader, grid: Grid) -> bool:
    """Return whether a GeoTIFF with this head gives the grid's CRS back.

    GeoTIFF keys cannot say some systems, such as rotated poles.
    """
    with _quiet(), MemoryFile(head.data) as memory, memory.open() as dataset:
        return bool(dataset.crs == grid.crs)


def encode(encoding: Encoding, values: Pixels, valid: Mask | None) -> list[list[bytes]]:
    """Compress blocks.

    Args:
        encoding: How they are stored.
        values: C x H x W; H and W are whole numbers of blocks.
        valid: H x W, for the internal mask; None without one.

    Returns:
        For the image and, where there is one, the mask: the compressed blocks in TIFF's order
        (row-major; plane by plane when bands are stored apart).
    """
    height, width = values.shape[1:]
    with _in_memory() as memory:
        with memory.open(**encoding.profile((height, width)), transform=ANYWHERE) as dataset:
            dataset.write(values)
            if valid is not None:
                dataset.write_mask(valid)
        data = memory.getbuffer()
        return [_blocks(data, directory) for directory in read_directories(data)[0]]


def _blocks(data: Any, directory: Directory) -> list[bytes]:
    offsets = directory[BLOCK_OFFSETS].numbers.tolist()
    counts = directory[BLOCK_COUNTS].numbers.tolist()
    return [bytes(data[at : at + size]) for at, size in zip(offsets, counts, strict=True)]


def _describe(dataset: DatasetWriter, description: Description) -> None:
    if description.all_colours:
        dataset.colorinterp = description.all_colours
    if description.all_scales:
        dataset.scales = description.all_scales
    if description.all_offsets:
        dataset.offsets = description.all_offsets
    for band, text in enumerate(description.descriptions, start=1):
        if text:
            dataset.set_band_description(band, text)
    for band, unit in enumerate(description.units, start=1):
        if unit:
            dataset.set_band_unit(band, unit)
    dataset.update_tags(**description.tags)
    for item in description.metadata:
        dataset.update_tags(item.band, ns=item.namespace, **item.values)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep rasterio from warning of rasters without a georeference."""
    with warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning):
        yield


@contextmanager
def _in_memory() -> Iterator[MemoryFile]:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), MemoryFile(ext=".tif") as memory:
        yield memory
