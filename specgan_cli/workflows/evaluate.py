"""Measure weights on a dataset, or an output beside a reference, and write a report.

Whatever can be refused is refused before torch is imported, which takes longer than to look.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from specgan_cli.datasets.dataset import ChipRecord, Dataset
from specgan_cli.devices import check_devices
from specgan_cli.errors import DatasetError, MismatchError, OutputError, SpecganError, WeightsError
from specgan_cli.evaluation import comparison
from specgan_cli.evaluation.metrics.catalogue import check_names
from specgan_cli.evaluation.request import (
    REPORT_FILES,
    EvaluateRequest,
    check_weights,
)
from specgan_cli.types import Progress

if TYPE_CHECKING:
    from specgan_cli.evaluation.report.outcome import EvaluateResult
    from specgan_cli.evaluation.report.panels import Strip


def evaluate(request: EvaluateRequest, *, progress: Progress | None = None) -> "EvaluateResult":
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
    names = check(request)
    drawn: list[Strip]
    places: dict[str, tuple[float, float]] = {}
    if request.dataset is not None:
        dataset, records = open_dataset(request)
        from specgan_cli.workflows.evaluate_dataset import measure_dataset

        outcome, drawn, places = measure_dataset(request, dataset, records, names, progress)
    else:
        outcome, drawn = _compare(request, names, progress)
    from specgan_cli.evaluation.report.outcome import thresholds, write

    outcome.failures = thresholds(outcome.evaluation, request.fail_under)
    if request.output is not None:
        write(outcome, request.output, drawn, places)
    return outcome


def _compare(
    request: EvaluateRequest, names: tuple[str, ...], progress: Progress | None
) -> "tuple[EvaluateResult, list[Strip]]":
    assert request.sr is not None and request.reference is not None
    pair = comparison.prepare(
        request.sr,
        request.reference,
        request.lr,
        scale=request.scale,
        value_range=request.value_range,
        sr_range=request.sr_range,
        bands=request.bands,
        src_nodata=request.src_nodata,
    )
    try:
        from specgan_cli.workflows.evaluate_rasters import measure_rasters

        return measure_rasters(request, pair, names, progress)
    finally:
        pair.close()


def check(request: EvaluateRequest) -> tuple[str, ...]:
    """Return the names of the metrics, in the order of the catalogue.

    Raises:
        SpecganError: A metric, a threshold or a device that cannot be.
        OutputError: The report cannot be written.
        WeightsError: A judge's file is missing.
    """
    names = check_names(request.metrics)
    check_names([name for name, _ in request.fail_under])
    for name, _ in request.fail_under:
        if name not in names:
            raise SpecganError(f"--fail-under {name}: add it to --metrics as well")
    check_devices(request.device)
    if request.output is not None:
        check_output(request.output, request.overwrite)
    for judge in (request.perceptual, request.aerial):
        if judge is not None and not judge.is_file():
            raise WeightsError(f"{judge}: no such perceptual weights file; name one that is")
    return names


def check_output(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that cannot take the report, before anything is measured.

    Raises:
        OutputError: It holds a file of the report's and may not be overwritten, or is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; give a folder for the report")
    there = [name for name in REPORT_FILES if os.path.lexists(folder / name)]
    if there and not overwrite:
        raise OutputError(f"{folder}: holds {there[0]} already; give --overwrite to replace it")
    if not folder.absolute().parent.is_dir():
        raise OutputError(f"{folder.absolute().parent}: no such folder; make it first")


def open_dataset(request: EvaluateRequest) -> tuple[Dataset, list[ChipRecord]]:
    """Open a dataset, choose its chips, and check that the weights fit.

    Raises:
        DatasetError: It cannot be read, or has no chip in the splits.
        WeightsError: There are no such weights.
        MismatchError: Factor, weights or cubes do not fit.
    """
    assert request.dataset is not None
    dataset, scale = Dataset.open(request.dataset), request.factor
    if dataset.scale % scale:
        raise MismatchError(
            f"{request.dataset}: its chips divide by {dataset.scale}, not by {scale}; "
            "give a smaller -x"
        )
    records = choose(dataset, request)
    if request.ablate and not any(chip.hsi_kind != "none" for chip in records):
        raise MismatchError(
            f"{request.dataset} has no chip with a cube in {' or '.join(request.split)}: "
            "there is nothing to ablate; prepare the dataset with HSI, or drop --ablate"
        )
    for name in request.weights:
        check_weights(name, scale, dataset.bands)
    return dataset, records


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
