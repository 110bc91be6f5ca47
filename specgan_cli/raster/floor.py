"""The lowest value that a pixel's block may take: physical zero, or what the scene itself shows."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from specgan_cli.types import F64, Pixels

if TYPE_CHECKING:
    from specgan_cli.raster.scene import Scene

REACH = 1
"""LR pixels around a pixel that its lowest value depends on."""


@dataclass(frozen=True)
class Floor:
    """A value that no output pixel goes below unless the scene does there."""

    values: tuple[float, ...]
    """File units, of each band; minus infinity for no bound."""

    near: bool = False
    """Whether the darkest of the 3 x 3 input pixels around counts, and not the pixel alone."""

    def of_blocks(self, lr_values: Pixels) -> F64:
        """Return the lowest value in the block of each pixel.

        Args:
            lr_values: Bands x (H + 2) x (W + 2) in file units, without missing pixels.

        Returns:
            Bands x H x W in file units, not above the pixels themselves.
        """
        darkest: F64 = lr_values[:, REACH:-REACH, REACH:-REACH].astype(np.float64)
        if self.near:
            side = 2 * REACH + 1
            darkest = sliding_window_view(lr_values, (side, side), axis=(1, 2)).min(axis=(3, 4))
        bounds: F64 = np.minimum(darkest, np.array(self.values)[:, None, None])
        return bounds


def choose_floor(scene: "Scene", given: float | Literal["none"] | None) -> Floor | None:
    """Return what the user says, else physical zero, else the darkest that the scene shows.

    Physical zero is known where the file has a scale or an offset.  In 8 bits the type's own zero
    is the bound; in other types without a scale a pixel may be as dark as the darkest of a sample
    of the scene, or the darkest of its neighbours.

    Args:
        scene: The open scene.
        given: File units; "none" for no bound.
    """
    if given == "none":
        return None
    if given is not None:
        return Floor((float(given),) * 3)
    pairs = list(zip(scene.scales, scene.offsets, strict=True))
    if any(pair != (1.0, 0.0) for pair in pairs):
        zeros = tuple(-offset / scale if scale > 0 else -np.inf for scale, offset in pairs)
        return Floor(zeros)
    if scene.dtype == "uint8":
        return None
    sample = scene.sample()
    return (
        Floor(tuple(float(low) for low in sample.min(axis=1)), near=True) if sample.size else None
    )
