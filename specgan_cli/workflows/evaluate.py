"""Measure weights on a dataset, or an output beside a reference, and write a report."""

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

from specgan.objectives.perceptual import SMALLEST_SIDE
from specgan_cli.datasets.dataset import ChipRecord, Dataset
from specgan_cli.devices import parse_device
from specgan_cli.errors import DatasetError, MismatchError, SpecganError
from specgan_cli.evaluation import comparison, rasters
from specgan_cli.evaluation.baselines import BASELINES
from specgan_cli.evaluation.chips import EvalChip, read_chip
from specgan_cli.evaluation.methods import (
    Interpolation,
    Method,
    Network,
    Partners,
    ablation,
    label,
    load_network,
)
from specgan_cli.evaluation.metrics.catalogue import check_names
from specgan_cli.evaluation.metrics.suite import Units
from specgan_cli.evaluation.perceptual import aerial
from specgan_cli.evaluation.perceptual.judges import Judges
from specgan_cli.evaluation.report import panels, summary
from specgan_cli.evaluation.report.outcome import EvaluateResult, check_output, thresholds, write
from specgan_cli.evaluation.report.places import places_of
from specgan_cli.evaluation.request import EvaluateRequest
from specgan_cli.evaluation.runner import Evaluation, run, with_progress
from specgan_cli.evaluation.semantics import Collector, probe_labels

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


def evaluate(request: EvaluateRequest, *, progress: Progress | None = None) -> EvaluateResult:
    """Measure, write the report when asked to, and check the thresholds.

    Args:
        request: What to measure.
        progress: Called with chips or tiles done and in all.

    Raises:
        SpecganError: A threshold names a metric that does not exist or was not chosen.
        DatasetError: The dataset cannot be read, or has no chip in the split.
        MismatchError: Rasters, weights or cubes do not fit together.
        OutputError: The report's folder holds a report, or cannot be written.
    """
    names = check_names(request.metrics)
    check_names([name for name, _ in request.fail_under])
    for name, _ in request.fail_under:
        if name not in names:
            raise SpecganError(f"--fail-under {name}: add it to --metrics as well")
    if request.output is not None:
        check_output(request.output, request.overwrite)
    if request.dataset is not None:
        outcome, drawn, places = _dataset(request, names, progress)
    else:
        (outcome, drawn), places = _rasters(request, names, progress), {}
    outcome.failures = thresholds(outcome.evaluation, request.fail_under)
    if request.output is not None:
        write(outcome, request.output, drawn, places)
    return outcome


def _dataset(
    request: EvaluateRequest, names: tuple[str, ...], progress: Progress | None
) -> tuple[EvaluateResult, list[panels.Strip], dict[str, tuple[float, float]]]:
    assert request.dataset is not None
    dataset = Dataset.open(request.dataset)
    scale = request.scale or 32
    if dataset.scale % scale:
        raise MismatchError(
            f"{request.dataset}: its chips divide by {dataset.scale}, not by {scale}; "
            "give a smaller -x"
        )
    records = choose(dataset, request)
    device = parse_device(request.device)
    low, high = dataset.statistics.rgb_low, dataset.statistics.rgb_high
    context = summary.Context(str(request.dataset), request.command)
    judges = _judges(request, context, low, high)
    methods = _methods(request, dataset, records, scale, device, context)
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(records))

    chips = with_progress((read_chip(dataset, record, scale) for record in records), advance)
    model = judges.perceptual
    collector = Collector() if model is not None and request.probe else None
    units = Units(low, high, scale)
    evaluation = run(chips, methods, names, units, judges=judges, observe=collector)
    if model is not None and collector is not None:
        context.notes += probe_labels(evaluation, collector, dataset, scale, model)
    _note_skipped(context, evaluation)
    _note_unmeasured(context, evaluation, judges)
    drawn: list[panels.Strip] = []
    if request.output is not None:
        drawn = _draw(evaluation, dataset, records, scale, methods)
    return EvaluateResult(evaluation, context), drawn, places_of(records)


def choose(dataset: Dataset, request: EvaluateRequest) -> list[ChipRecord]:
    """Return the chips of the asked splits, thinned evenly to the limit.

    Raises:
        DatasetError: There are none.
    """
    records = [chip for chip in dataset.chips if chip.split in request.split]
    if not records:
        counts = ", ".join(
            f"{len(dataset.split(name))} {name}" for name in ("train", "val", "test")
        )
        raise DatasetError(
            f"{request.dataset} has no chip in {' or '.join(request.split)} (it has {counts}); "
            "give another --split"
        )
    count = min(request.limit or len(records), len(records))
    return [records[place * len(records) // count] for place in range(count)]


def _methods(
    request: EvaluateRequest,
    dataset: Dataset,
    records: Sequence[ChipRecord],
    scale: int,
    device: Any,
    context: summary.Context,
) -> list[Method]:
    from specgan import checkpoints

    methods: list[Method] = []
    others = [chip for chip in dataset.chips if chip.split in request.split]
    partners = Partners(dataset, tuple(chip for chip in others if chip.hsi_kind != "none"))
    if request.ablate and not any(chip.hsi_kind != "none" for chip in records):
        raise MismatchError(
            f"{request.dataset} has no chip with a cube in {' or '.join(request.split)}: "
            "there is nothing to ablate; prepare the dataset with HSI, or drop --ablate"
        )
    for name in request.weights:
        network = load_network(name, scale, dataset.bands, device, request.fidelity)
        title = unique(label(name), [method.name for method in methods])
        method = Network(title, network, device)
        context.weights[title] = checkpoints.sha256(name, fidelity=request.fidelity)
        methods.append(method)
        if request.ablate:
            methods += ablation(method, partners)
    return [*methods, *map(Interpolation, BASELINES)]


def unique(name: str, taken: Sequence[str]) -> str:
    """Return the name, with a number behind it when it is taken."""
    candidates = [name, *(f"{name} ({number})" for number in range(2, len(taken) + 3))]
    return next(candidate for candidate in candidates if candidate not in taken)


def _draw(
    evaluation: Evaluation,
    dataset: Dataset,
    records: Sequence[ChipRecord],
    scale: int,
    methods: Sequence[Method],
) -> list[panels.Strip]:
    by_name = {record.id: record for record in records}
    hidden = set(BASELINES) - {"bicubic"}
    shown = [method for method in methods if method.name not in hidden and ", " not in method.name]
    metric = panels.ranking(evaluation, shown[0].name)
    if metric is None:
        return []

    def read(name: str) -> EvalChip:
        return read_chip(dataset, by_name[name], scale)

    chosen = panels.choose(evaluation, shown[0].name, metric)
    return panels.draw(chosen, read, [shown[-1], *shown[:-1]], evaluation, metric)


def _rasters(
    request: EvaluateRequest, names: tuple[str, ...], progress: Progress | None
) -> tuple[EvaluateResult, list[panels.Strip]]:
    assert request.sr is not None and request.reference is not None
    pair = comparison.prepare(
        request.sr,
        request.reference,
        request.lr,
        scale=request.scale,
        value_range=request.value_range,
        sr_range=request.sr_range,
    )
    try:
        context = summary.Context(f"{request.sr} against {request.reference}", request.command)
        judges = _judges(request, context, pair.units.low, pair.units.high)
        context.notes += pair.notes
        evaluation = rasters.compare(pair, names, judges=judges, progress=progress)
        _note_unmeasured(context, evaluation, judges)
        drawn: list[panels.Strip] = []
        metric = panels.ranking(evaluation, "sr")
        if request.output is not None and metric is not None:
            chosen = panels.choose(evaluation, "sr", metric)
            drawn = panels.draw_blocks(
                chosen,
                lambda name: rasters.tiles_of(pair, rasters.block_window(pair, name)),
                evaluation,
                metric,
            )
        return EvaluateResult(evaluation, context), drawn
    finally:
        pair.close()


def _judges(request: EvaluateRequest, context: summary.Context, low: float, high: float) -> Judges:
    """Load the judges that are asked for, and note which they are, or how to get them."""
    device = parse_device(request.device)
    judges = Judges.load(request.perceptual, request.aerial, low=low, high=high, device=device)
    if judges.perceptual is not None and request.perceptual is not None:
        name = f"{judges.perceptual.backbone.name} ({request.perceptual.name})"
        context.judges["perceptual"] = name
    else:
        context.notes.append(
            "No perceptual distance: name a file of perceptual weights with --perceptual, such as "
            "vgg_shift_tolerant.pth of the PyPI package stlpips-pytorch"
        )
    if request.aerial is not None:
        context.judges["aerial"] = f"geoembed ({request.aerial.name})"
    else:
        context.notes.append(
            "No second judge: name geoembed/weights/v3.npz of the PyPI package geoembed with "
            "--aerial"
        )
    return judges


def _note_skipped(context: summary.Context, evaluation: Evaluation) -> None:
    for method, count in evaluation.skipped.items():
        context.notes.append(f"{method} cannot take {count} of the chips: of a size it is not for")


def _note_unmeasured(context: summary.Context, evaluation: Evaluation, judges: Judges) -> None:
    sides = {"perceptual": SMALLEST_SIDE, "aerial": aerial.SMALLEST_SIDE}
    for name, side in sides.items():
        if getattr(judges, name) is None or name not in evaluation.names:
            continue
        if all(math.isnan(row.values[name]) for row in evaluation.rows):
            context.notes.append(
                f"No figures for {name}: it wants three bands and sides of {side} pixels or more"
            )
