"""From the network's octaves to values of the output file: units, exact means, whole numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from specgan import consistency
from specgan_cli.raster.radiometry import Radiometry

# float32 holds every whole number up to this one, with room for the sum of a 2x2 block.
_FLOAT32_WHOLE = 2**22


@dataclass(frozen=True)
class OutputType:
    """The values that an output file can hold."""

    dtype: str
    """A numpy type name; the input's."""

    nodata: float | None
    """The value that means no data in the file; None where a mask says it, or nothing."""

    @property
    def integer(self) -> bool:
        """True where the file holds whole numbers."""
        return np.dtype(self.dtype).kind in "iu"

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and highest valid value: those of the type, but for a nodata at its end."""
        info = np.iinfo(self.dtype)
        low, high = float(info.min), float(info.max)
        return (low + (self.nodata == low), high - (self.nodata == high))


def settle(
    octaves: list[Tensor], lr_values: NDArray[Any], radiometry: Radiometry, output: OutputType
) -> NDArray[Any]:
    """Turn the octaves of one tile into the file's values, with the input as exact block means.

    What an LR pixel has beyond the radiometry's range is added to each of its pixels, so that
    values outside the range are not lost.  Whole numbers are shared out so that every octave is the
    exact 2x2 mean of the next (`specgan.consistency.quantise`).

    Args:
        octaves: 1 x 3 x 2^k H x 2^k W in [-1, 1], k = 1, 2, ...; the last is the result.
        lr_values: 3 x H x W in file units, invalid pixels filled.
        radiometry: How file units became [-1, 1].
        output: The values that the file can hold.

    Returns:
        3 x sH x sW in the output's type; no valid value equals the output's nodata.
    """
    device = octaves[-1].device
    exact = output.integer and _magnitude(lr_values, radiometry) > _FLOAT32_WHOLE
    work = torch.float64 if exact and device.type != "mps" else torch.float32
    lr = torch.from_numpy(lr_values.astype(np.float64)).to(device)[None]
    excess = lr - lr.clamp(radiometry.low, radiometry.high)
    if not output.integer:
        return _settle_floats(octaves[-1], lr, excess, radiometry, output)
    low, high = output.limits
    levels = [_to_file(octave.to(work), excess.to(work), radiometry) for octave in octaves]
    whole = lr.round().clamp(low, high).to(work)
    finest = consistency.quantise(levels, whole, low, high)[-1]
    return _avoid(_to_numpy(finest[0], output.dtype), output)


def _settle_floats(
    finest: Tensor, lr: Tensor, excess: Tensor, radiometry: Radiometry, output: OutputType
) -> NDArray[Any]:
    """Scale to file units, and take the rounding error of each block's mean away."""
    values = _to_file(finest.to(excess.dtype), excess, radiometry)
    factor = values.shape[-1] // lr.shape[-1]
    values += _repeat(lr - F.avg_pool2d(values, factor), factor)
    return _avoid(_to_numpy(values[0], output.dtype), output)


def _to_file(unit: Tensor, excess: Tensor, radiometry: Radiometry) -> Tensor:
    half = (radiometry.high - radiometry.low) / 2
    factor = unit.shape[-1] // excess.shape[-1]
    values = (unit + 1).mul_(half).add_(radiometry.low)
    return values.add_(_repeat(excess, factor)) if bool(excess.any()) else values


def _repeat(coarse: Tensor, factor: int) -> Tensor:
    return F.interpolate(coarse, scale_factor=factor, mode="nearest")


def _magnitude(lr_values: NDArray[Any], radiometry: Radiometry) -> float:
    return max(
        abs(float(lr_values.min())),
        abs(float(lr_values.max())),
        abs(radiometry.low),
        abs(radiometry.high),
    )


def _to_numpy(values: Tensor, dtype: str) -> NDArray[Any]:
    if dtype == "uint8":
        return values.to(torch.uint8).cpu().numpy()
    return values.cpu().numpy().astype(dtype)


def _avoid(values: NDArray[Any], output: OutputType) -> NDArray[Any]:
    """Move values that would read as nodata by the smallest step; limits cover the usual cases."""
    nodata = output.nodata
    if nodata is None or np.isnan(nodata) or (output.integer and nodata not in _inside(output)):
        return values
    hit = values == np.asarray(nodata).astype(output.dtype)
    if hit.any():
        if output.integer:
            values[hit] += 1
        else:
            values[hit] = np.nextafter(values[hit], np.asarray(np.inf, output.dtype))
    return values


def _inside(output: OutputType) -> "range":
    low, high = output.limits
    return range(int(low), int(high) + 1)
