"""Laws of radiometry: invertible, unclipped, and the same for every tile."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from specgan_cli.raster.grid import Window
from specgan_cli.raster.radiometry import FILL_RADIUS, Radiometry, fill_invalid
from specgan_cli.raster.scene import Scene

INTEGERS = ["uint8", "int8", "uint16", "int16", "uint32", "int32"]
finite = {"allow_nan": False, "allow_infinity": False}


@st.composite
def ranges(draw: st.DrawFn) -> tuple[float, float]:
    low = draw(st.floats(-1e5, 1e5, **finite))
    return low, low + draw(st.floats(1, 1e5, **finite))


@given(
    arrays.arrays(np.uint16, (3, 4, 5)),
    st.integers(0, 60000).flatmap(lambda low: st.tuples(st.just(low), st.integers(low + 1, 65535))),
)
def test_every_16_bit_value_comes_back(values: np.ndarray, ends: tuple[int, int]) -> None:
    assume(ends[1] - ends[0] >= 100)
    radiometry = Radiometry("uint16", *map(float, ends))
    back = radiometry.to_dtype(radiometry.from_unit(radiometry.to_unit(values)))
    assert (back == values).all()


def test_every_8_bit_value_comes_back() -> None:
    values = np.arange(256, dtype=np.uint8)
    radiometry = Radiometry("uint8", 0, 255)
    assert (radiometry.to_dtype(radiometry.from_unit(radiometry.to_unit(values))) == values).all()


@given(arrays.arrays(np.float32, (2, 3), elements=st.floats(-1e4, 1e4, width=32)), ranges())
def test_floats_come_back_within_rounding(values: np.ndarray, ends: tuple[float, float]) -> None:
    radiometry = Radiometry("float32", *ends)
    back = radiometry.from_unit(radiometry.to_unit(values))
    span = ends[1] - ends[0]
    beyond = max(1.0, float(np.abs(radiometry.to_unit(values)).max()))
    assert np.abs(back - values).max() <= 2e-7 * span * beyond + 1e-7 * np.abs(values).max()


@given(ranges())
def test_the_ends_of_the_range_are_minus_one_and_one(ends: tuple[float, float]) -> None:
    unit = Radiometry("float64", *ends).to_unit(np.array(ends))
    assert unit == pytest.approx([-1, 1], abs=1e-6)


def test_values_beyond_the_range_are_not_clipped() -> None:
    unit = Radiometry("uint16", 100, 300).to_unit(np.array([0, 500], np.uint16))
    assert unit.tolist() == [-2, 3]


def test_unit_values_are_float32() -> None:
    assert Radiometry("float64", 0, 1).to_unit(np.zeros(3)).dtype == np.float32


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_saturate_at_their_limits(dtype: str) -> None:
    info = np.iinfo(dtype)
    values = np.array([-1e30, info.min - 0.4, info.max + 0.4, 1e30])
    stored = Radiometry(dtype, 0, 1).to_dtype(values)
    assert stored.tolist() == [info.min, info.min, info.max, info.max]
    assert stored.dtype == dtype


def test_integers_are_rounded_to_the_nearest() -> None:
    stored = Radiometry("uint8", 0, 255).to_dtype(np.array([1.4, 1.6, 2.5, 3.5, 254.7]))
    assert stored.tolist() == [1, 2, 2, 4, 255]


def test_floats_are_stored_as_they_are() -> None:
    values = np.array([1.25, -3.5e9])
    assert Radiometry("float32", 0, 1).to_dtype(values).tolist() == values.tolist()


@pytest.mark.parametrize("ends", [(1, 1), (2, 1), (0, np.inf), (np.nan, 1)])
def test_an_empty_or_endless_range_is_refused(ends: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="LOW < HIGH"):
        Radiometry("uint16", *ends)


def test_8_bit_scenes_use_their_whole_range(uint8_scene: Path) -> None:
    with Scene.open(uint8_scene) as scene:
        assert Radiometry.estimate(scene) == Radiometry("uint8", 0, 255)


def test_a_range_is_robust_percentiles_widened() -> None:
    sample = np.arange(10001, dtype=np.float64) + 5000
    sample[:50] = 1e9
    expected_low, expected_high = np.percentile(sample, [2, 98])
    quarter = (expected_high - expected_low) / 4
    estimated = Radiometry.of_sample("float64", sample)
    assert estimated.low == pytest.approx(expected_low - quarter)
    assert estimated.high == pytest.approx(expected_high + quarter)


def test_a_range_of_values_from_zero_does_not_begin_below_zero() -> None:
    assert Radiometry.of_sample("float32", np.linspace(0, 1, 100)).low == 0


def test_a_range_stays_within_the_dtype() -> None:
    estimated = Radiometry.of_sample("uint16", np.linspace(60000, 65535, 100))
    assert estimated.high == 65535


@pytest.mark.parametrize("value", [0, 7, -7])
def test_a_constant_scene_has_a_range_around_it(value: float) -> None:
    estimated = Radiometry.of_sample("float32", np.full(50, value))
    assert estimated.low <= value < estimated.high


def test_no_valid_value_gives_no_range() -> None:
    with pytest.raises(ValueError, match="LOW,HIGH"):
        Radiometry.of_sample("float32", np.array([np.nan]))


def test_nodata_takes_no_part_in_the_range(make_raster: Callable[..., Path]) -> None:
    values = np.full((3, 20, 20), 500, np.uint16)
    values[:, :10] = 65535
    values[:, 15:] = 600
    with Scene.open(make_raster(values, nodata=65535)) as scene:
        assert Radiometry.estimate(scene).high < 1000


masks = arrays.arrays(bool, (11, 13))
images = arrays.arrays(np.uint8, (3, 11, 13))


@given(images, masks)
def test_filling_leaves_valid_pixels_alone(values: np.ndarray, valid: np.ndarray) -> None:
    assert (fill_invalid(values, valid) == values)[:, valid].all()


@given(images, masks, st.integers(0, 255))
def test_filling_never_uses_what_invalid_pixels_hold(
    values: np.ndarray, valid: np.ndarray, other: int
) -> None:
    changed = np.where(valid, values, np.uint8(other))
    assert (fill_invalid(changed, valid) == fill_invalid(values, valid)).all()


@given(images, masks, st.integers(0, 7), st.integers(0, 9))
def test_filling_does_not_depend_on_the_tile(
    values: np.ndarray, valid: np.ndarray, row: int, col: int
) -> None:
    whole = fill_invalid(values, valid, 128)
    inner = Window(row, col, 3, 3)
    top, left = max(0, row - FILL_RADIUS), max(0, col - FILL_RADIUS)
    rows, cols = slice(top, row + 3 + FILL_RADIUS), slice(left, col + 3 + FILL_RADIUS)
    part = fill_invalid(values[:, rows, cols], valid[rows, cols], 128)
    here = inner.shifted(-top, -left).slices
    assert (part[:, *here] == whole[:, *inner.slices]).all()


def test_filling_takes_the_mean_of_the_nearest_ring() -> None:
    values = np.array([[[10, 0, 0, 0, 30]]], np.float32)
    filled = fill_invalid(values, values[0] > 0, constant=-1)
    assert filled.tolist() == [[[10, 10, 20, 30, 30]]]


def test_filling_far_from_any_valid_pixel_is_constant() -> None:
    values = np.full((1, 1, 9), np.nan, np.float32)
    values[0, 0, 0] = 5
    filled = fill_invalid(values, np.isfinite(values[0]), constant=128)
    assert filled.tolist() == [[[5, 5, 5, 5, 5, 128, 128, 128, 128]]]


def test_filling_removes_nan() -> None:
    values = np.full((3, 4, 4), np.nan, np.float32)
    values[:, 1, 1] = 2
    assert np.isfinite(fill_invalid(values, np.isfinite(values).all(axis=0))).all()
