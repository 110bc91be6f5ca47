"""Displacements of coarse pixels as displacements of the cube on the ground."""

from __future__ import annotations

import math

import numpy as np
from affine import Affine

from specgan_cli.alignment.pair import MatchPair
from specgan_cli.alignment.refine import Motion, displacement_at
from specgan_cli.raster.grid import Grid
from specgan_cli.resampling.field import DisplacementField, bspline_basis
from specgan_cli.resampling.geometry import PixelMap
from specgan_cli.types import F64

__all__ = ["ground_field", "ground_shift", "metres_per_unit"]


_INVERSION_STEPS = 8
_SAMPLES_PER_NODE = 4


def ground_shift(pair: MatchPair, motion: Motion) -> tuple[float, float]:
    """The global displacement of the cube (x, y) in the scene's CRS units."""
    row = np.array([pair.overlap.row + pair.overlap.height / 2])
    col = np.array([pair.overlap.col + pair.overlap.width / 2])
    x0, y0 = _to_scene(pair, row, col)
    x1, y1 = _to_scene(pair, row + motion.shift[0], col + motion.shift[1])
    sign = -1.0 if pair.scene_is_coarse else 1.0
    return float(sign * (x1 - x0)[0]), float(sign * (y1 - y0)[0])


def ground_field(pair: MatchPair, motion: Motion) -> DisplacementField | None:
    """What the local displacement adds to the global one, on the cube's nominal positions."""
    if motion.nodes is None:
        return None
    nodes = motion.nodes.shape[1:]
    left, bottom, right, top = _extent_bounds(pair, motion)
    t = [np.linspace(0.0, 1.0, _SAMPLES_PER_NODE * count) for count in nodes]
    y, x = np.meshgrid(top - (top - bottom) * t[0], left + (right - left) * t[1], indexing="ij")
    dx, dy = _cube_displacement(pair, motion, x, y)
    shift = ground_shift(pair, motion)
    rows, cols = (
        np.linalg.pinv(bspline_basis(positions, count))
        for positions, count in zip(t, nodes, strict=True)
    )
    nodes_x, nodes_y = (
        rows @ (part - whole) @ cols.T for part, whole in zip((dx, dy), shift, strict=True)
    )
    return DisplacementField(
        (left, bottom, right, top),
        tuple(tuple(row) for row in nodes_x.tolist()),
        tuple(tuple(row) for row in nodes_y.tolist()),
    )


def metres_per_unit(grid: Grid) -> tuple[float, float]:
    """Metres on the ground of one CRS unit along x and y, at the grid's centre."""
    if grid.crs is None:
        return 1.0, 1.0
    left, bottom, right, top = grid.bounds
    x, y = (left + right) / 2, (bottom + top) / 2
    unit = 1e-5 if grid.crs.is_geographic else 1.0
    mean = Grid(grid.crs, Affine(unit, 0, x, 0, -unit, y), (1, 1)).gsd / unit
    if not grid.crs.is_geographic:
        return mean, mean
    stretch = math.sqrt(max(math.cos(math.radians(y)), 1e-6))
    return mean * stretch, mean / stretch


def _to_scene(pair: MatchPair, rows: F64, cols: F64) -> tuple[F64, F64]:
    """Scene CRS coordinates of positions in the coarse grid."""
    scene = pair.scene
    r, c = PixelMap(pair.coarse.grid, scene).exact(rows, cols)
    t = scene.transform
    return t.a * c + t.b * r + t.c, t.d * c + t.e * r + t.f


def _extent_bounds(pair: MatchPair, motion: Motion) -> tuple[float, float, float, float]:
    row, col, height, width = motion.extent
    edge = np.linspace(0.0, 1.0, 9)
    rows, cols = np.meshgrid(row + height * edge, col + width * edge, indexing="ij")
    x, y = _to_scene(pair, rows, cols)
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def _cube_displacement(pair: MatchPair, motion: Motion, x: F64, y: F64) -> tuple[F64, F64]:
    """Displacement in CRS units of the cube's nominal positions (x, y) in the scene's CRS."""
    scene = Grid(pair.scene.crs, Affine.identity(), (1, 1))
    rows, cols = PixelMap(scene, pair.coarse.grid).exact(y, x)
    if not pair.scene_is_coarse:
        shift_rows, shift_cols = displacement_at(motion, rows, cols)
        moved_x, moved_y = _to_scene(pair, rows + shift_rows, cols + shift_cols)
        return moved_x - x, moved_y - y
    true_rows, true_cols = rows, cols
    for _ in range(_INVERSION_STEPS):
        shift_rows, shift_cols = displacement_at(motion, true_rows, true_cols)
        true_rows, true_cols = rows - shift_rows, cols - shift_cols
    true_x, true_y = _to_scene(pair, true_rows, true_cols)
    return true_x - x, true_y - y
