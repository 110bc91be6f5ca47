"""Exact sums over the pixels of chips, the same in any order."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specgan_cli.datasets.manifest import Statistics

HSI_UNIT = 10000
"""Stored HSI value of reflectance 1."""


@dataclass(frozen=True)
class BandTotals:
    """Integer sums of values and of their squares: addition is exact, so order is no matter."""

    pixels: int
    """Valid pixels."""
    sums: tuple[int, ...]
    """Sum per band."""
    squares: tuple[int, ...]
    """Sum of squares per band."""

    @classmethod
    def of(cls, values: NDArray[Any], mask: NDArray[Any]) -> "BandTotals":
        """Sum an integer image's valid pixels.

        Args:
            values: C x H x W integers of at most 16 bits.
            mask: H x W, 1 where valid.
        """
        chosen = values[:, mask != 0].astype(np.int64)
        return cls(
            int(chosen.shape[1]),
            tuple(int(total) for total in chosen.sum(axis=1)),
            tuple(int(total) for total in (chosen * chosen).sum(axis=1)),
        )

    def mean_std(self, unit: int = 1) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation per band, divided by `unit`; 0 and 1 without pixels."""
        if not self.pixels:
            return (0.0,) * len(self.sums), (1.0,) * len(self.sums)
        means = [Fraction(total, self.pixels) for total in self.sums]
        variances = [
            Fraction(square, self.pixels) - mean * mean
            for square, mean in zip(self.squares, means, strict=True)
        ]
        return (
            tuple(float(mean / unit) for mean in means),
            tuple(math.sqrt(float(variance / (unit * unit))) for variance in variances),
        )


def sum_totals(totals: Iterable[BandTotals], bands: int) -> BandTotals:
    """Add totals up; those of no pixels at all for an empty list of `bands` bands."""
    pixels, sums, squares = 0, [0] * bands, [0] * bands
    for each in totals:
        pixels += each.pixels
        sums = [a + b for a, b in zip(sums, each.sums, strict=True)]
        squares = [a + b for a, b in zip(squares, each.squares, strict=True)]
    return BandTotals(pixels, tuple(sums), tuple(squares))


def statistics(rgb: BandTotals, hsi: BandTotals, rgb_low: float, rgb_high: float) -> Statistics:
    """Turn totals into the dataset's statistics.

    A band that never varies gets a standard deviation of 1 / 10000, the storage step of
    reflectance, so that standardising never divides by zero.

    Args:
        rgb: Totals of the RGB values, in units of the file.
        hsi: Totals of the cubes, as they are stored.
        rgb_low: File value of black.
        rgb_high: File value of white.
    """
    rgb_mean, rgb_std = rgb.mean_std()
    hsi_mean, hsi_std = hsi.mean_std(HSI_UNIT)
    return Statistics(
        hsi_mean=hsi_mean,
        hsi_std=tuple(max(std, 1.0 / HSI_UNIT) for std in hsi_std),
        hsi_pixels=hsi.pixels,
        rgb_mean=rgb_mean,
        rgb_std=rgb_std,
        rgb_pixels=rgb.pixels,
        rgb_low=rgb_low,
        rgb_high=rgb_high,
    )
