"""Consistency with the input: what averaging the output over each LR pixel gives back."""

import math
from dataclasses import dataclass

import numpy as np

from specgan_cli.evaluation.image_pair import Tile
from specgan_cli.measures import block_means, psnr


@dataclass
class Consistency:
    """PSNR (dB) and largest error (file units) of the output's block means against the input."""

    data_range: float
    """Largest minus smallest value that the file's units allow."""
    squared: float = 0.0
    """Sum of squared differences over bands and LR pixels."""
    count: int = 0
    """Bands times valid LR pixels."""
    largest: float = 0.0
    """Largest absolute difference so far."""

    def update(self, tile: Tile) -> None:
        """Add the LR pixels below a tile's core; a tile without an input adds nothing."""
        if tile.lr is None:
            return
        means, valid = block_means(tile.core_sr, tile.core_valid, tile.scale)
        if tile.lr_valid is not None:
            valid = valid & tile.lr_valid
        difference = np.abs(means - tile.lr)[:, valid]
        if difference.size:
            self.squared += float((difference**2).sum())
            self.count += difference.size
            self.largest = max(self.largest, float(difference.max()))

    def merge(self, other: "Consistency") -> None:
        """Add what another accumulator has seen."""
        self.squared += other.squared
        self.count += other.count
        self.largest = max(self.largest, other.largest)

    def results(self) -> dict[str, float]:
        """Return both measures; NaN where no whole LR pixel is valid."""
        if not self.count:
            return {"lr_psnr": math.nan, "lr_largest": math.nan}
        return {
            "lr_psnr": psnr(self.squared / self.count, self.data_range),
            "lr_largest": self.largest,
        }
