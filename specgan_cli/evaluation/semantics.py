"""Semantic agreement: do outputs still look like their class to a linear probe?"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from specgan_cli.evaluation.baselines import interpolate
from specgan_cli.evaluation.chips import Chip, read_chip, set_of
from specgan_cli.evaluation.perception import Judge, blend_invalid
from specgan_cli.evaluation.probe import Probe, fit
from specgan_cli.evaluation.runner import Evaluation
from specgan_cli.evaluation.tiles import Array
from specgan_cli.raster.dataset import Dataset

FEWEST_PER_CLASS = 5
"""Classes with fewer training chips are left out of the probe."""


def summaries(
    chips: Iterable[Chip], judge: Judge, *, bicubic: bool, cache: Path | None = None
) -> Array:
    """Return one feature vector a chip, of its truth or of its interpolated input.

    Args:
        chips: Training chips, none too small for the trunk.
        judge: The trunk.
        bicubic: Look at the bicubic image of the input instead of the truth.
        cache: File that keeps the result; its name must tell data, factor and trunk.

    Returns:
        N x C.
    """
    if cache is not None and cache.is_file():
        return np.asarray(np.load(cache, allow_pickle=False), np.float64)
    vectors = []
    for chip in chips:
        image = interpolate(chip.lr, chip.scale, "bicubic") if bicubic else chip.hr_truth
        filled, _ = blend_invalid(image, chip.hr_truth, chip.hr_valid)
        features = judge.look(filled)
        if features is not None:
            vectors.append(features.summary)
    stacked = np.stack(vectors)
    if cache is not None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.save(cache, stacked.astype(np.float32), allow_pickle=False)
    return stacked


def cache_name(dataset: Path, ids: Sequence[str], scale: int, trunk: str) -> str:
    """Return a file name that changes with the dataset, the chips, the factor and the trunk."""
    digest = hashlib.sha256()
    for part in (str(dataset.resolve()), *ids, str(scale), trunk):
        digest.update(part.encode() + b"\0")
    return f"features-{digest.hexdigest()[:16]}.npy"


def usable(labels: Sequence[str | None]) -> list[bool]:
    """Return which chips have a class with enough members."""
    known = [name for name in labels if name is not None]
    return [name is not None and known.count(name) >= FEWEST_PER_CLASS for name in labels]


def train_probe(features: Array, labels: Sequence[str | None]) -> Probe | None:
    """Train a probe on the chips of classes with enough members; None below two such classes."""
    keep = usable(labels)
    names = [str(name) for name, kept in zip(labels, keep, strict=True) if kept]
    return fit(features[np.array(keep)], names) if len(set(names)) > 1 else None


def score(evaluation: Evaluation, probes: dict[str, Probe], metric: str = "probe_accuracy") -> None:
    """Add the probe accuracy of every set and method to an evaluation.

    Args:
        evaluation: Figures with one feature vector a chip.
        probes: By set; sets without one are left out.
        metric: Name to store the accuracy under.
    """
    for (set_, method), pool in evaluation.pools.items():
        probe = probes.get(set_)
        if probe is None:
            continue
        known = [place for place, name in enumerate(pool.labels) if name in probe.classes]
        if known:
            features = np.stack([pool.summaries[place] for place in known])
            labels = [str(pool.labels[place]) for place in known]
            evaluation.extra[set_, method, metric] = probe.accuracy(features, labels)


def probe_labels(evaluation: Evaluation, dataset: Dataset, scale: int, judge: Judge) -> list[str]:
    """Train a probe per set on the training split's true chips and score every method with it.

    Args:
        evaluation: Figures with feature vectors.
        dataset: Whose training chips have the labels.
        scale: Factor.
        judge: The trunk.

    Returns:
        Notes: the accuracy that the probe has on true images is not among the methods' figures.
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
        probe = train_probe(summaries(chips, judge, bicubic=False), labels)
        if probe is None:
            notes.append(
                f"{set_}: no linear probe, under two classes have {FEWEST_PER_CLASS} chips"
            )
            continue
        probes[set_] = probe
        notes.append(
            f"{set_}: linear probe over {len(probe.classes)} classes, {len(records)} chips"
        )
    score(evaluation, probes)
    return notes
