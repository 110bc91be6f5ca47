"""From the network's image to values of the output file: units, exact means, whole numbers."""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from specgan.consistency import keep_above
from specgan.quantise import quantise
from specgan_cli.inference.predictors.further import further_bands
from specgan_cli.inference.predictors.output_type import OutputType
from specgan_cli.inference.reader import MARGIN, FurtherInput, TileInput
from specgan_cli.raster.masks import is_impossible
from specgan_cli.raster.radiometry import Radiometry
from specgan_cli.types import Mask, Pixels

# float32 holds every whole number up to this one, with room for the sum of a 2x2 block.
_FLOAT32_WHOLE = 2**22


def finish_tile(
    finest: Tensor, tile: TileInput, radiometry: Radiometry, output: OutputType
) -> Pixels:
    """Turn one tile into the file's values, with the input as exact block means.

    What an LR pixel has beyond the radiometry's range is added to each of its pixels, so that
    values outside the range are not lost.  Whole numbers have the exact means too
    (`specgan.quantise`).  Further bands take their detail from the result (`further`).

    Args:
        finest: 1 x 3 x sH x sW in [-1, 1].
        tile: What was read for it.
        radiometry: How file units became [-1, 1].
        output: The values that the file can hold.

    Returns:
        (3 + further bands) x sH x sW in the output's type.
    """
    floor = tile.lr_floor
    coarse = _coarse(tile.lr_values, None if floor is None else floor[:3], finest.device, output)
    excess = coarse.lr - coarse.lr.clamp(radiometry.low, radiometry.high)
    work = coarse.work(radiometry, output)
    fine = _settle(_to_file(finest.to(work), excess.to(work), radiometry), coarse, output)
    rgb = _round(fine, coarse, tile.lr_valid, output)
    if tile.further is None:
        return rgb
    further = _further(fine, tile, tile.further, radiometry, output)
    return np.concatenate([rgb, further])


@dataclass(frozen=True)
class _Coarse:
    """Bands on the LR grid."""

    lr: Tensor
    """1 x C x H x W float64 in file units."""

    floor: Tensor | None
    """The lowest value in each pixel's block, of the same shape."""

    def work(self, radiometry: Radiometry, output: OutputType) -> torch.dtype:
        """Return float32 where it holds all whole numbers that can come up, else float64."""
        largest = max(float(self.lr.abs().max()), abs(radiometry.low), abs(radiometry.high))
        return torch.float32 if output.integer and largest < _FLOAT32_WHOLE else torch.float64


def _coarse(
    lr_values: Pixels, lr_floor: Pixels | None, device: torch.device, output: OutputType
) -> _Coarse:
    lr, floor = (
        None if values is None else torch.from_numpy(values.astype(np.float64)).to(device)[None]
        for values in (lr_values, lr_floor)
    )
    assert lr is not None
    if output.integer:
        lr, floor = lr.round(), None if floor is None else floor.ceil()
    return _Coarse(lr, floor)


def _settle(values: Tensor, coarse: _Coarse, output: OutputType) -> Tensor:
    """Return values in file units with exact block means, none below the floor."""
    lr, floor = coarse.lr.to(values), None if coarse.floor is None else coarse.floor.to(values)
    factor = values.shape[-1] // lr.shape[-1]
    if not output.integer:
        values = values + _repeat(lr - F.avg_pool2d(values, factor), factor)
    if floor is None:
        return values
    values = keep_above(values, lr, floor)
    return values if output.integer else torch.maximum(values, _repeat(floor, factor))


def _round(values: Tensor, coarse: _Coarse, lr_valid: Mask, output: OutputType) -> Pixels:
    if not output.integer:
        return values[0].cpu().numpy().astype(output.dtype)
    valid = torch.from_numpy(lr_valid).to(values.device)
    floor = None if coarse.floor is None else coarse.floor.to(values)
    whole = _whole_numbers(values, coarse.lr.to(values), valid, output, floor)[0]
    if output.dtype == "uint8":
        return whole.to(torch.uint8).cpu().numpy()
    return whole.cpu().numpy().astype(output.dtype)


def _further(
    fine_rgb: Tensor,
    tile: TileInput,
    further: FurtherInput,
    radiometry: Radiometry,
    output: OutputType,
) -> Pixels:
    """Return the further bands of a tile, band by band as red, green and blue are."""
    device, inner = fine_rgb.device, slice(MARGIN, -MARGIN)
    floor = None if tile.lr_floor is None else tile.lr_floor[3:]
    lr = torch.from_numpy(further.lr_values.astype(np.float64)).to(device)
    half = (radiometry.high - radiometry.low) / 2
    fine = further_bands(
        (fine_rgb[0] - radiometry.low) / half - 1,
        (lr - radiometry.low) / half - 1,
        torch.from_numpy(further.lr_valid.astype(np.float64)).to(device),
        noise=(1 / half) ** 2 / 12 if output.integer else 1e-12,
    )
    # Red, green and blue keep clear of a value that means nodata where every band has it.
    marked = output.nodata is not None and is_impossible(output.nodata)
    own = output if marked else replace(output, nodata=None)
    bands = []
    for i in range(len(fine)):
        values = ((fine[i] + 1) * half + radiometry.low)[None, None]
        lr_floor = None if floor is None else floor[i : i + 1]
        coarse = _coarse(further.lr_values[3 + i : 4 + i, inner, inner], lr_floor, device, own)
        work = coarse.work(radiometry, own)
        bands.append(_round(_settle(values.to(work), coarse, own), coarse, tile.lr_valid, own))
    return np.concatenate(bands)


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


def _to_file(unit: Tensor, excess: Tensor, radiometry: Radiometry) -> Tensor:
    half = (radiometry.high - radiometry.low) / 2
    values = (unit + 1).mul_(half).add_(radiometry.low)
    if not bool(excess.any()):
        return values
    return values.add_(_repeat(excess, unit.shape[-1] // excess.shape[-1]))


def _repeat(coarse: Tensor, factor: int) -> Tensor:
    return F.interpolate(coarse, scale_factor=factor, mode="nearest")
