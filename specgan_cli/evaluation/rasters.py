"""Compare an output raster with a reference, tile by tile, on the ground that they share."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from specgan_cli.errors import MismatchError
from specgan_cli.evaluation.baselines import BASELINES, interpolate
from specgan_cli.evaluation.consistency import block_means
from specgan_cli.evaluation.perception import Judge
from specgan_cli.evaluation.runner import Evaluation, Subject, add, look_at_truth
from specgan_cli.evaluation.sources import (
    Source,
    factor_between,
    onto,
    open_source,
    tag,
    whole_offset,
)
from specgan_cli.evaluation.suite import Units
from specgan_cli.evaluation.tiles import ALIGNMENT, HALO, Array, Mask, Tile
from specgan_cli.raster.grid import Window
from specgan_cli.raster.radiometry import Radiometry, fill_invalid
from specgan_cli.raster.tiles import plan_tiles

BLOCK = 512
"""HR pixels of a tile's side, and of the blocks that spectra and trunks look at."""

MARGIN = 3
"""LR pixels of context that interpolations get."""

Range = tuple[float, float]


@dataclass
class Comparison:
    """Rasters that were found to fit, and how."""

    sr: Source
    """Output, read on the reference's grid."""
    reference: Source
    """Reference."""
    lr: Source | None
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
) -> Comparison:
    """Open the rasters, check that they fit, and find the ground that they share.

    Args:
        sr_path: Output.
        reference_path: What it should look like.
        lr_path: Input of the output; without one, baselines start from the reference's block means.
        scale: Factor; found from the input's grid or the output's tags when None.
        value_range: Black and white of the reference, file units; 0..255 for uint8, else estimated.
        sr_range: The same of the output, where its units differ.

    Raises:
        RasterError: A raster cannot be read.
        MismatchError: They share no ground or no valid pixel, or have other bands.
    """
    reference, output = open_source(reference_path), open_source(sr_path)
    lr = open_source(lr_path) if lr_path else None
    notes: list[str] = []
    if len(output.bands) != len(reference.bands):
        raise MismatchError(
            f"{sr_path} has {len(output.bands)} bands and {reference_path} "
            f"{len(reference.bands)}: give rasters with the same bands"
        )
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


def _shared(reference: Source, output: Source, lr: Source | None) -> Window:
    window = reference.grid.full_window
    for other in (output, lr):
        if other is None:
            continue
        try:
            common = reference.grid.intersection(other.grid)
        except ValueError as error:
            raise MismatchError(f"{other.path} and {reference.path}: {error}") from error
        both = common.intersection(window) if common is not None else None
        if both is None:
            raise MismatchError(
                f"{other.path} and {reference.path} share no ground; give rasters of the same place"
            )
        window = both
    return window


def _scale(
    scale: int | None, reference: Source, output: Source, lr: Source | None, notes: list[str]
) -> int:
    found = factor_between(reference.grid, lr.grid) if lr is not None else None
    if found is not None and scale is not None and found != scale:
        raise MismatchError(
            f"-x {scale} was given, but the input's pixels are {found} times the reference's"
        )
    if found is not None or scale is not None:
        return found or scale or 1
    written = tag(output, "SPECGAN_SCALE")
    if written is not None and written.isdigit() and int(written) > 1:
        return int(written)
    notes.append(
        "No factor is known (give --lr or -x): no baselines, and no figure that needs the LR grid"
    )
    return 1


def _lr_grid(
    reference: Source, lr: Source | None, scale: int, window: Window, notes: list[str]
) -> tuple[Source | None, tuple[int, int]]:
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


def _range_of(source: Source, window: Window, given: Range | None, notes: list[str]) -> Range:
    if given is not None:
        return given
    if source.dtype == "uint8":
        return 0.0, 255.0
    step = max(window.height, window.width) // 1024 + 1
    part = Window(window.row, window.col, window.height // step or 1, window.width // step or 1)
    values, valid = source.read(part)
    try:
        radiometry = Radiometry.of_sample(source.dtype, values[:, valid])
    except ValueError:
        return 0.0, 1.0
    notes.append(
        f"The reference is {source.dtype}; black and white were taken as {radiometry.low:g} and "
        f"{radiometry.high:g} (give --range to change that)"
    )
    return radiometry.low, radiometry.high


def _sr_range(output: Source, reference: Source, units: Range, notes: list[str]) -> Range:
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


def compare(
    pair: Comparison,
    names: tuple[str, ...],
    *,
    judge: Judge | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure the output and the baselines over all tiles.

    Spectra, opensr-test's measures and perceptual distances look at blocks of 512 HR pixels; all
    other figures are those of the whole image.

    Args:
        pair: From `prepare`.
        names: Metrics.
        judge: Trunk for perceptual metrics, or None.
        progress: Called with tiles done and in all.

    Raises:
        MismatchError: No pixel is valid in both rasters.
    """
    methods = ("output", *(BASELINES if pair.scale > 1 else ()))
    result = Evaluation(pair.units, names, methods, whole=True)
    windows = plan_tiles(pair.window.shape_yx, tile_side(pair.scale))
    for done, window in enumerate(windows):
        for method, tile in tiles_of(pair, window):
            if not tile.core_valid.any():
                continue
            if method == "output":
                seen = look_at_truth(tile, judge)
            subject = Subject(f"{window.row}_{window.col}", "raster", "raster")
            add(result, subject, method, tile, judge, seen)
        if progress is not None:
            progress(done + 1, len(windows))
    if not result.rows:
        raise MismatchError(
            f"{pair.sr.path} and {pair.reference.path}: no pixel is valid in both; "
            "look at their nodata values and masks"
        )
    return result


def tile_side(scale: int) -> int:
    """Return the side of tile cores: about 512, and a multiple of the factor and of 16."""
    step = math.lcm(scale, ALIGNMENT)
    return max(BLOCK // step, 1) * step


def tiles_of(pair: Comparison, window: Window) -> Iterator[tuple[str, Tile]]:
    """Yield the output's tile and those of the baselines, all on the same valid pixels.

    Args:
        pair: From `prepare`.
        window: Core of the tile, counted from the shared window's corner.
    """
    core = window.shifted(pair.window.row, pair.window.col)
    outer = core.padded(HALO).intersection(pair.window)
    assert outer is not None
    truth, valid = pair.reference.read(outer)
    sr, sr_valid = pair.sr.read(outer)
    valid &= sr_valid
    scale, lr, lr_valid = pair.scale, None, None
    if scale > 1:
        below = _below(pair, core)
        lr, lr_valid = _read_lr(pair, below)
        images = _baselines(pair, outer)
    place = core.shifted(-outer.row, -outer.col).slices
    origin = (outer.row - pair.window.row, outer.col - pair.window.col)
    (low, high), units = pair.sr_range, pair.units
    sr = (sr - low) / (high - low) * units.data_range + units.low
    gsd = pair.reference.grid.gsd
    tile = Tile(np.where(valid, sr, 0.0), truth, valid, place, origin, gsd, scale, lr, lr_valid)
    yield "output", tile
    if scale > 1:
        for name, image in images.items():
            yield name, replace(tile, hr_sr=np.where(valid, image, 0.0))


def _below(pair: Comparison, window: Window) -> Window:
    """Return the LR pixels below a window that is made of whole ones."""
    row, col = window.row - pair.lr_offset_yx[0], window.col - pair.lr_offset_yx[1]
    s = pair.scale
    return Window(row // s, col // s, -(-window.height // s), -(-window.width // s))


def _read_lr(pair: Comparison, window: Window) -> tuple[Array, Mask]:
    """Read LR pixels in the reference's units: of the input, or means of the reference."""
    if pair.lr is not None:
        values, valid = pair.lr.read(window)
        low, high = pair.sr_range
        values = (values - low) / (high - low) * pair.units.data_range + pair.units.low
        return np.where(valid, values, 0.0), valid
    fine = window.scaled(pair.scale).shifted(*pair.lr_offset_yx)
    return block_means(*pair.reference.read(fine), pair.scale)


def _baselines(pair: Comparison, outer: Window) -> dict[str, Array]:
    """Interpolate the LR pixels around a window of the reference's grid."""
    s, (top, left) = pair.scale, pair.lr_offset_yx
    first = ((outer.row - top) // s - MARGIN, (outer.col - left) // s - MARGIN)
    last = (
        -(-(outer.row + outer.height - top) // s) + MARGIN,
        -(-(outer.col + outer.width - left) // s) + MARGIN,
    )
    window = Window(*first, last[0] - first[0], last[1] - first[1])
    limits = pair.lr.grid.full_window if pair.lr is not None else _below(pair, pair.window)
    inside = window.intersection(limits)
    assert inside is not None
    values, valid = _read_lr(pair, inside)
    filled = fill_invalid(values, valid, (pair.units.low + pair.units.high) / 2)
    row, col = outer.row - top - inside.row * s, outer.col - left - inside.col * s
    cut = (slice(row, row + outer.height), slice(col, col + outer.width))
    return {name: interpolate(filled, s, name)[:, *cut] for name in BASELINES}
