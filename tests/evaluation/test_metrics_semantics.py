"""Classes from cubes and from labels: found where they are, and lost where they are not."""

import numpy as np
import pytest
import torch

from specgan_cli.datasets.dataset import Dataset
from specgan_cli.evaluation.chips import read_chip
from specgan_cli.evaluation.image_pair import Units
from specgan_cli.evaluation.methods import Interpolation
from specgan_cli.evaluation.metrics.catalogue import check_names
from specgan_cli.evaluation.perceptual.cube_classes import agreement, cell_features, kmeans
from specgan_cli.evaluation.perceptual.features import Features
from specgan_cli.evaluation.perceptual.judges import Judges
from specgan_cli.evaluation.runner import REFERENCE, Evaluation, run
from specgan_cli.evaluation.semantics import Collector, score, score_cubes, train_probe
from support.datasets import make_evaluation_dataset

Scored = tuple[Evaluation, Collector]

RNG = np.random.default_rng(62)


class Brightness:
    """A model whose features are local means and spreads: enough to tell bright from dark."""

    def features(self, image: np.ndarray) -> Features:
        """Return two features of every 8 x 8 block."""
        rows, cols = image.shape[1] // 8, image.shape[2] // 8
        blocks = image.mean(0)[: rows * 8, : cols * 8].reshape(rows, 8, cols, 8)
        positions = np.stack([blocks.mean((1, 3)), blocks.std((1, 3))], -1).reshape(-1, 2)
        summary = np.concatenate([positions.mean(0), positions.std(0)])
        return Features((torch.zeros(1),), positions, (rows, cols), summary)

    def distance(self, first: Features, second: Features) -> float:
        """Return the mean difference of the features."""
        return float(np.abs(first.positions - second.positions).mean())


def test_kmeans_finds_separate_groups() -> None:
    centres = RNG.normal(0, 30, (4, 10))
    reference = RNG.integers(0, 4, 200)
    found = kmeans(centres[reference] + RNG.normal(0, 0.5, (200, 10)), 4)
    pairs = set(zip(reference.tolist(), found.tolist(), strict=True))
    assert len(pairs) == 4


def test_kmeans_is_the_same_every_time() -> None:
    spectra = RNG.normal(0, 1, (60, 5))
    assert (kmeans(spectra) == kmeans(spectra)).all()


def test_kmeans_of_equal_spectra_does_not_fail() -> None:
    assert len(set(kmeans(np.ones((9, 3))))) == 1


def test_cells_are_means_of_positions() -> None:
    positions = np.arange(16.0).reshape(16, 1)
    features = Features((), positions, (4, 4), np.zeros(1))
    assert cell_features(features, (2, 2))[:, 0].tolist() == [2.5, 4.5, 10.5, 12.5]


def test_agreement_is_one_for_the_reference_and_chance_for_noise() -> None:
    classes = RNG.integers(0, 3, 300)
    reference = np.eye(3)[classes] + RNG.normal(0, 0.05, (300, 3))
    groups = [f"place{number // 30}" for number in range(300)]
    outputs = {"reference": reference, "noise": RNG.normal(0.33, 0.5, (300, 3))}
    found = agreement(reference, outputs, classes, groups)
    assert found["reference"] == 1.0
    assert found["noise"] < 0.5


def test_agreement_is_tested_on_groups_that_the_probe_has_not_seen() -> None:
    classes = RNG.integers(0, 3, 90)
    reference = RNG.normal(0, 1, (90, 200))
    groups = [f"place{number // 15}" for number in range(90)]
    assert agreement(reference, {"reference": reference}, classes, groups)["reference"] < 0.6


def test_agreement_needs_two_groups() -> None:
    assert agreement(np.ones((4, 1)), {}, np.array([0, 1, 0, 1]), ["a"] * 4) == {}


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    folder = tmp_path_factory.mktemp("semantics") / "set"
    dataset = Dataset.open(make_evaluation_dataset(folder, count=12))
    collector = Collector()
    chips = (read_chip(dataset, record, 8) for record in dataset.split("val"))
    methods = [Interpolation("bicubic")]
    names = check_names(["psnr", "perceptual"])
    judges = Judges(Brightness())
    result = run(chips, methods, names, Units(0, 255, 8), judges=judges, observe=collector)
    return result, collector


def test_cubes_of_brightness_are_told_by_brightness(scored: Scored) -> None:
    result, collector = scored
    score_cubes(result, collector)
    assert result.extra["pairs", REFERENCE, "hsi_agreement"] > 0.6
    bicubic = result.mean("hsi_agreement", "bicubic", "pairs").mean
    assert 0.25 < bicubic < result.extra["pairs", REFERENCE, "hsi_agreement"]
    assert np.isnan(result.mean("hsi_agreement", "bicubic", "aerial").mean)


def test_probe_accuracy_is_scored_by_set_and_method(scored: Scored) -> None:
    result, collector = scored
    entries = collector.summaries["aerial", REFERENCE]
    labels = [label for label, _ in entries] * 5
    features = np.concatenate([np.stack([vector for _, vector in entries])] * 5)
    probe = train_probe(features, labels)
    score(result, collector, {"aerial": probe})
    expected = probe.accuracy(features, labels)
    assert result.extra["aerial", REFERENCE, "probe_accuracy"] == pytest.approx(expected)
    assert 0 <= result.mean("probe_accuracy", "bicubic", "aerial").mean <= 1


def test_rare_classes_get_no_probe() -> None:
    assert train_probe(np.zeros((8, 2)), ["a"] * 7 + ["b"]) is None
