"""The shift between two images of the same shape, by phase correlation."""

import numpy as np
from numpy.typing import NDArray

from specgan_cli.types import F64

UPSAMPLING = 20
"""The shift is found to 1/20 pixel."""


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
