"""Semantic agreement: do outputs still look like their class to a linear probe?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from specgan_cli.datasets.dataset import Dataset
from specgan_cli.evaluation.chips import EvalChip, read_chip, set_of
from specgan_cli.evaluation.perceptual.cube_classes import CLASSES, agreement, cell_features, kmeans
from specgan_cli.evaluation.perceptual.features import Features, PerceptualModel, blend_invalid
from specgan_cli.evaluation.perceptual.probe import Probe, fit
from specgan_cli.evaluation.runner import REFERENCE, Evaluation
from specgan_cli.types import F64

FEWEST_PER_CLASS = 5
"""Classes with fewer training chips are left out of the probe."""


def summaries(chips: Iterable[EvalChip], model: PerceptualModel) -> F64:
    """Return one feature vector a chip, of its reference.

    Args:
        chips: Training chips, none too small for the backbone.
        model: Gives the features.

    Returns:
        N x C.
    """
    vectors = []
    for chip in chips:
        filled, _ = blend_invalid(chip.hr_reference, chip.hr_reference, chip.hr_valid)
        features = model.features(filled)
        if features is not None:
            vectors.append(features.summary)
    return np.stack(vectors)


def usable(labels: Sequence[str | None]) -> list[bool]:
    """Return which chips have a class with enough members."""
    known = [name for name in labels if name is not None]
    return [name is not None and known.count(name) >= FEWEST_PER_CLASS for name in labels]


def train_probe(features: F64, labels: Sequence[str | None]) -> Probe | None:
    """Train a probe on the chips of classes with enough members; None below two such classes."""
    keep = usable(labels)
    names = [str(name) for name, kept in zip(labels, keep, strict=True) if kept]
    return fit(features[np.array(keep)], names) if len(set(names)) > 1 else None


@dataclass
class Collector:
    """Keeps what probes need of every output: an observer for `runner.run`.

    One vector a chip and, for chips with a cube, one a LR pixel: the price is a few kilobytes a
    chip and method.
    """

    summaries: dict[tuple[str, str], list[tuple[str | None, F64]]] = field(default_factory=dict)
    """By set and method: label and feature vector of every chip."""
    cells: dict[tuple[str, str], list[F64]] = field(default_factory=dict)
    """By set and method: features of the valid LR pixels of every chip with a cube."""
    spectra: dict[str, list[F64]] = field(default_factory=dict)
    """By set: the cubes' spectra at the same LR pixels."""
    groups: dict[str, list[str]] = field(default_factory=dict)
    """By set: the group of each of those LR pixels."""

    def __call__(self, chip: EvalChip, method: str, features: Features) -> None:
        """Take note of one output, or of the reference."""
        set_ = set_of(chip.record)
        entry = (chip.record.label, features.summary)
        self.summaries.setdefault((set_, method), []).append(entry)
        if not chip.cube:
            return
        known = (chip.cube[0].valid & chip.lr_valid).ravel()
        cells = cell_features(features, (chip.lr.shape[1], chip.lr.shape[2]))[known]
        self.cells.setdefault((set_, method), []).append(cells)
        if method == REFERENCE:
            spectra = (
                chip.cube[0]
                .values.reshape(len(chip.cube[0].values), -1)
                .T[known]
                .astype(np.float64)
            )
            self.spectra.setdefault(set_, []).append(spectra)
            self.groups.setdefault(set_, []).extend([chip.record.group] * int(known.sum()))


def score(evaluation: Evaluation, collector: Collector, probes: dict[str, Probe]) -> None:
    """Add the probe accuracy of every set and method, the reference among them, to an evaluation.

    Args:
        evaluation: Where the figures go.
        collector: Feature vectors of the outputs.
        probes: By set; sets without one are left out.
    """
    for (set_, method), entries in collector.summaries.items():
        if set_ not in probes:
            continue
        probe = probes[set_]
        known = [(name, vector) for name, vector in entries if name in probe.classes]
        if known:
            features = np.stack([vector for _, vector in known])
            accuracy = probe.accuracy(features, [str(name) for name, _ in known])
            evaluation.extra[set_, method, "probe_accuracy"] = accuracy


def score_cubes(evaluation: Evaluation, collector: Collector) -> None:
    """Add the agreement with the cubes' own classes of every set and method to an evaluation."""
    for set_, parts in collector.spectra.items():
        spectra = np.concatenate(parts)
        if len(spectra) < CLASSES:
            continue
        outputs = {
            method: np.concatenate(cells)
            for (name, method), cells in collector.cells.items()
            if name == set_ and sum(map(len, cells)) == len(spectra)
        }
        found = agreement(outputs[REFERENCE], outputs, kmeans(spectra), collector.groups[set_])
        for method, share in found.items():
            evaluation.extra[set_, method, "hsi_agreement"] = share


def probe_labels(
    evaluation: Evaluation,
    collector: Collector,
    dataset: Dataset,
    scale: int,
    model: PerceptualModel,
) -> list[str]:
    """Train a probe per set on the training split's true chips and score every method with it.

    Sets whose chips have cubes are also scored by the cubes' own classes.

    Args:
        evaluation: Where the figures go.
        collector: Feature vectors of the outputs.
        dataset: Whose training chips have the labels.
        scale: Factor.
        model: Gives the features.

    Returns:
        Notes, with the figures of the reference itself: the ceiling.
    """
    probes: dict[str, Probe] = {}
    notes = []
    for set_ in evaluation.sets:
        records = [chip for chip in dataset.split("train") if set_of(chip) == set_ and chip.label]
        labels = [record.label for record in records]
        if len(set(labels)) < 2:
            notes.append(f"{set_}: no linear probe, the training chips have under two classes")
            continue
        chips = (read_chip(dataset, record, scale) for record in records)
        probe = train_probe(summaries(chips, model), labels)
        if probe is None:
            notes.append(
                f"{set_}: no linear probe, under two classes have {FEWEST_PER_CLASS} chips"
            )
            continue
        probes[set_] = probe
        notes.append(
            f"{set_}: linear probe over {len(probe.classes)} classes, {len(records)} chips"
        )
    score(evaluation, collector, probes)
    score_cubes(evaluation, collector)
    for (set_, method, metric), value in evaluation.extra.items():
        if method == REFERENCE:
            notes.append(f"{set_}: {metric} of the reference is {value:.3f}")
    return notes
