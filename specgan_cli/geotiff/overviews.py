"""Overviews: exact means of 2 x 2 blocks of valid pixels."""

from typing import Any

import numpy as np

from specgan_cli.types import Mask, Pixels

SMALLEST = 256
"""Pixels: overviews are added until both sides are at most this long."""


def count_levels(shape_yx: tuple[int, int]) -> int:
    """Return how many times a raster is halved until both sides are at most 256 pixels."""
    levels, size = 0, max(shape_yx)
    while size > SMALLEST:
        size = -(-size // 2)
        levels += 1
    return levels


def halve(values: Pixels, valid: Mask) -> tuple[Pixels, Mask]:
    """Average blocks of 2 x 2 pixels over those of them that are valid.

    Integers are summed exactly and the mean is rounded half to even.  A last odd row or column
    is averaged alone.

    Args:
        values: C x H x W; what invalid pixels hold does not matter.
        valid: H x W.

    Returns:
        (means, valid): C x ceil(H/2) x ceil(W/2) of the same dtype, 0 where no pixel of the
        block is valid, and where any is.
    """
    odd_y, odd_x = values.shape[1] % 2, values.shape[2] % 2
    if odd_y or odd_x:
        values = np.pad(values, ((0, 0), (0, odd_y), (0, odd_x)))
        valid = np.pad(valid, ((0, odd_y), (0, odd_x)))
    counts = _quad_sum(valid.astype(np.int32))
    # band by band: the sums of all bands at once would take several times the memory
    means = np.stack([_means(band, valid, np.maximum(counts, 1)) for band in values])
    return means, counts > 0


def _means(band: Pixels, valid: Mask, counts: Pixels) -> Pixels:
    exact = _sum_dtype(band.dtype)
    sums = _quad_sum(np.where(valid, band.astype(exact), np.zeros((), exact)))
    if np.issubdtype(band.dtype, np.inexact):
        return (sums / counts).astype(band.dtype)
    means, rest = np.divmod(sums, counts.astype(exact))
    up = (2 * rest > counts) | ((2 * rest == counts) & (means % 2 == 1))
    rounded: Pixels = (means + up).astype(band.dtype)
    return rounded


def _quad_sum(values: Pixels) -> Pixels:
    rows = values[::2] + values[1::2]
    summed: Pixels = rows[:, ::2] + rows[:, 1::2]
    return summed


def _sum_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if np.issubdtype(dtype, np.inexact):
        return np.dtype(np.float64)
    return np.dtype(np.int32 if dtype.itemsize <= 2 else np.int64)
