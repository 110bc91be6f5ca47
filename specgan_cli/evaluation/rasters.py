"""Compare an output raster with a reference, tile by tile, on the ground that they share."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from specgan_cli.errors import MismatchError
from specgan_cli.evaluation.baselines import BASELINES, interpolate
from specgan_cli.evaluation.comparison import Comparison
from specgan_cli.evaluation.image_pair import ALIGNMENT, HALO, OUTPUT, Tile
from specgan_cli.evaluation.perceptual.judges import NO_JUDGES, Judges
from specgan_cli.evaluation.runner import Evaluation, Subject, add
from specgan_cli.measures import block_means
from specgan_cli.raster.grid import Window, plan_tiles
from specgan_cli.raster.radiometry import fill_invalid
from specgan_cli.types import F64, Mask, Progress

BLOCK = 512
"""HR pixels of a tile's side, and of the blocks that spectra and perceptual models see."""

MARGIN = 3
"""LR pixels of context that interpolations get."""


def compare(
    pair: Comparison,
    names: tuple[str, ...],
    *,
    judges: Judges = NO_JUDGES,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure the output and the baselines over all tiles.

    Spectra, opensr-test's measures and perceptual distances look at blocks of 512 HR pixels; all
    other figures are those of the whole image.

    Args:
        pair: From `prepare`.
        names: Metrics.
        judges: For the perceptual metrics.
        progress: Called with tiles done and in all.

    Raises:
        MismatchError: No pixel is valid in both rasters.
    """
    methods = (OUTPUT, *(BASELINES if pair.scale > 1 else ()))
    result = Evaluation(pair.units, names, methods, whole=True)
    windows = plan_tiles(pair.window.shape_yx, tile_side(pair.scale))
    for done, window in enumerate(windows):
        for method, tile in tiles_of(pair, window):
            if not tile.core_valid.any():
                continue
            if method == OUTPUT:
                seen = judges.reference(tile)
            subject = Subject(f"{window.row}_{window.col}", "raster", "raster")
            add(result, subject, method, tile, judges, seen)
        if progress is not None:
            progress(done + 1, len(windows))
    if not result.rows:
        raise MismatchError(
            f"{pair.sr.name} and {pair.reference.name}: no pixel is valid in both; "
            "look at their nodata values and masks"
        )
    return result


def block_window(pair: Comparison, name: str) -> Window:
    """Return the window of a block by the name that its rows carry."""
    row, col = (int(part) for part in name.split("_"))
    side = tile_side(pair.scale)
    window = Window(row, col, side, side).intersection(Window(0, 0, *pair.window.shape_yx))
    assert window is not None
    return window


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
    reference, valid = pair.reference.read(outer)
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
    tile = Tile(np.where(valid, sr, 0.0), reference, valid, place, origin, gsd, scale, lr, lr_valid)
    yield OUTPUT, tile
    if scale > 1:
        for name, image in images.items():
            yield name, replace(tile, hr_sr=np.where(valid, image, 0.0))


def _below(pair: Comparison, window: Window) -> Window:
    """Return the LR pixels below a window that is made of whole ones."""
    row, col = window.row - pair.lr_offset_yx[0], window.col - pair.lr_offset_yx[1]
    s = pair.scale
    return Window(row // s, col // s, -(-window.height // s), -(-window.width // s))


def _read_lr(pair: Comparison, window: Window) -> tuple[F64, Mask]:
    """Read LR pixels in the reference's units: of the input, or means of the reference."""
    if pair.lr is not None:
        values, valid = pair.lr.read(window)
        low, high = pair.sr_range
        values = (values - low) / (high - low) * pair.units.data_range + pair.units.low
        return np.where(valid, values, 0.0), valid
    fine = window.scaled(pair.scale).shifted(*pair.lr_offset_yx)
    return block_means(*pair.reference.read(fine), pair.scale)


def _baselines(pair: Comparison, outer: Window) -> dict[str, F64]:
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
