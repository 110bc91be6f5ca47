"""Signed distances in metres (inside < 0) and turned coordinates."""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def turned(x: Array, y: Array, place: tuple[float, float, float]) -> tuple[Array, Array]:
    """Return coordinates along and across an object at (x, y, angle in radians)."""
    cosine, sine = np.float32(math.cos(place[2])), np.float32(math.sin(place[2]))
    east, south = x - np.float32(place[0]), y - np.float32(place[1])
    return cosine * east + sine * south, cosine * south - sine * east


def box(along: Array, across: Array, length: float, width: float) -> Array:
    """Return the distance to a rectangle that is centred on the origin."""
    out_a, out_b = np.abs(along) - length / 2, np.abs(across) - width / 2
    outside = np.hypot(np.maximum(out_a, 0.0), np.maximum(out_b, 0.0))
    return outside + np.minimum(np.maximum(out_a, out_b), 0.0)
