"""Sub-pixel displacement by Gauss-Newton steps on the scene as the cube's sensor saw it.

At every step the finer image is averaged over the coarse pixels at the current displacement and
explained by the coarse image: any mix of its channels, any offset, a gain that changes across the
window, and a little more or less blur. Only what these cannot explain moves the displacement
(variable projection), so gain, offset, ramps and an unknown point spread leave no bias.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from specgan_cli.alignment.search import HIGH_PASS
from specgan_cli.alignment.views import Resampled, View, high_pass
from specgan_cli.resampling.field import bspline_basis
from specgan_cli.types import F64

__all__ = [
    "Motion",
    "blur_variance",
    "displacement",
    "displacement_at",
    "linearise",
    "node_bases",
    "refine",
    "residuals",
    "sampled",
]


HIGH_PASS_WIDE = 2 * HIGH_PASS + 1
"""Coarse pixels over which offsets may change."""
_CONVERGED = 5e-4
_LONGEST_STEP = 0.7
_LEAST_SHARE = 0.5
_RIDGE = 1e-6
_TUKEY = 4.685
_WIDEST_BLUR = 0.5


@dataclass(frozen=True)
class Motion:
    """A displacement of the coarse pixels within the fine image, in coarse pixels."""

    shift: tuple[float, float]
    """Along rows and columns, for all pixels."""
    nodes: F64 | None = None
    """Cubic B-spline coefficients (2 x rows x columns) added to it, or None."""
    extent: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    """Rectangle of the spline in the coarse grid: row, column, height, width."""
    covariance: tuple[float, float] = (np.nan, np.nan)
    """Variance of the shift along rows and columns, squared coarse pixels."""


def displacement(motion: Motion, view: View) -> tuple[F64, F64]:
    """Displacement along rows and columns at every pixel of a view."""
    shift_rows = np.full(view.shape_yx, motion.shift[0])
    shift_cols = np.full(view.shape_yx, motion.shift[1])
    if motion.nodes is not None:
        rows, cols = node_bases(view, motion.extent, motion.nodes.shape[1:])
        field = np.einsum("hr,krc,wc->khw", rows, motion.nodes, cols)
        shift_rows, shift_cols = shift_rows + field[0], shift_cols + field[1]
    return shift_rows, shift_cols


def displacement_at(motion: Motion, rows: F64, cols: F64) -> tuple[F64, F64]:
    """Displacement along rows and columns at positions in the coarse grid."""
    shift_rows, shift_cols = (
        np.full(rows.shape, motion.shift[0]),
        np.full(rows.shape, motion.shift[1]),
    )
    if motion.nodes is None:
        return shift_rows, shift_cols
    row, col, height, width = motion.extent
    down = bspline_basis((rows - row) / height, motion.nodes.shape[1])
    across = bspline_basis((cols - col) / width, motion.nodes.shape[2])
    field = np.einsum("...r,krc,...c->k...", down, motion.nodes, across, optimize=True)
    return shift_rows + field[0], shift_cols + field[1]


def sampled(view: View, motion: Motion) -> Resampled:
    """The fine image of a view under a motion."""
    if motion.nodes is None:
        return view.sample_shifted(motion.shift)
    return view.sample(*displacement(motion, view))


def node_bases(
    view: View, extent: tuple[float, float, float, float], shape: tuple[int, ...]
) -> tuple[F64, F64]:
    """B-spline weights of a view's rows and columns (pixels x nodes)."""
    rows, cols = view.centres()
    row, col, height, width = extent
    return (
        bspline_basis((rows[:, 0] - row) / height, shape[0]),
        bspline_basis((cols[0] - col) / width, shape[1]),
    )


def refine(views: list[View], start: tuple[float, float], steps: int = 20) -> Motion:
    """Refine a global displacement.

    Args:
        views: Windows.
        start: Displacement along rows and columns, within about a pixel of the truth.
        steps: Most steps.
    """
    motion = Motion(start)
    for _ in range(steps):
        normal, right = np.zeros((2, 2)), np.zeros(2)
        for view in views:
            residual, slopes, weight = linearise(view, motion)
            normal += np.einsum("akhw,bkhw,hw->ab", slopes, slopes, weight)
            right += np.einsum("akhw,khw,hw->a", slopes, residual, weight)
        normal += np.eye(2) * (_RIDGE * np.trace(normal) + 1e-12)
        step = -np.linalg.solve(normal, right)
        length = float(np.hypot(*step))
        step *= min(1.0, _LONGEST_STEP / max(length, 1e-12))
        row, col = motion.shift
        variance = np.diag(np.linalg.inv(normal))
        motion = replace(
            motion,
            shift=(row + float(step[0]), col + float(step[1])),
            covariance=(float(variance[0]), float(variance[1])),
        )
        if length < _CONVERGED:
            break
    return motion


def linearise(view: View, motion: Motion) -> tuple[F64, F64, F64]:
    """What the coarse image cannot explain, and how a displacement would change it.

    Returns:
        Residual (channels x height x width, in units of its own spread), its derivatives along
        rows and columns (2 x channels x height x width), and robust weights (height x width).
    """
    sample, weight = _seen(view, motion)
    basis = _coarse_basis(view, weight)
    pieces = [_explain(sample, k, basis, weight) for k in range(len(sample.value))]
    residual = np.stack([piece[0] for piece in pieces])
    slopes = np.stack([np.stack([piece[i] for piece in pieces]) for i in (1, 2)])
    return residual, slopes, weight * _robust(residual, weight)


def _coarse_basis(view: View, weight: F64) -> F64:
    """High-passed coarse channels, and their mean times a ramp in each direction."""
    coarse = np.where(view.valid, view.coarse, 0.0)
    height, width = view.shape_yx
    total = max(float(weight.sum()), 1e-9)
    centre = (coarse * weight).sum(axis=(1, 2), keepdims=True) / total
    mean = (coarse - centre).mean(axis=0)
    ramps = (
        mean * np.linspace(-1, 1, height)[:, None],
        mean * np.linspace(-1, 1, width)[None, :],
    )
    return high_pass(np.concatenate((coarse, np.stack(ramps))), weight, HIGH_PASS_WIDE)


def residuals(view: View, motion: Motion) -> tuple[F64, F64]:
    """What the coarse image cannot explain, relative to the spread of the fine one.

    Returns:
        Residual (channels x height x width) and weights without robustness (height x width).
    """
    sample, weight = _seen(view, motion)
    basis = _coarse_basis(view, weight)
    planes = high_pass(sample.value, weight, HIGH_PASS_WIDE)
    spread = np.sqrt((weight * planes**2).sum(axis=(1, 2)) / max(float(weight.sum()), 1e-9))
    left = []
    for k in range(len(sample.value)):
        bend = high_pass(sample.laplacian[k][None], weight, HIGH_PASS_WIDE)
        left.append(_unexplained(sample.value[k][None], np.concatenate((basis, bend)), weight)[0])
    return np.stack(left) / np.maximum(spread, 1e-12)[:, None, None], weight


def blur_variance(views: list[View], motion: Motion) -> float:
    """Variance by which the coarse sensor blurs more than the area of its pixels.

    To first order a blur of variance v adds v/2 times the Laplacian; that coefficient is fitted
    beside the coarse image.

    Returns:
        Squared coarse pixels, not negative.
    """
    top = bottom = 0.0
    for view in views:
        sample, weight = _seen(view, motion)
        basis = _coarse_basis(view, weight)
        for k in range(len(sample.value)):
            planes = np.stack((sample.value[k], sample.laplacian[k]))
            value, bend = _unexplained(planes, basis, weight)
            top -= float((weight * value * bend).sum())
            bottom += float((weight * bend * bend).sum())
    return 2 * min(max(top / max(bottom, 1e-30), 0.0), _WIDEST_BLUR)


def _seen(view: View, motion: Motion) -> tuple[Resampled, F64]:
    sample = sampled(view, motion)
    return sample, np.where(view.valid & (sample.share >= _LEAST_SHARE), sample.share, 0.0)


def _explain(sample: Resampled, channel: int, basis: F64, weight: F64) -> tuple[F64, F64, F64]:
    """One channel and its derivatives without what the basis and a blur explain."""
    bend = high_pass(sample.laplacian[channel][None], weight, HIGH_PASS_WIDE)
    planes = np.stack([part[channel] for part in (sample.value, sample.grad_row, sample.grad_col)])
    left = _unexplained(planes, np.concatenate((basis, bend)), weight)
    spread = np.sqrt((weight * left[0] ** 2).sum() / max(weight.sum(), 1e-9))
    scaled = left / max(float(spread), 1e-12)
    return scaled[0], scaled[1], scaled[2]


def _unexplained(planes: F64, basis: F64, weight: F64) -> F64:
    """High-passed planes less their weighted least-squares fit by the basis."""
    planes = high_pass(planes, weight, HIGH_PASS_WIDE)
    root = np.sqrt(weight).reshape(-1)
    columns = basis.reshape(len(basis), -1) * root
    columns /= np.maximum(np.linalg.norm(columns, axis=1, keepdims=True), 1e-12)
    directions, _ = np.linalg.qr(columns.T)
    left = planes.reshape(len(planes), -1) * root
    left -= (left @ directions) @ directions.T
    left = np.divide(left, root, out=np.zeros_like(left), where=root > 0)
    return left.reshape(planes.shape)


def _robust(residual: F64, weight: F64) -> F64:
    """Tukey's weights by the residual's length over the channels."""
    length = np.sqrt((residual**2).mean(axis=0))
    seen = weight > 0
    if not seen.any():
        return np.zeros_like(weight)
    scale = 1.4826 * float(np.median(length[seen])) / 0.8
    return np.asarray(np.clip(1 - (length / max(_TUKEY * scale, 1e-12)) ** 2, 0, None) ** 2)
