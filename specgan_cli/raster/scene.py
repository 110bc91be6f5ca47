"""Scenes: windowed reads of any RGB raster that GDAL opens, with its mask."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader

from specgan.edges import edge_indices
from specgan_cli.errors import RasterError
from specgan_cli.raster.bands import BandSpec, choose_bands
from specgan_cli.raster.drivers.metadata import Metadata, read_metadata
from specgan_cli.raster.drivers.rereading import Rereading
from specgan_cli.raster.drivers.sentinel2 import check_files, scale_of
from specgan_cli.raster.further import FurtherBand, choose_further
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.masks import MaskKind
from specgan_cli.raster.missing import MissingRule, missing_rule, spread_windows
from specgan_cli.raster.validation import check_dataset, open_dataset, reading
from specgan_cli.redaction import redact
from specgan_cli.types import Mask, Pixels

__all__ = ["Scene", "within"]

SAMPLE = 1024
"""Pixels on the longer side of the decimated sample."""

LATTICE = 8
"""Blocks along each axis that stand for a large scene without overviews."""


class Scene:
    """An RGB raster on its grid; open it with `Scene.open` and close it, or use `with`.

    Values are in the file's own units and dtype.  One thread at a time may read.
    """

    def __init__(
        self,
        dataset: DatasetReader,
        path: str,
        grid: Grid,
        bands: tuple[int, int, int],
        missing: MissingRule,
        further: tuple[FurtherBand, ...] = (),
    ) -> None:
        self.path = path
        """Path or URL, as it was given."""
        self.grid = grid
        """Grid of the whole scene."""
        self.bands = bands
        """The three 1-based band numbers read as red, green and blue."""
        self.further = further
        """Further bands, which `read_padded` and `sample` return after the three."""
        self.nodata = missing.value
        """Value of missing pixels in file units, or None."""
        self.dtype: str = dataset.dtypes[bands[0] - 1]
        """Name of the numpy dtype of the bands."""
        self._dataset = dataset
        self._missing = missing
        self._sampled: Pixels | None = None
        self._rereading = Rereading(redact(path), dataset, lambda: open_dataset(path))
        self._all = (*bands, *(band.number for band in further))

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        bands: BandSpec | None = None,
        src_nodata: float | str | None = None,
        georeferenced: bool = True,
        also: str | None = None,
    ) -> "Scene":
        """Open a raster for windowed reads.

        Args:
            path: Anything GDAL opens: a file, a URL (https://, s3://), a /vsi path.
            bands: Three 1-based band numbers, or names as the file has them, to read as red,
                green and blue.  By default the bands whose colour interpretation says so, else
                those whose names do, else the first three.
            src_nodata: Value of missing pixels, instead of the file's; "none" for no value.
            georeferenced: Refuse a raster without a CRS or a transform.
            also: Further bands to read; see `choose_further`.  A pixel that is missing in one of
                them is missing.

        Raises:
            RasterError: If the raster cannot be read, or is not a georeferenced RGB scene with
                at least one valid pixel.
        """
        name = str(path)
        dataset = open_dataset(name)
        try:
            with reading(name):
                check_dataset(dataset, name, georeferenced)
                chosen = choose_bands(dataset, name, bands)
                further = choose_further(dataset, name, also, chosen)
                every = (*chosen, *(band.number for band in further))
                check_files(dataset, every, redact(name))
                missing = missing_rule(dataset, name, every, src_nodata)
                grid = Grid(dataset.crs, dataset.transform, (dataset.height, dataset.width))
                scene = cls(dataset, name, grid, chosen, missing, further)
                scene._check_any_valid()
        except BaseException:
            dataset.close()
            raise
        return scene

    def __enter__(self) -> "Scene":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._rereading.close()
        self._dataset.close()

    @property
    def mask_kind(self) -> MaskKind:
        """How the file marks missing pixels; what an output should use too."""
        return self._missing.kind

    @property
    def name(self) -> str:
        """The path without credentials or a query, fit for messages and tags."""
        return redact(self.path)

    @property
    def scales(self) -> tuple[float, ...]:
        """Factor from file units to physical ones, for each of the three bands and the further."""
        return tuple(scale_of(self._dataset, band)[0] for band in self._all)

    @property
    def offsets(self) -> tuple[float, ...]:
        """Offset from file units to physical ones, for each of the three bands and the further."""
        return tuple(scale_of(self._dataset, band)[1] for band in self._all)

    @property
    def metadata(self) -> Metadata:
        """What the file says of its bands and of itself, for rasters made of it."""
        said = read_metadata(self._dataset, self._all)
        told = (*said.descriptions[:3], *(band.description for band in self.further))
        return replace(said, descriptions=told)

    def read(self, window: Window) -> tuple[Pixels, Mask]:
        """Read a window that lies within the scene.

        Returns:
            (values, valid): C x H x W in the file's dtype and units, C = 3, and H x W, true
            where the pixel is neither nodata, masked, transparent nor non-finite.

        Raises:
            RasterError: If the file is damaged there.
            ValueError: If the window reaches beyond the scene.
        """
        values, valid = self._read_all(window)
        return values[:3], valid

    def _read_all(self, window: Window) -> tuple[Pixels, Mask]:
        rows, cols = self.grid.shape_yx
        if window.intersection(self.grid.full_window) != window:
            raise ValueError(f"{window} is not within the scene of {rows} x {cols} pixels")
        return self._read(window, window.shape_yx)

    def read_padded(self, window: Window, halo: int) -> tuple[Pixels, Mask]:
        """Read a window with `halo` more pixels on every side.

        Beyond its edges the scene is continued by its mirror image (`specgan.edges`), so the same
        ground gives the same pixels whatever the window.

        Returns:
            (values, valid) as `read` gives them, for `window.padded(halo)`, the further bands
            after the three.
        """
        padded = window.padded(halo)
        source, picked = within(padded, self.grid.shape_yx)
        values, valid = self._read_all(source)
        return (values, valid) if source == padded else (values[:, *picked], valid[picked])

    def sample(self) -> Pixels:
        """Return valid values that stand for the scene: (3 + further bands) x N in file units.

        They come from an overview or a decimated read where that is cheap, else from a fixed
        lattice of blocks.
        """
        if self._sampled is None:
            parts = [values[:, valid] for values, valid in self._sample_windows()]
            self._sampled = np.concatenate(parts, axis=1)
        return self._sampled

    def _sample_windows(self) -> Iterator[tuple[Pixels, Mask]]:
        rows, cols = self.grid.shape_yx
        factor = max(1, math.ceil(max(rows, cols) / SAMPLE))
        has_overview = bool(self._dataset.overviews(self.bands[0]))
        if has_overview or rows * cols <= (4 * SAMPLE) ** 2:
            shape = (math.ceil(rows / factor), math.ceil(cols / factor))
            yield self._read(self.grid.full_window, shape)
            return
        side = SAMPLE // LATTICE
        for i in range(LATTICE):
            for j in range(LATTICE):
                row = max(0, int((i + 0.5) * rows / LATTICE) - side // 2)
                col = max(0, int((j + 0.5) * cols / LATTICE) - side // 2)
                height, width = min(side, rows - row), min(side, cols - col)
                yield self._read_all(Window(row, col, height, width))

    def _read(self, window: Window, shape_yx: tuple[int, int]) -> tuple[Pixels, Mask]:
        with reading(self.name, f" at row {window.row}, column {window.col}"):
            first = self._stored(self._dataset, window, shape_yx)
            self._rereading.confirm(first, lambda twin: self._stored(twin, window, shape_yx))
        return first

    def _stored(
        self, dataset: DatasetReader, window: Window, shape_yx: tuple[int, int]
    ) -> tuple[Pixels, Mask]:
        shape = (len(self._all), *shape_yx)
        values: Pixels = dataset.read(self._all, window=window.rasterio(), out_shape=shape)
        return values, self._missing.valid(dataset, values, window)

    def any_valid(self, window: Window) -> bool:
        """Return whether a window holds a valid pixel; reads all of it only if a sample holds none.

        Args:
            window: Within the scene.
        """
        if self.mask_kind == "none" and not np.issubdtype(np.dtype(self.dtype), np.inexact):
            return True
        if any(self.read(part)[1].any() for part in spread_windows(window)):
            return True
        for _, block in self._dataset.block_windows(self.bands[0]):
            part = Window(block.row_off, block.col_off, block.height, block.width)
            inside = part.intersection(window)
            if inside is not None and self.read(inside)[1].any():
                return True
        return False

    def _check_any_valid(self) -> None:
        if not self.any_valid(self.grid.full_window):
            raise RasterError(
                f"{self.name}: every pixel is nodata, so there is nothing to work on; "
                f"if nodata {self.nodata} is wrong, give --src-nodata none or another value"
            )


def within(
    window: Window, shape_yx: tuple[int, int]
) -> tuple[Window, tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return the part of a grid that a window needs, and how its pixels come out of that part.

    Args:
        window: A window that may reach beyond the grid.
        shape_yx: Rows and columns of the grid.

    Returns:
        (source, picked): a window within the grid; rows and columns such that an array H x W of
        it, indexed with them, is the window, continued by the grid's mirror image.
    """
    rows = edge_indices(window.row, window.height, shape_yx[0])
    cols = edge_indices(window.col, window.width, shape_yx[1])
    row, col = int(rows.min()), int(cols.min())
    source = Window(row, col, int(np.ptp(rows)) + 1, int(np.ptp(cols)) + 1)
    return source, (rows[:, None] - row, cols - col)
