"""The writer: a tiled GeoTIFF that appears complete under its name, or not at all."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.enums import ColorInterp

from specgan import files
from specgan_cli.errors import SpecganError, writing
from specgan_cli.geotiff.blocks import OpenBlocks, whole_blocks
from specgan_cli.geotiff.cog import check_cog_options, copy_to_cog
from specgan_cli.geotiff.encoder import RGB, Description, Encoding, Item, keeps_crs, make_head
from specgan_cli.geotiff.image import Image
from specgan_cli.geotiff.output import (
    Format,
    block_of,
    check_output,
    creation_options,
    default_block,
    expected_bytes,
    remove_sidecars,
    write_crs_sidecar,
)
from specgan_cli.geotiff.overviews import count_levels
from specgan_cli.geotiff.partial import PartialFile, journal_of, temporary_of
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.masks import MaskKind

__all__ = ["RasterWriter", "check_output", "default_block", "expected_bytes"]

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]


ALPHA_DTYPES = ("uint8", "uint16")
"""Types in which GDAL takes an alpha band for a mask; others get an internal mask."""


class RasterWriter:
    """Writes windows of an output raster to a temporary file, renamed at the end.

    Use it with `with`: entering checks the path and the disk, a clean exit puts the finished
    file in place, an error leaves what was there before.  Windows made of whole blocks
    (`block`) are stored at once; parts of blocks wait in memory for the rest.  The file's
    bytes depend on the values, the options and the order of the windows, and on nothing else;
    so a resumed run that writes the same windows gives the same bytes.  One thread may write.
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
        overviews: bool | int = False,
        tags: Mapping[str, str] | None = None,
        items: Sequence[Item] = (),
        colorinterp: tuple[ColorInterp, ...] | None = None,
        scales: tuple[float, ...] | None = None,
        offsets: tuple[float, ...] | None = None,
        overwrite: bool = False,
        block: int | None = None,
        resume: bool = False,
        keep_partial: bool = False,
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
            overviews: Add overviews, exact means of 2 x 2 blocks of valid pixels, down to 256
                pixels; a number says how many.  A COG always has them.
            tags: Dataset tags, such as those of provenance.
            items: Further metadata: band (0 for the dataset), namespace or None, and values.
            colorinterp: Of the colour bands; red, green, blue by default when there are three.
            scales: Factor from file units to physical ones, a colour band.
            offsets: Offset from file units to physical ones, a colour band.
            overwrite: Replace a file that exists, when the new one is complete.
            block: Rows and columns of a block, a multiple of 16; `co` can say it too.
            resume: Go on with what a killed run of the same `job` committed, if any.
            keep_partial: Keep what was committed when the work is interrupted (Ctrl-C) or fails
                in a way that was not foreseen; not when it cannot go on, as on a full disk.
            job: Says what is being made and from what; a run resumes only its like.
        """
        self.path = Path(path)
        self.grid = grid
        self.count, self.dtype, self.nodata = count, str(np.dtype(dtype)), nodata
        self.mask: MaskKind = mask or ("none" if nodata is None else "nodata")
        if self.mask == "alpha" and self.dtype not in ALPHA_DTYPES:
            self.mask = "mask"
        self.of, self.co = of, dict(co or {})
        self.tags, self.items = dict(tags or {}), tuple(items)
        self.colorinterp = colorinterp
        self.scales, self.offsets = scales, offsets
        self.overwrite, self.resume, self.keep_partial = overwrite, resume, keep_partial
        self.job = job
        self.block = block or block_of(grid.shape_yx, self.co)
        """Rows and columns of a block."""
        self.levels = _levels(grid.shape_yx, overviews, of)
        """How many overviews the file gets."""
        self.committed: tuple[str, ...] = ()
        """Notes of the commits that a killed run left, in order; empty unless resumed."""
        self._crs_kept = True
        self._file: PartialFile | None = None
        self._open_blocks = OpenBlocks(self.grid.shape_yx, self.block)

    @property
    def encoding(self) -> Encoding:
        """How the blocks are stored."""
        co = {} if self.of == "COG" else self.co
        options = creation_options(self.dtype, self.block, co)
        if self._colours()[:3] == RGB:
            options.setdefault("photometric", "RGB")
        bands = self.count + (self.mask == "alpha")
        return Encoding(bands, self.dtype, self.block, self.mask == "mask", options)

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
        elif self.keep_partial and not isinstance(error, SpecganError) and self._commits:
            self._close_partial()
        else:
            self.discard()

    def open(self) -> None:
        """Check the path and the disk, and make or resume the temporary file.

        Raises:
            OutputError: If the output exists, its folder is missing or read-only, the disk has
                too little space, another process is writing it, an option is unknown, or the
                unfinished run that should be resumed made something else.
        """
        alpha = self.mask == "alpha"
        needed = expected_bytes(
            self.grid, self.count + alpha, self.dtype, overviews=self.levels, of=self.of, co=self.co
        )
        left = temporary_of(self.path)
        needed -= left.stat().st_size if left.is_file() else 0
        check_output(self.path, overwrite=self.overwrite, needed=needed)
        if self.of == "COG":
            check_cog_options(self.co)
        head = make_head(self.encoding, self._description(), self.levels)
        self._crs_kept = self.grid.crs is None or keeps_crs(head, self.grid)
        job = hashlib.sha256(
            repr((self.job, self.grid, self.mask, self.levels, self.encoding)).encode()
        ).hexdigest()
        resumed = PartialFile.resume(self.path, job) if self.resume else None
        if resumed is None:
            self._file = PartialFile.create(self.path, head, job)
        else:
            self._file, self.committed = resumed

    def write(self, values: Array, window: Window, valid: Mask | None = None) -> None:
        """Write a window.

        Args:
            values: C x H x W in file units and the output's dtype.
            window: Where, in pixels of the output.
            valid: H x W; False makes the pixel missing.  All are valid when None.

        A valid pixel that would read as missing, because all its bands equal nodata, has its
        last band moved by one step.

        Raises:
            OutputError: If the disk is full.
            ValueError: If shapes, dtypes or the window do not fit.
        """
        expected = (self.count, *window.shape_yx)
        if values.shape != expected or str(values.dtype) != self.dtype:
            raise ValueError(
                f"values are {values.shape} {values.dtype}; {expected} {self.dtype} are needed"
            )
        known = np.ones(window.shape_yx, bool) if valid is None else valid
        whole, parts = whole_blocks(window, self.grid.shape_yx, self.block)
        if whole is not None:
            inner = whole.shifted(-window.row, -window.col).slices
            self._image.append(values[:, *inner], known[inner], whole)
        for complete in self._open_blocks.add(values, known, window, parts):
            self._image.append(*complete)

    def commit(self, note: str = "") -> bool:
        """Make what was written so far survive a kill; `committed` lists the notes on resume.

        Returns:
            Whether it was recorded: not while parts of blocks wait for the rest, because they
            are in memory only.
        """
        assert self._file is not None, "the writer is not open"
        if self._open_blocks:
            return False
        self._file.commit(note)
        return True

    def close(self) -> None:
        """Finish the file and put it in place.

        Raises:
            OutputError: If the disk is full; the output is then what it was before.
        """
        assert self._file is not None, "the writer is not open"
        try:
            for values, valid, written, window in self._open_blocks.drain():
                self._image.append(values, valid & written, window)
            for level in range(1, self.levels + 1):
                self._image.add_overview(level)
            self._file.finish()
            self._put_in_place()
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Give up: remove the temporary file, leave the output as it was."""
        if self._file is not None:
            self._file.discard()

    @property
    def _commits(self) -> int:
        return 0 if self._file is None else self._file.commits

    def _close_partial(self) -> None:
        if self._file is not None:
            self._file.close()

    def _put_in_place(self) -> None:
        ready = temporary_of(self.path)
        if self.of == "COG":
            ready = self.path.with_name(f".{self.path.name}.cog")
            copy_to_cog(temporary_of(self.path), ready, self.co)
        with writing(self.path):
            remove_sidecars(self.path)
            files.put(ready, self.path)
            if not self._crs_kept and self.grid.crs is not None:
                write_crs_sidecar(self.path, self.grid.crs)
            temporary_of(self.path).unlink(missing_ok=True)
            journal_of(self.path).unlink(missing_ok=True)

    @property
    def _image(self) -> Image:
        assert self._file is not None, "the writer is not open"
        return Image(self._file, self.encoding, self.grid.shape_yx, self.mask, self.nodata)

    def _colours(self) -> tuple[ColorInterp, ...]:
        colours = self.colorinterp
        if colours is None:
            colours = RGB if self.count == 3 else ()
        return (*colours, *[ColorInterp.alpha] * (self.mask == "alpha")) if colours else ()

    def _description(self) -> Description:
        alpha = self.mask == "alpha"
        return Description(
            self.grid,
            nodata=self.nodata if self.mask == "nodata" else None,
            colorinterp=self._colours() or None,
            tags=self.tags,
            items=self.items,
            scales=None if self.scales is None else (*self.scales, *[1.0] * alpha),
            offsets=None if self.offsets is None else (*self.offsets, *[0.0] * alpha),
        )


def _levels(shape_yx: tuple[int, int], overviews: bool | int, of: Format) -> int:
    if isinstance(overviews, bool):
        return count_levels(shape_yx) if overviews or of == "COG" else 0
    return overviews
