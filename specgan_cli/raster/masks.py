"""Missing pixels: how values say that they are missing, and how to say so in an output."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from specgan_cli.types import Mask, Pixels

SENTINELS = (-9999.0, -32768.0, float(np.finfo(np.float32).min))
"""Values that writers store for no measurement, tagged or not."""

_IMPOSSIBLE = 1e15
"""No band of an image goes beyond."""
_VAST, _NEARLY = 1e30, 0.999
_EPSILON = float(np.finfo(np.float32).eps)
"""GDAL compares floats of both sizes so (ARE_REAL_EQUAL)."""

MaskKind = Literal["none", "nodata", "alpha", "mask"]
"""What marks missing pixels: nothing, a value, an alpha band, or an internal mask band."""


def fits(value: float, dtype: np.dtype[Any] | str) -> bool:
    """Return whether a dtype can hold a nodata value; non-finite values need a float."""
    if np.issubdtype(np.dtype(dtype), np.inexact):
        return True
    if not math.isfinite(value):
        return False
    info = np.iinfo(dtype)
    return value == int(value) and info.min <= value <= info.max


def is_impossible(nodata: float) -> bool:
    """Return whether imagery never holds a value: negative ones, and such as 3.4e38.

    These mark a pixel in any band; others, such as 0 or 255, only where every band holds them, as
    in rasterio's dataset mask.
    """
    return nodata < 0 or nodata > _IMPOSSIBLE


def valid_values(values: Pixels, nodata: float | Sequence[float | None] | None) -> Mask:
    """Return where values are finite and not nodata.

    Args:
        values: C x H x W, file units.
        nodata: The value, one for every band, or None; see `is_impossible`.

    Returns:
        H x W.
    """
    valid: Mask = np.ones(values.shape[1:], bool)
    if np.issubdtype(values.dtype, np.inexact):
        valid &= np.isfinite(values).all(axis=0)
    each = nodata if isinstance(nodata, Sequence) else (nodata,) * len(values)
    everywhere = np.ones(values.shape[1:], bool)
    for band, value in zip(values, each, strict=True):
        hits = equals(band, value)
        if hits is None:
            everywhere[:] = False
            continue
        everywhere &= hits
        if value is not None and is_impossible(value):
            valid &= ~hits
    return valid & ~everywhere if len(values) else valid


def equals(values: Pixels, nodata: float | None) -> Mask | None:
    """Return where values are a nodata value, compared in their own type as GDAL does.

    Floats match within a few units in the last place of float32, and beyond 1e30 within one in a
    thousand, since files say -3.4e38 for the lowest float.

    Args:
        values: Any shape.
        nodata: The value, or None.

    Returns:
        The same shape; None where no value of the type can be it.
    """
    dtype = values.dtype
    if nodata is None or math.isnan(nodata) or not fits(nodata, dtype):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        own = np.asarray(nodata).astype(dtype)
        if not np.issubdtype(dtype, np.inexact) or not np.isfinite(own):
            hits = values == own
        elif abs(nodata) > _VAST:
            hits = values / own > _NEARLY
        else:
            gap = 2 * _EPSILON * np.abs(values + own)
            hits = (values == own) | (np.abs(values - own) < gap)
    return np.asarray(hits)


def mark_missing(values: Pixels, valid: Mask, kind: MaskKind, nodata: float | None) -> Pixels:
    """Return values as an output stores them: missing pixels marked, valid ones not so.

    Args:
        values: C x H x W, file units.
        valid: H x W.
        kind: How missing pixels are marked.
        nodata: The value, for "nodata".

    Returns:
        C x H x W of the same dtype, with an alpha band more for "alpha".  A valid pixel that
        would read as nodata has its last band (every band, when nodata is negative or vast) moved
        towards zero, or up from zero, by the least that GDAL tells apart.
    """
    dtype = values.dtype
    if kind == "nodata":
        values = _avoid(values, valid, nodata)
    if not valid.all():
        values = np.where(valid, values, _filler(kind, nodata, dtype))
    if kind == "alpha":
        opaque = 1 if np.issubdtype(dtype, np.inexact) else np.iinfo(dtype).max
        values = np.concatenate([values, (valid * opaque).astype(dtype)[np.newaxis]])
    return values


def _filler(kind: MaskKind, nodata: float | None, dtype: np.dtype[Any]) -> Pixels:
    value = 0.0
    if kind == "nodata" and nodata is not None:
        value = nodata
    elif kind == "none" and np.issubdtype(dtype, np.inexact):
        value = math.nan
    return np.asarray(value).astype(dtype)


def _avoid(values: Pixels, valid: Mask, nodata: float | None) -> Pixels:
    hits = equals(values, nodata)
    if hits is None or nodata is None:
        return values
    impossible = is_impossible(nodata)
    missing: Mask = np.any(hits, axis=0) if impossible else np.all(hits, axis=0)
    collide = hits & (valid & missing)
    if not collide.any():
        return values
    if not impossible:
        collide[:-1] = False
    dtype = values.dtype
    exact = np.asarray(nodata).astype(dtype)
    if not np.issubdtype(dtype, np.inexact):
        step = np.asarray(int(nodata) + (-1 if nodata > 0 else 1)).astype(dtype)
    elif nodata == 0:
        step = np.nextafter(exact, np.asarray(1, dtype))
    else:
        apart = 2 * (1 - _NEARLY) if abs(nodata) > _VAST else 8 * _EPSILON
        step = exact - exact * np.asarray(apart, dtype)
    return np.where(collide, step, values)
