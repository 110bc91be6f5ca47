"""Colour inside LR pixels: how much the output's colours vary where the input has one value."""

import math
from dataclasses import dataclass

import numpy as np

from specgan_cli.evaluation.image_pair import Tile
from specgan_cli.measures import block_means
from specgan_cli.types import F64, Mask


def colour_spread(image: F64, valid: Mask, factor: int) -> tuple[F64, Mask]:
    """Return the standard deviation of green minus red inside every LR pixel.

    Args:
        image: C x H x W, red and green first, C at least 2.
        valid: H x W.
        factor: HR pixels along an LR pixel's side.

    Returns:
        h x w in the image's units, and the mask of the whole and valid LR pixels.
    """
    difference = (image[1] - image[0])[None]
    mean, known = block_means(difference, valid, factor)
    square, _ = block_means(difference**2, valid, factor)
    return np.asarray(np.sqrt(np.maximum(square - mean**2, 0))[0]), known


@dataclass
class ColourSpread:
    """Mean absolute difference of the colour spread inside LR pixels, file units.

    The input fixes the mean colour of an LR pixel; how much green minus red varies inside it is
    what a hyperspectral cube tells beyond that.
    """

    error: float = 0.0
    """Sum of absolute differences."""
    count: int = 0
    """Valid LR pixels."""

    def update(self, tile: Tile) -> None:
        """Add the LR pixels below a tile's core; images of one band have no colour."""
        if tile.hr_sr.shape[0] < 2 or tile.scale < 2:
            return
        output, known = colour_spread(tile.core_sr, tile.core_valid, tile.scale)
        reference, _ = colour_spread(tile.core_reference, tile.core_valid, tile.scale)
        self.error += float(np.abs(output - reference)[known].sum())
        self.count += int(known.sum())

    def merge(self, other: "ColourSpread") -> None:
        """Add what another accumulator has seen."""
        self.error += other.error
        self.count += other.count

    def results(self) -> dict[str, float]:
        """Return the measure; NaN where no whole LR pixel is valid."""
        return {"colour_spread": self.error / self.count if self.count else math.nan}
