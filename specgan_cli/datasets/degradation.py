"""Operators that make a low-resolution image from a high-resolution one."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from specgan.errors import ShapeError
from specgan_cli.measures import block_means
from specgan_cli.types import F32, F64

ByteMask = NDArray[np.uint8]
Operator = Literal["area", "gaussian", "point"]

OPERATORS: tuple[str, ...] = get_args(Operator)
_TAIL_SIGMAS = 4.0


@dataclass(frozen=True)
class Degradation:
    """How a sensor with larger pixels would have seen the same ground."""

    operator: Operator = "area"
    """`area`: mean of a block; `gaussian`: Gaussian point spread; `point`: one pixel per block."""
    mtf: float = 0.3
    """Modulation transfer at the low-resolution Nyquist frequency, 0..1 (`gaussian` only)."""
    noise: float = 0.0
    """Standard deviation of added Gaussian noise, as a fraction of the value range."""
    min_valid: float = 0.5
    """Share of a block's weight that must be valid for the low-resolution pixel to be valid."""

    def __post_init__(self) -> None:
        """Refuse values outside their ranges.

        Raises:
            ValueError: A field is outside its range.
        """
        if self.operator not in OPERATORS:
            raise ValueError(f"unknown operator {self.operator!r}: one of {', '.join(OPERATORS)}")
        if not 0.0 < self.mtf < 1.0:
            raise ValueError(f"mtf is {self.mtf}: it must lie between 0 and 1")
        if not 0.0 <= self.noise < 1.0:
            raise ValueError(f"noise is {self.noise}: a fraction of the range, 0 or more, under 1")
        if not 0.0 < self.min_valid <= 1.0:
            raise ValueError(f"min_valid is {self.min_valid}: above 0, at most 1")

    def apply(
        self,
        hr_rgb: NDArray[Any],
        mask: NDArray[Any] | None,
        factor: int,
        rng: np.random.Generator | None = None,
        *,
        value_range: float = 255.0,
    ) -> tuple[F32, ByteMask]:
        """Degrade an image.

        Args:
            hr_rgb: C x H x W values; H and W are multiples of `factor`.
            mask: H x W, 1 where valid; None when all is valid.
            factor: HR pixels per LR pixel, along each axis.
            rng: Source of the noise; needed when `noise` is above 0.
            value_range: Width of the range of values, which scales the noise.

        Returns:
            C x H/factor x W/factor float32, 0 where invalid, and its mask (uint8).

        Raises:
            ShapeError: H or W is no multiple of `factor`, or the mask has another shape.
            ValueError: Noise was asked for without `rng`, or the MTF cannot be reached.
        """
        hr_mask = _checked_mask(hr_rgb, mask, factor)
        if self.operator == "point":
            lr, lr_mask = _point(hr_rgb, hr_mask, factor)
        elif self.operator == "gaussian" and factor > 1:
            lr, lr_mask = _gaussian(hr_rgb, hr_mask, factor, self.mtf, self.min_valid)
        else:
            lr, lr_mask = block_mean(hr_rgb, hr_mask, factor, self.min_valid)
        if self.noise > 0.0:
            if rng is None:
                raise ValueError("noise needs rng, a numpy.random.Generator")
            drawn = rng.standard_normal(lr.shape, dtype=np.float32)
            lr = (lr + self.noise * value_range * drawn * lr_mask).astype(np.float32)
        return lr, lr_mask


def block_mean(
    values: NDArray[Any], mask: NDArray[Any], factor: int, min_valid: float = 0.5
) -> tuple[F32, ByteMask]:
    """Average the valid pixels of every `factor` x `factor` block.

    Args:
        values: C x H x W; H and W are multiples of `factor`.
        mask: H x W, 1 where valid.
        factor: Pixels per block along each axis.
        min_valid: Share of a block that must be valid.

    Returns:
        C x H/factor x W/factor float32 means, 0 where invalid, and the mask (uint8).
    """
    mean, valid = block_means(values, mask != 0, factor, min_valid)
    return mean.astype(np.float32), valid.astype(np.uint8)


def hsi_to_lr(
    hsi: NDArray[Any], mask: NDArray[Any], hsi_factor: int, factor: int
) -> tuple[F32, ByteMask]:
    """Bring a chip's cube onto the LR grid of `factor` HR pixels per pixel.

    Args:
        hsi: B x h x w, any unit.
        mask: h x w, 1 where valid.
        hsi_factor: HR pixels per HSI pixel.
        factor: HR pixels per LR pixel.

    Returns:
        B x H/factor x W/factor float32 in the same unit and its mask (uint8): block means where
        the LR grid is coarser, repeated pixels where it is finer.

    Raises:
        ShapeError: One of the factors is no multiple of the other, or the cube does not divide.
    """
    if factor >= hsi_factor and factor % hsi_factor == 0:
        step = factor // hsi_factor
        return block_mean(hsi, _checked_mask(hsi, mask, step), step)
    if hsi_factor % factor:
        raise ShapeError(f"factor {factor} and HSI factor {hsi_factor} do not divide each other")
    step = hsi_factor // factor
    fine = hsi.astype(np.float32).repeat(step, axis=1).repeat(step, axis=2)
    return fine, (mask != 0).astype(np.uint8).repeat(step, axis=0).repeat(step, axis=1)


def resolved_levels(hsi_factor: int | None, factor: int, most: int) -> int:
    """Return how often the LR pixel can be halved and still be no smaller than the cube's.

    Args:
        hsi_factor: HR pixels per HSI pixel; None without a cube.
        factor: HR pixels per LR pixel.
        most: At most so often.
    """
    level = 0
    while hsi_factor and level < most and factor >> (level + 1) >= hsi_factor:
        level += 1
    return level


def gaussian_weights(factor: int, mtf: float) -> F64:
    """Return the one-dimensional point spread, sampled on HR pixels, that has the asked MTF.

    The standard deviation is found so that the response of the sampled, normalised kernel at the
    LR Nyquist frequency, 1 / (2 factor) cycles per HR pixel, is `mtf` exactly and not only in the
    continuous limit (sigma = factor sqrt(-2 ln mtf) / pi).

    Raises:
        ValueError: No Gaussian sampled on this grid has so high an MTF.
    """
    continuous = factor * math.sqrt(-2.0 * math.log(mtf)) / math.pi
    low, high = 1e-3, 4.0 * continuous + factor
    if _nyquist_response(_sampled_gaussian(factor, low), factor) < mtf:
        raise ValueError(f"an MTF of {mtf} at factor {factor} needs finer pixels: give a lower one")
    for _ in range(60):
        middle = 0.5 * (low + high)
        if _nyquist_response(_sampled_gaussian(factor, middle), factor) > mtf:
            low = middle
        else:
            high = middle
    return _sampled_gaussian(factor, 0.5 * (low + high))


def _sampled_gaussian(factor: int, sigma: float) -> F64:
    """Sample a normalised Gaussian on pixel centres, seen from the centre of a block."""
    reach = math.ceil(_TAIL_SIGMAS * sigma + 1.0)
    offsets = np.arange(-reach, reach) + 0.5 if factor % 2 == 0 else np.arange(-reach, reach + 1.0)
    exponents = -0.5 * (offsets / sigma) ** 2
    weights = np.exp(exponents - exponents.max())
    normalised: F64 = weights / weights.sum()
    return normalised


def _nyquist_response(weights: F64, factor: int) -> float:
    offsets = np.arange(weights.size) - 0.5 * (weights.size - 1)
    return float(weights @ np.cos(math.pi * offsets / factor))


@lru_cache(maxsize=64)
def _gaussian_matrix(length: int, factor: int, mtf: float) -> F64:
    """Return the LR x HR matrix of point spreads; what falls off the image is left out."""
    weights = gaussian_weights(factor, mtf)
    matrix = np.zeros((length // factor, length))
    for row in range(length // factor):
        first = row * factor + (factor - weights.size) // 2
        inside = slice(max(0, first), min(length, first + weights.size))
        matrix[row, inside] = weights[inside.start - first : inside.stop - first]
    return matrix


def _gaussian(
    values: NDArray[Any], mask: ByteMask, factor: int, mtf: float, min_valid: float
) -> tuple[F32, ByteMask]:
    rows = _gaussian_matrix(values.shape[1], factor, mtf)
    cols = _gaussian_matrix(values.shape[2], factor, mtf).T
    kept = np.where(mask > 0, values, 0).astype(np.float64)
    weight = rows @ mask.astype(np.float64) @ cols
    inside = rows.sum(axis=1)[:, None] * cols.sum(axis=0)[None, :]
    valid = weight >= min_valid * inside
    mean = np.where(valid, (rows @ kept @ cols) / np.maximum(weight, 1e-12), 0.0)
    return mean.astype(np.float32), valid.astype(np.uint8)


def _point(values: NDArray[Any], mask: ByteMask, factor: int) -> tuple[F32, ByteMask]:
    chosen = slice(factor // 2, None, factor)
    valid = mask[chosen, chosen].copy()
    lr = np.where(valid > 0, values[:, chosen, chosen], 0).astype(np.float32)
    return lr, valid


def _checked_mask(values: NDArray[Any], mask: NDArray[Any] | None, factor: int) -> ByteMask:
    height, width = values.shape[-2:]
    if factor < 1 or height % factor or width % factor:
        raise ShapeError(f"an image of {height} x {width} does not divide into blocks of {factor}")
    if mask is None:
        return np.ones((height, width), np.uint8)
    if mask.shape != (height, width):
        raise ShapeError(f"the mask has shape {mask.shape}, the image {(height, width)}")
    checked: ByteMask = (mask != 0).astype(np.uint8)
    return checked
