"""Longitudes: what lies a whole turn farther is the same ground."""

import math
from collections.abc import Sequence

import numpy as np
from rasterio.crs import CRS

from specgan_cli.types import F64


def turn_of(crs: CRS | None, xs: Sequence[float]) -> float | None:
    """Return a whole turn in the units of a geographic CRS; None for other CRSs.

    Args:
        crs: Any CRS.
        xs: Coordinates in it; None also when they are no longitudes, such as metres that a file
            calls degrees.
    """
    if crs is None or not crs.is_geographic:
        return None
    turn = round(2 * math.pi / float(crs.units_factor[1]), 9)
    return turn if max(map(abs, xs)) <= 2 * turn else None


def unwrapped(xs: Sequence[float], turn: float) -> list[float]:
    """Return the longitudes of a line without its jumps where numbers begin anew (180 to -180)."""
    lon: F64 = np.unwrap(np.asarray(xs, np.float64), period=turn)
    values: list[float] = lon.tolist()
    return values


def nearest(xs: F64, middle: float, turn: float) -> F64:
    """Return longitudes moved by whole turns to within half a turn of `middle`."""
    moved: F64 = xs - turn * np.round((xs - middle) / turn)
    return moved


def shifts_onto(
    extent: tuple[float, float], onto: tuple[float, float], turn: float
) -> tuple[float, ...]:
    """Return by how many whole turns, in CRS units, one range of longitudes meets another.

    Args:
        extent: Least and greatest longitude of what is moved.
        onto: The same of where it is looked for.
        turn: A whole turn in their units.

    Returns:
        All that do; 0 alone when none does.
    """
    (left, right), (low, high) = extent, onto
    first, last = math.floor((low - right) / turn) + 1, math.ceil((high - left) / turn) - 1
    return tuple(turn * k for k in range(first, last + 1)) or (0.0,)
