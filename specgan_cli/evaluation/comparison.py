"""Whether an output, a reference and an input fit together, and on what ground."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from specgan_cli.errors import MismatchError
from specgan_cli.evaluation.image_pair import Units
from specgan_cli.evaluation.sources import (
    GriddedRaster,
    factor_between,
    onto,
    open_source,
    tag,
    whole_offset,
)
from specgan_cli.raster.bands import BandSpec
from specgan_cli.raster.grid import Window
from specgan_cli.raster.radiometry import Radiometry

Range = tuple[float, float]


@dataclass
class Comparison:
    """Rasters that were found to fit, and how."""

    sr: GriddedRaster
    """Output, read on the reference's grid."""
    reference: GriddedRaster
    """Reference."""
    lr: GriddedRaster | None
    """Input; None when none was given."""
    scale: int
    """Reference pixels along an LR pixel; 1 when there is no LR grid."""
    lr_offset_yx: tuple[int, int]
    """Row and column of the LR grid's corner on the reference's grid."""
    window: Window
    """What all share, on the reference's grid, in whole LR pixels."""
    units: Units
    """Units of the reference."""
    sr_range: Range
    """Values of the output that stand for the reference's black and white."""
    notes: list[str]
    """What was assumed, in words."""

    def close(self) -> None:
        """Close the rasters."""
        for source in (self.sr, self.reference, self.lr):
            if source is not None:
                source.close()


def prepare(
    sr_path: str,
    reference_path: str,
    lr_path: str | None = None,
    *,
    scale: int | None = None,
    value_range: Range | None = None,
    sr_range: Range | None = None,
    bands: Mapping[str, BandSpec] | None = None,
    src_nodata: Mapping[str, float | str] | None = None,
) -> Comparison:
    """Open the rasters, check that they fit, and find the ground that they share.

    Args:
        sr_path: Output.
        reference_path: What it should look like.
        lr_path: Input of the output; without one, baselines start from the reference's block means.
        scale: Factor; found from the input's grid or the output's tags when None.
        value_range: Black and white of the reference, file units; 0..255 for uint8, else estimated.
        sr_range: The same of the output, where its units differ.
        bands: Red, green and blue of "sr", "reference" and "lr", where their files do not tell.
        src_nodata: Value of missing pixels of the same, instead of the files'.

    Raises:
        RasterError: A raster cannot be read.
        MismatchError: They share no ground or no valid pixel, or have other bands.
    """
    bands, src_nodata = bands or {}, src_nodata or {}
    paths = {"reference": reference_path, "sr": sr_path} | ({"lr": lr_path} if lr_path else {})
    opened = {
        name: open_source(path, bands.get(name), src_nodata.get(name))
        for name, path in paths.items()
    }
    reference, output, lr = opened["reference"], opened["sr"], opened.get("lr")
    _check_bands(reference, output, lr)
    notes: list[str] = []
    window = _shared(reference, output, lr)
    output = onto(output, reference.grid)
    if output.warped:
        notes.append("The output lies on another grid and was warped bilinearly onto the reference")
    scale = _scale(scale, reference, output, lr, notes)
    lr, offset = _lr_grid(reference, lr, scale, window, notes)
    window = _snap(window, offset, scale)
    low, high = _range_of(reference, window, value_range, notes)
    if sr_range is None:
        sr_range = _sr_range(output, reference, (low, high), notes)
    units = Units(low, high, scale)
    return Comparison(output, reference, lr, scale, offset, window, units, sr_range, notes)


def _check_bands(reference: GriddedRaster, *others: GriddedRaster | None) -> None:
    for other in others:
        if other is not None and len(other.bands) != len(reference.bands):
            raise MismatchError(
                f"{other.name} and {reference.name} have {len(other.bands)} and "
                f"{len(reference.bands)} bands: give rasters with the same bands"
            )


def _shared(reference: GriddedRaster, output: GriddedRaster, lr: GriddedRaster | None) -> Window:
    window = reference.grid.full_window
    for other in (output, lr):
        if other is None:
            continue
        try:
            common = reference.grid.intersection(other.grid)
        except (ValueError, MismatchError) as error:
            raise MismatchError(f"{other.name} and {reference.name}: {error}") from error
        both = common.intersection(window) if common is not None else None
        if both is None:
            raise MismatchError(
                f"{other.name} and {reference.name} share no ground; give rasters of the same place"
            )
        window = both
    return window


def _scale(
    scale: int | None,
    reference: GriddedRaster,
    output: GriddedRaster,
    lr: GriddedRaster | None,
    notes: list[str],
) -> int:
    found = factor_between(reference.grid, lr.grid) if lr is not None else None
    if found is not None and scale is not None and found != scale:
        raise MismatchError(
            f"-x {scale} was given, but the input's pixels are {found} times the reference's"
        )
    if found is not None or scale is not None:
        return found or scale or 1
    written = tag(output, "SPECGAN_SCALE")
    if written is not None and written.isdecimal() and int(written) > 1:
        return int(written)
    notes.append(
        "No factor is known (give --lr or -x): no baselines, and no figure that needs the LR grid"
    )
    return 1


def _lr_grid(
    reference: GriddedRaster, lr: GriddedRaster | None, scale: int, window: Window, notes: list[str]
) -> tuple[GriddedRaster | None, tuple[int, int]]:
    corner = (window.row, window.col)
    if lr is not None:
        offset = whole_offset(reference.grid, lr.grid, scale) if scale > 1 else None
        if offset is not None:
            return lr, offset
        lr.close()
        notes.append("The input's pixels do not lie on the reference's grid: it was not used")
    if scale > 1:
        notes.append("Baselines start from the reference's own block means")
    return None, corner


def _snap(window: Window, offset: tuple[int, int], scale: int) -> Window:
    """Cut a window to whole LR pixels."""
    spans = []
    for start, size, origin in (
        (window.row, window.height, offset[0]),
        (window.col, window.width, offset[1]),
    ):
        first = origin + -(-(start - origin) // scale) * scale
        last = origin + (start + size - origin) // scale * scale
        spans.append((first, last - first))
    (row, height), (col, width) = spans
    if height <= 0 or width <= 0:
        raise MismatchError("the rasters share less than one LR pixel; give a larger overlap")
    return Window(row, col, height, width)


def _range_of(
    source: GriddedRaster, window: Window, given: Range | None, notes: list[str]
) -> Range:
    if given is not None:
        return given
    if source.dtype == "uint8":
        return 0.0, 255.0
    try:
        radiometry = Radiometry.of_sample(source.dtype, source.sample(window))
    except ValueError:
        return 0.0, 1.0
    notes.append(
        f"The reference is {source.dtype}; black and white were taken as {radiometry.low:g} and "
        f"{radiometry.high:g} (give --range to change that)"
    )
    return radiometry.low, radiometry.high


def _sr_range(
    output: GriddedRaster, reference: GriddedRaster, units: Range, notes: list[str]
) -> Range:
    if output.dtype == reference.dtype:
        return units
    limits = []
    for source in (output, reference):
        whole = np.issubdtype(np.dtype(source.dtype), np.integer)
        limits.append((0.0, float(np.iinfo(source.dtype).max)) if whole else (0.0, 1.0))
    (_, top), (_, reference_top) = limits
    notes.append(
        f"The output is {output.dtype} and the reference {reference.dtype}: {top:g} in the output "
        f"was taken for {reference_top:g} (give --sr-range and --range to change that)"
    )
    factor = top / reference_top
    return units[0] * factor, units[1] * factor
