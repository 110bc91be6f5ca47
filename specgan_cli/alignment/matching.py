"""A first local displacement field, by matching small neighbourhoods at whole pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import uniform_filter

from specgan_cli.alignment.refine import Motion, node_bases
from specgan_cli.alignment.search import HIGH_PASS
from specgan_cli.alignment.views import View, high_pass
from specgan_cli.types import F64

__all__ = ["match_blocks"]


_REACH = 4
_NEIGHBOURHOOD = 7
_FULL_SHARE = 0.5
_ROUNDS = 6
_OUTLIER = 1.5
"""Coarse pixels from the smooth field at which a match has lost half of its weight."""
_STIFFNESS = 1e-3


def match_blocks(
    views: list[View],
    motion: Motion,
    extent: tuple[float, float, float, float],
    nodes: tuple[int, int],
) -> Motion:
    """Add a smooth field through the best whole-pixel match of every neighbourhood.

    Args:
        views: Windows, padded by 4 pixels more than the global displacement.
        motion: The global displacement.
        extent: Rectangle of the field in the coarse grid: row, column, height, width.
        nodes: Spline coefficients along rows and columns.
    """
    bases, matches, weights = [], [], []
    for view in views:
        match, height = _matches(view, motion)
        rows, cols = node_bases(view, extent, nodes)
        basis = rows[:, None, :, None] * cols[None, :, None, :]
        bases.append(basis.reshape(-1, nodes[0] * nodes[1]))
        matches.append(match.reshape(2, -1))
        weights.append(np.clip(height, 0, None).reshape(-1) ** 2)
    basis, match = np.concatenate(bases), np.concatenate(matches, axis=1)
    field = _smooth(basis, match, np.concatenate(weights))
    return replace(motion, nodes=field.reshape(2, *nodes), extent=extent)


def _matches(view: View, motion: Motion) -> tuple[F64, F64]:
    """Best displacement (2 x height x width) of every pixel's neighbourhood; its correlation."""
    best = np.zeros((2, *view.shape_yx))
    highest = np.full(view.shape_yx, -1.0)
    fine, origin = _fine_around(view, motion)
    coarse = np.where(view.valid, view.coarse, 0.0)
    coarse = high_pass(coarse, view.valid.astype(np.float64), HIGH_PASS)
    power = _near(coarse**2)
    height, width = view.shape_yx
    for grad_row in range(2 * _REACH + 1):
        for grad_col in range(2 * _REACH + 1):
            part = fine[:, grad_row : grad_row + height, grad_col : grad_col + width]
            product, other = _near(coarse * part), _near(part * part)
            r = (product / np.sqrt(np.maximum(power * other, 1e-30))).mean(axis=0)
            better = r > highest
            highest[better] = r[better]
            best[:, better] = np.array([[origin[0] + grad_row], [origin[1] + grad_col]])
    return best, highest


def _fine_around(view: View, motion: Motion) -> tuple[F64, tuple[float, float]]:
    """The fine image, high-passed, at whole pixels up to the reach around a displacement.

    Returns:
        Channels x height + 2 reach x width + 2 reach, and the displacement of its first pixel
        relative to the motion.
    """
    m = view.oversampling
    starts = [round((view.pad + shift - _REACH) * m) for shift in motion.shift]
    cells = [
        np.clip(start + m * np.arange(size + 2 * _REACH), 0, limit - 1)
        for start, size, limit in zip(starts, view.shape_yx, view.share.shape, strict=True)
    ]
    at = np.ix_(*cells)
    weight = (view.share[at] >= _FULL_SHARE).astype(np.float64)
    row, col = (
        start / m - view.pad - shift for start, shift in zip(starts, motion.shift, strict=True)
    )
    return high_pass(view.area_mean[:, at[0], at[1]], weight, HIGH_PASS), (row, col)


def _near(images: F64) -> F64:
    """Means over each pixel's neighbourhood."""
    size = (1, _NEIGHBOURHOOD, _NEIGHBOURHOOD)
    return np.asarray(uniform_filter(images, size, mode="constant"))


def _smooth(basis: F64, match: F64, weight: F64) -> F64:
    """Robust least squares of the matches on the spline: 2 x coefficients."""
    robust = np.ones_like(weight)
    field: F64 = np.zeros((2, basis.shape[1]))
    for _ in range(_ROUNDS):
        total = weight * robust
        normal = basis.T @ (basis * total[:, None])
        normal += _STIFFNESS * np.trace(normal) / len(normal) * np.eye(len(normal))
        field = np.asarray(np.linalg.solve(normal, basis.T @ (match * total).T).T)
        distance = np.hypot(*(match - field @ basis.T))
        robust = 1 / (1 + (distance / _OUTLIER) ** 2) ** 2
    return field
