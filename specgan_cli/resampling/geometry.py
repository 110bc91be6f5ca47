"""Where the pixels of one grid lie on another, through CRSs and an alignment."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyproj
from affine import Affine
from pyproj.exceptions import ProjError
from rasterio.crs import CRS

from specgan_cli.errors import MismatchError
from specgan_cli.raster.grid import Grid
from specgan_cli.raster.longitudes import nearest, shifts_onto, turn_of
from specgan_cli.resampling.field import DisplacementField
from specgan_cli.types import F64

__all__ = ["PixelMap"]


_LATTICE_STEP = 24.0
_DIRECT_POINTS = 4096


class PixelMap:
    """Maps pixel positions of a target grid to pixel positions of a source grid.

    Positions are (row, column) with the outer corner of the first pixel at (0, 0). The target lies
    in the scene's CRS; the source is a cube whose ground positions are displaced.

    Args:
        target: The grid of the scene, or any window of it.
        source: The grid of the cube.
        shift_crs: Displacement of the cube (x, y) in the target's CRS units.
        field: Further, smooth displacement of the cube.

    Raises:
        MismatchError: One of the grids has a CRS and the other has none.
    """

    def __init__(
        self,
        target: Grid,
        source: Grid,
        shift_crs: tuple[float, float] = (0.0, 0.0),
        field: DisplacementField | None = None,
    ) -> None:
        if (target.crs is None) != (source.crs is None):
            missing = "--hsi-crs" if source.crs is None else "rio edit-info --crs EPSG:CODE SCENE"
            which = "cube" if source.crs is None else "scene"
            raise MismatchError(f"the {which} has no CRS and the other has one; give it: {missing}")
        self.target, self.source = target, source
        self.shift_crs, self.field = shift_crs, field
        self._same_crs = target.crs == source.crs
        self._turn = turn_of(source.crs, source.bounds[::2])

    @property
    def affine(self) -> Affine | None:
        """(column, row) of the target to (column, row) of the source; None if not affine."""
        if not self._same_crs or self.field is not None:
            return None
        x, y = self.shift_crs
        if self._turn is not None:
            ranges = (self.target.bounds[::2], self.source.bounds[::2])
            x -= min(shifts_onto(*ranges, self._turn), key=abs)
        moved: Affine = Affine.translation(-x, -y) @ self.target.transform
        linear: Affine = ~self.source.transform @ moved
        return linear

    def exact(self, rows: F64, cols: F64) -> tuple[F64, F64]:
        """Source rows and columns of target positions; NaN where a CRS does not reach."""
        rows, cols = np.asarray(rows, np.float64), np.asarray(cols, np.float64)
        linear = self.affine
        if linear is not None:
            c, r = _apply(linear, cols, rows)
            return r, c
        x, y = _apply(self.target.transform, cols, rows)
        x, y = x - self.shift_crs[0], y - self.shift_crs[1]
        if self.field is not None:
            x, y = self.field.undo(x, y)
        if not self._same_crs:
            x, y = _transform(self.target.crs, self.source.crs, x, y)
        if self._turn is not None:
            x = nearest(x, sum(self.source.bounds[::2]) / 2, self._turn)
        c, r = _apply(~self.source.transform, x, y)
        return r, c

    def grid(self, rows: F64, cols: F64) -> tuple[F64, F64]:
        """Source positions of the lattice of target `rows` x `cols` (increasing vectors).

        Long lattices are transformed at every 24th pixel and interpolated by cubic splines, which
        is exact to far below a hundredth of a pixel for every map projection at such distances.
        """
        if self.affine is not None or rows.size * cols.size <= _DIRECT_POINTS:
            return self.exact(*np.broadcast_arrays(rows[:, None], cols[None, :]))
        coarse_rows, coarse_cols = _knots(rows), _knots(cols)
        r, c = self.exact(*np.broadcast_arrays(coarse_rows[:, None], coarse_cols[None, :]))
        if not (np.isfinite(r).all() and np.isfinite(c).all()):
            return self.exact(*np.broadcast_arrays(rows[:, None], cols[None, :]))
        from scipy.interpolate import RectBivariateSpline

        return (
            np.asarray(RectBivariateSpline(coarse_rows, coarse_cols, r)(rows, cols)),
            np.asarray(RectBivariateSpline(coarse_rows, coarse_cols, c)(rows, cols)),
        )

    def scale(self) -> tuple[float, float]:
        """Source pixels that one target pixel covers down and across, at the target's centre."""
        row, col = (size / 2 for size in self.target.shape_yx)
        r, c = self.exact(np.array([row, row + 1, row]), np.array([col, col, col + 1]))
        return float(np.hypot(r[1] - r[0], c[1] - c[0])), float(np.hypot(r[2] - r[0], c[2] - c[0]))


def _apply(t: Affine, x: F64, y: F64) -> tuple[F64, F64]:
    return t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f


def _knots(positions: F64) -> F64:
    count = max(int(np.ceil((positions[-1] - positions[0]) / _LATTICE_STEP)) + 1, 5)
    return np.linspace(positions[0], positions[-1], count)


@lru_cache(maxsize=16)
def _transformer(source_wkt: str, target_wkt: str) -> pyproj.Transformer:
    source, target = pyproj.CRS.from_wkt(source_wkt), pyproj.CRS.from_wkt(target_wkt)
    return pyproj.Transformer.from_crs(source.to_2d(), target.to_2d(), always_xy=True)


def _transform(source: CRS | None, target: CRS | None, x: F64, y: F64) -> tuple[F64, F64]:
    assert source is not None
    assert target is not None
    try:
        moved = _transformer(source.to_wkt(), target.to_wkt()).transform(x, y)
    except ProjError as error:
        raise MismatchError(
            f"the CRSs of scene and cube cannot be joined ({error}); "
            "bring one to the other's CRS with gdalwarp first"
        ) from error
    xs, ys = (np.asarray(values, np.float64) for values in moved)
    return np.where(np.isfinite(xs), xs, np.nan), np.where(np.isfinite(ys), ys, np.nan)
