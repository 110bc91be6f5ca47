"""Windowed similarity: SSIM, MS-SSIM and UQI over 11 x 11 Gaussian windows, mask-aware."""

import math
from dataclasses import dataclass, field

import numpy as np

from specgan_cli.evaluation.image_pair import Tile
from specgan_cli.measures import RADIUS, Moments, block_means, moments, ssim_maps, window_valid
from specgan_cli.types import F64, Mask

MS_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, Wang, Simoncelli and Bovik 2003, section 3.2."""


def uqi_map(local: Moments) -> F64:
    """Return the universal quality index of every window (Wang and Bovik 2002, eq. 1).

    Where both windows are flat the index is its luminance part, and 1 where both are also 0.
    """
    squares = local.mean_sr**2 + local.mean_reference**2
    variances = local.variance_sr + local.variance_reference
    flat = variances <= 1e-12 * squares
    with np.errstate(divide="ignore", invalid="ignore"):
        luminance = np.where(squares > 0, 2 * local.mean_sr * local.mean_reference / squares, 1.0)
        structure = np.where(flat, 1.0, 2 * local.covariance / variances)
    return np.asarray(luminance * structure)


@dataclass
class Windows:
    """Means of SSIM, MS-SSIM and UQI over the windows that hold valid pixels only.

    A window belongs to the tile whose core holds its centre, so that tiles with the halo of
    `image_pair.HALO` give the sums of the whole image.
    """

    data_range: float
    """Largest minus smallest value that the file's units allow."""
    multiscale: bool = True
    """Whether to do the four halved scales as well."""
    counts: F64 = field(default_factory=lambda: np.zeros(len(MS_WEIGHTS)))
    """Windows (times bands) of every scale."""
    ssim: F64 = field(default_factory=lambda: np.zeros(len(MS_WEIGHTS)))
    """Sum of SSIM of every scale."""
    contrast: F64 = field(default_factory=lambda: np.zeros(len(MS_WEIGHTS)))
    """Sum of the contrast-structure part of every scale."""
    uqi: float = 0.0
    """Sum of UQI at full resolution."""

    def update(self, tile: Tile) -> None:
        """Add the windows whose centres lie in the tile's core."""
        sr, reference, valid = tile.hr_sr, tile.hr_reference, tile.hr_valid
        for level in range(len(MS_WEIGHTS) if self.multiscale else 1):
            if level:
                (sr, reference), valid = _halve(sr, reference, valid)
            if min(valid.shape) <= 2 * RADIUS:
                return
            core = tuple(_owned(part, level, RADIUS) for part in tile.core)
            keep = window_valid(valid)[core]
            local = moments(sr, reference)
            ssim, contrast = ssim_maps(local, self.data_range)
            self.counts[level] += keep.sum() * sr.shape[0]
            self.ssim[level] += ssim[:, *core][:, keep].sum()
            self.contrast[level] += contrast[:, *core][:, keep].sum()
            if level == 0:
                self.uqi += uqi_map(local)[:, *core][:, keep].sum()

    def merge(self, other: "Windows") -> None:
        """Add what another accumulator has seen."""
        self.counts = self.counts + other.counts
        self.ssim = self.ssim + other.ssim
        self.contrast = self.contrast + other.contrast
        self.uqi += other.uqi

    def results(self) -> dict[str, float]:
        """Return SSIM, MS-SSIM and UQI; NaN where no window fits (MS-SSIM: under 176 pixels)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ssim, contrast = self.ssim / self.counts, self.contrast / self.counts
            uqi = float(np.float64(self.uqi) / self.counts[0])
        means = np.append(contrast[:-1], ssim[-1:])
        product = float(np.prod(np.maximum(means, 0) ** np.array(MS_WEIGHTS)))
        if not self.multiscale:
            return {"ssim": float(ssim[0]), "uqi": uqi}
        full = bool(self.counts[-1])
        return {"ssim": float(ssim[0]), "ms_ssim": product if full else math.nan, "uqi": uqi}


def _halve(sr: F64, reference: F64, valid: Mask) -> tuple[tuple[F64, F64], Mask]:
    means, known = block_means(np.concatenate([sr, reference]), valid, 2)
    return (means[: sr.shape[0]], means[sr.shape[0] :]), known


def _owned(core: slice, level: int, margin: int) -> slice:
    """Return the window indices, at a halved scale, whose centres lie in the core."""
    step = 1 << level
    start, stop = core.start // step, -(-core.stop // step)
    return slice(max(start - margin, 0), max(stop - margin, 0))
