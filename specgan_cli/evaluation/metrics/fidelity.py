"""Fidelity to the reference by pixel, and to the input by block means, from sums that merge."""

import math
from dataclasses import dataclass, field

import numpy as np

from specgan_cli.evaluation.image_pair import Tile
from specgan_cli.measures import block_means, psnr
from specgan_cli.types import F64


@dataclass
class Fidelity:
    """Sums over valid pixels; tiles may come in any order and accumulators may be merged.

    RMSE, MAE and bias are in file units; ERGAS (Wald 2000: 100/scale times the root of the mean
    over bands of (RMSE / reference mean)^2) is dimensionless; SAM (Kruse et al. 1993) is the mean
    over pixels of the angle between the two spectra, degrees, without pixels that are 0 in every
    band.
    """

    data_range: float
    """Largest minus smallest value that the file's units allow."""
    scale: int = 1
    """Factor between the grids, for ERGAS."""
    count: int = 0
    """Valid pixels so far."""
    squared: F64 = field(default_factory=lambda: np.zeros(0))
    """Per band: sum of squared differences."""
    absolute: F64 = field(default_factory=lambda: np.zeros(0))
    """Per band: sum of absolute differences."""
    signed: F64 = field(default_factory=lambda: np.zeros(0))
    """Per band: sum of output minus reference."""
    reference: F64 = field(default_factory=lambda: np.zeros(0))
    """Per band: sum of the reference."""
    angle: float = 0.0
    """Sum of spectral angles, radians."""
    angles: int = 0
    """Pixels with an angle."""

    def update(self, tile: Tile) -> None:
        """Add the core of a tile."""
        sr, reference = tile.core_sr[:, tile.core_valid], tile.core_reference[:, tile.core_valid]
        difference = sr - reference
        angles = spectral_angles(sr, reference)
        part = Fidelity(
            self.data_range,
            self.scale,
            difference.shape[1],
            (difference**2).sum(1),
            np.abs(difference).sum(1),
            difference.sum(1),
            reference.sum(1),
            float(angles.sum()),
            angles.size,
        )
        self.merge(part)

    def merge(self, other: "Fidelity") -> None:
        """Add what another accumulator has seen."""
        self.count += other.count
        self.angle += other.angle
        self.angles += other.angles
        for name in ("squared", "absolute", "signed", "reference"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if theirs.size:
                setattr(self, name, mine + theirs if mine.size else theirs)

    def results(self) -> dict[str, float]:
        """Return the measures by name; NaN where no pixel is valid."""
        if not self.count:
            return dict.fromkeys(("psnr", "rmse", "mae", "bias", "ergas", "sam"), math.nan)
        band_mse = self.squared / self.count
        mse = float(band_mse.mean())
        means = self.reference / self.count
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = float(np.sqrt(np.mean(band_mse / means**2)))
        return {
            "psnr": psnr(mse, self.data_range),
            "rmse": math.sqrt(mse),
            "mae": float(self.absolute.mean() / self.count),
            "bias": float(np.abs(self.signed / self.count).max()),
            "ergas": 100 / self.scale * relative if np.isfinite(relative) else math.nan,
            "sam": math.degrees(self.angle / self.angles) if self.angles else math.nan,
        }


def spectral_angles(first: F64, second: F64) -> F64:
    """Return the angle between the spectra of two C x N arrays, radians, one for every pixel.

    Pixels that are 0 in every band of either image have no direction and are left out.  The angle
    is 2 atan2(|u - v|, |u + v|) of the unit vectors, which keeps its accuracy near 0, where the
    arc cosine loses half of the digits.
    """
    norm_a, norm_b = np.linalg.norm(first, axis=0), np.linalg.norm(second, axis=0)
    known = (norm_a > 0) & (norm_b > 0)
    unit_a, unit_b = first[:, known] / norm_a[known], second[:, known] / norm_b[known]
    across = np.linalg.norm(unit_a - unit_b, axis=0)
    along = np.linalg.norm(unit_a + unit_b, axis=0)
    return np.asarray(2 * np.arctan2(across, along))


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
