"""The protocol of the published tables: 8-bit images, PSNR over RGB jointly, SSIM 11 x 11."""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from specgan_cli.evaluation.image_pair import Tile
from specgan_cli.evaluation.metrics.ssim import Windows
from specgan_cli.measures import psnr
from specgan_cli.types import F64


def to_eight_bits(values: F64, low: float, high: float) -> F64:
    """Map [low, high] to 0..255 and round, as a saved PNG holds it (halves to even).

    Args:
        values: File units, any shape.
        low: Value that becomes 0.
        high: Value that becomes 255.
    """
    return np.asarray(np.clip(np.rint((values - low) / (high - low) * 255), 0, 255))


@dataclass
class PublishedProtocol:
    """PSNR (dB) and SSIM of images rounded to 8 bits, as the paper's tables give them.

    One squared error over all bands and pixels, PSNR with a peak of 255; SSIM with a Gaussian
    window of 11 x 11 pixels (sigma 1.5) at the places where it fits, averaged over bands.
    """

    low: float
    """File value of an 8-bit 0."""
    high: float
    """File value of an 8-bit 255."""
    squared: float = 0.0
    """Sum of squared differences over bands and pixels."""
    count: int = 0
    """Bands times valid pixels."""
    windows: Windows = field(default_factory=lambda: Windows(255.0, multiscale=False))
    """Sums of the SSIM windows."""

    def update(self, tile: Tile) -> None:
        """Add the core of a tile."""
        rounded = replace(
            tile,
            hr_sr=to_eight_bits(tile.hr_sr, self.low, self.high),
            hr_reference=to_eight_bits(tile.hr_reference, self.low, self.high),
        )
        difference = (rounded.core_sr - rounded.core_reference)[:, tile.core_valid]
        self.squared += float((difference**2).sum())
        self.count += difference.size
        self.windows.update(rounded)

    def merge(self, other: "PublishedProtocol") -> None:
        """Add what another accumulator has seen."""
        self.squared += other.squared
        self.count += other.count
        self.windows.merge(other.windows)

    def results(self) -> dict[str, float]:
        """Return both measures; NaN where nothing is valid."""
        mse = self.squared / self.count if self.count else math.nan
        return {
            "published_psnr": psnr(mse, 255.0),
            "published_ssim": self.windows.results()["ssim"],
        }
