"""Calibration: known fakes rank as each metric says they must (the table of docs/metrics.md)."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from specgan_cli.evaluation.image_pair import Units, whole
from specgan_cli.evaluation.metrics.catalogue import METRICS
from specgan_cli.evaluation.metrics.suite import Suite

Figures = dict[str, dict[str, float]]

SCALE = 8
SIDE = 192


def ground(seed: int) -> np.ndarray:
    """Detail at every wavelength and sharp edges: ellipses and roofs on a rough field."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:SIDE, :SIDE]
    image = np.zeros((3, SIDE, SIDE))
    for octave in range(6):
        coarse = rng.normal(0, 18, (3, 3 * 2**octave, 3 * 2**octave))
        image += ndimage.zoom(coarse, (1, 64 / 2**octave, 64 / 2**octave), order=1) * 0.7**octave
    for _ in range(60):
        row, col, a, b = *rng.uniform(0, SIDE, 2), *rng.uniform(2, 16, 2)
        inside = ((rows - row) / a) ** 2 + ((cols - col) / b) ** 2 < 1
        image[:, inside] += rng.normal(0, 35, (3, 1))
    for _ in range(8):
        row, col, turn = *rng.uniform(0, SIDE, 2), rng.uniform(0, np.pi)
        down = (rows - row) * np.cos(turn) + (cols - col) * np.sin(turn)
        right = (cols - col) * np.cos(turn) - (rows - row) * np.sin(turn)
        roof = np.clip(12 - np.abs(down), 0, 1) * np.clip(24 - np.abs(right), 0, 1)
        image += roof * rng.normal(0, 45, (3, 1, 1))
    return np.clip(image + 120, 0, 255).round()


@pytest.fixture(scope="module")
def figures() -> Figures:
    reference = ground(1)
    rng = np.random.default_rng(2)
    fakes = {
        "reference": reference,
        "blurred": ndimage.gaussian_filter(reference, (0, 3, 3)),
        "other place": ground(7),
        "noisy": np.clip(reference + rng.normal(0, 20, reference.shape), 0, 255),
        "shifted": np.roll(reference, (2, 2), (1, 2)),
    }
    side = SIDE // SCALE
    lr = reference.reshape(3, side, SCALE, side, SCALE).mean((2, 4))
    found = {}
    for name, fake in fakes.items():
        suite = Suite(Units(0.0, 255.0, SCALE))
        suite.update(whole(fake, reference, lr=lr, scale=SCALE, gsd=0.5))
        found[name] = suite.results()
    return found


LOWER = "rmse mae ergas sam lr_largest reflectance spectrum hallucination colour_spread".split()
HIGHER = "psnr ssim ms_ssim uqi published_psnr published_ssim lr_psnr improvement".split()
ONE = ["edge_transfer"]


@pytest.mark.parametrize("name", [*LOWER, *HIGHER, *ONE])
def test_reference_beats_every_fake(figures: Figures, name: str) -> None:
    def badness(value: float) -> float:
        return {"l": value, "h": -value, "o": abs(value - 1)}[
            "l" if name in LOWER else "h" if name in HIGHER else "o"
        ]

    best = badness(figures["reference"][name])
    fakes = ["blurred", "other place", "noisy", "shifted"]
    if name in ("hallucination", "improvement"):
        # opensr-test moves the output onto the reference before it looks.
        fakes.remove("shifted")
    assert all(badness(figures[fake][name]) > best for fake in fakes)


def order(figures: Figures, name: str) -> list[str]:
    return sorted(figures, key=lambda fake: figures[fake][name])


def test_fidelity_prefers_blur_and_noise_to_another_place(figures: Figures) -> None:
    for name in ("psnr", "ms_ssim", "uqi"):
        assert order(figures, name)[0] == "other place"


def test_only_blur_lacks_power(figures: Figures) -> None:
    assert order(figures, "spectrum")[-1] == "blurred"
    assert figures["blurred"]["spectrum"] > 1
    assert figures["other place"]["spectrum"] < 0.3
    assert figures["shifted"]["spectrum"] < 0.1


def test_edge_strength_is_blind_to_place_and_transfer_is_not(figures: Figures) -> None:
    assert figures["other place"]["edge_strength"] == pytest.approx(1, abs=0.3)
    assert abs(figures["other place"]["edge_transfer"]) < 0.1
    assert figures["blurred"]["edge_strength"] < 0.5
    assert figures["noisy"]["edge_strength"] > 1.2


def test_blur_omits_and_another_place_hallucinates(figures: Figures) -> None:
    assert order(figures, "omission")[-1] == "blurred"
    assert order(figures, "hallucination")[-1] == "other place"


def test_consistency_forgives_noise_and_not_another_place(figures: Figures) -> None:
    assert figures["reference"]["lr_psnr"] == math.inf
    assert figures["noisy"]["lr_psnr"] > figures["shifted"]["lr_psnr"]
    assert order(figures, "lr_psnr")[0] == "other place"


def test_a_shift_is_found_in_lr_pixels(figures: Figures) -> None:
    expected = math.hypot(2, 2) / SCALE
    assert figures["shifted"]["spatial"] == pytest.approx(expected, abs=0.15)
    assert figures["reference"]["spatial"] == pytest.approx(0, abs=0.06)


DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_documented_table_is_what_is_measured(figures: Figures) -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([-\w. +|]+) \|$", DOCS.read_text(encoding="utf-8"), re.M)
    table = {name: cells.split(" | ") for name, cells in rows}
    assert set(table) == set(figures["reference"])
    for name, cells in table.items():
        written = [math.nan if cell == "-" else float(cell) for cell in cells]
        measured = [figures[fake][name] for fake in figures]
        assert written == pytest.approx(measured, rel=2e-3, abs=1e-9, nan_ok=True), name


def test_every_metric_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for name in METRICS:
        assert re.search(rf"^\| `{name}` \|", text, re.M), name
