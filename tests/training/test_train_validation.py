"""Validation measures as `evaluate` does: the same figures of the same two images."""

import math
import sys

import numpy as np
import pytest
import torch

from specgan_cli.evaluation.image_pair import Units, whole
from specgan_cli.evaluation.metrics.suite import Suite
from specgan_cli.measures import block_means
from specgan_cli.training.validation import lr_psnr, measure
from specgan_cli.workflows.train import structure, validation_measures

RNG = np.random.default_rng(8)
REFERENCE = RNG.uniform(-0.9, 0.9, (3, 32, 40))
SR = np.clip(REFERENCE + RNG.normal(0, 0.1, REFERENCE.shape), -1, 1)


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image)[None]


def test_validation_and_evaluation_agree() -> None:
    valid = np.ones((32, 40), bool)
    valid[:3, 30:] = False
    lr, _ = block_means(REFERENCE, np.ones_like(valid), 8)
    suite = Suite(Units(-1.0, 1.0, 8), ("psnr", "mae", "ssim", "lr_psnr"))
    suite.update(whole(SR, REFERENCE, valid, scale=8))
    spoiled = np.where(valid, SR, 50.0)
    found = measure(tensor(spoiled), tensor(REFERENCE), tensor(valid[None].astype(np.float64)))
    expected = suite.results()
    assert found["psnr"] == pytest.approx(expected["psnr"], abs=1e-9)
    assert found["ssim"] == pytest.approx(expected["ssim"], abs=1e-9)
    assert found["l1"] == pytest.approx(expected["mae"] / 2, abs=1e-9)
    whole_suite = Suite(Units(-1.0, 1.0, 8), ("lr_psnr",))
    whole_suite.update(whole(SR, REFERENCE, lr=lr, scale=8))
    consistency = whole_suite.results()["lr_psnr"]
    assert lr_psnr(tensor(SR), tensor(lr)) == pytest.approx(consistency, abs=1e-9)


def test_a_perfect_chip_keeps_the_mean_finite() -> None:
    found = measure(tensor(REFERENCE), tensor(REFERENCE), torch.ones(1, 1, 32, 40))
    assert found["psnr"] == 100.0
    assert found["ssim"] == pytest.approx(1.0)


def test_chips_below_a_window_have_no_similarity() -> None:
    small = tensor(REFERENCE[:, :8, :8])
    assert math.isnan(measure(small, small, torch.ones(1, 1, 8, 8))["ssim"])


def test_structure_is_measured_beside_the_truth() -> None:
    rows, columns = np.mgrid[:96, :96]
    roofs = np.where((rows // 32 + columns // 32) % 2, 0.5, -0.5)[None].repeat(3, 0)
    blurred = (roofs + np.roll(roofs, 1, 2) + np.roll(roofs, 2, 2)) / 3
    valid = np.ones((96, 96), bool)
    found = structure(blurred, roofs, valid)
    assert found["line_share"] > 0.5 and found["line_share_reference"] > 0.5
    assert found["flat_roughness_reference"] == 0
    assert found["edge_contrast"] < found["edge_contrast_reference"]


def test_validation_leaves_structure_out_without_scipy(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.ndimage", None)
    assert validation_measures(None, torch.device("cpu")) == ()
    assert "no scipy" in caplog.text
