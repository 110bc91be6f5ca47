"""A smooth local displacement field, kept only where it explains pixels it has not seen.

Spline coefficients are found by the same Gauss-Newton steps as the global displacement, from few
coefficients to many, against bending. A part of the pixels, in scattered blocks, is held back: a
finer field must lower the residual there, or the coarser one stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specgan_cli.alignment.matching import match_blocks
from specgan_cli.alignment.refine import Motion, linearise, node_bases, residuals
from specgan_cli.alignment.views import View
from specgan_cli.resampling.field import bspline_basis
from specgan_cli.types import F64

__all__ = ["refine_locally", "shows_no_field"]

Selection = Callable[[View], F64]

_SPANS = (1, 2, 4, 6, 8, 12)
_LEAST_SPAN = 5.0
"""Coarse pixels under one span of the spline, at least."""
_STEPS = 6
_LAST_STEPS = 12
_STIFFNESS = 2e-3
_BLOCK = 4
_KEPT_BACK = 4
_LEAST_GAIN = 0.02
_LEAST_SIGNIFICANCE = 3.0
_LONGEST_STEP = 1.0
_CONVERGED = 1e-3
_MOST_MISSES = 2
_EXPLAINED = 0.005
"""Share of the variance below which no field is looked for: displacements of a twentieth of a
pixel leave that much."""
_UNEXPLAINED = 0.1
"""Share of the variance above which block matching looks for a field that is out of reach."""
_MATCHED_SPANS = 4


@dataclass(frozen=True)
class _Trial:
    motion: Motion
    """A displacement found without the pixels held back."""
    losses: F64
    """Mean squared residual of every block held back, relative to the image's variance."""

    @property
    def loss(self) -> float:
        """Their mean."""
        return float(np.nanmean(self.losses))


def shows_no_field(views: list[View], motion: Motion) -> bool:
    """Tell whether the displacement explains so much in every view that no field can help."""
    losses = [_losses([view], motion) for view in views]
    means = [float(np.nanmean(each)) for each in losses if np.isfinite(each).any()]
    return bool(means) and max(means) < _EXPLAINED


def refine_locally(
    views: list[View], motion: Motion, extent: tuple[float, float, float, float]
) -> Motion:
    """Add a displacement field to a global displacement where it helps.

    Args:
        views: Windows, padded by more than the field displaces.
        motion: The global displacement.
        extent: Rectangle of the field in the coarse grid: row, column, height, width.

    Returns:
        The motion with spline nodes, or the same motion where no field explains the pixels held
        back significantly better.
    """
    best = _Trial(motion, _losses(views, motion))
    if not np.isfinite(best.losses).any() or best.loss < _EXPLAINED:
        return motion
    best = _grown(views, best, motion, extent, _SPANS)
    if best.loss > _UNEXPLAINED:
        start = match_blocks(views, motion, extent, _nodes_yx(extent, _MATCHED_SPANS))
        best = _grown(views, best, start, extent, _SPANS[2:])
    if best.motion.nodes is None:
        return motion
    return _fit(views, best.motion, _LAST_STEPS, _everything)


def _grown(
    views: list[View],
    best: _Trial,
    start: Motion,
    extent: tuple[float, float, float, float],
    levels: tuple[int, ...],
) -> _Trial:
    """The best of fields with more and more coefficients, each begun from the one before."""
    current, misses = start, 0
    for spans in levels:
        if misses == _MOST_MISSES or (spans > 1 and max(extent[2:]) / spans < _LEAST_SPAN):
            break
        nodes = _nodes_yx(extent, spans)
        current = _fit(views, _resized(current, extent, nodes), _STEPS, _training)
        trial = _Trial(current, _losses(views, current))
        if _is_better(trial, best):
            best, misses = trial, 0
        else:
            misses += 1
    return best


def _nodes_yx(extent: tuple[float, float, float, float], spans: int) -> tuple[int, int]:
    """Coefficients along rows and columns for `spans` along the longer side."""
    height, width = extent[2:]
    longest = max(height, width)
    rows, cols = (max(round(spans * side / longest), 1) + 3 for side in (height, width))
    return rows, cols


def _resized(
    motion: Motion, extent: tuple[float, float, float, float], nodes: tuple[int, int]
) -> Motion:
    """The same field on more coefficients, by least squares."""
    if motion.nodes is None:
        return replace(motion, nodes=np.zeros((2, *nodes)), extent=extent)
    field = motion.nodes
    for axis, count in enumerate(nodes):
        t = np.linspace(0.0, 1.0, 8 * count)
        old, new = bspline_basis(t, field.shape[axis + 1]), bspline_basis(t, count)
        change = np.linalg.lstsq(new, old, rcond=None)[0]
        field = np.moveaxis(np.tensordot(change, field, axes=(1, axis + 1)), 0, axis + 1)
    return replace(motion, nodes=field, extent=extent)


def _fit(views: list[View], motion: Motion, steps: int, selected: Selection) -> Motion:
    """Gauss-Newton steps on the spline coefficients."""
    assert motion.nodes is not None
    shape = motion.nodes.shape[1:]
    bending = _bending(shape)
    for _ in range(steps):
        normal, right = _normal_equations(views, motion, selected)
        stiffness = _STIFFNESS * np.trace(normal) / max(np.trace(bending), 1e-12)
        matrix = normal + stiffness * bending + 1e-6 * np.trace(normal) * np.eye(len(normal))
        step = -np.linalg.solve(matrix, right + stiffness * bending @ motion.nodes.reshape(-1))
        step = np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        motion = replace(motion, nodes=motion.nodes + step.reshape(motion.nodes.shape))
        if np.abs(step).max() < _CONVERGED:
            break
    return motion


def _normal_equations(views: list[View], motion: Motion, selected: Selection) -> tuple[F64, F64]:
    assert motion.nodes is not None
    count = motion.nodes[0].size
    normal, right = np.zeros((2, count, 2, count)), np.zeros((2, count))
    for view in views:
        residual, slopes, weight = linearise(view, motion)
        weight = weight * selected(view)
        rows, cols = node_bases(view, motion.extent, motion.nodes.shape[1:])
        basis = (rows[:, None, :, None] * cols[None, :, None, :]).reshape(-1, count)
        for a in range(2):
            pull = (slopes[a] * residual).sum(axis=0) * weight
            right[a] += basis.T @ pull.reshape(-1)
            for b in range(a, 2):
                product = ((slopes[a] * slopes[b]).sum(axis=0) * weight).reshape(-1, 1)
                normal[a, :, b] += basis.T @ (basis * product)
    normal[1, :, 0] = normal[0, :, 1].T
    return normal.reshape(2 * count, 2 * count), right.reshape(-1)


def _bending(shape: tuple[int, ...]) -> F64:
    """Quadratic form of the squared second differences of both components' coefficients."""
    rows, cols = (_differences(size, 2) for size in shape)
    twist = np.kron(_differences(shape[0], 1), _differences(shape[1], 1))
    parts = (np.kron(rows, np.eye(shape[1])), np.kron(np.eye(shape[0]), cols), np.sqrt(2) * twist)
    energy = sum(part.T @ part for part in parts)
    return np.kron(np.eye(2), energy)


def _differences(size: int, order: int) -> F64:
    return np.diff(np.eye(size), order, axis=0)


def _losses(views: list[View], motion: Motion) -> F64:
    """Mean squared residual of every block that is held back."""
    losses = []
    for view in views:
        residual, weight = residuals(view, motion)
        power = (residual**2).mean(axis=0) * weight
        blocks = _blocks(view)
        held = np.unique(blocks[_training(view) == 0])
        total = np.bincount(blocks.reshape(-1), power.reshape(-1), minlength=blocks.max() + 1)
        mass = np.bincount(blocks.reshape(-1), weight.reshape(-1), minlength=blocks.max() + 1)
        losses.append(np.where(mass > 0, total / np.maximum(mass, 1e-9), np.nan)[held])
    return np.concatenate(losses)


def _is_better(trial: _Trial, best: _Trial) -> bool:
    """Whether the blocks held back have significantly lower residuals."""
    both = np.isfinite(trial.losses) & np.isfinite(best.losses)
    if both.sum() < 4:
        return False
    gain = best.losses[both] - trial.losses[both]
    error = float(gain.std(ddof=1)) / np.sqrt(both.sum())
    enough = float(gain.mean()) > _LEAST_GAIN * float(best.losses[both].mean())
    return enough and float(gain.mean()) > _LEAST_SIGNIFICANCE * error


def _blocks(view: View) -> NDArray[np.intp]:
    """Number of each pixel's block, anchored at the coarse grid."""
    rows = (view.row + np.arange(view.shape_yx[0])) // _BLOCK
    cols = (view.col + np.arange(view.shape_yx[1])) // _BLOCK
    return np.asarray((rows - rows[0])[:, None] * (cols[-1] - cols[0] + 1) + cols - cols[0])


def _training(view: View) -> F64:
    """1 for the pixels that a field is fitted to, 0 for those held back."""
    rows = (view.row + np.arange(view.shape_yx[0])) // _BLOCK
    cols = (view.col + np.arange(view.shape_yx[1])) // _BLOCK
    return np.asarray((rows[:, None] + 2 * cols[None, :]) % _KEPT_BACK != 0, dtype=np.float64)


def _everything(view: View) -> F64:
    return np.ones(view.shape_yx)
