"""The values that travel through the pipeline: what is read for a tile, and what is made of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specgan_cli.raster.grid import Window

Pixels = NDArray[Any]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class TileInput:
    """One tile as the network needs it, with `halo` extra LR pixels on every side."""

    window: Window
    """The tile on the scene's LR grid, without halo; row and column are absolute."""

    lr_unit: Floats
    """3 x (H + 2 halo) x (W + 2 halo) in [-1, 1]; invalid pixels are filled, none is NaN."""

    lr_values: Pixels
    """3 x H x W in file units, without halo; invalid pixels are filled, none is NaN."""

    lr_valid: Mask
    """H x W: True where the scene has data."""

    hsi: Floats | None
    """Bands x (H + 2 halo) x (W + 2 halo), standardised, 0 where invalid; None without a cube."""

    hsi_mask: Floats | None
    """1 x (H + 2 halo) x (W + 2 halo), 1 where the cube has data; None without a cube."""


@dataclass(frozen=True)
class TileResult:
    """One finished tile, ready to be written."""

    window: Window
    """The tile on the output grid."""

    values: Pixels
    """3 x sH x sW in the output's type; anything where there is no data."""

    valid: Mask
    """sH x sW: True where the output has data."""
