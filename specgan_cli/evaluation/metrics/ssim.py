"""Windowed similarity: SSIM, MS-SSIM and UQI over 11 x 11 Gaussian windows, mask-aware."""

import math
from dataclasses import dataclass, field

import numpy as np

from specgan_cli.evaluation.image_pair import Array, Mask, Tile

RADIUS = 5
SIGMA = 1.5
MS_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, Wang, Simoncelli and Bovik 2003, section 3.2."""

_OFFSETS = np.arange(-RADIUS, RADIUS + 1)
_KERNEL = np.exp(-((_OFFSETS / SIGMA) ** 2) / 2)
_KERNEL = _KERNEL / _KERNEL.sum()


@dataclass(frozen=True)
class Moments:
    """Weighted local moments of two images at every window that lies inside the array."""

    mean_sr: Array
    """C x (H - 10) x (W - 10)."""
    mean_truth: Array
    """Of the same shape, like all that follow."""
    variance_sr: Array
    """Never negative."""
    variance_truth: Array
    """Never negative."""
    covariance: Array
    """Between the two images."""


def moments(sr: Array, truth: Array) -> Moments:
    """Filter two C x H x W images with the window of Wang et al. 2004 (sigma 1.5, 11 x 11)."""
    stack = np.stack([sr, truth, sr * sr, truth * truth, sr * truth])
    mean_sr, mean_truth, sr_sr, truth_truth, cross = _filter(stack)
    return Moments(
        mean_sr,
        mean_truth,
        np.maximum(sr_sr - mean_sr**2, 0),
        np.maximum(truth_truth - mean_truth**2, 0),
        cross - mean_sr * mean_truth,
    )


def window_valid(valid: Mask) -> Mask:
    """Return, for an H x W mask, the (H - 10) x (W - 10) windows that hold valid pixels only."""
    side = 2 * RADIUS + 1
    rows = np.lib.stride_tricks.sliding_window_view(valid, side, axis=0).all(-1)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(rows, side, axis=1).all(-1))


def _filter(images: Array) -> Array:
    """Weigh every 11 x 11 window of ... x H x W that lies inside: rows first, then columns."""
    height, width = images.shape[-2] - 2 * RADIUS, images.shape[-1] - 2 * RADIUS
    rows = sum(
        weight * images[..., shift : shift + height, :] for shift, weight in enumerate(_KERNEL)
    )
    both = sum(weight * rows[..., shift : shift + width] for shift, weight in enumerate(_KERNEL))
    return np.asarray(both)


def ssim_maps(local: Moments, data_range: float) -> tuple[Array, Array]:
    """Return the SSIM and its contrast-structure part of every window (Wang et al. 2004, eq. 13).

    The constants are (0.01 range)^2 and (0.03 range)^2.
    """
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    contrast = (2 * local.covariance + c2) / (local.variance_sr + local.variance_truth + c2)
    luminance = (2 * local.mean_sr * local.mean_truth + c1) / (
        local.mean_sr**2 + local.mean_truth**2 + c1
    )
    return luminance * contrast, contrast


def uqi_map(local: Moments) -> Array:
    """Return the universal quality index of every window (Wang and Bovik 2002, eq. 1).

    Where both windows are flat the index is its luminance part, and 1 where both are also 0.
    """
    squares = local.mean_sr**2 + local.mean_truth**2
    variances = local.variance_sr + local.variance_truth
    flat = variances <= 1e-12 * squares
    with np.errstate(divide="ignore", invalid="ignore"):
        luminance = np.where(squares > 0, 2 * local.mean_sr * local.mean_truth / squares, 1.0)
        structure = np.where(flat, 1.0, 2 * local.covariance / variances)
    return np.asarray(luminance * structure)


def _halve(image: Array) -> Array:
    height, width = image.shape[-2] // 2 * 2, image.shape[-1] // 2 * 2
    even = image[..., :height, :width]
    blocks = even.reshape(*even.shape[:-2], height // 2, 2, width // 2, 2)
    return np.asarray(blocks.mean((-3, -1)))


@dataclass
class Windows:
    """Means of SSIM, MS-SSIM and UQI over the windows that hold valid pixels only.

    A window belongs to the tile whose core holds its centre, so that tiles with the halo of
    `tiles.HALO` give the sums of the whole image.
    """

    data_range: float
    """Largest minus smallest value that the file's units allow."""
    multiscale: bool = True
    """Whether to do the four halved scales as well."""
    counts: Array = field(default_factory=lambda: np.zeros(len(MS_WEIGHTS)))
    """Windows (times bands) of every scale."""
    ssim: Array = field(default_factory=lambda: np.zeros(len(MS_WEIGHTS)))
    """Sum of SSIM of every scale."""
    contrast: Array = field(default_factory=lambda: np.zeros(len(MS_WEIGHTS)))
    """Sum of the contrast-structure part of every scale."""
    uqi: float = 0.0
    """Sum of UQI at full resolution."""

    def update(self, tile: Tile) -> None:
        """Add the windows whose centres lie in the tile's core."""
        sr, truth, valid = tile.hr_sr, tile.hr_truth, tile.hr_valid
        for level in range(len(MS_WEIGHTS) if self.multiscale else 1):
            if level:
                sr, truth = _halve(sr), _halve(truth)
                valid = _halve(valid.astype(np.float64)) == 1
            if min(valid.shape) <= 2 * RADIUS:
                return
            core = tuple(_owned(part, level, RADIUS) for part in tile.core)
            keep = window_valid(valid)[core]
            local = moments(sr, truth)
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


def _owned(core: slice, level: int, margin: int) -> slice:
    """Return the window indices, at a halved scale, whose centres lie in the core."""
    step = 1 << level
    start, stop = core.start // step, -(-core.stop // step)
    return slice(max(start - margin, 0), max(stop - margin, 0))
