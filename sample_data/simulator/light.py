"""Sun and sky over a relief: slope shading, cast shadows, ambient occlusion."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from simulator.materials import WAVELENGTHS_NM

Array = NDArray[np.float32]

STEEPEST = 1.6
"""Slopes are limited to this rise over run: walls are seen from above as their edge only."""

PENUMBRA_M = 0.12
"""Height over which a cast shadow goes from none to full."""


def sky_share() -> Array:
    """Return the share of skylight in the light on open ground per wavelength: bluer is more."""
    return (0.10 + 0.16 * (WAVELENGTHS_NM / 470.0) ** -4.0).astype(np.float32)


def sunlight(height: Array, gsd: float, azimuth: float, elevation: float) -> Array:
    """Return direct light: slope shading times cast shadow, 1 on open level ground.

    Args:
        height: H x W, metres.
        gsd: Pixel size in metres.
        azimuth: Direction of the sun, degrees clockwise from north.
        elevation: Degrees above the horizon.
    """
    east, south = math.sin(math.radians(azimuth)), -math.cos(math.radians(azimuth))
    return _shading(height, gsd, east, south, elevation) * (
        1.0 - _shadow(height, gsd, east, south, math.tan(math.radians(elevation)))
    )


def skylight(height: Array, gsd: float) -> Array:
    """Return skylight: less beside and between things that are higher."""
    small = height[::4, ::4]
    around = ndimage.gaussian_filter(small, 1.2 / (4 * gsd), mode="nearest")
    deep = np.clip((around - small) / 4.0, 0.0, 0.55)
    zoomed = ndimage.zoom(deep, 4, order=1, grid_mode=True, mode="nearest")
    fine = np.clip((ndimage.uniform_filter(height, 5) - height) / 1.5, 0.0, 0.35)
    rows, columns = height.shape
    return (1.0 - zoomed[:rows, :columns] - fine).astype(np.float32)


def _shading(height: Array, gsd: float, east: float, south: float, elevation: float) -> Array:
    """Return the cosine of incidence over that of level ground."""
    slope_y, slope_x = np.gradient(height, gsd)
    np.clip(slope_y, -STEEPEST, STEEPEST, out=slope_y)
    np.clip(slope_x, -STEEPEST, STEEPEST, out=slope_x)
    run = math.cos(math.radians(elevation)) / math.sin(math.radians(elevation))
    facing = 1.0 - run * (slope_x * east + slope_y * south)
    return np.clip(facing / np.sqrt(1.0 + slope_x**2 + slope_y**2), 0.0, 1.5).astype(np.float32)


def _shadow(height: Array, gsd: float, east: float, south: float, rise: float) -> Array:
    """Return the share of cast shadow, marching towards the sun one pixel at a time."""
    reach = math.ceil(float(height.max()) / (rise * gsd))
    highest = np.full_like(height, -1e3)
    for step in range(1, reach + 1):
        shifted = _look(height, round(step * south), round(step * east))
        rows, columns = shifted[1]
        np.maximum(
            highest[rows, columns],
            shifted[0] - np.float32(step * gsd * rise),
            out=highest[rows, columns],
        )
    shadow = np.clip((highest - height) / PENUMBRA_M, 0.0, 1.0)
    return ndimage.gaussian_filter(shadow, 0.7).astype(np.float32)


def _look(array: Array, down: int, right: int) -> tuple[Array, tuple[slice, slice]]:
    """Return the array seen `down` and `right` of each pixel, where there is such a pixel."""
    rows, columns = array.shape
    to = (slice(max(0, -down), rows - max(0, down)), slice(max(0, -right), columns - max(0, right)))
    source = array[max(0, down) : rows + min(0, down), max(0, right) : columns + min(0, right)]
    return source, to
