"""The opensr-test measures against formulas written out, and registration against scikit-image."""

import math

import numpy as np
import pytest

from specgan_cli.evaluation.baselines import interpolate, reduce
from specgan_cli.evaluation.image_pair import whole
from specgan_cli.evaluation.metrics.opensr import (
    OpenSr,
    consistency,
    correctness,
    find_shift,
    match_histogram,
    roll,
)

RNG = np.random.default_rng(16)
REFERENCE = RNG.uniform(0.1, 0.9, (3, 32, 32))
LR = REFERENCE.reshape(3, 8, 4, 8, 4).mean((2, 4))
LR_UP = interpolate(LR, 4, "bilinear")
VALID = np.ones((32, 32), bool)


def by_hand(lr_up: np.ndarray, sr: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """Follow the published formulas pixel by pixel."""
    rows = []
    for place in np.ndindex(reference.shape[1:]):
        low, out, high = (image[(slice(None), *place)] for image in (lr_up, sr, reference))
        rows.append(
            [np.mean(np.abs(a - b) / (a + b)) for a, b in ((low, high), (out, high), (out, low))]
        )
    distances = np.array(rows)
    threshold = np.sort(distances[:, 0])[int(0.75 * len(rows)) - 1]
    shares = []
    for reference, to_reference, to_input in distances:
        if max(reference, to_reference, to_input) <= threshold:
            continue
        im, om = to_reference / reference, to_input / reference
        h = im + om - 1
        scores = [
            im + om * (1 - math.exp(-0.05 * h)),
            om + im * (1 - math.exp(-0.05 * h)),
            math.exp(-0.05 * im * om),
        ]
        weights = [math.exp(-score / 0.25) for score in scores]
        shares.append([weight / sum(weights) for weight in weights])
    return dict(zip(("improvement", "omission", "hallucination"), np.mean(shares, 0), strict=True))


def test_correctness_follows_the_published_formulas() -> None:
    sr = np.clip(REFERENCE + RNG.normal(0, 0.1, REFERENCE.shape), 0.05, 1)
    assert correctness(LR_UP, sr, REFERENCE, VALID) == pytest.approx(
        by_hand(LR_UP, sr, REFERENCE), abs=1e-6
    )


def test_reference_improves_and_interpolation_omits_and_noise_hallucinates() -> None:
    noise = RNG.uniform(0.0, 3.0, REFERENCE.shape)
    kinds = [
        max(results := correctness(LR_UP, sr, REFERENCE, VALID), key=results.get)
        for sr in (REFERENCE, LR_UP, noise)
    ]
    assert kinds == ["improvement", "omission", "hallucination"]


def test_consistency_is_mean_difference_and_mean_angle() -> None:
    other = LR + RNG.uniform(0, 0.1, LR.shape)
    results = consistency(LR, other, np.ones((8, 8), bool))
    cosines = (LR * other).sum(0) / np.sqrt((LR**2).sum(0) * (other**2).sum(0))
    assert results["reflectance"] == pytest.approx(np.abs(LR - other).mean(), abs=1e-9)
    assert results["spectral"] == pytest.approx(np.degrees(np.arccos(cosines)).mean(), abs=1e-6)


def test_whole_measure_runs_on_file_units() -> None:
    meter = OpenSr(0.0, 255.0)
    meter.update(whole(255 * REFERENCE, 255 * REFERENCE, lr=255 * LR, scale=4))
    results = meter.results()
    assert results["improvement"] > 0.9
    assert results["spatial"] == pytest.approx(0, abs=0.06)
    shares = [results[name] for name in ("improvement", "omission", "hallucination")]
    assert sum(shares) == pytest.approx(1)


def test_shift_equals_scikit_image() -> None:
    from scipy import ndimage
    from skimage.registration import phase_cross_correlation

    image = ndimage.gaussian_filter(RNG.random((48, 40)), 1.5, mode="wrap")
    moved = ndimage.shift(image, (2.3, -1.45), order=5, mode="grid-wrap")
    expected, _, _ = phase_cross_correlation(image, moved, upsample_factor=20)
    assert find_shift(image, moved) == pytest.approx(tuple(expected), abs=1e-6)


def test_shift_of_flat_images_is_none() -> None:
    assert find_shift(np.ones((8, 8)), RNG.random((8, 8))) == (0.0, 0.0)


def test_histogram_matching_equals_scikit_image() -> None:
    from skimage.exposure import match_histograms

    values, template = RNG.normal(0, 1, (20, 20)), RNG.uniform(5, 9, (20, 20))
    assert match_histogram(values, template) == pytest.approx(
        match_histograms(values, template), abs=1e-6
    )


def test_roll_leaves_gaps_where_nothing_came_from() -> None:
    image = np.arange(12.0).reshape(1, 3, 4)
    moved = roll(image, (1, -1))
    assert np.isnan(moved[0, 0]).all()
    assert np.isnan(moved[0, :, -1]).all()
    assert moved[0, 1:, :-1] == pytest.approx(image[0, :-1, 1:])


def test_baselines_keep_a_flat_image_flat() -> None:
    flat = np.full((2, 5, 6), 7.25)
    for method in ("bicubic", "bilinear", "nearest"):
        assert interpolate(flat, 4, method) == pytest.approx(np.full((2, 20, 24), 7.25))
    assert reduce(np.full((2, 20, 24), 7.25), 4) == pytest.approx(flat)


def test_nearest_repeats_pixels() -> None:
    assert interpolate(LR, 4, "nearest")[:, 5, 6] == pytest.approx(LR[:, 1, 1])


def test_a_small_or_inputless_tile_adds_nothing() -> None:
    meter = OpenSr(0.0, 1.0)
    meter.update(whole(REFERENCE, REFERENCE))
    meter.update(whole(REFERENCE[:, :8, :8], REFERENCE[:, :8, :8], lr=LR[:, :2, :2], scale=4))
    assert all(math.isnan(value) for value in meter.results().values())
