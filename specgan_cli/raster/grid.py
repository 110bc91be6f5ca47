"""Pixel grids: a CRS, an affine transform and a shape, and windows of whole pixels on them."""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyproj
import rasterio.crs
import rasterio.warp
import rasterio.windows
from affine import Affine
from pyproj.enums import TransformDirection
from pyproj.exceptions import ProjError
from rasterio._err import CPLE_BaseError, CPLE_NotSupportedError
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError

from specgan_cli.errors import MismatchError
from specgan_cli.raster.longitudes import shifts_onto, turn_of, unwrapped

SNAP = 1e-6
"""Pixels: edges nearer than this to a whole pixel are taken to lie on it."""

NOMINAL_TOLERANCE = 0.01
"""Relative: a projected CRS whose scale departs by more is measured on the ellipsoid."""


class Bounds(NamedTuple):
    """An upright rectangle in CRS units, always with left <= right and bottom <= top."""

    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True)
class Window:
    """A rectangle of whole pixels; it may reach beyond the edges of its grid."""

    row: int
    """First row; negative above the grid's first row."""
    col: int
    """First column; negative left of the grid's first column."""
    height: int
    """Rows, not negative."""
    width: int
    """Columns, not negative."""

    def __post_init__(self) -> None:
        if self.height < 0 or self.width < 0:
            raise ValueError(f"a window of {self.height} x {self.width} pixels cannot be")

    @property
    def shape_yx(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.height, self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices, for arrays that start at row 0 and column 0."""
        return slice(self.row, self.row + self.height), slice(self.col, self.col + self.width)

    def padded(self, pixels: int) -> "Window":
        """Return the window with `pixels` more on every side (fewer when negative)."""
        return Window(
            self.row - pixels,
            self.col - pixels,
            max(self.height + 2 * pixels, 0),
            max(self.width + 2 * pixels, 0),
        )

    def scaled(self, s: int) -> "Window":
        """Return the same ground as a window of the grid that is `s` times finer."""
        return Window(self.row * s, self.col * s, self.height * s, self.width * s)

    def shifted(self, rows: int, cols: int) -> "Window":
        """Return the window moved down by `rows` and right by `cols`."""
        return Window(self.row + rows, self.col + cols, self.height, self.width)

    def intersection(self, other: "Window") -> "Window | None":
        """Return the pixels that both windows hold, or None when there are none."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        height = min(self.row + self.height, other.row + other.height) - row
        width = min(self.col + self.width, other.col + other.width) - col
        return Window(row, col, height, width) if height > 0 and width > 0 else None

    def rasterio(self) -> rasterio.windows.Window:
        """Return the same window as a `rasterio.windows.Window`."""
        return rasterio.windows.Window(self.col, self.row, self.width, self.height)


@dataclass(frozen=True)
class Grid:
    """Where the pixels of a raster lie on the ground."""

    crs: rasterio.crs.CRS | None
    """Coordinate reference system, unchanged from the file; None for bare images."""
    transform: Affine
    """(column, row) of a pixel corner to CRS coordinates; may rotate, shear or be south-up."""
    shape_yx: tuple[int, int]
    """(rows, columns)."""

    @property
    def full_window(self) -> Window:
        """The window of all pixels."""
        return Window(0, 0, *self.shape_yx)

    @property
    def bounds(self) -> Bounds:
        """The upright rectangle around the four corners, in CRS units."""
        return self._bounds_of(self.full_window)

    @property
    def res_xy(self) -> tuple[float, float]:
        """Length of a pixel's side along a row and along a column, in CRS units, positive."""
        t = self.transform
        return math.hypot(t.a, t.d), math.hypot(t.b, t.e)

    @property
    def gsd(self) -> float:
        """Ground sampling distance in metres: the geometric mean of a pixel's two sides.

        CRS units are converted to metres.  For geographic CRSs, and for projected ones whose
        scale departs from 1 by over one per cent here (Web Mercator), the sides are measured on
        the ellipsoid at the grid's centre.  Without a CRS the units are taken for metres.
        """
        x, y = self.res_xy
        if self.crs is None:
            return math.sqrt(x * y)
        nominal = None
        if not self.crs.is_geographic:
            nominal = math.sqrt(x * y) * _metres_of_unit(self.crs)
        return self._measured_gsd(nominal)

    def refine(self, s: int) -> "Grid":
        """Return the grid of the same ground with pixels `s` times finer.

        Args:
            s: How many output pixels lie along one side of an input pixel, at least 1.

        Raises:
            ValueError: If `s` is below 1.
        """
        if s < 1:
            raise ValueError(f"a grid cannot be refined {s} times; take a whole number from 1")
        rows, cols = self.shape_yx
        return Grid(self.crs, self.transform @ Affine.scale(1 / s), (rows * s, cols * s))

    def coarsen(self, s: int) -> "Grid":
        """Return the grid with pixels `s` times coarser, and the rows and columns it can fill.

        Raises:
            ValueError: If fewer than `s` rows or columns are there.
        """
        rows, cols = self.shape_yx
        if s < 1 or rows < s or cols < s:
            raise ValueError(f"{rows} x {cols} pixels cannot be coarsened {s} times")
        return Grid(self.crs, self.transform @ Affine.scale(s), (rows // s, cols // s))

    def window(self, window: Window) -> "Grid":
        """Return the grid of a window's pixels; it may reach beyond this grid's edges."""
        transform = self.transform @ Affine.translation(window.col, window.row)
        return Grid(self.crs, transform, window.shape_yx)

    def intersection(self, other: "Grid") -> Window | None:
        """Return the window of this grid that covers the ground it shares with `other`.

        `other` may have another CRS and another rotation: its outline is densified and
        transformed.  Returns None when the two share no ground.

        Raises:
            ValueError: If one grid has a CRS and the other has none.
            MismatchError: If no transformation leads from one CRS to the other.
        """
        if (self.crs is None) != (other.crs is None):
            raise ValueError("grids with and without a CRS cannot be compared; give the CRS")
        outline = self._outline_of(other)
        if not outline:
            return None
        window = self.window_around(outline)
        return window.intersection(self.full_window)

    def _bounds_of(self, window: Window) -> Bounds:
        rows = (window.row, window.row + window.height)
        cols = (window.col, window.col + window.width)
        xs, ys = zip(
            *(self.transform @ corner for corner in itertools.product(cols, rows)), strict=True
        )
        return Bounds(min(xs), min(ys), max(xs), max(ys))

    def window_around(self, points: Iterable[tuple[float, float]]) -> Window:
        """Return the smallest window of whole pixels around points in this grid's CRS units."""
        inverse = ~self.transform
        cols, rows = zip(*(inverse @ point for point in points), strict=True)
        row, col = math.floor(min(rows) + SNAP), math.floor(min(cols) + SNAP)
        bottom, right = math.ceil(max(rows) - SNAP), math.ceil(max(cols) - SNAP)
        return Window(row, col, max(bottom - row, 0), max(right - col, 0))

    def _outline_of(self, other: "Grid", steps: int = 21) -> list[tuple[float, float]]:
        """Return points along the edge of `other`, in this grid's CRS."""
        rows, cols = other.shape_yx
        ts = [i / (steps - 1) for i in range(steps)]
        edge = [(t * cols, 0.0) for t in ts] + [(float(cols), t * rows) for t in ts]
        edge += [(cols - t * cols, float(rows)) for t in ts] + [(0.0, rows - t * rows) for t in ts]
        points = [other.transform @ corner for corner in edge]
        if self.crs is None or self.crs == other.crs:
            return self._in_turn(points)
        xs, ys = zip(*points, strict=True)
        try:
            moved_xs, moved_ys = rasterio.warp.transform(other.crs, self.crs, xs, ys)[:2]
        except CPLE_NotSupportedError as error:
            raise MismatchError(
                f"the CRSs {_name(self.crs)} and {_name(other.crs)} cannot be joined; bring one "
                "raster to the other's CRS with gdalwarp first"
            ) from error
        except (CPLE_BaseError, RasterioError):
            return []
        moved = [
            (x, y)
            for x, y in zip(moved_xs, moved_ys, strict=True)
            if math.isfinite(x) and math.isfinite(y)
        ]
        return self._in_turn(moved)

    def _in_turn(self, outline: list[tuple[float, float]]) -> list[tuple[float, float]]:
        """Return an outline with the longitudes that this grid has; unchanged on other CRSs."""
        turn = turn_of(self.crs, self.bounds[::2])
        if turn is None or not outline:
            return outline
        xs, ys = zip(*outline, strict=True)
        lon = unwrapped(xs, turn)
        shifts = shifts_onto((min(lon), max(lon)), self.bounds[::2], turn)
        return [(x + away, y) for away in shifts for x, y in zip(lon, ys, strict=True)]

    def _measured_gsd(self, nominal: float | None) -> float:
        """Return the geodesic pixel size at the centre, or `nominal` where the two agree."""
        assert self.crs is not None
        row, col = (n / 2 for n in self.shape_yx)
        corners = [(col, row), (col + 1, row), (col, row + 1)]
        xs, ys = zip(*(self.transform @ corner for corner in corners), strict=True)
        try:
            crs = pyproj.CRS.from_wkt(self.crs.to_wkt(version="WKT2_2019"))
            geodetic, geod = crs.geodetic_crs, crs.get_geod()
            if geodetic is None or geod is None:
                raise ProjError("no ellipsoid")
            to_degrees = pyproj.Transformer.from_crs(geodetic.to_2d(), crs.to_2d(), always_xy=True)
            lons, lats = to_degrees.transform(xs, ys, direction=TransformDirection.INVERSE)
            across = geod.inv(lons[0], lats[0], lons[1], lats[1])[2]
            down = geod.inv(lons[0], lats[0], lons[2], lats[2])[2]
            measured = float(np.sqrt(across * down)) or math.nan  # 0 beyond where the CRS holds
        except (ProjError, RasterioError):
            measured = math.nan
        if nominal is not None and not abs(measured / nominal - 1) > NOMINAL_TOLERANCE:
            return nominal
        return measured


def _metres_of_unit(crs: CRS) -> float:
    """Return the metres of a CRS's unit; of a site grid's, which rasterio does not tell, too."""
    try:
        return float(crs.linear_units_factor[1])
    except CRSError:
        axes = pyproj.CRS.from_wkt(crs.to_wkt(version="WKT2_2019")).axis_info
        return float(axes[0].unit_conversion_factor) if axes else 1.0


def _name(crs: CRS | None) -> str:
    """Return a short name of a CRS: its code, or its own name."""
    assert crs is not None
    code = crs.to_authority()
    return ":".join(code) if code else repr(pyproj.CRS.from_wkt(crs.to_wkt()).name)


def plan_tiles(shape_yx: tuple[int, int], tile: int) -> list[Window]:
    """Cut a raster into square tiles; those at the right and lower edge are what is left.

    Args:
        shape_yx: (rows, columns) of the raster.
        tile: Rows and columns of a tile in pixels, at least 1.

    Returns:
        Windows in row-major order that cover every pixel exactly once.

    Raises:
        ValueError: If the tile or the raster is empty.
    """
    rows, cols = shape_yx
    if tile < 1 or rows < 1 or cols < 1:
        raise ValueError(f"{rows} x {cols} pixels cannot be cut into tiles of {tile}")
    return [
        Window(row, col, min(tile, rows - row), min(tile, cols - col))
        for row in range(0, rows, tile)
        for col in range(0, cols, tile)
    ]
