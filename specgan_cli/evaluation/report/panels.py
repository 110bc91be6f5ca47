"""The best, median and worst chips as pictures side by side."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from specgan_cli.evaluation.chips import EvalChip
from specgan_cli.evaluation.image_pair import OUTPUT, Tile
from specgan_cli.evaluation.methods import Method, Network, can_run
from specgan_cli.evaluation.metrics.catalogue import METRICS
from specgan_cli.evaluation.report.colours import heat, picture
from specgan_cli.evaluation.runner import Evaluation, Row
from specgan_cli.png import data_uri
from specgan_cli.types import F64

SEEDS = (1, 2, 3, 4)
"""Seeds whose spread is shown as uncertainty."""


@dataclass(frozen=True)
class Panel:
    """One picture."""

    title: str
    """What it shows."""
    uri: str
    """PNG as a `data:` URI."""
    note: str = ""
    """Figures or the scale of its colours."""


@dataclass(frozen=True)
class Strip:
    """The pictures of one chip."""

    chip: str
    """Name of the chip."""
    rank: str
    """best, median or worst, and by which metric."""
    panels: tuple[Panel, ...]
    """LR, interpolation, outputs, reference, errors and uncertainty."""


def choose(
    evaluation: Evaluation, method: str, metric: str, each: int = 2
) -> list[tuple[Row, str]]:
    """Return the best, median and worst chips of a method by a metric, without repetition.

    Args:
        evaluation: All figures.
        method: Name of the method.
        metric: Name of the metric, which says what is better.
        each: Chips of each rank, at most.

    Returns:
        Rows, each with its rank: best, median or worst.
    """
    rows = [row for row in evaluation.of(method) if not math.isnan(row.values[metric])]
    sign = -1 if METRICS[metric].better == "higher" else 1
    rows.sort(key=lambda row: (sign * row.values[metric], row.chip))
    middle = max((len(rows) - each) // 2, 0)
    places = [("best", range(each)), ("median", range(middle, middle + each))]
    places.append(("worst", range(len(rows) - each, len(rows))))
    chosen: dict[str, tuple[Row, str]] = {}
    for rank, indices in places:
        for index in indices:
            if 0 <= index < len(rows):
                chosen.setdefault(rows[index].chip, (rows[index], rank))
    return list(chosen.values())


def draw(
    chosen: Sequence[tuple[Row, str]],
    read: Callable[[str], EvalChip],
    methods: Sequence[Method],
    evaluation: Evaluation,
    metric: str,
) -> list[Strip]:
    """Run the methods again on the chosen chips and draw them.

    Args:
        chosen: Rows and their ranks, from `choose`.
        read: Reads a chip by its name.
        methods: What is shown, in order.
        evaluation: Figures for the captions.
        metric: The one that ranked them.
    """
    figures = {(row.chip, row.method): row.values for row in evaluation.rows}
    title = METRICS[metric].title
    strips = []
    for row, rank in chosen:
        chip = read(row.chip)
        panels = _panels(chip, methods, figures)
        strips.append(Strip(row.chip, f"{rank} by {title}", tuple(panels)))
    return strips


def _panels(
    chip: EvalChip, methods: Sequence[Method], figures: dict[tuple[str, str], dict[str, float]]
) -> list[Panel]:
    low, high = chip.radiometry.low, chip.radiometry.high
    lr = picture(chip.lr, chip.lr_valid, low, high)
    panels = [Panel("LR input", data_uri(lr), f"{chip.lr_gsd:g} m")]
    outputs: list[tuple[Method, F64]] = []
    for method in methods:
        octaves = can_run(method, chip) if method.applies(chip) else None
        if octaves is None:
            continue
        outputs.append((method, octaves[-1]))
        shown = picture(octaves[-1], chip.hr_valid, low, high)
        note = caption(figures.get((chip.record.id, method.name), {}))
        panels.append(Panel(method.name, data_uri(shown), note))
    reference = picture(chip.hr_reference, chip.hr_valid, low, high)
    panels.append(Panel("reference", data_uri(reference), f"{chip.record.gsd:g} m"))
    top = (high - low) / 4
    for method, output in outputs:
        if not isinstance(method, Network):
            continue
        error = np.abs(output - chip.hr_reference).mean(0)
        uri = data_uri(heat(error, chip.hr_valid, top))
        panels.append(Panel(f"error of {method.name}", uri, f"0 to {top:g} file units"))
        panels += _uncertainty(method, chip, top)
    return panels


def _uncertainty(method: Network, chip: EvalChip, top: float) -> list[Panel]:
    """Return the spread of the outputs over several seeds, as one picture."""
    outputs = [can_run(method.with_seed(seed), chip) for seed in SEEDS]
    images = [octaves[-1] for octaves in outputs if octaves is not None]
    if len(images) < len(SEEDS):
        return []
    spread = np.stack(images).std(0, ddof=1).mean(0)
    uri = data_uri(heat(spread, chip.hr_valid, top))
    note = f"{len(SEEDS)} seeds, 0 to {top:g}"
    return [Panel(f"uncertainty of {method.name}", uri, note)]


def draw_blocks(
    chosen: Sequence[tuple[Row, str]],
    tiles: Callable[[str], Iterable[tuple[str, Tile]]],
    evaluation: Evaluation,
    metric: str,
) -> list[Strip]:
    """Draw chosen blocks of a raster.

    Args:
        chosen: Rows and their ranks, from `choose`.
        tiles: Reads, by a block's name, the methods' tiles.
        evaluation: Figures for the captions.
        metric: The one that ranked them.
    """
    low, high = evaluation.units.low, evaluation.units.high
    top = (high - low) / 4
    figures = {(row.chip, row.method): row.values for row in evaluation.rows}
    strips = []
    for row, rank in chosen:
        panels: list[Panel] = []
        for method, tile in tiles(row.chip):
            valid, reference = tile.core_valid, tile.core_reference
            note = caption(figures.get((row.chip, method), {}))
            uri = data_uri(picture(tile.core_sr, valid, low, high))
            panels.append(Panel(method, uri, note))
            if method != OUTPUT:
                continue
            error = np.abs(tile.core_sr - reference).mean(0)
            uri = data_uri(heat(error, valid, top))
            panels.append(Panel(f"error of {OUTPUT}", uri, f"0 to {top:g} file units"))
            panels.append(Panel("reference", data_uri(picture(reference, valid, low, high))))
            if tile.lr is not None and tile.lr_valid is not None:
                uri = data_uri(picture(tile.lr, tile.lr_valid, low, high))
                panels.insert(0, Panel("LR input", uri))
        strips.append(Strip(row.chip, f"{rank} by {METRICS[metric].title}", tuple(panels)))
    return strips


def ranking(evaluation: Evaluation, method: str) -> str | None:
    """Return the metric that ranks chips: perceptual, PSNR, or the first that was measured."""
    rows = evaluation.of(method)
    for name in ("perceptual", "psnr", *evaluation.names):
        if any(math.isfinite(row.values.get(name, math.nan)) for row in rows):
            return name
    return None


def caption(values: dict[str, float]) -> str:
    """Return the few figures that stand below a picture."""
    texts = []
    shown = (("psnr", 2, " dB"), ("ssim", 3, ""), ("perceptual", 3, ""), ("aerial", 3, ""))
    for name, digits, unit in shown:
        value = values.get(name, math.nan)
        if not math.isnan(value):
            texts.append(f"{METRICS[name].title} {value:.{digits}f}{unit}")
    return ", ".join(texts)
