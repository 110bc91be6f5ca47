"""Radiometry: the mapping between a file's own units and the networks' [-1, 1]; its lower bound."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from specgan_cli.types import F32, F64, Mask, Pixels

if TYPE_CHECKING:
    from specgan_cli.raster.scene import Scene


PERCENTILES = (2.0, 98.0)
"""Robust ends of the values that a sample of a scene holds, in per cent."""

WIDENING = 0.25
"""Share of the distance between those ends that is added on either side."""

FILL_RADIUS = 4
"""Pixels: how far `fill_invalid` looks for valid neighbours."""

FLOOR_REACH = 1
"""LR pixels around a pixel that the lowest value in its block depends on."""

FLOAT32_EXACT = ("uint8", "int8", "uint16", "int16", "float16", "float32")


@dataclass(frozen=True)
class Radiometry:
    """A linear, invertible mapping: `low` is -1 and `high` is 1.

    Values outside the range are not clipped: they map beyond [-1, 1] and come back unchanged.
    """

    dtype: str
    """Name of the file's numpy dtype."""
    low: float
    """File units at -1."""
    high: float
    """File units at 1, above `low`."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise ValueError(
                f"a range of {self.low} to {self.high} cannot be; give finite LOW,HIGH, LOW < HIGH"
            )

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and highest value that the dtype holds; infinite for floats."""
        if np.issubdtype(np.dtype(self.dtype), np.integer):
            info = np.iinfo(self.dtype)
            return float(info.min), float(info.max)
        return -np.inf, np.inf

    def to_unit(self, values: Pixels) -> F32:
        """Map file units to [-1, 1] and, for values outside the range, beyond it.

        Args:
            values: Any shape, file units.

        Returns:
            The same shape, float32, not clipped.
        """
        unit = (values.astype(np.float64) - self.low) * (2.0 / (self.high - self.low)) - 1.0
        return unit.astype(np.float32)

    def from_unit(self, unit: Pixels) -> Pixels:
        """Map [-1, 1] back to file units, neither rounded nor clipped.

        Returns:
            The same shape; float32, or float64 where float32 cannot hold the dtype's values.
        """
        values = (unit.astype(np.float64) + 1.0) * ((self.high - self.low) / 2.0) + self.low
        return values.astype(np.float32 if self.dtype in FLOAT32_EXACT else np.float64)

    def to_dtype(self, values: Pixels) -> Pixels:
        """Turn file units into the file's dtype: round half to even, saturate at its limits."""
        dtype = np.dtype(self.dtype)
        if not np.issubdtype(dtype, np.integer):
            return values.astype(dtype)
        info = np.iinfo(dtype)
        rounded = np.rint(np.nan_to_num(values.astype(np.float64), nan=0.0))
        # 2**63 - 1 and 2**64 - 1 round up as floats, and would wrap when cast
        top = np.nextafter(float(info.max), 0) if int(float(info.max)) > info.max else info.max
        saturated = np.clip(rounded, float(info.min), float(top)).astype(dtype)
        saturated[rounded >= float(info.max)] = info.max
        return saturated

    @classmethod
    def of_range(cls, dtype: str, low: float, high: float) -> "Radiometry":
        """Take a range that the user gives."""
        return cls(str(np.dtype(dtype)), float(low), float(high))

    @classmethod
    def estimate(cls, scene: "Scene") -> "Radiometry":
        """Choose the range of a scene: 0..255 for uint8, else widened robust percentiles.

        The percentiles (2 and 98, of all bands together) are taken once from the scene's
        overview or a fixed lattice of blocks, then widened by a quarter of their distance on
        either side and cut at the dtype's limits, so they do not depend on tiles.
        """
        if scene.dtype == "uint8":
            return cls("uint8", 0.0, 255.0)
        return cls.of_sample(scene.dtype, scene.sample()[:3])

    @classmethod
    def of_sample(cls, dtype: str, sample: Pixels) -> "Radiometry":
        """Choose the range from a sample of valid values.

        Args:
            dtype: Name of the file's type.
            sample: Values of any shape, in file units; those that are not finite do not count.

        Raises:
            ValueError: No value is finite.
        """
        finite = sample[np.isfinite(sample)].astype(np.float64)
        if finite.size == 0:
            raise ValueError("a range cannot be estimated from no valid value; give LOW,HIGH")
        low, high = np.percentile(finite, PERCENTILES)
        if low == high:
            low, high = finite.min(), finite.max()
        span = (high - low) or max(abs(float(high)), 1.0)
        low, high = low - WIDENING * span, high + WIDENING * span
        if finite.min() >= 0:
            low = max(low, 0.0)
        if np.issubdtype(np.dtype(dtype), np.integer):
            info = np.iinfo(dtype)
            low, high = max(np.floor(low), info.min), min(np.ceil(high), info.max)
        return cls(str(np.dtype(dtype)), float(low), float(high))


def fill_invalid(values: Pixels, valid: Mask, constant: float = 0.0) -> Pixels:
    """Give invalid pixels plausible values that come from valid neighbours alone.

    Each invalid pixel within 4 pixels of a valid one gets the mean of the valid pixels in the
    smallest square around it that holds any; those farther away get `constant`.  The result at
    a pixel depends only on pixels within 4 of it: read 4 more on every side, and it does not
    depend on tiles.

    Args:
        values: C x H x W, file units; invalid pixels may hold anything, NaN included.
        valid: H x W.
        constant: File units, for pixels far from any valid one; the middle of the range is good.

    Returns:
        C x H x W of the same dtype; valid pixels are unchanged.
    """
    if valid.all():
        return values
    filled = np.where(valid, values, np.asarray(constant, values.dtype))
    known, todo = valid.astype(np.float64), ~valid
    sums = np.where(valid, values, np.zeros((), values.dtype)).astype(np.float64)
    for radius in range(1, FILL_RADIUS + 1):
        count = _box_sum(known, radius)
        found = todo & (count > 0)
        if not found.any():
            continue
        means = _box_sum(sums, radius)[:, found] / count[found]
        if np.issubdtype(values.dtype, np.integer):
            means = np.rint(means)
        filled[:, found] = means.astype(values.dtype)
        todo = todo & ~found
    return filled


def _box_sum(values: F64, radius: int) -> F64:
    """Sum over squares of 2 radius + 1 pixels on the last two axes, zero outside."""
    for axis in (-2, -1):
        total = values.copy()
        for step in range(1, radius + 1):
            ahead = [slice(None)] * values.ndim
            behind = [slice(None)] * values.ndim
            ahead[axis], behind[axis] = slice(step, None), slice(None, -step)
            total[tuple(behind)] += values[tuple(ahead)]
            total[tuple(ahead)] += values[tuple(behind)]
        values = total
    return values


@dataclass(frozen=True)
class Floor:
    """A value that no output pixel goes below unless the scene does there."""

    values: tuple[float, ...]
    """File units, of each band; minus infinity for no bound."""

    near: bool = False
    """Whether the darkest of the 3 x 3 input pixels around counts, and not the pixel alone."""

    def of_blocks(self, lr_values: Pixels) -> F64:
        """Return the lowest value in the block of each pixel.

        Args:
            lr_values: Bands x (H + 2) x (W + 2) in file units, without missing pixels.

        Returns:
            Bands x H x W in file units, not above the pixels themselves.
        """
        darkest: F64 = lr_values[:, FLOOR_REACH:-FLOOR_REACH, FLOOR_REACH:-FLOOR_REACH].astype(
            np.float64
        )
        if self.near:
            side = 2 * FLOOR_REACH + 1
            darkest = sliding_window_view(lr_values, (side, side), axis=(1, 2)).min(axis=(3, 4))
        bounds: F64 = np.minimum(darkest, np.array(self.values)[:, None, None])
        return bounds


def choose_floor(scene: "Scene", given: float | Literal["none"] | None) -> Floor | None:
    """Return what the user says, else physical zero, else the darkest that the scene shows.

    Physical zero is known where the file has a scale or an offset.  In 8 bits the type's own zero
    is the bound; in other types without a scale a pixel may be as dark as the darkest of a sample
    of the scene, or the darkest of its neighbours.

    Args:
        scene: The open scene.
        given: File units; "none" for no bound.
    """
    if given == "none":
        return None
    if given is not None:
        return Floor((float(given),) * len(scene.scales))
    pairs = list(zip(scene.scales, scene.offsets, strict=True))
    if any(pair != (1.0, 0.0) for pair in pairs):
        zeros = tuple(-offset / scale if scale > 0 else -np.inf for scale, offset in pairs)
        return Floor(zeros)
    if scene.dtype == "uint8":
        return None
    sample = scene.sample()
    return (
        Floor(tuple(float(low) for low in sample.min(axis=1)), near=True) if sample.size else None
    )
