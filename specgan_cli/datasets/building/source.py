"""A pair of image and cube as a source of chips."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import rasterio.warp
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from specgan_cli.cubes.cube import Cube
from specgan_cli.cubes.options import CubeOptions
from specgan_cli.cubes.wavelengths import inline_bands
from specgan_cli.datasets.building.pairs import ImagePair
from specgan_cli.datasets.building.splits import Ground
from specgan_cli.datasets.shards import ChipArrays
from specgan_cli.datasets.statistics import HSI_UNIT
from specgan_cli.errors import DatasetError, MismatchError
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.scene import Scene
from specgan_cli.raster.untagged import warn_of_untagged
from specgan_cli.resampling.model import Alignment
from specgan_cli.types import Mask

COMMON_PLANE = "EPSG:3857"
"""Conformal plane on which chips of different CRSs are compared, with its local scale."""

_HSI_LIMITS = (-32767, 32767)
_SQUARENESS = 0.1
"""How much the sides of a pixel may differ when a cube is laid over an image by its corners."""
_FINER = 0.05
"""How much finer than the dataset's HSI pixels a cube's own may be, relatively."""


@dataclass(frozen=True)
class SourceImage:
    """What the headers of a pair's files say."""

    pair: ImagePair
    """The pair."""
    grid: Grid
    """Grid of the RGB; without a CRS the units are metres and the origin is the image's corner."""
    dtype: str
    """Stored type of the RGB."""
    gsd: float
    """Size of an HR pixel, metres."""
    hsi_factor: int | None
    """HR pixels per HSI pixel in the dataset, a power of two; None without a cube."""
    hsi_known: tuple[int, ...] | None = None
    """Canonical bands, from 0, that the cube measures; None for all, or without a cube."""

    @property
    def crs_name(self) -> str | None:
        """The CRS as `AUTHORITY:CODE`, or WKT where it has none."""
        return None if self.grid.crs is None else self.grid.crs.to_string()


def read_headers(
    pair: ImagePair, assume_gsd: float | None, scale: int, cubes: CubeOptions
) -> SourceImage:
    """Read the headers of a pair.

    Args:
        pair: The pair.
        assume_gsd: Pixel size in metres of images without a CRS, unless the pair says its own.
        scale: Largest HSI factor.
        cubes: What is known of the cubes.

    Raises:
        RasterError: A file cannot be read.
        DatasetError: The image has no CRS and no pixel size was given.
        MismatchError: The cube cannot be laid on the image.
    """
    with open_scene(pair, assume_gsd) as (scene, grid):
        warn_of_untagged(scene)
        # found once and told once, however often the image is opened again
        pair = replace(pair, bands=scene.bands)
        gsd = round(grid.gsd, 9)
        if pair.hsi is None:
            return SourceImage(pair, grid, scene.dtype, gsd, None)
        with open_cube(pair, grid, cubes) as cube:
            # Brings scipy, which takes longer than to look whether there is a cube.
            from specgan_cli.resampling.cube_on_grid import measured_bands

            cube_pixel = max(cube_gsd(cube, gsd), pair.hsi_gsd or 0.0)
            known = measured_bands(cube)
        bands = None if known.all() else tuple(np.flatnonzero(known).tolist())
        return SourceImage(pair, grid, scene.dtype, gsd, hsi_factor(gsd, cube_pixel, scale), bands)


def cube_gsd(cube: Cube, gsd: float) -> float:
    """Return the cube's pixel size in metres; of bare cubes too, whose grid is in metres.

    Args:
        cube: The open cube.
        gsd: Pixel size of its image in metres, for the message.

    Raises:
        MismatchError: The size cannot be known.
    """
    measured = cube.grid.gsd
    if not math.isfinite(measured) or measured <= 0:
        raise MismatchError(
            f"{cube.name}: its pixel size is unknown beside pixels of {gsd:g} m; give its CRS with "
            "--hsi-crs"
        )
    return measured


def hsi_factor(gsd: float, cube_gsd: float, scale: int) -> int:
    """Return the largest power of two whose pixels are about the cube's or finer, up to `scale`."""
    factor = 1
    while factor * 2 <= scale and factor * 2 * gsd <= cube_gsd * (1 + _FINER):
        factor *= 2
    return factor


@contextmanager
def open_scene(pair: ImagePair, assume_gsd: float | None) -> Iterator[tuple[Scene, Grid]]:
    """Open a pair's RGB, with its grid; that of an image without a CRS starts at (0, 0).

    Raises:
        RasterError: The file cannot be read.
        DatasetError: The image has no CRS and no pixel size was given.
    """
    bare = pair.gsd is not None or assume_gsd is not None
    path = pair.path(pair.rgb)
    opened = Scene.open(path, bands=pair.bands, src_nodata=pair.nodata, georeferenced=not bare)
    with opened as scene:
        if scene.grid.crs is not None:
            yield scene, scene.grid
            return
        gsd = pair.gsd or assume_gsd
        if gsd is None:
            raise DatasetError(f"{pair.rgb} has no CRS; give the size of a pixel with --assume-gsd")
        yield scene, Grid(None, Affine.scale(gsd, -gsd), scene.grid.shape_yx)


@contextmanager
def open_cube(pair: ImagePair, grid: Grid, options: CubeOptions) -> Iterator[Cube]:
    """Open a pair's cube; one beside an image without a CRS covers exactly that image.

    What the pair says of its cube comes before the options.

    Raises:
        RasterError: The file cannot be read.
        MismatchError: Image and cube without a CRS differ in their proportions.
    """
    assert pair.hsi is not None
    bands = options.wavelengths
    if pair.wavelengths:
        bands = inline_bands(pair.wavelengths) or pair.path(pair.wavelengths)
    options = replace(options, wavelengths=bands, scale=pair.hsi_scale or options.scale)
    with Cube.open(pair.path(pair.hsi), options) as cube:
        if grid.crs is None:
            cube.grid = _spread(cube.grid, grid, cube.path)
        else:
            cube.check_placed()
        yield cube


def _spread(cube: Grid, grid: Grid, name: str) -> Grid:
    """Lay a cube without a place exactly over an image without one."""
    ratio_y, ratio_x = (hr / lr for hr, lr in zip(grid.shape_yx, cube.shape_yx, strict=True))
    if abs(ratio_y / ratio_x - 1) > _SQUARENESS:
        raise MismatchError(
            f"{name} has {cube.shape_yx} pixels and the image {grid.shape_yx}: without a CRS both "
            "must have the same proportions"
        )
    return Grid(None, grid.transform @ Affine.scale(ratio_x, ratio_y), cube.shape_yx)


@dataclass(frozen=True)
class Storage:
    """How RGB values are stored."""

    dtype: str
    """`uint8` or `uint16`."""
    source_range: tuple[float, float] | None = None
    """Source values that become 0 and the largest stored value; None where types agree."""

    def store(self, values: NDArray[Any], valid: Mask) -> NDArray[Any]:
        """Return values in the stored type, 0 where invalid.

        Values of the stored type are kept; floats of 0..255 are rounded; all others are stretched
        from `source_range`.
        """
        if values.dtype == self.dtype:
            kept: NDArray[Any] = np.where(valid, values, 0).astype(self.dtype)
            return kept
        top = np.iinfo(self.dtype).max
        low, high = self.source_range or (0.0, float(top))
        clean = np.where(valid, values, low).astype(np.float64)
        stretched = np.rint((clean - low) * (top / (high - low)))
        stored: NDArray[Any] = np.clip(stretched, 0, top).astype(self.dtype)
        return stored


class ChipReader:
    """Reads chips; keeps the files of the source that was read last open."""

    def __init__(self, options: CubeOptions, assume_gsd: float | None, storage: Storage) -> None:
        self._options, self._assume_gsd, self._storage = options, assume_gsd, storage
        self._stack = ExitStack()
        self._source: SourceImage | None = None
        self._cube: Cube | None = None

    def __enter__(self) -> "ChipReader":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def read(self, source: SourceImage, window: Window, alignment: Alignment | None) -> ChipArrays:
        """Read one chip in stored units.

        Args:
            source: Where it comes from.
            window: HR pixels, a multiple of the HSI factor in size.
            alignment: Displacement of the cube.

        Raises:
            RasterError: A file is damaged there.
            MismatchError: The cube's bands do not cover the canonical ones.
        """
        from specgan_cli.resampling.cube_on_grid import cube_on_grid

        self._open(source)
        values, valid = self._scene.read(window)
        rgb = self._storage.store(values, valid)
        mask = valid.astype(np.uint8)
        if self._cube is None or source.hsi_factor is None:
            return ChipArrays(rgb, mask, None, None, None, source.gsd)
        grid = source.grid.window(window).coarsen(source.hsi_factor)
        reflectance, covered = cube_on_grid(self._cube, grid, alignment)
        hsi = np.clip(np.rint(np.where(covered, reflectance, 0) * HSI_UNIT), *_HSI_LIMITS)
        return ChipArrays(
            rgb,
            mask,
            hsi.astype(np.int16),
            covered.astype(np.uint8),
            source.hsi_factor,
            source.gsd,
        )

    def _open(self, source: SourceImage) -> None:
        if source is self._source:
            return
        self._stack.close()
        self._source, self._cube = None, None
        self._scene, grid = self._stack.enter_context(open_scene(source.pair, self._assume_gsd))
        if source.pair.hsi is not None:
            opened = open_cube(source.pair, grid, self._options)
            self._cube = self._stack.enter_context(opened)
        self._source = source


def grounds(source: SourceImage, window: Window, common: bool) -> tuple[Ground, ...]:
    """Say where a chip lies.

    Args:
        source: Where it comes from.
        window: HR pixels.
        common: Name the place on `COMMON_PLANE` too, for a dataset of several CRSs.
    """
    grid = source.grid.window(window)
    if grid.crs is None:
        return (Ground(f"file:{source.pair.rgb}", grid.bounds),)
    if grid.crs.is_geographic:
        mercator = _on_common_plane(grid)
        return (mercator, mercator)
    res_x, res_y = grid.res_xy
    own = Ground(grid.crs.to_string(), grid.bounds, math.sqrt(res_x * res_y) / source.gsd)
    return (own, _on_common_plane(grid)) if common else (own,)


def _on_common_plane(grid: Grid) -> Ground:
    bounds = rasterio.warp.transform_bounds(grid.crs, CRS.from_string(COMMON_PLANE), *grid.bounds)
    left, bottom, right, top = (float(value) for value in bounds)
    # The scale of Mercator is the secant of the latitude: cosh of the northing in earth radii.
    unit = math.cosh((bottom + top) / 2 / 6378137.0)
    return Ground(COMMON_PLANE, (left, bottom, right, top), unit)
