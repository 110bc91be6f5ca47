"""Weights and interpolations on the chips of a dataset."""

from collections.abc import Sequence
from typing import Any

from specgan import checkpoints
from specgan_cli.datasets.dataset import ChipRecord, Dataset
from specgan_cli.devices import parse_device
from specgan_cli.evaluation.baselines import BASELINES
from specgan_cli.evaluation.chips import EvalChip, read_chip
from specgan_cli.evaluation.image_pair import Units
from specgan_cli.evaluation.judging import load_judges, note_unmeasured
from specgan_cli.evaluation.methods import (
    Interpolation,
    Method,
    Network,
    Partners,
    ablation,
    label,
    load_network,
)
from specgan_cli.evaluation.report import panels, summary
from specgan_cli.evaluation.report.outcome import EvaluateResult
from specgan_cli.evaluation.report.places import places_of
from specgan_cli.evaluation.request import EvaluateRequest
from specgan_cli.evaluation.runner import Evaluation, run, with_progress
from specgan_cli.evaluation.semantics import Collector, probe_labels
from specgan_cli.types import Progress


def measure_dataset(
    request: EvaluateRequest,
    dataset: Dataset,
    records: Sequence[ChipRecord],
    names: tuple[str, ...],
    progress: Progress | None,
) -> tuple[EvaluateResult, list[panels.Strip], dict[str, tuple[float, float]]]:
    """Run every method over the chips.

    Args:
        request: What to measure.
        dataset: The chips' dataset.
        records: The chips.
        names: Of the metrics.
        progress: Called with chips done and in all.

    Returns:
        The figures, strips to draw, and where the chips lie.
    """
    scale = request.factor
    device = parse_device(request.device)
    low, high = dataset.statistics.rgb_low, dataset.statistics.rgb_high
    context = summary.Context(str(request.dataset), request.command)
    judges = load_judges(request, context, (low, high), device)
    methods = _methods(request, dataset, device, context)
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
    note_unmeasured(context, evaluation, judges)
    drawn: list[panels.Strip] = []
    if request.output is not None:
        drawn = _draw(evaluation, dataset, records, scale, methods)
    return EvaluateResult(evaluation, context), drawn, places_of(records)


def _methods(
    request: EvaluateRequest,
    dataset: Dataset,
    device: Any,
    context: summary.Context,
) -> list[Method]:
    methods: list[Method] = []
    others = [chip for chip in dataset.chips if chip.split in request.split]
    partners = Partners(dataset, tuple(chip for chip in others if chip.hsi_kind != "none"))
    for name in request.weights:
        network = load_network(name, request.factor, dataset.bands, device, request.fidelity)
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


def _note_skipped(context: summary.Context, evaluation: Evaluation) -> None:
    for method, count in evaluation.skipped.items():
        context.notes.append(f"{method} cannot take {count} of the chips: of a size it is not for")
