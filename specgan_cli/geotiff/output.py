"""Outputs: what can be checked and chosen before anything is computed."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

import numpy as np
from rasterio.crs import CRS

from specgan_cli.errors import OutputError
from specgan_cli.raster.grid import Grid
from specgan_cli.raster.scene import redact

Format = Literal["GTiff", "COG"]

BLOCK = 512
"""Rows and columns of a block of a large output."""

LOSSLESS = ("DEFLATE", "ZSTD", "LZW")
"""Compressions that take a predictor."""

COMPRESSED = 0.7
"""Share of its plain size that 8-bit imagery keeps under DEFLATE with a predictor, cautiously."""

SIDECARS = (".aux.xml", ".ovr", ".msk")
"""Files beside a raster that GDAL would read with a new one of the same name."""


def default_block(shape_yx: tuple[int, int]) -> int:
    """Return the side of a block: 512, or less for a raster that fits into one."""
    return min(BLOCK, max(16, 1 << (max(shape_yx) - 1).bit_length()))


def creation_options(dtype: str, block: int, co: Mapping[str, str]) -> dict[str, str]:
    """Return the options of a tiled, losslessly compressed GeoTIFF, with the user's on top.

    Args:
        dtype: Name of the numpy dtype, for the predictor.
        block: Rows and columns of a block.
        co: The user's creation options; keys in any case.

    Raises:
        OutputError: If an option would make the file untiled or its blocks not square.
    """
    given = {key.upper(): str(value) for key, value in co.items()}
    sides = {given.get("BLOCKXSIZE", str(block)), given.get("BLOCKYSIZE", str(block))}
    if sides != {str(block)} or given.get("TILED", "YES").upper() not in ("YES", "TRUE", "ON"):
        raise OutputError(
            "--co: outputs are tiled in square blocks; give BLOCKXSIZE and BLOCKYSIZE alike, "
            "and leave out TILED"
        )
    options = {
        "TILED": "YES",
        "BLOCKXSIZE": str(block),
        "BLOCKYSIZE": str(block),
        "COMPRESS": "DEFLATE",
        "INTERLEAVE": "PIXEL",
        "BIGTIFF": "IF_SAFER",
        "NUM_THREADS": "ALL_CPUS",
        **given,
        "ENDIANNESS": "LITTLE",
    }
    if options["COMPRESS"].upper() in LOSSLESS and "PREDICTOR" not in options:
        options["PREDICTOR"] = "3" if np.issubdtype(np.dtype(dtype), np.inexact) else "2"
    return {key.lower(): value for key, value in options.items()}


def block_of(shape_yx: tuple[int, int], co: Mapping[str, str]) -> int:
    """Return the side of a block that the user's options name, else the default one.

    Raises:
        OutputError: If it is not a positive multiple of 16.
    """
    given = {key.upper(): value for key, value in co.items()}
    named = given.get("BLOCKXSIZE", given.get("BLOCKYSIZE", given.get("BLOCKSIZE")))
    if named is None:
        return default_block(shape_yx)
    if not named.isdigit() or int(named) < 16 or int(named) % 16:
        raise OutputError(f"--co: a block of {named} pixels cannot be; give a multiple of 16")
    return int(named)


def expected_bytes(
    grid: Grid,
    count: int,
    dtype: str,
    *,
    overviews: bool | int = False,
    of: Format = "GTiff",
    co: Mapping[str, str] | None = None,
) -> int:
    """Return about how much disk an output takes while it is made.

    Compressed pixels are counted at 70 per cent; overviews add a third; a COG is copied from a
    GeoTIFF, so that both are there for a while.
    """
    rows, cols = grid.shape_yx
    plain = rows * cols * count * np.dtype(dtype).itemsize
    given = {key.upper(): value.upper() for key, value in (co or {}).items()}
    share = 1.0 if given.get("COMPRESS") == "NONE" else COMPRESSED
    size = plain * share * (4 / 3 if overviews or of == "COG" else 1)
    return int(size * (2 if of == "COG" else 1))


def check_output(path: str | Path, *, overwrite: bool = False, needed: int = 0) -> None:
    """Raise unless `path` can become an output file of `needed` bytes.

    Raises:
        OutputError: If the path is remote, exists (without `overwrite`) or is a folder, if its
            folder is missing or read-only, or if its disk has less than `needed` bytes left.
    """
    if "://" in str(path) or str(path).startswith("/vsi"):
        raise OutputError(f"{redact(str(path))}: is not a local path; write locally, then copy")
    path = Path(path)
    folder = path.parent
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file in it")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path}: is not a regular file; choose another output")
    if not folder.is_dir():
        raise OutputError(f"{folder}: no such folder; make it, or choose another output")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists already; pass --overwrite or choose another name")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: is read-only; choose another output folder")
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(
            f"{path}: the disk is too full: about {needed / 1e9:.1f} GB are needed and "
            f"{free / 1e9:.1f} GB are free; choose another disk or a smaller scale"
        )


def remove_sidecars(path: Path) -> None:
    """Remove what an earlier raster of this name left beside it."""
    for ending in SIDECARS:
        path.with_name(path.name + ending).unlink(missing_ok=True)


def write_crs_sidecar(path: Path, crs: CRS) -> None:
    """Write a CRS that GeoTIFF keys cannot say where GDAL looks for it: PATH.aux.xml."""
    wkt = escape(crs.to_wkt(version="WKT2_2019"))
    axes = "2,1" if crs.is_geographic else "1,2"
    text = f'<PAMDataset>\n  <SRS dataAxisToSRSAxisMapping="{axes}">{wkt}</SRS>\n</PAMDataset>\n'
    path.with_name(path.name + ".aux.xml").write_text(text, encoding="utf-8")
