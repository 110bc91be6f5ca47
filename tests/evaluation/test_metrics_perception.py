"""Perceptual and Frechet distances, and the linear probe, against their reference maths."""

import math

import numpy as np
import pytest
import torch
from scipy import linalg

from specgan.objectives import perceptual
from specgan_cli.errors import ShapeError
from specgan_cli.evaluation.perceptual.features import (
    Distribution,
    PerceptualModel,
    blend_invalid,
    frechet_distance,
)
from specgan_cli.evaluation.perceptual.probe import fit

RNG = np.random.default_rng(61)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model() -> PerceptualModel:
    """A backbone of AlexNet's layout with random weights and heads."""
    shapes = {
        "net.slice1.0": (64, 3, 11, 11),
        "net.slice2.5": (192, 64, 5, 5),
        "net.slice3.9": (384, 192, 3, 3),
        "net.slice4.11": (256, 384, 3, 3),
        "net.slice5.13": (256, 256, 3, 3),
    }
    generator = torch.Generator().manual_seed(3)
    weights = {}
    for key, shape in shapes.items():
        fan = math.prod(shape[1:])
        weights[f"{key}.weight"] = torch.randn(shape, generator=generator) * (2 / fan) ** 0.5
        weights[f"{key}.bias"] = torch.randn(shape[0], generator=generator) * 0.1
    for index, shape in enumerate(shapes.values()):
        weights[f"lin{index}.model.1.weight"] = torch.rand(1, shape[0], 1, 1, generator=generator)
    backbone = perceptual.Backbone(name="alex", stages=perceptual.ALEX, weights=weights).eval()
    return PerceptualModel(backbone, 0.0, 255.0, CPU)


def image(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 255, (3, 48, 56))


def test_distance_of_kept_features_is_that_of_the_images(model: PerceptualModel) -> None:
    first, second = image(1), image(2)
    units = [torch.from_numpy(x / 255 * 2 - 1).float()[None] for x in (first, second)]
    expected = float(perceptual.distance(model.backbone, *units))
    assert model.distance(model.features(first), model.features(second)) == pytest.approx(
        expected, abs=1e-4
    )


def test_distance_follows_equation_one_of_the_paper(model: PerceptualModel) -> None:
    first, second = (model.features(image(seed)) for seed in (4, 5))
    total = 0.0
    for index, (a, b) in enumerate(zip(first.stages, second.stages, strict=True)):
        head = model.backbone.get_buffer(f"head{index}").double().numpy()[0, :, 0, 0]
        x, y = (part[0].double().numpy() for part in (a, b))
        for row in range(x.shape[1]):
            for col in range(x.shape[2]):
                total += head @ (x[:, row, col] - y[:, row, col]) ** 2 / x[0].size
    assert model.distance(first, second) == pytest.approx(total, abs=1e-4)


def test_an_image_is_at_no_distance_from_itself(model: PerceptualModel) -> None:
    assert model.distance(model.features(image(1)), model.features(image(1))) == 0


def test_images_that_are_too_small_have_no_features(model: PerceptualModel) -> None:
    assert model.features(np.zeros((3, 20, 40))) is None
    assert model.features(np.zeros((1, 40, 40))) is None


def test_invalid_pixels_are_made_equal() -> None:
    reference, sr = image(1), image(2)
    valid = RNG.random((48, 56)) > 0.5
    first, second = blend_invalid(sr, reference, valid)
    assert (first[:, ~valid] == second[:, ~valid]).all()
    assert (first[:, valid] == sr[:, valid]).all()
    assert (second[:, valid] == reference[:, valid]).all()


def spread(count: int, mean: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    vectors = RNG.normal(0, 1, (count, 4)) @ matrix + mean
    distribution = Distribution()
    for part in np.array_split(vectors, 3):
        distribution.add(part)
    return vectors, distribution


def test_distribution_keeps_mean_and_covariance() -> None:
    vectors, distribution = spread(50, 3.0, np.triu(np.ones((4, 4))))
    assert distribution.mean == pytest.approx(vectors.mean(0), abs=1e-9)
    assert distribution.covariance == pytest.approx(np.cov(vectors.T), abs=1e-9)


def test_frechet_distance_equals_the_formula_with_a_matrix_root() -> None:
    _, first = spread(60, 0.0, np.triu(np.ones((4, 4))))
    _, second = spread(70, 1.0, np.diag([1.0, 2.0, 0.5, 0.1]))
    root = linalg.sqrtm(first.covariance @ second.covariance).real
    shift = first.mean - second.mean
    traces = np.trace(first.covariance + second.covariance - 2 * root)
    assert frechet_distance(first, second) == pytest.approx(shift @ shift + traces, abs=1e-6)


def test_frechet_distance_of_a_distribution_to_itself_is_none() -> None:
    _, first = spread(60, 0.0, np.eye(4))
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)
    assert math.isnan(frechet_distance(first, Distribution()))


def test_probe_finds_the_minimum_of_its_loss() -> None:
    features = RNG.normal(0, 1, (80, 3))
    labels = ["ab"[int(row[0] + 0.5 * row[1] > 0)] for row in features]
    probe = fit(features, labels, penalty=0.1)
    x = (features - features.mean(0)) / features.std(0)
    target = np.array([label == "b" for label in labels], float)

    def loss(parameters: np.ndarray) -> float:
        logits = x @ parameters[:3] + parameters[3]
        # Two classes with a ridge: the best pair of columns is one column and its negative.
        entropy = np.logaddexp(0, logits) - target * logits
        return entropy.mean() + 0.1 / 2 * (parameters[:3] ** 2).sum() / 2

    from scipy.optimize import minimize

    best = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-9}).x
    ours = np.append(probe.weights[:, 1] - probe.weights[:, 0], probe.bias[1] - probe.bias[0])
    assert ours == pytest.approx(best, abs=1e-3)


def test_probe_tells_separate_classes_apart() -> None:
    centres = {"field": [5, 0], "road": [0, 5], "roof": [-5, -5]}
    labels = [name for name in centres for _ in range(20)]
    features = np.array([centres[name] for name in labels]) + RNG.normal(0, 0.5, (60, 2))
    assert fit(features, labels).accuracy(features, labels) == 1.0


def test_a_probe_of_one_class_is_refused() -> None:
    with pytest.raises(ShapeError, match="two classes"):
        fit(np.ones((3, 2)), ["a", "a", "a"])
