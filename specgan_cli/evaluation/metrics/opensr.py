"""The measures of opensr-test: what is kept of the input, and what is added to it.

Aybar, Montero, Donike, Kalaitzis and Gomez-Chova, "A comprehensive benchmark for optical remote
sensing image super-resolution", IEEE GRSL 2024, doi 10.1109/LGRS.2024.3401394.  Distances and
constants are those of the package's default configuration: L1 reflectance, spectral angle,
normalised difference ("nd") for the correctness, gamma 0.05, softmin with temperature 0.25.
Departures, needed at factors of 16 and 32: no border is cut off, because 16 HR pixels are less
than one LR pixel, and the output is moved onto the reference by whole pixels only.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from specgan_cli.evaluation.baselines import interpolate, reduce
from specgan_cli.evaluation.image_pair import Tile
from specgan_cli.evaluation.metrics.fidelity import spectral_angles
from specgan_cli.measures import block_means
from specgan_cli.types import F64, Mask

GAMMA = 0.05
TEMPERATURE = 0.25
QUANTILE = 0.75
LARGEST_SHIFT = 5
TINY = 1e-8
UPSAMPLING = 20
"""The shift is found to 1/20 pixel."""

NAMES = (
    "reflectance",
    "spectral",
    "spatial",
    "synthesis",
    "hallucination",
    "omission",
    "improvement",
)


def normalised_difference(first: F64, second: F64) -> F64:
    """Return |a - b| / |a + b| averaged over bands: the "nd" distance of every pixel, 0..1."""
    return np.asarray((np.abs(first - second) / np.abs(first + second + TINY)).mean(0))


def correctness(lr_up: F64, sr: F64, reference: F64, valid: Mask) -> dict[str, float]:
    """Share the changed pixels out between improvement, omission and hallucination.

    With d(a, b) the normalised difference, d_im = d(SR, HR) / d(LR, HR), d_om = d(SR, LR) /
    d(LR, HR) and H = d_im + d_om - 1: improvement is d_im + d_om (1 - exp(-g H)), omission
    d_om + d_im (1 - exp(-g H)), hallucination exp(-g d_im d_om); a softmin over the three gives
    shares that sum to 1.  Pixels where all three distances are below the 75 % quantile of
    d(LR, HR) are left out.

    Args:
        lr_up: Input, interpolated, C x H x W in 0..1.
        sr: Output in 0..1.
        reference: Reference in 0..1.
        valid: H x W.

    Returns:
        The mean shares; NaN where the reference adds nothing to the input.
    """
    known = valid & np.isfinite(sr).all(0)
    added = normalised_difference(lr_up, reference)[known]
    to_reference = normalised_difference(np.where(known, sr, 0), reference)[known]
    to_input = normalised_difference(np.where(known, sr, 0), lr_up)[known]
    names = ("improvement", "omission", "hallucination")
    place = int(QUANTILE * added.size) - 1
    if place < 0:
        return dict.fromkeys(names, math.nan)
    threshold = np.partition(added, place)[place]
    kept = (added > threshold) | (to_reference > threshold) | (to_input > threshold)
    if not kept.any():
        return dict.fromkeys(names, math.nan)
    base = np.maximum(added[kept], 1e-12)
    d_im, d_om = to_reference[kept] / base, to_input[kept] / base
    # A pixel that the reference hardly changes can make the ratios huge; their shares are settled
    # long before 1e3, and the exponential must not overflow.
    d_im, d_om = np.minimum(d_im, 1e3), np.minimum(d_om, 1e3)
    growth = 1 - np.exp(-GAMMA * (d_im + d_om - 1))
    distances = np.stack([d_im + d_om * growth, d_om + d_im * growth, np.exp(-GAMMA * d_im * d_om)])
    weights = np.exp(-(distances - distances.min(0)) / TEMPERATURE)
    shares = (weights / weights.sum(0)).mean(1)
    return dict(zip(names, (float(share) for share in shares), strict=True))


def harmonise(sr: F64, reference: F64, valid: Mask) -> F64:
    """Match the output's histogram to the reference's, band by band, and shift it onto it.

    Returns:
        C x H x W; NaN where the shift leaves nothing, or where invalid.
    """
    matched = np.full(sr.shape, np.nan)
    for band in range(sr.shape[0]):
        matched[band, valid] = match_histogram(sr[band, valid], reference[band, valid])
    grey = np.where(valid, np.nan_to_num(matched).mean(0), 0)
    down, right = find_shift(np.where(valid, reference.mean(0), 0), grey)
    if max(abs(down), abs(right)) > LARGEST_SHIFT:
        return matched
    return roll(matched, (round(down), round(right)))


def consistency(lr: F64, sr_down: F64, valid: Mask) -> dict[str, float]:
    """Compare the input and the reduced output: reflectance, spectral and spatial consistency.

    Args:
        lr: C x h x w in 0..1.
        sr_down: Output on the same grid in 0..1.
        valid: h x w.

    Returns:
        Mean absolute difference (0..1), mean spectral angle (degrees) and shift (LR pixels).
    """
    angles = spectral_angles(lr[:, valid], sr_down[:, valid])
    shift = find_shift(np.where(valid, lr.mean(0), 0), np.where(valid, sr_down.mean(0), 0))
    distance = math.hypot(*shift)
    return {
        "reflectance": float(np.abs(lr - sr_down)[:, valid].mean()),
        "spectral": math.degrees(float(angles.mean())) if angles.size else math.nan,
        "spatial": distance if distance <= LARGEST_SHIFT else math.nan,
    }


@dataclass
class OpenSr:
    """Means of the seven measures over tiles, each tile taken as one image."""

    low: float
    """File value that stands for 0."""
    high: float
    """File value that stands for 1."""
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(NAMES, 0.0))
    """Sum over tiles by name."""
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    """Tiles with a value by name."""

    def update(self, tile: Tile) -> None:
        """Add the core of a tile; one without an input, or too small, adds nothing."""
        for name, value in self.measure(tile).items():
            if not math.isnan(value):
                self.sums[name] += value
                self.counts[name] += 1

    def measure(self, tile: Tile) -> dict[str, float]:
        """Measure one tile as an image of its own."""
        height, width = tile.core_valid.shape
        if tile.lr is None or min(tile.lr.shape[1:]) < 4 or not tile.core_valid.any():
            return {}
        if height % tile.scale or width % tile.scale or tile.scale < 2:
            return {}
        lr, sr, reference = (
            (np.asarray(image) - self.low) / (self.high - self.low)
            for image in (tile.lr, tile.core_sr, tile.core_reference)
        )
        valid = tile.core_valid
        _, lr_valid = block_means(sr, valid, tile.scale)
        if tile.lr_valid is not None:
            lr_valid = lr_valid & tile.lr_valid
        if not lr_valid.any():
            return {}
        hr_valid = valid & lr_valid.repeat(tile.scale, 0).repeat(tile.scale, 1)
        lr_up = interpolate(lr, tile.scale, "bilinear")
        harmonised = harmonise(sr, reference, hr_valid)
        moved = hr_valid & np.isfinite(harmonised).all(0)
        return {
            **consistency(lr, reduce(sr, tile.scale), lr_valid),
            "synthesis": float(np.abs(np.nan_to_num(harmonised) - lr_up)[:, moved].mean()),
            **correctness(lr_up, harmonised, reference, hr_valid),
        }

    def merge(self, other: "OpenSr") -> None:
        """Add what another accumulator has seen."""
        for name in NAMES:
            self.sums[name] += other.sums[name]
            self.counts[name] += other.counts[name]

    def results(self) -> dict[str, float]:
        """Return the seven means; NaN where no tile had a value."""
        return {
            name: self.sums[name] / self.counts[name] if self.counts[name] else math.nan
            for name in NAMES
        }


def find_shift(reference: F64, moving: F64) -> tuple[float, float]:
    """Find the shift, rows and columns in pixels, that brings `moving` onto `reference`.

    Phase correlation, refined by an upsampled Fourier transform around the peak (Guizar-Sicairos,
    Thurman and Fienup 2008).

    Args:
        reference: H x W.
        moving: H x W.

    Returns:
        Shift down and to the right; (0, 0) where one of the images is flat.
    """
    spectrum = np.fft.fft2(reference) * np.conj(np.fft.fft2(moving))
    magnitude = np.abs(spectrum)
    magnitude[0, 0] = 0
    if magnitude.max() == 0:
        return 0.0, 0.0
    tiny = 100 * np.finfo(np.float64).eps
    phase = spectrum / np.maximum(np.abs(spectrum), tiny)
    correlation = np.abs(np.fft.ifft2(phase))
    peak = np.unravel_index(int(correlation.argmax()), correlation.shape)
    coarse = [
        float(place - size if place > size // 2 else place)
        for place, size in zip(peak, correlation.shape, strict=True)
    ]
    reach = int(np.ceil(UPSAMPLING * 1.5))
    offsets = np.arange(reach) - reach // 2
    rows = coarse[0] + offsets / UPSAMPLING
    cols = coarse[1] + offsets / UPSAMPLING
    fine = np.abs(_kernel(rows, phase.shape[0]) @ phase @ _kernel(cols, phase.shape[1]).T)
    best = np.unravel_index(int(fine.argmax()), fine.shape)
    return float(rows[best[0]]), float(cols[best[1]])


def _kernel(places: F64, size: int) -> NDArray[np.complex128]:
    return np.asarray(np.exp(2j * np.pi * places[:, None] * np.fft.fftfreq(size)[None]))


def roll(image: F64, shift_yx: tuple[int, int]) -> F64:
    """Move C x H x W by whole pixels; what enters at the border is NaN."""
    moved = np.full(image.shape, np.nan)
    (down, right), (height, width) = shift_yx, image.shape[1:]
    target = (
        slice(max(down, 0), height + min(down, 0)),
        slice(max(right, 0), width + min(right, 0)),
    )
    source = (
        slice(max(-down, 0), height + min(-down, 0)),
        slice(max(-right, 0), width + min(-right, 0)),
    )
    moved[:, *target] = image[:, *source]
    return moved


def match_histogram(values: F64, template: F64) -> F64:
    """Map values so that their distribution is the template's (quantile to quantile).

    Args:
        values: Any shape.
        template: Any shape.

    Returns:
        An array of the shape of `values`.
    """
    _, inverse, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    levels, template_counts = np.unique(template.ravel(), return_counts=True)
    quantiles = np.cumsum(counts) / values.size
    template_quantiles = np.cumsum(template_counts) / template.size
    mapped = np.interp(quantiles, template_quantiles, levels)
    return np.asarray(mapped[inverse].reshape(values.shape))
