"""Weights of source pixels along one axis: areas where they are small, interpolation elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from specgan_cli.types import F64

__all__ = ["SNAP", "Axis", "pixel_taps"]


SNAP = 1e-6
"""Pixels: positions nearer than this to a whole number are taken to be it."""


@dataclass(frozen=True)
class Axis:
    """One axis of parallel grids."""

    start: float
    """Source position of the first target pixel's edge."""
    step: float
    """Source pixels per target pixel; negative when the axes are opposed."""
    count: int
    """Target pixels."""
    size: int
    """Source pixels."""

    @property
    def is_coarser(self) -> bool:
        """Whether target pixels are larger than source pixels."""
        return abs(self.step) > 1 + SNAP

    def weights(self, linear: bool) -> csr_matrix:
        """Weights of source pixels (count x size): area, cubic or linear."""
        taps, values = self._area() if self.is_coarser else self._interpolation(linear)
        inside = (taps >= 0) & (taps < self.size) & (values != 0)
        rows = np.broadcast_to(np.arange(self.count)[:, None], taps.shape)
        return csr_matrix(
            (values[inside], (rows[inside], taps[inside])), shape=(self.count, self.size)
        )

    def _area(self) -> tuple[NDArray[np.intp], F64]:
        edges = _snap(self.start + self.step * np.arange(self.count + 1))
        low, high = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
        taps = np.floor(low)[:, None] + np.arange(int(np.ceil(abs(self.step))) + 1)
        overlap = np.minimum(high[:, None], taps + 1) - np.maximum(low[:, None], taps)
        area = np.clip(overlap, 0, None) / abs(self.step)
        return taps.astype(np.intp), _centred(area, taps + 0.5 - (low + high)[:, None] / 2)

    def _interpolation(self, linear: bool) -> tuple[NDArray[np.intp], F64]:
        centres = _snap(self.start + self.step * (np.arange(self.count) + 0.5) - 0.5)
        taps, values = pixel_taps(centres, linear)
        inside = (centres >= -0.5) & (centres <= self.size - 0.5)
        return np.clip(taps, 0, self.size - 1), values * inside[:, None]


def _centred(weights: F64, distance: F64) -> F64:
    """Area weights tilted so that their centroid is the centre of the target pixel.

    Where edges cut source pixels, plain areas put the whole of a cut pixel at its middle and move
    the ground by up to a tenth of a pixel. Whole blocks keep their weights.
    """
    first = (weights * distance).sum(axis=1, keepdims=True)
    second = (weights * distance**2).sum(axis=1, keepdims=True) - first**2
    return np.asarray(weights * (1 - first / np.maximum(second, 1e-12) * (distance - first)))


def _snap(positions: NDArray[np.floating[Any]]) -> F64:
    whole = np.round(positions)
    return np.where(np.abs(positions - whole) < SNAP, whole, positions)


def pixel_taps(centres: F64, linear: bool) -> tuple[NDArray[np.intp], F64]:
    """Neighbours and weights (... x 2 or 4) of positions with pixel centres at whole numbers."""
    first = np.floor(centres)
    t = (centres - first)[..., None]
    if linear:
        return _neighbours(first, 0, 2), np.concatenate((1 - t, t), axis=-1)
    weights = np.concatenate(
        (
            ((-0.5 * t + 1.0) * t - 0.5) * t,
            (1.5 * t - 2.5) * t * t + 1.0,
            ((-1.5 * t + 2.0) * t + 0.5) * t,
            (0.5 * t - 0.5) * t * t,
        ),
        axis=-1,
    )
    return _neighbours(first, -1, 3), weights


def _neighbours(first: F64, low: int, high: int) -> NDArray[np.intp]:
    return (first[..., None] + np.arange(low, high)).astype(np.intp)
