"""Measuring how a cube lies on a scene."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specgan_cli.errors import MismatchError
from specgan_cli.raster.alignment_geometry import PixelMap
from specgan_cli.raster.alignment_model import Alignment
from specgan_cli.raster.alignment_refine import Motion, blur_variance, refine, sampled
from specgan_cli.raster.alignment_resample import Reader, resample_window
from specgan_cli.raster.alignment_search import (
    correlation,
    effective_pixels,
    reliability,
    search,
)
from specgan_cli.raster.alignment_views import View, make_view
from specgan_cli.raster.bands import Bands
from specgan_cli.raster.cube import Cube
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.scene import Scene
from specgan_cli.raster.spectral import resampling_matrix

__all__ = ["THRESHOLD", "align"]

logger = logging.getLogger(__name__)

THRESHOLD = 0.99
"""Least reliability that is accepted."""
VISIBLE = Bands.from_wavelengths([650.0, 560.0, 480.0], [70.0, 70.0, 70.0])
"""What the red, green and blue of a camera see of a spectrum."""

_MOST_OVERSAMPLING = 4
_VIEW_EDGE = 96
_LARGE_VIEW_EDGE = 48
_VIEWS_PER_AXIS = 3
_MARGIN = 3
_LEAST_PIXELS = 64
_CANDIDATES = 4
_RIVAL = 0.4
"""A peak at a whole pixel, up to half a pixel off its top, below this share of another's top is no
rival of it."""
_TRIAL_STEPS = 3
_BLUR_ROUNDS = 1

Values = NDArray[np.float64]


@dataclass(frozen=True)
class _Side:
    """One of the two images, with what it takes to read it."""

    grid: Grid
    """Its grid."""
    read: Reader
    """Its three visible channels."""


def align(
    scene: Scene,
    cube: Cube,
    *,
    max_shift: float | None = None,
    local: bool = True,
    threshold: float = THRESHOLD,
) -> Alignment:
    """Measure the displacement of a cube against a scene.

    Args:
        scene: The open scene.
        cube: The open cube.
        max_shift: Largest displacement to look for, metres; by default a fifth of the overlap,
            between 4 and 40 pixels of the coarser image.
        local: Whether to look for a smooth local field too.
        threshold: Least reliability that is accepted, 0 to 1.

    Raises:
        MismatchError: No overlap, or no displacement that is reliable enough.
        RasterError: One of them cannot be read.
    """
    sides = _Side(scene.grid, scene.read), _Side(cube.grid, _visible_reader(cube))
    scene_is_coarse = scene.grid.gsd > cube.grid.gsd
    coarse, fine = sides if scene_is_coarse else sides[::-1]
    overlap = _overlap(coarse.grid, fine.grid)
    gsd = coarse.grid.gsd
    reach = _reach(overlap, max_shift, gsd)
    views = [_view(coarse, fine, window, reach + _MARGIN) for window in _windows(overlap)]
    views = [view for view in views if view.valid.sum() >= _LEAST_PIXELS / 4]
    if not views:
        raise MismatchError(
            f"{cube.path}: too few valid pixels lie on {scene.path}; "
            "use a larger cube, or trust the georeference with --no-align"
        )
    before = _correlation(views, Motion((0.0, 0.0)))
    motion, r = _best(views, reach)
    figure = reliability(r, effective_pixels(views), (2 * reach + 1) ** 2)
    logger.info("alignment: correlation %.3f, reliability %.4f", r, figure)
    if figure < threshold:
        raise MismatchError(
            f"{cube.path} cannot be aligned with {scene.path}: reliability {figure:.3f}, "
            f"{threshold:g} is needed (within {reach * gsd:.3g} m); check that both show the same "
            "ground, give --max-shift METRES, or trust the georeference with --no-align"
        )
    shift_crs = _in_scene(scene.grid, coarse.grid, overlap, motion.shift, scene_is_coarse)
    return Alignment(
        shift_xy=_in_metres(scene.grid, overlap, shift_crs),
        shift_crs=shift_crs,
        reliability=figure,
        correlation=max(r, 0.0),
        correlation_before=max(before, 0.0),
        uncertainty=math.sqrt(max(sum(motion.covariance) / 2, 0.0)) * gsd,
        overlap=_covered(scene.grid, cube.grid),
        pixels=int(sum(view.valid.sum() for view in views)),
        estimated=True,
    )


def _visible_reader(cube: Cube) -> Reader:
    matrix, _ = resampling_matrix(cube.bands, VISIBLE, cube.bad)
    used = np.flatnonzero(np.abs(matrix).max(axis=0) > 1e-6)
    weights = matrix[:, used].astype(np.float32)

    def read(window: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        values, valid = cube.read(window, used.tolist())
        return (weights @ values.reshape(len(used), -1)).reshape(-1, *window.shape_yx), valid

    return read


def _overlap(coarse: Grid, fine: Grid) -> Window:
    try:
        window = coarse.intersection(fine)
    except ValueError as error:
        raise MismatchError(f"scene and cube: {error} (--hsi-crs for the cube)") from error
    if window is None:
        raise MismatchError(
            "scene and cube do not overlap; check their CRSs, or give the cube's with --hsi-crs "
            "and --hsi-origin"
        )
    return window


def _reach(overlap: Window, max_shift: float | None, gsd: float) -> int:
    """Largest displacement to look for, coarse pixels."""
    if max_shift is not None:
        return max(math.ceil(max_shift / gsd), 1)
    return min(max(min(overlap.shape_yx) // 5, 4), 40)


def _windows(overlap: Window) -> list[Window]:
    """The whole overlap, or windows spread over a large one."""
    if max(overlap.shape_yx) <= _VIEW_EDGE:
        return [overlap]
    rows, cols = (_starts(size) for size in overlap.shape_yx)
    edge_y, edge_x = (min(_LARGE_VIEW_EDGE, size) for size in overlap.shape_yx)
    return [
        Window(overlap.row + row, overlap.col + col, edge_y, edge_x) for row in rows for col in cols
    ]


def _starts(size: int) -> list[int]:
    room = size - _LARGE_VIEW_EDGE
    if room <= 0:
        return [0]
    count = min(math.ceil(size / _LARGE_VIEW_EDGE), _VIEWS_PER_AXIS)
    return [round(room * i / (count - 1)) for i in range(count)]


def _view(coarse: _Side, fine: _Side, window: Window, pad: int) -> View:
    values, valid = coarse.read(window)
    m = min(max(round(coarse.grid.gsd / fine.grid.gsd), 1), _MOST_OVERSAMPLING)
    target = coarse.grid.refine(m)
    lattice, known = resample_window(
        fine.read,
        fine.grid.shape_yx,
        PixelMap(target, fine.grid),
        window.padded(pad).scaled(m),
        3,
    )
    return make_view(
        np.asarray(values, np.float64),
        valid,
        lattice.astype(np.float64),
        known,
        oversampling=m,
        pad=pad,
        origin_yx=(window.row, window.col),
    )


def _best(views: list[View], reach: int) -> tuple[Motion, float]:
    """The displacement with the highest correlation, refined from the best whole pixels."""
    best, highest = Motion((0.0, 0.0)), -1.0
    surface = search(views, reach)
    for start in surface.candidates(_CANDIDATES):
        if surface.at(start) < _RIVAL * highest:
            break
        motion = refine(views, start, steps=_TRIAL_STEPS)
        r = _correlation(views, motion)
        if r > highest and max(map(abs, motion.shift)) <= reach + 1:
            best, highest = motion, r
    for _ in range(_BLUR_ROUNDS):
        blurred = [view.blurred(blur_variance(views, best)) for view in views]
        best = refine(blurred, best.shift)
    return best, _correlation(views, best)


def _correlation(views: list[View], motion: Motion) -> float:
    """Correlation of the high-passed images, mean over the channels."""
    sums = np.zeros((3, len(views[0].coarse)))
    for view in views:
        sums += correlation(view, sampled(view, motion))
    power = np.sqrt(sums[1] * sums[2])
    return float(np.divide(sums[0], power, out=np.zeros_like(power), where=power > 1e-30).mean())


def _in_scene(
    scene: Grid, coarse: Grid, overlap: Window, shift: tuple[float, float], scene_is_coarse: bool
) -> tuple[float, float]:
    """A displacement of coarse pixels as one of the cube, in the scene's CRS units."""
    row, col = overlap.row + overlap.height / 2, overlap.col + overlap.width / 2
    to_scene = PixelMap(coarse, scene)
    rows, cols = to_scene.exact(np.array([row, row + shift[0]]), np.array([col, col + shift[1]]))
    (x0, y0), (x1, y1) = (scene.transform @ (c, r) for r, c in zip(rows, cols, strict=True))
    sign = -1.0 if scene_is_coarse else 1.0
    return float(sign * (x1 - x0)), float(sign * (y1 - y0))


def _in_metres(scene: Grid, overlap: Window, shift: tuple[float, float]) -> tuple[float, float]:
    """A displacement in CRS units as metres to the east and north."""
    x, y = _metres_per_unit(scene)
    return shift[0] * x, shift[1] * y


def _metres_per_unit(grid: Grid) -> tuple[float, float]:
    """Metres on the ground of one CRS unit along x and y, at the grid's centre."""
    if grid.crs is None:
        return 1.0, 1.0
    left, bottom, right, top = grid.bounds
    x, y = (left + right) / 2, (bottom + top) / 2
    from affine import Affine

    unit = 1e-5 if grid.crs.is_geographic else 1.0
    across = Grid(grid.crs, Affine(unit, 0, x, 0, -unit, y), (1, 1)).gsd / unit
    if not grid.crs.is_geographic:
        return across, across
    east = across * math.sqrt(max(math.cos(math.radians(y)), 1e-6))
    return east, across / math.sqrt(max(math.cos(math.radians(y)), 1e-6))


def _covered(scene: Grid, cube: Grid) -> float:
    """Share of the scene that the cube's outline covers."""
    window = scene.intersection(cube)
    return 0.0 if window is None else window.height * window.width / math.prod(scene.shape_yx)
