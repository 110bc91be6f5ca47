"""Laws of the degradation operators."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specgan.errors import ShapeError
from specgan.serde import from_plain, to_plain
from specgan_cli.datasets.degradation import Degradation, block_mean, gaussian_weights, hsi_to_lr


def noise_image(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (3, height, width)).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(factor=st.sampled_from([1, 2, 4, 8]), seed=st.integers(0, 99))
def test_area_is_mean_of_valid_pixels(factor: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = noise_image(16, 24, seed)
    mask = (rng.random((16, 24)) < 0.7).astype(np.uint8)
    image[:, mask == 0] = np.nan
    lr, lr_mask = Degradation().apply(image, mask, factor)
    for row in range(16 // factor):
        for column in range(24 // factor):
            block = np.s_[
                row * factor : (row + 1) * factor, column * factor : (column + 1) * factor
            ]
            valid = mask[block] == 1
            assert lr_mask[row, column] == (2 * valid.sum() >= factor * factor)
            expected = image[(slice(None), *block)][:, valid].mean(axis=1) if valid.any() else 0.0
            if lr_mask[row, column]:
                np.testing.assert_allclose(lr[:, row, column], expected, rtol=1e-5)
            else:
                assert not lr[:, row, column].any()


def test_area_of_large_values_keeps_single_precision() -> None:
    image = np.full((3, 64, 64), 65535, np.uint16)
    lr, _ = Degradation().apply(image, None, 32)
    np.testing.assert_array_equal(lr, np.full((3, 2, 2), 65535.0, np.float32))


@pytest.mark.parametrize("mtf", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("factor", [2, 3, 4, 32])
def test_gaussian_has_asked_mtf_at_nyquist(mtf: float, factor: int) -> None:
    columns = np.arange(factor * 64)
    # A cosine at the LR Nyquist frequency with its crests on the centres of the blocks.
    wave = np.cos(math.pi * (columns + 0.5 - factor / 2) / factor)
    image = np.broadcast_to(wave, (1, factor * 32, columns.size))
    lr, _ = Degradation("gaussian", mtf=mtf).apply(image, None, factor)
    crests = lr[0, 16, 20:-20] * (-1.0) ** np.arange(20, 44)
    np.testing.assert_allclose(crests, mtf, atol=2e-3)


def test_gaussian_approaches_continuous_sigma() -> None:
    weights = gaussian_weights(32, 0.3)
    offsets = np.arange(weights.size) - (weights.size - 1) / 2
    sigma = math.sqrt(float(weights @ offsets**2))
    assert sigma == pytest.approx(32 * math.sqrt(-2 * math.log(0.3)) / math.pi, rel=2e-3)


def test_gaussian_keeps_constants_beside_missing_pixels() -> None:
    image = np.full((3, 64, 64), 77.0)
    mask = np.ones((64, 64), np.uint8)
    mask[:20, :] = 0
    image[:, :20] = 255.0
    lr, lr_mask = Degradation("gaussian").apply(image, mask, 8)
    assert lr_mask[-1].all() and not lr_mask[0].any()
    np.testing.assert_allclose(lr[:, lr_mask == 1], 77.0, rtol=1e-6)


def test_gaussian_refuses_unreachable_mtf() -> None:
    with pytest.raises(ValueError, match="give a lower one"):
        Degradation("gaussian", mtf=0.95).apply(np.zeros((3, 8, 8)), None, 2)


def test_point_takes_one_pixel_a_block() -> None:
    image = np.arange(64.0).reshape(1, 8, 8)
    lr, lr_mask = Degradation("point").apply(image, None, 4)
    np.testing.assert_array_equal(lr[0], [[18, 22], [50, 54]])
    assert lr_mask.all()


def test_noise_has_asked_deviation_and_is_repeatable() -> None:
    image = np.full((3, 256, 256), 100.0)
    operator = Degradation(noise=0.02)
    first, _ = operator.apply(image, None, 2, np.random.default_rng(5), value_range=1000.0)
    second, _ = operator.apply(image, None, 2, np.random.default_rng(5), value_range=1000.0)
    assert first.std() == pytest.approx(20.0, rel=0.02)
    np.testing.assert_array_equal(first, second)


def test_noise_without_generator_is_refused() -> None:
    with pytest.raises(ValueError, match="rng"):
        Degradation(noise=0.1).apply(np.zeros((3, 4, 4)), None, 2)


def test_size_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ShapeError, match="10 x 8"):
        Degradation().apply(np.zeros((3, 10, 8)), None, 4)


def test_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match="mask"):
        Degradation().apply(np.zeros((3, 8, 8)), np.ones((4, 4)), 4)


@pytest.mark.parametrize(
    "fields", [{"operator": "box"}, {"mtf": 1.0}, {"noise": -0.1}, {"min_valid": 0.0}]
)
def test_degradation_refuses_fields_out_of_range(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Degradation(**fields)  # type: ignore[arg-type]


def test_degradation_survives_json() -> None:
    operator = Degradation("gaussian", mtf=0.21, noise=0.01, min_valid=0.9)
    assert from_plain(Degradation, to_plain(operator)) == operator


def test_hsi_is_averaged_on_coarser_grid() -> None:
    hsi = np.arange(32, dtype=np.int16).reshape(2, 4, 4)
    mask = np.ones((4, 4), np.uint8)
    mask[0, 0] = 0
    lr, lr_mask = hsi_to_lr(hsi, mask, hsi_factor=8, factor=16)
    assert lr_mask.all()
    assert lr[0, 0, 0] == pytest.approx((1 + 4 + 5) / 3)
    assert lr[1, 1, 1] == pytest.approx((26 + 27 + 30 + 31) / 4)


def test_hsi_is_repeated_on_finer_grid() -> None:
    hsi = np.arange(4, dtype=np.int16).reshape(1, 2, 2)
    mask = np.array([[1, 0], [1, 1]], np.uint8)
    lr, lr_mask = hsi_to_lr(hsi, mask, hsi_factor=8, factor=4)
    np.testing.assert_array_equal(lr[0, 0], [0, 0, 1, 1])
    np.testing.assert_array_equal(lr_mask[1], [1, 1, 0, 0])


def test_hsi_on_unrelated_grid_is_refused() -> None:
    with pytest.raises(ShapeError, match="do not divide"):
        hsi_to_lr(np.zeros((1, 8, 8)), np.ones((8, 8)), hsi_factor=3, factor=2)


def test_area_of_area_is_area_of_full_image() -> None:
    image = noise_image(64, 64)
    once, mask = block_mean(image, np.ones((64, 64)), 4)
    twice, _ = block_mean(once, mask, 8)
    np.testing.assert_allclose(twice, block_mean(image, np.ones((64, 64)), 32)[0], rtol=1e-5)
