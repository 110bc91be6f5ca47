"""The writer: a tiled GeoTIFF that appears complete under its name, or not at all."""

import hashlib
import os
from pathlib import Path

import numpy as np

from specgan import files
from specgan_cli.errors import SpecganError, writing
from specgan_cli.geotiff.blocks import OpenBlocks, whole_blocks
from specgan_cli.geotiff.cog import check_cog_options, copy_to_cog
from specgan_cli.geotiff.creation_options import check_lossless
from specgan_cli.geotiff.description import Description
from specgan_cli.geotiff.encoder import Encoding, check_encoding, keeps_crs, make_head
from specgan_cli.geotiff.image import Image
from specgan_cli.geotiff.options import WriteOptions
from specgan_cli.geotiff.output import expected_bytes, remove_sidecars, write_crs_sidecar
from specgan_cli.geotiff.partial import PartialFile, journal_of, temporary_of
from specgan_cli.outputs import check_output
from specgan_cli.raster.grid import Window
from specgan_cli.types import Mask, Pixels

__all__ = ["RasterWriter"]


class RasterWriter:
    """Writes windows of an output raster to a temporary file, renamed at the end.

    Use it with `with`: entering checks the path and the disk, a clean exit puts the finished
    file in place, an error leaves what was there before.  Windows made of whole blocks
    (`block`) are stored at once; parts of blocks wait in memory for the rest.  The file's
    bytes depend on the values, the options and the order of the windows, and on nothing else;
    so a resumed run that writes the same windows gives the same bytes.  One thread may write.
    """

    def __init__(
        self, path: str | Path, description: Description, options: WriteOptions | None = None
    ) -> None:
        """Keep the plan; nothing is touched before `with` or `open`.

        Args:
            path: The output, a local path.
            description: What the raster holds.
            options: How it is written.

        Raises:
            OutputError: If a creation option would make the file untiled, or its blocks not square
                or of a side that cannot be.
        """
        self.path = Path(path)
        self.description = description
        self.options = options or WriteOptions()
        shape_yx = description.grid.shape_yx
        self._encoding = Encoding.of(description, self.options)
        self.block = self._encoding.block
        """Rows and columns of a block."""
        self.levels = self.options.levels_of(shape_yx)
        """How many overviews the file gets."""
        self.committed: tuple[str, ...] = ()
        """Notes of the commits that a killed run left, in order; empty unless resumed."""
        self._crs_kept = True
        self._file: PartialFile | None = None
        self._ready: Path | None = None
        self._open_blocks = OpenBlocks(shape_yx, self.block)

    def __enter__(self) -> "RasterWriter":
        self.open()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            self.close()
        elif self.options.keep_partial and not isinstance(error, SpecganError) and self._commits:
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
        options, grid = self.options, self.description.grid
        if not options.lossy:
            check_lossless(options.co)
        left = temporary_of(self.path)
        needed = expected_bytes(self.description, options)
        needed -= left.stat().st_size if left.is_file() else 0
        check_output(self.path, overwrite=options.overwrite, needed=needed)
        if options.of == "COG":
            check_cog_options(options.co, self.description.all_bands, self.description.dtype)
        elif options.co:
            check_encoding(self._encoding, options.co)
        head = make_head(self._encoding, self.description, self.levels)
        self._crs_kept = grid.crs is None or keeps_crs(head, grid)
        plan = (options.job, grid, self.description.mask_kind, self.levels, self._encoding)
        job = hashlib.sha256(repr(plan).encode()).hexdigest()
        resumed = PartialFile.resume(self.path, job) if options.resume else None
        if resumed is None:
            self._file = PartialFile.create(self.path, head, job)
        else:
            self._file, self.committed = resumed

    def write(self, values: Pixels, window: Window, valid: Mask | None = None) -> None:
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
        expected, dtype = (self.description.count, *window.shape_yx), self.description.dtype
        if values.shape != expected or str(values.dtype) != dtype:
            raise ValueError(
                f"values are {values.shape} {values.dtype}; {expected} {dtype} are needed"
            )
        known = np.ones(window.shape_yx, bool) if valid is None else valid
        whole, parts = whole_blocks(window, self.description.grid.shape_yx, self.block)
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

    def finish(self) -> Path:
        """Finish the file under its temporary name; nothing can be written any more.

        Returns:
            The complete raster, to be looked at before `close` puts it in place.

        Raises:
            OutputError: If the disk is full; the output is then what it was before.
        """
        assert self._file is not None, "the writer is not open"
        if self._ready is None:
            for values, valid, written, window in self._open_blocks.drain():
                self._image.append(values, valid & written, window)
            for level in range(1, self.levels + 1):
                self._image.add_overview(level)
            self._file.finish()
            ready = temporary_of(self.path)
            if self.options.of == "COG":
                ready = ready.with_suffix(".cog")
                with writing(self.path):
                    os.close(files.open_own(ready, os.O_WRONLY | os.O_CREAT))
                copy_to_cog(self.path, temporary_of(self.path), ready, self.options.co)
            self._ready = ready
        return self._ready

    def close(self) -> None:
        """Finish the file, unless that is done, and put it in place.

        Raises:
            OutputError: If the disk is full; the output is then what it was before.
        """
        try:
            self._put_in_place(self.finish())
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Give up: remove the temporary files, leave the output as it was."""
        if self._file is not None:
            self._file.discard()
        if self._ready is not None:
            self._ready.unlink(missing_ok=True)

    @property
    def _commits(self) -> int:
        return 0 if self._file is None else self._file.commits

    def _close_partial(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._ready is not None and self.options.of == "COG":
            self._ready.unlink(missing_ok=True)

    def _put_in_place(self, ready: Path) -> None:
        path = files.target(self.path)
        with writing(self.path), files.together():
            remove_sidecars(path)
            # First: a kill in between then leaves only what the next run writes over.
            journal_of(self.path).unlink(missing_ok=True)
            if ready != temporary_of(self.path):
                temporary_of(self.path).unlink(missing_ok=True)
            files.put(ready, path)
            crs = self.description.grid.crs
            if not self._crs_kept and crs is not None:
                write_crs_sidecar(path, crs)

    @property
    def _image(self) -> Image:
        assert self._file is not None, "the writer is not open"
        return Image(self._file, self._encoding, self.description)
