"""The simulated ground: what lies where, and how much light falls on it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Truth:
    """Ground, relief and light on one grid of square pixels, north up."""

    abundance: Array
    """Materials x H x W, fractions of `materials.NAMES` that sum to 1 in every pixel."""

    albedo: Array
    """H x W, brightness of the surface around its material's mean of 1."""

    height: Array
    """H x W, metres above the ground plane."""

    direct: Array
    """H x W, sunlight received: 0 in cast shadow, 1 on open level ground."""

    sky: Array
    """H x W, skylight received: 1 under an open sky."""

    gsd: float
    """Pixel size in metres."""

    @property
    def shape_yx(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.albedo.shape[0], self.albedo.shape[1]
