"""Detail by wavelength: radial power spectra in metres, and their distance."""

import math
from dataclasses import dataclass, field

import numpy as np

from specgan_cli.evaluation.image_pair import Tile
from specgan_cli.types import F64, Mask

BINS_PER_OCTAVE = 4
SMALLEST_VALID_SHARE = 0.5
FLOOR = 1e-12
"""Power below this share of the squared data range is arithmetic noise."""


@dataclass(frozen=True)
class Spectrum:
    """Radial power spectrum of one tile; entry k covers wavelengths from 2^(k/4) metres."""

    bins: tuple[int, ...]
    """Indices of the wavelength bins that hold at least one frequency."""
    log_power: F64
    """log10 of the mean power over the bin's frequencies and over bands."""


def radial_spectrum(image: F64, valid: Mask, gsd: float, scale: int, data_range: float) -> Spectrum:
    """Measure the power between the LR and the HR Nyquist wavelength.

    Each band loses its mean, invalid pixels become 0, a Hann window tapers the edges, and the
    squared Fourier amplitudes are averaged over rings of a quarter octave.

    Args:
        image: C x H x W.
        valid: H x W.
        gsd: HR pixel, metres; the HR Nyquist wavelength is twice that.
        scale: Factor to the LR grid; the LR Nyquist wavelength is 2 gsd scale.
        data_range: For the floor under which power is arithmetic noise.
    """
    height, width = image.shape[1:]
    taper = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1]) * valid
    mean = (image * valid).sum((1, 2), keepdims=True) / max(int(valid.sum()), 1)
    amplitude = np.fft.rfft2((image - mean) * taper)
    power = (np.abs(amplitude) ** 2).mean(0) / max(float((taper**2).sum()), 1.0)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    weight = np.full(frequency.shape, 2.0)
    weight[:, 0] = 1.0
    if width % 2 == 0:
        weight[:, -1] = 1.0
    inside = (frequency >= 0.5 / scale) & (frequency <= 0.5)
    index = np.floor(np.log2(gsd / frequency[inside]) * BINS_PER_OCTAVE + 1e-9).astype(int)
    bins, place = np.unique(index, return_inverse=True)
    total = np.bincount(place, power[inside] * weight[inside])
    mean_power = total / np.bincount(place, weight[inside])
    floor = FLOOR * data_range**2
    return Spectrum(tuple(int(k) for k in bins), np.log10(np.maximum(mean_power, floor)))


@dataclass
class SpectrumDistance:
    """Mean absolute difference of log10 power between the LR and the HR Nyquist wavelength.

    `spectrum` averages the absolute difference over the wavelength bins of each tile and then
    over tiles; `spectrum_pooled` averages the logarithms over tiles first, and so ignores
    differences between single tiles that cancel.  0 is the reference, 1 a factor of 10.
    """

    data_range: float
    """Largest minus smallest value that the file's units allow."""
    error: float = 0.0
    """Sum over tiles of their mean absolute difference."""
    count: int = 0
    """Tiles with enough valid pixels."""
    bins: dict[int, tuple[float, float, int]] = field(default_factory=dict)
    """Per wavelength bin: sum of log10 power of output and of reference, and tiles."""

    def update(self, tile: Tile) -> None:
        """Add the core of a tile as one block; blocks with under half valid pixels are skipped."""
        valid = tile.core_valid
        if min(valid.shape) < 4 or valid.mean() < SMALLEST_VALID_SHARE or tile.scale < 2:
            return
        arguments = (valid, tile.gsd, tile.scale, self.data_range)
        output = radial_spectrum(tile.core_sr, *arguments)
        reference = radial_spectrum(tile.core_reference, *arguments)
        self.error += float(np.abs(output.log_power - reference.log_power).mean())
        self.count += 1
        for bin_, first, second in zip(
            reference.bins, output.log_power, reference.log_power, strict=True
        ):
            self._add(bin_, float(first), float(second), 1)

    def merge(self, other: "SpectrumDistance") -> None:
        """Add what another accumulator has seen."""
        self.error += other.error
        self.count += other.count
        for bin_, sums in other.bins.items():
            self._add(bin_, *sums)

    def _add(self, bin_: int, output: float, reference: float, count: int) -> None:
        had = self.bins.get(bin_, (0.0, 0.0, 0))
        self.bins[bin_] = (had[0] + output, had[1] + reference, had[2] + count)

    def results(self) -> dict[str, float]:
        """Return both distances; NaN where no block had enough valid pixels."""
        if not self.count:
            return {"spectrum": math.nan, "spectrum_pooled": math.nan}
        pooled = [
            abs(output - reference) / count for output, reference, count in self.bins.values()
        ]
        return {
            "spectrum": self.error / self.count,
            "spectrum_pooled": float(np.mean(pooled)),
        }

    def curves(self) -> list[dict[str, float]]:
        """Return wavelength (metres, centre of the bin) and mean log10 power, longest first."""
        return [
            {
                "wavelength_m": 2 ** ((bin_ + 0.5) / BINS_PER_OCTAVE),
                "sr": output / count,
                "reference": reference / count,
            }
            for bin_, (output, reference, count) in sorted(self.bins.items(), reverse=True)
        ]
