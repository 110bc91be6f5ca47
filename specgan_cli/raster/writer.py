"""The writer: a tiled GeoTIFF that appears complete under its name, or not at all."""

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetWriter

from specgan_cli.errors import OutputError
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.scene import MaskKind

Array = npt.NDArray[Any]
Format = Literal["GTiff", "COG"]

BLOCK = 512
"""Rows and columns of a block of a large output."""


class RasterWriter:
    """Writes windows of an output raster to a temporary file, renamed at the end.

    Use it with `with`: entering checks the path and the disk, a clean exit puts the finished
    file in place, an error leaves what was there before.  Windows may come in any order; those
    made of whole blocks (`block`) cost no memory.
    """

    def __init__(
        self,
        path: str | Path,
        grid: Grid,
        *,
        count: int = 3,
        dtype: str = "uint8",
        nodata: float | None = None,
        mask: MaskKind | None = None,
        of: Format = "GTiff",
        co: Mapping[str, str] | None = None,
        overviews: bool = False,
        tags: Mapping[str, str] | None = None,
        colorinterp: tuple[ColorInterp, ...] | None = None,
        scales: tuple[float, ...] | None = None,
        offsets: tuple[float, ...] | None = None,
        overwrite: bool = False,
        block: int | None = None,
        resume: bool = False,
        job: str = "",
    ) -> None:
        """Keep the plan; nothing is touched before `with` or `open`.

        Args:
            path: The output, a local path.
            grid: Grid of the whole output.
            count: Colour bands, without alpha.
            dtype: Name of the numpy dtype.
            nodata: Value of missing pixels in file units, or None.
            mask: How missing pixels are marked: "nodata", "alpha" (a band more), "mask" (an
                internal mask band) or "none"; by default "nodata" when there is a value.
            of: "GTiff" or "COG".
            co: GDAL creation options that replace the defaults.
            overviews: Add overviews, exact means of 2 x 2 blocks of valid pixels.
            tags: Dataset tags, such as those of provenance.
            colorinterp: Of the colour bands; red, green, blue by default when there are three.
            scales: Factor from file units to physical ones, a band.
            offsets: Offset from file units to physical ones, a band.
            overwrite: Replace a file that exists, when the new one is complete.
            block: Rows and columns of a block, a multiple of 16.
            resume: Go on with what a killed run of the same `job` committed.
            job: Says what is being made; a run resumes only its like.
        """
        self.path = Path(path)
        self.grid = grid
        self.count = count
        self.dtype = dtype
        self.nodata = nodata
        self.mask: MaskKind = mask or ("none" if nodata is None else "nodata")
        self.of = of
        self.co = {key.upper(): value for key, value in (co or {}).items()}
        self.overviews = overviews
        self.tags = dict(tags or {})
        self.colorinterp = colorinterp
        self.scales, self.offsets = scales, offsets
        self.overwrite = overwrite
        self.block = block or default_block(grid.shape_yx)
        self.resume, self.job = resume, job
        self.committed: tuple[str, ...] = ()
        """Notes of the commits that a killed run left, in order; empty unless resumed."""
        self._dataset: DatasetWriter | None = None

    @property
    def temporary(self) -> Path:
        """The unfinished file, beside the output."""
        return self.path.with_name(f".{self.path.name}.partial")

    def __enter__(self) -> "RasterWriter":
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.discard()

    def open(self) -> None:
        """Check the path and the disk, and make the temporary file.

        Raises:
            OutputError: If the output exists, its folder is missing or read-only, or the disk
                has too little space.
        """
        check_output(self.path, overwrite=self.overwrite)
        rows, cols = self.grid.shape_yx
        alpha = self.mask == "alpha"
        profile = {
            "driver": "GTiff",
            "tiled": True,
            "blockxsize": self.block,
            "blockysize": self.block,
            "compress": "deflate",
            "predictor": 3 if np.issubdtype(np.dtype(self.dtype), np.inexact) else 2,
            "interleave": "pixel",
            "bigtiff": "IF_SAFER",
            "num_threads": "ALL_CPUS",
            **{key.lower(): value for key, value in self.co.items()},
        }
        try:
            self._dataset = rasterio.open(
                self.temporary,
                "w",
                width=cols,
                height=rows,
                count=self.count + alpha,
                dtype=self.dtype,
                crs=self.grid.crs,
                transform=self.grid.transform,
                nodata=self.nodata if self.mask == "nodata" else None,
                **profile,
            )
            colours = self.colorinterp
            if colours is None and self.count == 3:
                colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
            if colours is not None:
                self._dataset.colorinterp = (*colours, *[ColorInterp.alpha] * alpha)
            self._dataset.update_tags(**self.tags)
        except RasterioError as error:
            raise OutputError(f"{self.path}: cannot be made: {error}") from error

    def write(
        self, values: Array, window: Window, valid: npt.NDArray[np.bool_] | None = None
    ) -> None:
        """Write a window.

        Args:
            values: C x H x W in file units and the output's dtype.
            window: Where, in pixels of the output.
            valid: H x W; False makes the pixel missing.  All are valid when None.

        Raises:
            OutputError: If the disk is full.
        """
        assert self._dataset is not None
        out = values.astype(self.dtype, copy=False)
        where = window.rasterio()
        known = np.ones(window.shape_yx, bool) if valid is None else valid
        if not known.all():
            out = np.where(known, out, np.asarray(self.nodata or 0).astype(self.dtype))
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
            self._dataset.write(out, list(range(1, self.count + 1)), window=where)
            if self.mask == "alpha":
                top = np.iinfo(self.dtype).max
                self._dataset.write((known * top).astype(self.dtype), self.count + 1, window=where)
            if self.mask == "mask":
                self._dataset.write_mask(known, window=where)

    def commit(self, note: str = "") -> None:
        """Make what was written so far survive a kill; `committed` lists the notes on resume."""

    def close(self) -> None:
        """Finish the file and put it in place."""
        assert self._dataset is not None
        self._dataset.close()
        if self.overviews:
            with rasterio.open(self.temporary, "r+") as dataset:
                dataset.build_overviews([2, 4, 8, 16, 32], Resampling.average)
        os.replace(self.temporary, self.path)

    def discard(self) -> None:
        """Give up: remove the temporary file, leave the output as it was."""
        if self._dataset is not None:
            self._dataset.close()
        self.temporary.unlink(missing_ok=True)


def default_block(shape_yx: tuple[int, int]) -> int:
    """Return the side of a block: 512, or less for a raster that fits into one."""
    return min(BLOCK, max(16, 1 << (max(shape_yx) - 1).bit_length()))


def check_output(path: Path, *, overwrite: bool = False, needed: int = 0) -> None:
    """Raise unless `path` can become an output file of `needed` bytes.

    Raises:
        OutputError: If the path exists (without `overwrite`) or is a folder, if its folder is
            missing or read-only, or if its disk has less than `needed` bytes left.
    """
    folder = path.parent
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file in it")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists already; pass --overwrite or choose another name")
    if not folder.is_dir():
        raise OutputError(f"{folder}: no such folder; make it, or choose another output")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: is read-only; choose another output folder")
    free = shutil.disk_usage(folder).free
    if free < needed:
        reason = os.strerror(errno.ENOSPC)
        raise OutputError(
            f"{folder}: {reason}: about {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB "
            "are free; choose another disk or a smaller scale"
        )
