"""Hyperspectral cubes as reflectance on a grid."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import CRSError

from specgan.bands import Bands
from specgan_cli.cubes.layout import CubeLayout, CubeStore
from specgan_cli.cubes.open import open_store
from specgan_cli.cubes.options import CubeOptions
from specgan_cli.cubes.scale import gains_of
from specgan_cli.cubes.spectral import water_bands
from specgan_cli.cubes.wavelengths import parse_bad_bands, read_wavelengths
from specgan_cli.errors import RasterError, ShapeError
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.masks import SENTINELS, equals
from specgan_cli.raster.missing import given_nodata, spread_windows
from specgan_cli.raster.validation import reading
from specgan_cli.redaction import redact
from specgan_cli.types import F32, Mask

__all__ = ["Cube"]

logger = logging.getLogger(__name__)

_UNTAGGED_NODATA = (*SENTINELS, 9.969209968386869e36)
"""Values that are nodata in cubes which declare none (NEON, EnMAP, ENVI, netCDF as shipped)."""
_LOOKED_NM = (350.0, 1350.0)
"""Wavelengths between which bands are used."""


class Cube:
    """A hyperspectral cube, opened for reading by windows; a context manager.

    Reflectance is 0..1 whatever the file's units.
    """

    path: str
    """The file, as it was named."""
    grid: Grid
    """Where the pixels lie."""
    bands: Bands
    """The bands, in the file's order."""
    layout: CubeLayout
    """What the file says."""
    bad: Mask
    """Bands without use: marked in the file, by an option, or in water absorption."""

    def __init__(self, path: str, store: CubeStore, grid: Grid, bands: Bands) -> None:
        layout = store.layout
        self.path, self.grid, self.bands = path, grid, bands
        self.bad = np.asarray(layout.bad, dtype=np.bool_) | water_bands(bands)
        self.gains = np.ones(layout.count)
        self.offsets = np.asarray(layout.offsets or (0.0,) * layout.count)
        self.numbers = np.asarray(layout.numbers or range(1, layout.count + 1))
        self._nodata = list(layout.nodata)
        self._bare = layout.grid.transform.is_identity
        self.layout = layout
        self._store = store

    @classmethod
    def open(cls, path: str | Path, options: CubeOptions | None = None) -> Cube:
        """Open a cube in any format that GDAL or a sensor reader knows.

        Args:
            path: A file or anything else that rasterio opens.
            options: What is known of the cube, instead of what the file says.

        Raises:
            RasterError: The file cannot be read, or has no usable georeference.
            MismatchError: The bands name no wavelengths.
            MissingExtraError: The format needs `h5py`, which is not installed.
        """
        options = options or CubeOptions()
        given = _given_bands(options)
        store = open_store(str(path), None if given is None else len(given))
        try:
            grid = _fixed_grid(store.layout.grid, options)
            cube = cls(str(path), store, grid, _chosen_bands(store, given, redact(str(path))))
            if options.bad_bands is not None:
                cube.bad = cube.bad | parse_bad_bands(options.bad_bands, cube.bands)
            if options.nodata is not None:
                nodata = given_nodata(options.nodata, cube.name)
                # none: not even the usual ones, and what is not a number is missing anyway
                cube._nodata = [np.nan if nodata is None else nodata] * len(cube.bands)
            cube.bad = cube.bad | _dead(cube)
            cube.gains = gains_of(cube, options.scale)
        except ShapeError as error:
            store.close()
            raise RasterError(f"{redact(str(path))}: {error}") from error
        except BaseException:
            store.close()
            raise
        return cube

    def read(self, window: Window, indices: Sequence[int] | None = None) -> tuple[F32, Mask]:
        """Read a window that lies inside the grid.

        Args:
            window: Pixels to read.
            indices: Bands to read, from 0 and in any order; all of them by default.

        Returns:
            Reflectance (bands x height x width), 0 where invalid, and validity (height x width): a
            pixel is valid when masks and alpha say so, every band read is finite and not nodata
            (0 counts only in all of them), and they are not all zero.

        Raises:
            RasterError: The file is damaged there.
        """
        chosen = list(range(len(self.bands)) if indices is None else indices)
        with reading(self.name, f" at row {window.row}, column {window.col}"):
            raw = self._store.read(window, chosen)
            mask = self._store.mask(window)
        valid = self._valid(raw, chosen)
        if mask is not None:
            valid &= mask
        values = raw.astype(np.float32)
        values *= self.gains[chosen, None, None].astype(np.float32)
        values += self.offsets[chosen, None, None].astype(np.float32)
        values[:, ~valid] = 0.0
        return values, valid

    def check_placed(self) -> None:
        """Raise unless the file says where its pixels lie.

        Raises:
            RasterError: It has no geotransform.
        """
        if self._bare:
            raise RasterError(
                f"{self.name}: has no geotransform, so its ground is unknown; set it with: rio "
                "edit-info --transform '[a, b, c, d, e, f]' --crs EPSG:CODE "
                f"{shlex.quote(self.name)}"
            )

    @property
    def name(self) -> str:
        """The path without credentials or a query, fit for messages and tags."""
        return redact(self.path)

    def close(self) -> None:
        """Give the file back."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _valid(self, raw: NDArray[Any], bands: Sequence[int]) -> Mask:
        if not len(raw):
            return np.zeros(raw.shape[1:], np.bool_)
        valid = np.any(raw != 0, axis=0)
        for values, band in zip(raw, bands, strict=True):
            valid &= ~self._is_missing(values, band)
        return np.asarray(valid, dtype=np.bool_)

    def _is_missing(self, values: NDArray[Any], band: int) -> Mask:
        """Where a band holds no measurement; 0 is one unless all bands hold it."""
        nodata = self._nodata[band]
        missing = ~np.isfinite(values)
        for mark in _UNTAGGED_NODATA if nodata is None else (nodata,):
            hits = equals(values, mark) if mark != 0 else None
            missing |= False if hits is None else hits
        return np.asarray(missing)


def _fixed_grid(grid: Grid, options: CubeOptions) -> Grid:
    if options.crs is not None:
        try:
            grid = replace(grid, crs=CRS.from_user_input(options.crs))
        except CRSError as error:
            raise RasterError(f"--hsi-crs: {options.crs!r} is no known CRS ({error})") from error
    if options.origin is not None:
        t, (x, y) = grid.transform, options.origin
        grid = replace(grid, transform=Affine(t.a, t.b, x, t.d, t.e, y))
    return grid


def _given_bands(options: CubeOptions) -> Bands | None:
    given = options.wavelengths
    return given if given is None or isinstance(given, Bands) else read_wavelengths(given)


def _chosen_bands(store: CubeStore, given: Bands | None, name: str) -> Bands:
    if given is None:
        return store.find_bands()
    if len(given) != store.layout.count:
        raise RasterError(
            f"--wavelengths: names {len(given)} bands, but {name} has {store.layout.count}"
        )
    return given


def _dead(cube: Cube) -> Mask:
    """Bands without a measurement where others have some, in windows spread over the cube."""
    looked = [i for i in cube.bands.between(*_LOOKED_NM) if not cube.bad[i]]
    seen, alive = 0, np.zeros(len(looked), np.bool_)
    for window in spread_windows(cube.grid.full_window):
        if not looked or alive.all():
            break
        with reading(cube.name, f" at row {window.row}, column {window.col}"):
            raw, mask = cube._store.read(window, looked), cube._store.mask(window)
        pairs = zip(raw, looked, strict=True)
        held = np.stack([(values != 0) & ~cube._is_missing(values, i) for values, i in pairs])
        held &= True if mask is None else mask
        seen += int(held.any(axis=0).sum())
        alive |= held.any(axis=(1, 2))
    dead = np.zeros(len(cube.bands), np.bool_)
    if seen:
        dead[np.asarray(looked, dtype=np.intp)[~alive]] = True
    if dead.any():
        logger.warning(
            "%s: bands %s hold no measurement, so they are left out",
            cube.name,
            ", ".join(map(str, cube.numbers[dead])),
        )
    return dead
