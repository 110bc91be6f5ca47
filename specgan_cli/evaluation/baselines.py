"""Interpolations of the LR image: what every super-resolution has to beat."""

from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from specgan_cli.types import F64

Baseline = Literal["bicubic", "bilinear", "nearest"]
BASELINES: tuple[Baseline, ...] = ("bicubic", "nearest")
"""The two that stand beside every result."""


def interpolate(lr: F64, scale: int, method: Baseline) -> F64:
    """Interpolate an image; pixels are areas, and the border is repeated outward.

    Args:
        lr: C x h x w without gaps, any unit.
        scale: Factor, 1 or more.
        method: "bicubic" (Keys 1981 with a = -0.75, as torch and OpenCV), "bilinear" or "nearest".

    Returns:
        C x (scale h) x (scale w) in the same unit; bicubic may leave the range of the input.
    """
    tensor = torch.from_numpy(np.ascontiguousarray(lr, np.float64))[None]
    if method == "nearest":
        return np.asarray(lr, np.float64).repeat(scale, axis=1).repeat(scale, axis=2)
    finer = functional.interpolate(
        tensor, scale_factor=scale, mode=method, align_corners=False, recompute_scale_factor=False
    )
    return finer[0].numpy()


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
