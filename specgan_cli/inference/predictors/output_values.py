"""From the network's image to values of the output file: units, exact means, whole numbers."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from specgan.consistency import keep_above
from specgan.quantise import quantise
from specgan_cli.inference.predictors.output_type import OutputType
from specgan_cli.raster.radiometry import Radiometry
from specgan_cli.types import Mask, Pixels

# float32 holds every whole number up to this one, with room for the sum of a 2x2 block.
_FLOAT32_WHOLE = 2**22


def quantise_tile(
    finest: Tensor,
    lr_values: Pixels,
    lr_valid: Mask,
    radiometry: Radiometry,
    output: OutputType,
    lr_floor: Pixels | None = None,
) -> Pixels:
    """Turn one tile into the file's values, with the input as exact block means.

    What an LR pixel has beyond the radiometry's range is added to each of its pixels, so that
    values outside the range are not lost.  Whole numbers have the exact means too
    (`specgan.quantise`).

    Args:
        finest: 1 x 3 x sH x sW in [-1, 1].
        lr_values: 3 x H x W in file units, invalid pixels filled.
        lr_valid: H x W.
        radiometry: How file units became [-1, 1].
        output: The values that the file can hold.
        lr_floor: 3 x H x W in file units, not above `lr_values`: the lowest value in each pixel's
            block (`specgan_cli.raster.floor`); None for no bound.

    Returns:
        3 x sH x sW in the output's type.
    """
    device = finest.device
    lr, floor = (
        None if values is None else torch.from_numpy(values.astype(np.float64)).to(device)[None]
        for values in (lr_values, lr_floor)
    )
    assert lr is not None
    excess = lr - lr.clamp(radiometry.low, radiometry.high)
    if not output.integer:
        return _quantise_floats(finest, lr, excess, radiometry, floor).astype(output.dtype)
    work = _working_type(lr, radiometry)
    lr, excess = lr.round().to(work), excess.to(work)
    floor = None if floor is None else floor.ceil().to(work)
    values = _to_file(finest.to(work), excess, radiometry)
    if floor is not None:
        values = keep_above(values, lr, floor)
    valid = torch.from_numpy(lr_valid).to(device)
    whole = _whole_numbers(values, lr, valid, output, floor)[0]
    if output.dtype == "uint8":
        return whole.to(torch.uint8).cpu().numpy()
    return whole.cpu().numpy().astype(output.dtype)


def _whole_numbers(
    values: Tensor, lr: Tensor, valid: Tensor, output: OutputType, floor: Tensor | None
) -> Tensor:
    """Share whole numbers out; no valid pixel takes a nodata value at the type's end in all bands.

    A valid LR pixel that itself holds the value in some bands keeps it there, and stays clear of it
    in the band that is farthest from it.
    """
    low, high = output.limits
    ends = (low + (output.nodata == low), high - (output.nodata == high))
    clear = _quantise(values, lr.clamp(*ends), ends, floor)
    holds = (lr == output.nodata) & valid if output.nodata is not None else valid.new_zeros(())
    if ends == (low, high) or not bool(holds.any()):
        return clear
    free = _quantise(values, lr.clamp(low, high), (low, high), floor)
    assert output.nodata is not None
    farthest = (lr - output.nodata).abs().argmax(dim=1, keepdim=True)
    chosen = torch.zeros_like(lr, dtype=torch.bool).scatter_(1, farthest, True)
    keep_clear = chosen | ~holds.any(dim=1, keepdim=True)
    factor = clear.shape[-1] // lr.shape[-1]
    return torch.where(_repeat(keep_clear.to(lr.dtype), factor) > 0, clear, free)


def _quantise(
    values: Tensor, lr: Tensor, ends: tuple[float, float], floor: Tensor | None
) -> Tensor:
    low, high = ends
    if floor is None:
        return quantise(values, lr, low, high)
    return quantise(values, lr, torch.minimum(floor, lr).clamp_min(low), high)


def _quantise_floats(
    finest: Tensor, lr: Tensor, excess: Tensor, radiometry: Radiometry, floor: Tensor | None
) -> Pixels:
    """Scale to file units in float64, and take the rounding error of each block's mean away."""
    values = _to_file(finest.to(excess.dtype), excess, radiometry)
    factor = values.shape[-1] // lr.shape[-1]
    values += _repeat(lr - F.avg_pool2d(values, factor), factor)
    if floor is not None:
        values = torch.maximum(keep_above(values, lr, floor), _repeat(floor, factor))
    return values[0].cpu().numpy()


def _to_file(unit: Tensor, excess: Tensor, radiometry: Radiometry) -> Tensor:
    half = (radiometry.high - radiometry.low) / 2
    values = (unit + 1).mul_(half).add_(radiometry.low)
    if not bool(excess.any()):
        return values
    return values.add_(_repeat(excess, unit.shape[-1] // excess.shape[-1]))


def _repeat(coarse: Tensor, factor: int) -> Tensor:
    return F.interpolate(coarse, scale_factor=factor, mode="nearest")


def _working_type(lr: Tensor, radiometry: Radiometry) -> torch.dtype:
    """Return float32 where it holds all whole numbers that can come up, else float64."""
    largest = max(float(lr.abs().max()), abs(radiometry.low), abs(radiometry.high))
    return torch.float32 if largest < _FLOAT32_WHOLE else torch.float64
