"""A picture by which a person judges an alignment at a glance.

Six panels: the scene, the cube in true colour (in bands of its own where it does not see red, green
and blue) where its georeference puts it, and where it was aligned; below, chequerboards of scene
and cube before and after, and the displacement as arrows.
"""

from __future__ import annotations

import math

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from specgan.bands import Bands
from specgan_cli.alignment.pair import VISIBLE
from specgan_cli.cubes.cube import Cube
from specgan_cli.cubes.spectral import MEASURED, resampling_matrix
from specgan_cli.pictures.sheet import arrange
from specgan_cli.raster.grid import Grid
from specgan_cli.raster.scene import Scene
from specgan_cli.resampling.cube_on_grid import cube_on_grid
from specgan_cli.resampling.geometry import PixelMap
from specgan_cli.resampling.model import UNALIGNED, Alignment
from specgan_cli.resampling.resample import resample_window
from specgan_cli.types import F32, Mask

_PANEL = 480
_GAP = 8
_SQUARES = 8
_ARROWS = 9
_PAPER = 1.0
_MISSING = 0.25
_ARROW_COLOUR = (1.0, 0.85, 0.0)


def draw_quicklook(scene: Scene, cube: Cube, alignment: Alignment) -> NDArray[np.uint8]:
    """Draw the six panels.

    Args:
        scene: The open scene.
        cube: The open cube.
        alignment: How the cube lies on the scene.

    Returns:
        Height x width x 3: red, green and blue.
    """
    grid = _panel_grid(scene.grid)
    rgb, known = _scene_panel(scene, grid)
    colours = shown_bands(cube)
    before, seen_before = cube_on_grid(cube, grid, UNALIGNED, colours)
    after, seen_after = cube_on_grid(cube, grid, alignment, colours)
    low, high = _limits(rgb, known)
    rgb = np.clip((rgb - low) / (high - low), 0, 1)
    both = known & seen_after
    before, after = (_matched(image, after, rgb, both) for image in (before, after))
    panels = [
        _shown(rgb, known),
        _shown(before, seen_before),
        _shown(after, seen_after),
        _chequered(_shown(rgb, known), _shown(before, seen_before)),
        _chequered(_shown(rgb, known), _shown(after, seen_after)),
        _with_arrows(_shown(rgb, known) * 0.5, grid, alignment),
    ]
    return (
        np.rint(arrange(panels, 3, _PAPER, gap=_GAP, border=_GAP) * 255)
        .astype(np.uint8)
        .transpose(1, 2, 0)
    )


def shown_bands(cube: Cube) -> Bands:
    """Return what is shown as red, green and blue.

    True colour, or else three of the cube's own bands, from the longest to the shortest; fewer than
    three are repeated.
    """
    _, coverage = resampling_matrix(cube.bands, VISIBLE, cube.bad)
    if (coverage >= MEASURED).all():
        return VISIBLE
    usable = np.flatnonzero(~cube.bad)
    longest_first = usable[np.argsort(-np.asarray(cube.bands.wavelengths_nm)[usable])]
    chosen = longest_first[np.linspace(0, len(usable) - 1, 3).round().astype(int)]
    return Bands(
        tuple(cube.bands.wavelengths_nm[i] for i in chosen),
        tuple(cube.bands.fwhm_nm[i] for i in chosen),
    )


def _panel_grid(grid: Grid) -> Grid:
    """The scene's ground in pixels that fill a panel."""
    rows, cols = grid.shape_yx
    step = max(rows, cols) / _PANEL
    shape = max(round(rows / step), 1), max(round(cols / step), 1)
    return Grid(grid.crs, grid.transform @ Affine.scale(cols / shape[1], rows / shape[0]), shape)


def _scene_panel(scene: Scene, grid: Grid) -> tuple[F32, Mask]:
    """The scene on the panel's grid."""
    return resample_window(
        scene.read, scene.grid.shape_yx, PixelMap(grid, scene.grid), grid.full_window, 3
    )


def _limits(image: F32, valid: Mask) -> tuple[F32, F32]:
    """Values of black and white per band: the 1st and 99th percentile."""
    if not valid.any():
        return np.zeros((3, 1, 1), np.float32), np.ones((3, 1, 1), np.float32)
    low, high = np.percentile(image[:, valid], (1, 99), axis=1).astype(np.float32)
    return low[:, None, None], np.maximum(high, low + 1e-6)[:, None, None]


def _matched(image: F32, reference: F32, rgb: F32, valid: Mask) -> F32:
    """An image with the gain and offset that give `reference` the mean and spread of `rgb`."""
    if valid.sum() < 2:
        return np.clip(image, 0, 1)
    ours, theirs = reference[:, valid], rgb[:, valid]
    gain = theirs.std(axis=1) / np.maximum(ours.std(axis=1), 1e-6)
    offset = theirs.mean(axis=1) - gain * ours.mean(axis=1)
    return np.asarray(np.clip(image * gain[:, None, None] + offset[:, None, None], 0, 1))


def _shown(image: F32, valid: Mask) -> F32:
    return np.where(valid, image, np.float32(_MISSING)).astype(np.float32)


def _chequered(first: F32, second: F32) -> F32:
    rows, cols = (np.arange(size) * _SQUARES // size for size in first.shape[1:])
    return np.where((rows[:, None] + cols[None, :]) % 2 == 0, first, second)


def _with_arrows(image: F32, grid: Grid, alignment: Alignment) -> F32:
    """Arrows from where the georeference puts the cube to where it lies, magnified."""
    rows, cols = grid.shape_yx
    at_r, at_c = ((np.arange(_ARROWS) + 0.5) * size / _ARROWS for size in (rows, cols))
    start_r, start_c = np.meshgrid(at_r, at_c, indexing="ij")
    moved = PixelMap(grid, grid, alignment.shift_crs, alignment.field)
    end_r, end_c = moved.exact(start_r, start_c)
    by_r, by_c = start_r - end_r, start_c - end_c
    longest = float(np.hypot(by_r, by_c).max())
    if longest < 1e-6:
        return image
    scale = 0.8 * min(rows, cols) / _ARROWS / longest
    drawn = image.copy()
    for r, c, dr, dc in zip(start_r.flat, start_c.flat, by_r.flat, by_c.flat, strict=True):
        _arrow(drawn, (r, c), (r + scale * dr, c + scale * dc))
    return drawn


def _arrow(image: F32, start: tuple[float, float], end: tuple[float, float]) -> None:
    angle = math.atan2(end[0] - start[0], end[1] - start[1])
    size = 0.3 * math.dist(start, end)
    _line(image, start, end)
    for side in (-0.5, 0.5):
        wing = end[0] - size * math.sin(angle + side), end[1] - size * math.cos(angle + side)
        _line(image, end, wing)


def _line(image: F32, start: tuple[float, float], end: tuple[float, float]) -> None:
    count = int(2 * math.dist(start, end)) + 2
    rows = np.rint(np.linspace(start[0], end[0], count)).astype(np.intp)
    cols = np.rint(np.linspace(start[1], end[1], count)).astype(np.intp)
    inside = (rows >= 0) & (rows < image.shape[1]) & (cols >= 0) & (cols < image.shape[2])
    image[:, rows[inside], cols[inside]] = np.asarray(_ARROW_COLOUR, np.float32)[:, None]
