"""Spectra, edges, seams and intervals: each against a case that can be worked out by hand."""

import math

import numpy as np
import pytest

from specgan_cli.evaluation.bootstrap import mean_interval
from specgan_cli.evaluation.image_pair import cut, whole
from specgan_cli.evaluation.metrics.edges import Edges
from specgan_cli.evaluation.metrics.grid_artifacts import Seams, Steps
from specgan_cli.evaluation.metrics.spectrum import SpectrumDistance, radial_spectrum


def step_ratio(image: np.ndarray, period: int = 2) -> float:
    steps = Steps(period)
    steps.add(image, np.ones(image.shape[1:], bool))
    return steps.ratio()


RNG = np.random.default_rng(666)
REFERENCE = RNG.uniform(0, 255, (3, 64, 96))


@pytest.mark.parametrize("cycles", [7, 9, 15])
def test_a_wave_has_its_power_at_its_wavelength_in_metres(cycles: int) -> None:
    columns = np.arange(64)
    wave = 100 + 50 * np.sin(2 * np.pi * columns * cycles / 64)[None, None].repeat(64, 1)
    spectrum = radial_spectrum(wave, np.ones((64, 64), bool), 0.25, 16, 255.0)
    strongest = spectrum.bins[int(spectrum.log_power.argmax())]
    assert 2 ** (strongest / 4) <= 64 / cycles * 0.25 < 2 ** ((strongest + 1) / 4)


def test_a_tenth_of_the_amplitude_is_two_in_log_power() -> None:
    meter = SpectrumDistance(255.0)
    meter.update(whole(128 + (REFERENCE - 128) / 10, REFERENCE, scale=8))
    assert meter.results() == pytest.approx({"spectrum": 2, "spectrum_pooled": 2}, abs=1e-9)


def test_white_noise_has_the_same_power_at_every_wavelength() -> None:
    noise = RNG.normal(0, 10, (1, 256, 256))
    spectrum = radial_spectrum(noise, np.ones((256, 256), bool), 1.0, 16, 255.0)
    assert np.abs(spectrum.log_power - 2).max() < 0.2


def test_spectrum_is_limited_to_wavelengths_between_the_nyquists() -> None:
    spectrum = radial_spectrum(REFERENCE, np.ones((64, 96), bool), 0.5, 8, 255.0)
    wavelengths = [2 ** (bin_ / 4) for bin_ in spectrum.bins]
    assert min(wavelengths) == pytest.approx(1.0)
    assert max(wavelengths) <= 8.0


def test_spectra_merge() -> None:
    first, second, both = (SpectrumDistance(255.0) for _ in range(3))
    for number, meter in enumerate((first, second)):
        tile = whole(REFERENCE[:, :, ::-1] * (number + 1), REFERENCE, scale=4, gsd=0.3)
        meter.update(tile)
        both.update(tile)
    first.merge(second)
    assert first.results() == pytest.approx(both.results())
    assert first.curves() == both.curves()


def test_half_the_contrast_is_half_the_edges() -> None:
    meter = Edges()
    meter.update(whole(50 + REFERENCE / 2, REFERENCE))
    assert meter.results() == pytest.approx({"edge_transfer": 0.5, "edge_strength": 0.5})


def test_edges_of_another_place_have_strength_and_no_transfer() -> None:
    meter = Edges()
    meter.update(whole(RNG.uniform(0, 255, REFERENCE.shape), REFERENCE))
    results = meter.results()
    assert abs(results["edge_transfer"]) < 0.05
    assert results["edge_strength"] == pytest.approx(1, abs=0.05)


def test_a_flat_reference_has_no_edges() -> None:
    meter = Edges()
    meter.update(whole(REFERENCE, np.full(REFERENCE.shape, 9.0)))
    assert all(math.isnan(value) for value in meter.results().values())


def test_edges_of_merged_tiles_are_those_of_the_whole() -> None:
    mask = RNG.random(REFERENCE.shape[1:]) > 0.05
    image = whole(REFERENCE[:, ::-1], REFERENCE, mask)
    one, many = Edges(), Edges()
    one.update(image)
    for tile in cut(image, 16, halo=16):
        part = Edges()
        part.update(tile)
        many.merge(part)
    assert many.results() == pytest.approx(one.results(), abs=1e-9)


def test_a_replicated_image_steps_at_block_edges_only() -> None:
    blocks = RNG.uniform(0, 255, (1, 16, 16)).repeat(4, 1).repeat(4, 2)
    noisy = blocks + RNG.uniform(0, 1e-6, blocks.shape)
    assert step_ratio(noisy, period=4) > 1e6


def test_grid_step_ratio_is_the_ratio_of_mean_steps() -> None:
    image = REFERENCE[:1]
    down, right = np.abs(np.diff(image[0], axis=0)), np.abs(np.diff(image[0], axis=1))
    across = np.concatenate([down[1::2].ravel(), right[:, 1::2].ravel()]).mean()
    inside = np.concatenate([down[0::2].ravel(), right[:, 0::2].ravel()]).mean()
    assert step_ratio(image) == pytest.approx(across / inside, abs=1e-12)


def test_a_flat_image_has_no_step_ratio() -> None:
    assert math.isnan(step_ratio(np.ones((1, 8, 8))))


def test_edges_beside_a_masked_pixel_count_for_nothing() -> None:
    mask = np.ones((5, 5), bool)
    mask[2, 1] = False
    reference = np.arange(25.0).reshape(1, 5, 5) ** 2
    meter = Edges()
    meter.update(whole(reference, reference, mask))
    total = 0.0
    for row in range(1, 4):
        for col in range(1, 4):
            around = [(row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)]
            if all(mask[place] for place in around):
                up, down, left, right = (reference[0][place] for place in around)
                total += ((down - up) / 2) ** 2 + ((right - left) / 2) ** 2
    assert meter.reference == pytest.approx(total)


def test_seams_of_merged_tiles_are_those_of_the_whole() -> None:
    mask = RNG.random(REFERENCE.shape[1:]) > 0.05
    image = whole(REFERENCE[:, :, ::-1], REFERENCE, mask, scale=8)
    one, many = Seams(8), Seams(8)
    one.update(image)
    for tile in cut(image, 16, halo=15):
        part = Seams(8)
        part.update(tile)
        many.merge(part)
    assert many.results() == pytest.approx(one.results(), abs=1e-9)


def test_interval_holds_the_true_mean_nineteen_times_of_twenty() -> None:
    hits = 0
    for trial in range(200):
        values = np.random.default_rng(trial).normal(3, 1, 30)
        interval = mean_interval(values, draws=400, seed=trial)
        hits += interval.low <= 3 <= interval.high
    assert 180 <= hits <= 198


def test_copies_of_a_chip_do_not_narrow_the_interval() -> None:
    values = RNG.normal(0, 1, 12)
    alone = mean_interval(values)
    copied = mean_interval(np.repeat(values, 5), np.repeat(np.arange(12), 5).tolist())
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=1e-9)


def test_chips_without_a_value_are_left_out() -> None:
    interval = mean_interval([1.0, np.nan, 3.0])
    assert (interval.mean, interval.count) == (2.0, 2)


def test_one_group_has_a_mean_and_no_interval() -> None:
    interval = mean_interval([1.0, 3.0], ["a", "a"])
    assert interval.mean == 2.0
    assert math.isnan(interval.low)
    assert not interval.excludes_zero


def test_the_ratio_of_means_has_an_interval_of_its_own() -> None:
    values, weights = np.array([1.0, 2.0, 9.0, np.nan]), np.array([2.0, 2.0, 0.0, 5.0])
    found = mean_interval(values, ["a", "b", "b", "c"], weights)
    assert found.mean == pytest.approx(12 / 4)
    assert (found.count, found.groups) == (3, 2)
    # Drawn twice, group a gives 1/2 and group b 11/2.
    assert (found.low, found.high) == pytest.approx((0.5, 5.5))


def test_a_ratio_to_nothing_has_no_value() -> None:
    assert math.isnan(mean_interval([1.0, 2.0], None, [0.0, 0.0]).mean)
