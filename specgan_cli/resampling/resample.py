"""Rasters resampled onto another grid: block means when finer, interpolation when coarser.

Where the axes of both grids are parallel the weights are separable and exact; otherwise every
target pixel is the mean of sub-pixels that are interpolated at their own positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from specgan_cli.raster.grid import Window
from specgan_cli.resampling.geometry import PixelMap
from specgan_cli.resampling.weights import SNAP, Axis, pixel_taps
from specgan_cli.types import F32, F64, Mask

__all__ = ["Reader", "resample_window"]

Reader = Callable[[Window], tuple[F32, Mask]]
"""Reads a window inside the source: values (bands x height x width) and validity."""

_PARALLEL = 1e-10
_FULL = 1e-4
_VALID_SHARE = 0.5
_SUBPIXELS = 4
_PART_VALUES = 24_000_000
"""Source values (bands x pixels) that are in memory at a time, about 100 MB."""


def resample_window(
    read: Reader,
    source_shape_yx: tuple[int, int],
    pixel_map: PixelMap,
    window: Window,
    bands: int,
    per_pixel: int | None = None,
) -> tuple[F32, Mask]:
    """Resample a source onto a window of a target grid.

    A target pixel larger than a source pixel is the area-weighted mean of the valid source pixels
    under it; a smaller one is interpolated by cubic convolution (linearly next to invalid
    pixels). It is valid when at least half of its weight is.

    Args:
        read: Reader of the source.
        source_shape_yx: Rows and columns of the source.
        pixel_map: Positions from target to source.
        window: Target pixels; may reach beyond the source.
        bands: Number of bands that `read` gives.
        per_pixel: Values a source pixel that `read` holds in memory; `bands` by default. The window
            is cut into parts that need a bounded number of them.

    Returns:
        Values (bands x height x width), 0 where invalid, and validity (height x width).
    """
    values = np.zeros((bands, *window.shape_yx), np.float32)
    mask = np.zeros(window.shape_yx, np.bool_)
    for part in _parts(window, pixel_map, per_pixel or bands):
        inside = part.shifted(-window.row, -window.col).slices
        values[:, *inside], mask[inside] = _resample(read, source_shape_yx, pixel_map, part, bands)
    return values, mask


def _parts(window: Window, pixel_map: PixelMap, per_pixel: int) -> Iterator[Window]:
    """Parts of a window, each of which needs a bounded number of source values."""
    scale_y, scale_x = pixel_map.scale()
    needed = per_pixel * max(float(np.nan_to_num(scale_y * scale_x)), 1.0)
    edge = max(int(np.sqrt(_PART_VALUES / needed)), 1)
    for row in range(0, window.height, edge):
        for col in range(0, window.width, edge):
            height, width = min(edge, window.height - row), min(edge, window.width - col)
            yield Window(window.row + row, window.col + col, height, width)


def _resample(
    read: Reader, source_shape_yx: tuple[int, int], pixel_map: PixelMap, window: Window, bands: int
) -> tuple[F32, Mask]:
    linear = pixel_map.affine
    if linear is not None and max(abs(linear.b), abs(linear.d)) < _PARALLEL:
        rows = Axis(linear.f + window.row * linear.e, linear.e, window.height, source_shape_yx[0])
        cols = Axis(linear.c + window.col * linear.a, linear.a, window.width, source_shape_yx[1])
        return _separable(read, rows, cols, bands)
    return _scattered(read, source_shape_yx, pixel_map, window, bands)


def _separable(read: Reader, rows: Axis, cols: Axis, bands: int) -> tuple[F32, Mask]:
    row_weights, col_weights = rows.weights(linear=True), cols.weights(linear=True)
    smooth = not (rows.is_coarser and cols.is_coarser)
    row_cubic = rows.weights(linear=False) if smooth else row_weights
    col_cubic = cols.weights(linear=False) if smooth else col_weights
    span_y, span_x = _span(row_cubic, row_weights), _span(col_cubic, col_weights)
    shape = (rows.count, cols.count)
    if span_y is None or span_x is None:
        return np.zeros((bands, *shape), np.float32), np.zeros(shape, np.bool_)
    values, valid = read(
        Window(span_y.start, span_x.start, span_y.stop - span_y.start, span_x.stop - span_x.start)
    )
    total, share = _weigh(values, valid, row_weights[:, span_y], col_weights[:, span_x])
    mask = share >= _VALID_SHARE
    total /= np.where(mask, share, np.inf)
    if smooth:
        curved, weight = _weigh(values, valid, row_cubic[:, span_y], col_cubic[:, span_x])
        whole = mask & (np.abs(weight - 1) < _FULL) & (share > 1 - _FULL)
        curved /= np.where(whole, weight, 1)
        np.copyto(total, curved, where=whole)
    return total, mask


def _span(*matrices: csr_matrix) -> slice | None:
    """The source pixels that any of the matrices weighs."""
    used = np.concatenate([matrix.indices for matrix in matrices])
    return slice(int(used.min()), int(used.max()) + 1) if used.size else None


def _weigh(values: F32, valid: Mask, rows: csr_matrix, cols: csr_matrix) -> tuple[F32, F32]:
    """Weighted sums of the valid values, and of the validity itself."""
    rows, cols = rows.astype(np.float32), cols.astype(np.float32)
    bands, height, width = values.shape
    # The axis that is summed over comes first, so that nothing else is copied.
    stack = np.zeros((width, bands + 1, height), np.float32)
    np.copyto(stack[:, :-1], values.transpose(2, 0, 1), where=valid.T[:, None])
    stack[:, -1] = valid.T
    across = (cols @ stack.reshape(width, -1)).reshape(-1, bands + 1, height)
    turned = np.ascontiguousarray(across.transpose(2, 1, 0))
    result = (rows @ turned.reshape(height, -1)).reshape(-1, bands + 1, cols.shape[0])
    return result[:, :-1].transpose(1, 0, 2), result[:, -1]


def _scattered(
    read: Reader, source_shape_yx: tuple[int, int], pixel_map: PixelMap, window: Window, bands: int
) -> tuple[F32, Mask]:
    scale = max(pixel_map.scale())
    scale = scale if np.isfinite(scale) else 1.0
    block = max(int(scale / _SUBPIXELS), 1)
    sub = max(int(np.ceil(scale / block - SNAP)), 1)
    rows, cols = _sub_positions(pixel_map, window, sub)
    part = _needed(rows, cols, source_shape_yx, block)
    shape = window.shape_yx
    if part is None:
        return np.zeros((bands, *shape), np.float32), np.zeros(shape, np.bool_)
    values, share = _block_mean(*read(part), block)
    at = (rows - part.row) / block - 0.5, (cols - part.col) / block - 0.5
    outside = _outside(rows, cols, source_shape_yx)
    stack = np.concatenate((values * share, share[None])).reshape(bands + 1, -1)
    interpolated = _interpolate(np.ascontiguousarray(stack.T), share.shape, at, outside, sub)
    total, weight = interpolated(True)
    mask = weight >= _VALID_SHARE
    result = np.divide(total, weight, out=np.zeros_like(total), where=mask)
    if sub == 1:
        curved, full = interpolated(False)
        whole = mask & (np.abs(full - 1) < _FULL) & (weight > 1 - _FULL)
        np.copyto(result, curved / np.where(whole, full, 1), where=whole)
    return result, mask


def _sub_positions(pixel_map: PixelMap, window: Window, sub: int) -> tuple[F64, F64]:
    rows = window.row + (np.arange(window.height * sub) + 0.5) / sub
    cols = window.col + (np.arange(window.width * sub) + 0.5) / sub
    return pixel_map.grid(rows, cols)


def _outside(rows: F64, cols: F64, shape_yx: tuple[int, int]) -> Mask:
    with np.errstate(invalid="ignore"):
        inside = (rows >= 0) & (rows <= shape_yx[0]) & (cols >= 0) & (cols <= shape_yx[1])
    return ~inside


def _needed(rows: F64, cols: F64, shape_yx: tuple[int, int], block: int) -> Window | None:
    """Source pixels around the positions, in whole blocks counted from the first pixel."""
    inside = ~_outside(rows, cols, shape_yx)
    if not inside.any():
        return None
    low_r, high_r = _block_range(rows[inside], block, shape_yx[0])
    low_c, high_c = _block_range(cols[inside], block, shape_yx[1])
    return Window(low_r, low_c, high_r - low_r, high_c - low_c)


def _block_range(positions: F64, block: int, size: int) -> tuple[int, int]:
    low = (int(positions.min()) // block - 2) * block
    high = (int(positions.max()) // block + 3) * block
    return max(low, 0), min(high, size)


def _block_mean(values: F32, valid: Mask, block: int) -> tuple[F32, F32]:
    """Means of the valid pixels of every block, and the share of the block that is valid."""
    if block == 1:
        return values, valid.astype(np.float32)
    bands, height, width = values.shape
    pad = ((0, -height % block), (0, -width % block))
    weight = _pool(np.pad(valid, pad).astype(np.float32), block)
    total = _pool(np.pad(np.where(valid, values, 0), ((0, 0), *pad)), block)
    means = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    return means.reshape(bands, *weight.shape), weight


def _pool(values: F32, size: int) -> F32:
    """Means over size x size blocks of the last two axes."""
    if size == 1:
        return values
    *lead, height, width = values.shape
    blocks = values.reshape(*lead, height // size, size, width // size, size)
    return np.asarray(blocks.mean(axis=(-3, -1), dtype=np.float32))


def _interpolate(
    stack: F32, shape_yx: tuple[int, int], at: tuple[F64, F64], outside: Mask, sub: int
) -> Callable[[bool], tuple[F32, F32]]:
    """Means over sub x sub positions of what is interpolated at them.

    Args:
        stack: Source pixels x bands, values times validity and at last the validity.
        shape_yx: Rows and columns of the source pixels.
        at: Positions (rows, columns) of the sub-pixels, whole numbers at pixels' centres.
        outside: Sub-pixels that are not on the source.
        sub: Sub-pixels along each side of a target pixel.

    Returns:
        A function of whether to interpolate linearly, which gives values (bands x height x width)
        and the weight that was valid (height x width).
    """
    rows, cols = (np.where(outside, 0.0, positions) for positions in at)
    height, width = outside.shape[0] // sub, outside.shape[1] // sub

    def interpolated(linear: bool) -> tuple[F32, F32]:
        (row_taps, row_weights), (col_taps, col_weights) = (
            pixel_taps(positions, linear) for positions in (rows, cols)
        )
        row_taps = np.clip(row_taps, 0, shape_yx[0] - 1)
        col_taps = np.clip(col_taps, 0, shape_yx[1] - 1)
        taps = row_taps[..., :, None] * shape_yx[1] + col_taps[..., None, :]
        weights = row_weights[..., :, None] * col_weights[..., None, :]
        weights *= (~outside)[..., None, None] / sub**2
        count = taps.shape[-1] ** 2 * sub**2
        matrix = csr_matrix(
            (
                _by_target(weights.astype(np.float32), sub),
                _by_target(taps, sub),
                np.arange(0, height * width * count + 1, count),
            ),
            shape=(height * width, len(stack)),
        )
        result = np.ascontiguousarray((matrix @ stack).T).reshape(-1, height, width)
        return result[:-1], result[-1]

    return interpolated


def _by_target(parts: NDArray[Any], sub: int) -> NDArray[Any]:
    """Flat array of what belongs to the sub-pixels' taps, one target pixel after the other."""
    height, width, *taps = parts.shape
    blocks = parts.reshape(height // sub, sub, width // sub, sub, *taps)
    return np.ascontiguousarray(blocks.swapaxes(1, 2)).reshape(-1)
