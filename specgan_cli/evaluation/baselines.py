"""Interpolations of the LR image: what every super-resolution has to beat."""

from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from specgan_cli.types import F64

Baseline = Literal["bicubic", "bilinear", "lanczos", "nearest"]
BASELINES: tuple[Baseline, ...] = ("bicubic", "lanczos", "nearest")
"""Those that stand beside every result."""

LOBES = 3
"""Lobes of the Lanczos kernel on each side."""


def interpolate(lr: F64, scale: int, method: Baseline) -> F64:
    """Interpolate an image; pixels are areas, and the border is repeated outward.

    Args:
        lr: C x h x w without gaps, any unit.
        scale: Factor, 1 or more.
        method: "bicubic" (Keys 1981 with a = -0.75, as torch and OpenCV), "bilinear", "lanczos"
            (Duchon 1979, three lobes) or "nearest".

    Returns:
        C x (scale h) x (scale w) in the same unit; bicubic and Lanczos may leave the range of the
        input.
    """
    if method == "nearest":
        return np.asarray(lr, np.float64).repeat(scale, axis=1).repeat(scale, axis=2)
    if method == "lanczos":
        rows, cols = (_lanczos(size, scale) for size in lr.shape[1:])
        return np.asarray(rows @ np.asarray(lr, np.float64) @ cols.T)
    tensor = torch.from_numpy(np.ascontiguousarray(lr, np.float64))[None]
    finer = functional.interpolate(
        tensor, scale_factor=scale, mode=method, align_corners=False, recompute_scale_factor=False
    )
    return finer[0].numpy()


def _lanczos(size: int, scale: int) -> F64:
    """Return the (scale size) x size matrix that interpolates a line of pixels."""
    centres = (np.arange(scale * size) + 0.5) / scale - 0.5
    taps = np.floor(centres)[:, None] + np.arange(1 - LOBES, LOBES + 1)
    offsets = centres[:, None] - taps
    weights = np.where(np.abs(offsets) < LOBES, np.sinc(offsets) * np.sinc(offsets / LOBES), 0.0)
    weights /= weights.sum(1, keepdims=True)
    matrix = np.zeros((scale * size, size))
    places = np.clip(taps, 0, size - 1).astype(int)
    np.add.at(matrix, (np.arange(scale * size)[:, None], places), weights)
    return matrix


def reduce(hr: F64, scale: int) -> F64:
    """Downsample C x H x W by bilinear interpolation with antialiasing (a triangle filter).

    Args:
        hr: C x H x W without gaps; H and W are multiples of `scale`.
        scale: Factor, 1 or more.

    Returns:
        C x H/scale x W/scale, same unit.
    """
    tensor = torch.from_numpy(np.ascontiguousarray(hr, np.float64))[None]
    size = (hr.shape[1] // scale, hr.shape[2] // scale)
    return functional.interpolate(
        tensor, size=size, mode="bilinear", align_corners=False, antialias=True
    )[0].numpy()
