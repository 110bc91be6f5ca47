"""Scene and cube side by side at their common resolution: what alignment compares.

The coarser of both keeps its pixels. The finer one is brought onto a lattice whose cells divide
those pixels, and averaged over the area of a coarse pixel at every cell: sampled at a trial
displacement it is what the coarse sensor would have seen there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, spline_filter1d, uniform_filter

from specgan_cli.types import F64, Mask

__all__ = ["Resampled", "View", "high_pass", "make_view"]


_FILLS = (3, 9, 33)
"""Sides of the neighbourhoods that invalid cells are filled from; splines and blur that touch a
valid cell reach no farther."""


@dataclass(frozen=True)
class Resampled:
    """The fine image as the coarse sensor sees it under a displacement."""

    value: F64
    """Channels x height x width."""
    grad_row: F64
    """Its derivative along rows, per coarse pixel; likewise."""
    grad_col: F64
    """Its derivative along columns, per coarse pixel; likewise."""
    laplacian: F64
    """Its Laplacian, per squared coarse pixel; likewise."""
    share: F64
    """Share of each coarse pixel that the fine image fills, height x width."""


@dataclass(frozen=True)
class View:
    """One window of the coarse image with the fine image around it."""

    coarse: F64
    """Channels x height x width; anything where invalid."""
    valid: Mask
    """Validity of the coarse pixels, height x width."""
    area_mean: F64
    """Fine image averaged over one coarse pixel from every lattice cell on: channels x H x W."""
    share: F64
    """Share of that average that is valid, H x W."""
    coefficients: F64
    """Cubic spline coefficients of `area_mean`."""
    oversampling: int
    """Lattice cells along one side of a coarse pixel."""
    pad: int
    """Coarse pixels by which the fine image reaches beyond the window on every side."""
    row: int
    """First row of the window in the coarse grid."""
    col: int
    """First column of the window in the coarse grid."""

    @property
    def shape_yx(self) -> tuple[int, int]:
        """Rows and columns of coarse pixels."""
        height, width = self.valid.shape
        return height, width

    def centres(self) -> tuple[F64, F64]:
        """Positions (row, column) of the pixels' centres in the coarse grid, height x width."""
        rows = self.row + 0.5 + np.arange(self.shape_yx[0], dtype=np.float64)
        cols = self.col + 0.5 + np.arange(self.shape_yx[1], dtype=np.float64)
        grid = np.meshgrid(rows, cols, indexing="ij")
        return grid[0], grid[1]

    def sample(self, shift_rows: F64, shift_cols: F64) -> Resampled:
        """The fine image seen at displaced coarse pixels.

        Args:
            shift_rows: Displacement along rows, coarse pixels, height x width.
            shift_cols: Displacement along columns, likewise.
        """
        height, width = self.shape_yx
        m = self.oversampling
        rows = (np.arange(height)[:, None] + self.pad + shift_rows) * m
        cols = (np.arange(width)[None, :] + self.pad + shift_cols) * m
        first_row, row_weights = _spline_taps(rows, self.share.shape[0])
        first_col, col_weights = _spline_taps(cols, self.share.shape[1])
        size = self.share.shape[1]
        offsets = np.arange(4)[:, None] * size + np.arange(4)[None, :]
        at = (first_row * size + first_col)[..., None, None] + offsets
        flat = self.coefficients.reshape(len(self.coefficients), -1)
        across = np.einsum("khwij,dhwj->dkhwi", flat[:, at], col_weights, optimize=True)
        value, grad_col, twice = np.einsum("dkhwi,hwi->dkhw", across, row_weights[0])
        grad_row = np.einsum("khwi,hwi->khw", across[0], row_weights[1])
        bent = np.einsum("khwi,hwi->khw", across[0], row_weights[2])
        laplacian = (bent + twice) * m * m
        return Resampled(value, grad_row * m, grad_col * m, laplacian, self._share(rows, cols))

    def sample_shifted(self, shift: tuple[float, float]) -> Resampled:
        """The same as `sample` for one displacement (rows, columns) of all pixels, faster."""
        height, width = self.shape_yx
        m = self.oversampling
        row, col = (self.pad + shift[0]) * m, (self.pad + shift[1]) * m
        last_row, last_col = (height - 1) * m + 1, (width - 1) * m + 1
        first_row, row_weights = _spline_taps(np.array(row), self.share.shape[0] - last_row + 1)
        first_col, col_weights = _spline_taps(np.array(col), self.share.shape[1] - last_col + 1)
        down = [
            self.coefficients[:, first_row + i : first_row + i + last_row : m] for i in range(4)
        ]
        kept = np.stack(
            [sum(w * part for w, part in zip(ws, down, strict=True)) for ws in row_weights]
        )
        across = [kept[..., first_col + j : first_col + j + last_col : m] for j in range(4)]
        value, grad_row, bent = _mix(col_weights[0], across)
        grad_col = _mix(col_weights[1], [part[0] for part in across])
        twice = _mix(col_weights[2], [part[0] for part in across])
        rows = row + m * np.arange(height)[:, None] + np.zeros((1, width))
        cols = col + m * np.arange(width)[None, :] + np.zeros((height, 1))
        laplacian = (bent + twice) * m * m
        return Resampled(value, grad_row * m, grad_col * m, laplacian, self._share(rows, cols))

    def blurred(self, variance: float) -> View:
        """The view whose fine image has a Gaussian blur of this variance, squared coarse pixels."""
        sigma = self.oversampling * np.sqrt(variance)
        area_mean = gaussian_filter(self.area_mean, (0.0, sigma, sigma), mode="mirror")
        return replace(self, area_mean=area_mean, coefficients=_spline(area_mean))

    def _share(self, rows: F64, cols: F64) -> F64:
        """Validity of the nearest cells; zero outside of the lattice."""
        height, width = self.share.shape
        r, c = np.rint(rows).astype(np.intp), np.rint(cols).astype(np.intp)
        inside = (r >= 0) & (r < height) & (c >= 0) & (c < width)
        found = self.share[np.clip(r, 0, height - 1), np.clip(c, 0, width - 1)]
        return np.where(inside, found, 0.0)


def make_view(
    coarse: F64,
    valid: Mask,
    lattice: F64,
    lattice_valid: Mask,
    *,
    oversampling: int,
    pad: int,
    origin_yx: tuple[int, int],
) -> View:
    """Prepare one window for comparison.

    Args:
        coarse: Channels x height x width.
        valid: Height x width.
        lattice: The fine image on cells of 1/oversampling coarse pixel, covering the window and
            `pad` coarse pixels on every side: channels x H x W.
        lattice_valid: H x W.
        oversampling: Cells along one side of a coarse pixel.
        pad: Coarse pixels.
        origin_yx: Row and column of the window in the coarse grid.
    """
    weight = lattice_valid.astype(np.float64)
    share = _box(weight, oversampling)
    total = np.stack([_box(channel * weight, oversampling) for channel in lattice])
    area_mean = np.divide(total, share, out=np.zeros_like(total), where=share > 1e-6)
    area_mean = _filled(area_mean, share > 1e-6)
    coefficients = _spline(area_mean)
    row, col = origin_yx
    return View(
        coarse.astype(np.float64),
        valid,
        area_mean,
        share,
        coefficients,
        oversampling,
        pad,
        row,
        col,
    )


def high_pass(images: F64, weight: F64, size: int) -> F64:
    """Each image less its weighted mean over size x size pixels; 0 where the weight is 0."""
    norm = np.maximum(uniform_filter(weight, size, mode="constant"), 1e-9)
    means = uniform_filter(images * weight, (1, size, size), mode="constant") / norm
    return np.asarray((images - means) * (weight > 0))


def _box(image: F64, size: int) -> F64:
    """Mean over size x size cells from every cell on that has all of them."""
    sums = np.pad(image, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    a, b = sums[size:, size:], sums[:-size, :-size]
    return np.asarray((a + b - sums[size:, :-size] - sums[:-size, size:]) / size**2)


def _spline(images: F64) -> F64:
    """Cubic spline coefficients of each image."""
    return np.asarray(spline_filter1d(spline_filter1d(images, axis=-1), axis=-2))


def _mix(weights: F64, parts: list[F64]) -> F64:
    """Weighted sum of four arrays."""
    total = weights[0] * parts[0]
    for weight, part in zip(weights[1:], parts[1:], strict=True):
        total += weight * part
    return np.asarray(total)


def _filled(images: F64, valid: Mask) -> F64:
    """Invalid pixels filled with the mean of valid ones around them, nearer ones first."""
    known = valid.copy()
    for size in _FILLS:
        if known.all() or not known.any():
            return images
        weight = uniform_filter(valid.astype(np.float64), size, mode="constant")
        fresh = ~known & (weight > 1e-9)
        for image in images:
            blurred = uniform_filter(image * valid, size, mode="constant")
            image[fresh] = blurred[fresh] / weight[fresh]
        known |= fresh
    for image in images:
        image[~known] = image[valid].mean()
    return images


def _spline_taps(positions: F64, size: int) -> tuple[NDArray[np.intp], F64]:
    """First of four coefficients, and weights (value, first, second derivative) x ... x 4."""
    inside = np.clip(positions, 1.0, size - 2.0 - 1e-9)
    base = np.floor(inside)
    t = inside - base
    s = 1.0 - t
    weights = np.empty((3, *np.shape(positions), 4))
    value, slope, bend = weights
    value[..., 0], value[..., 3] = s**3 / 6, t**3 / 6
    value[..., 1] = 2 / 3 - t * t * (1 - t / 2)
    value[..., 2] = 2 / 3 - s * s * (1 - s / 2)
    slope[..., 0], slope[..., 3] = -s * s / 2, t * t / 2
    slope[..., 1] = t * (1.5 * t - 2)
    slope[..., 2] = -s * (1.5 * s - 2)
    bend[..., 0], bend[..., 3] = s, t
    bend[..., 1], bend[..., 2] = 3 * t - 2, 3 * s - 2
    return base.astype(np.intp) - 1, weights
