"""Missing pixels: how values say that they are missing, and how to say so in an output."""

import math
from typing import Any, Literal

import numpy as np

from specgan_cli.types import Mask, Pixels

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


def valid_values(values: Pixels, nodata: float | None) -> Mask:
    """Return where values are finite and not nodata.

    A value that imagery takes, such as 0 or 255, marks a pixel only when every band holds it,
    as in rasterio's dataset mask; one that imagery does not take (negative) does in any band.

    Args:
        values: C x H x W, file units.
        nodata: The value, or None.

    Returns:
        H x W.
    """
    valid: Mask = np.ones(values.shape[1:], bool)
    if np.issubdtype(values.dtype, np.inexact):
        valid &= np.isfinite(values).all(axis=0)
    hits = _hits(values, nodata)
    return valid if hits is None else valid & ~_missing(hits, nodata)


def mark_missing(values: Pixels, valid: Mask, kind: MaskKind, nodata: float | None) -> Pixels:
    """Return values as an output stores them: missing pixels marked, valid ones not so.

    Args:
        values: C x H x W, file units.
        valid: H x W.
        kind: How missing pixels are marked.
        nodata: The value, for "nodata".

    Returns:
        C x H x W of the same dtype, with an alpha band more for "alpha".  A valid pixel that
        would read as nodata has its last band (every band, when nodata is negative) moved one
        step towards zero, or up from zero.
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
    hits = _hits(values, nodata)
    if hits is None or nodata is None:
        return values
    collide = hits & (valid & _missing(hits, nodata))
    if not collide.any():
        return values
    if nodata >= 0:
        collide[:-1] = False
    exact = np.asarray(nodata).astype(values.dtype)
    if np.issubdtype(values.dtype, np.inexact):
        step = np.nextafter(exact, np.asarray(1 if nodata == 0 else 0, values.dtype))
    else:
        step = np.asarray(int(nodata) + (-1 if nodata > 0 else 1)).astype(values.dtype)
    return np.where(collide, step, values)


def _hits(values: Pixels, nodata: float | None) -> Mask | None:
    if nodata is None or math.isnan(nodata) or not fits(nodata, values.dtype):
        return None
    hits: Mask = values == np.asarray(nodata).astype(values.dtype)
    return hits


def _missing(hits: Mask, nodata: float | None) -> Mask:
    any_band = nodata is not None and nodata < 0
    missing: Mask = np.any(hits, axis=0) if any_band else np.all(hits, axis=0)
    return missing
