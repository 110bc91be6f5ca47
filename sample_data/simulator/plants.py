"""Trees, bushes and hedges: crowns as heaps of leaf clumps, so that light models them."""

import math

import numpy as np

from simulator.canvas import Array, Canvas, noise, soften
from simulator.shapes import box, turned


def broadleaf(canvas: Canvas, rng: np.random.Generator, x: float, y: float, radius: float) -> None:
    """Plant a broad-leaved tree with a crown of the given radius in metres."""
    window = canvas.around(x, y, radius * 1.35)
    if window is None:
        return
    axis_x, axis_y = canvas.axes(window)
    top = radius * rng.uniform(1.25, 1.7)
    crown = np.full(np.broadcast_shapes(axis_x.shape, axis_y.shape), -1.0, dtype=np.float32)
    count = int(9 + 6 * radius)
    for turn, reach in zip(rng.uniform(0, 2 * math.pi, count), rng.random(count), strict=True):
        distance = radius * 0.80 * math.sqrt(reach)
        clump = radius * rng.uniform(0.22, 0.40)
        middle = top * (1.0 - 0.55 * reach) - clump
        squared = (
            clump**2
            - (axis_x - x - distance * math.cos(turn)) ** 2
            - (axis_y - y - distance * math.sin(turn)) ** 2
        )
        np.maximum(
            crown, np.where(squared > 0, middle + np.sqrt(np.maximum(squared, 0)), -1), out=crown
        )
    _leaf_out(canvas, rng, window, crown, "broadleaf", rng.uniform(0.8, 1.25))


def conifer(canvas: Canvas, rng: np.random.Generator, x: float, y: float, radius: float) -> None:
    """Plant a conifer: a cone with whorls of branches."""
    window = canvas.around(x, y, radius * 1.2)
    if window is None:
        return
    axis_x, axis_y = canvas.axes(window)
    distance = np.hypot(axis_x - x, axis_y - y)
    turn = np.arctan2(axis_y - y, axis_x - x)
    phase, arms = rng.uniform(0, 2 * math.pi), int(rng.integers(7, 11))
    edge = radius * (0.85 + 0.15 * np.cos(arms * turn + phase))
    top = radius * rng.uniform(2.4, 3.2)
    cone = top * (1.0 - distance / edge) + 0.35 * np.cos(arms * turn + phase) * distance / radius
    crown = np.where(distance < edge, np.maximum(cone, 0.4), -1.0).astype(np.float32)
    _leaf_out(canvas, rng, window, crown, "conifer", rng.uniform(0.85, 1.2))


def hedge(
    canvas: Canvas, rng: np.random.Generator, place: tuple[float, float, float], length: float
) -> None:
    """Plant a clipped hedge, 1 m wide."""
    window = canvas.around(place[0], place[1], length / 2 + 2)
    if window is None:
        return
    along, across = turned(*canvas.axes(window), place)
    wobble = 0.12 * noise(rng, along.shape, 0.6 / canvas.gsd)
    distance = box(along, across, length, 1.0) + wobble
    crown = np.where(distance < 0, 1.4 + 0.6 * np.minimum(-distance, 0.4), -1.0)
    _leaf_out(canvas, rng, window, crown.astype(np.float32), "broadleaf", rng.uniform(0.85, 1.15))


def _leaf_out(
    canvas: Canvas,
    rng: np.random.Generator,
    window: tuple[slice, slice],
    crown: Array,
    leaf: str,
    brightness: float,
) -> None:
    """Paint a crown given by its height (below 0 where there is none), with leaf-scale relief."""
    inside = (crown > 0).astype(np.float32)
    relief = 0.16 * noise(rng, crown.shape, 3.0) + 0.09 * noise(rng, crown.shape, 1.0)
    canvas.lift(window, np.maximum(canvas.height[window], crown + relief), inside)
    alpha = 0.94 * soften(inside, 0.6)
    yellow = np.float32(rng.uniform(0.0, 0.10))
    canvas.paint(window, {leaf: 1.0 - yellow, "dry_grass": yellow}, alpha)
    texture = brightness * (1.0 + 0.10 * noise(rng, crown.shape, 1.0))
    canvas.shade(window, np.clip(texture, 0.4, 1.8), alpha)
