"""Values as pictures: in their own colours, or as heat."""

import numpy as np
from numpy.typing import NDArray

from specgan_cli.types import F64, Mask

HEAT = np.array(
    [[0, 0, 4], [81, 18, 124], [183, 55, 121], [252, 137, 97], [252, 253, 191]], np.float64
)
"""Colours of error maps, from none to much: dark violet to pale yellow."""


def picture(image: F64, valid: Mask, low: float, high: float) -> NDArray[np.uint8]:
    """Return an image as one to look at: H x W x 4, uint8; invalid pixels are transparent.

    Args:
        image: C x H x W in file units; of fewer than three bands the first, in grey.
        valid: H x W.
        low: File value of black.
        high: File value of white.
    """
    bands = image[[0, 0, 0]] if image.shape[0] < 3 else image[:3]
    scaled = np.clip((bands - low) / (high - low) * 255, 0, 255).round().astype(np.uint8)
    alpha = np.where(valid, 255, 0).astype(np.uint8)
    return np.concatenate([scaled, alpha[None]]).transpose(1, 2, 0)


def heat(values: F64, valid: Mask, top: float) -> NDArray[np.uint8]:
    """Return H x W values from 0 to `top` as an H x W x 4 heat map."""
    place = np.clip(values / top, 0, 1) * (len(HEAT) - 1)
    lower = np.minimum(place.astype(int), len(HEAT) - 2)
    share = (place - lower)[..., None]
    colours = HEAT[lower] * (1 - share) + HEAT[lower + 1] * share
    alpha = np.where(valid, 255, 0)[..., None]
    return np.concatenate([colours.round(), alpha], axis=2).astype(np.uint8)
