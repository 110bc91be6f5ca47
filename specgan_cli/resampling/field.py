"""Displacement of a cube's ground positions: a shift, and a smooth field on top of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from specgan_cli.types import F64

__all__ = ["DisplacementField", "bspline_basis"]

_INVERSION_STEPS = 8


@dataclass(frozen=True)
class DisplacementField:
    """A uniform cubic B-spline of displacements over a rectangle; constant beyond its edges."""

    bounds: tuple[float, float, float, float]
    """left, bottom, right, top in scene CRS units."""
    nodes_x: tuple[tuple[float, ...], ...]
    """Eastward spline coefficients in scene CRS units; rows run from top to bottom."""
    nodes_y: tuple[tuple[float, ...], ...]
    """Northward spline coefficients, likewise."""

    def at(self, x: F64, y: F64) -> tuple[F64, F64]:
        """Displacement of the cube's nominal positions (x, y), in scene CRS units."""
        left, bottom, right, top = self.bounds
        coefficients = np.asarray([self.nodes_x, self.nodes_y])
        rows = bspline_basis((top - y) / (top - bottom), coefficients.shape[1])
        cols = bspline_basis((x - left) / (right - left), coefficients.shape[2])
        dx, dy = np.einsum("...r,krc,...c->k...", rows, coefficients, cols, optimize=True)
        return dx, dy

    def undo(self, x: F64, y: F64) -> tuple[F64, F64]:
        """Nominal positions of the cube that are displaced onto (x, y)."""
        px, py = x, y
        for _ in range(_INVERSION_STEPS):
            dx, dy = self.at(px, py)
            px, py = x - dx, y - dy
        return px, py


def bspline_basis(t: F64, nodes: int) -> F64:
    """Cubic B-spline weights on `nodes` (at least 4) coefficients for t in 0..1: ... x nodes.

    Weights sum to one everywhere; t beyond 0..1 is moved to the nearer end.
    """
    spans = nodes - 3
    position = np.clip(t, 0.0, 1.0) * spans
    first = np.minimum(np.floor(position), spans - 1).astype(np.intp)
    u = position - first
    weights = (
        (1 - u) ** 3 / 6,
        (3 * u**3 - 6 * u**2 + 4) / 6,
        (-3 * u**3 + 3 * u**2 + 3 * u + 1) / 6,
        u**3 / 6,
    )
    basis = np.zeros((*np.shape(t), nodes))
    for offset, weight in enumerate(weights):
        np.put_along_axis(basis, (first + offset)[..., None], weight[..., None], axis=-1)
    return basis
