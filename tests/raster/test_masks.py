"""Laws of nodata values: what is missing reads as missing, what is valid never does."""

import math
from typing import Any

import numpy as np
import pytest

from specgan_cli.raster.masks import equals, fits, is_impossible, mark_missing, valid_values

EPSILON = float(np.finfo(np.float32).eps)


def pixels(values: list[Any], dtype: str = "uint8") -> np.ndarray:
    """Return bands of one row."""
    return np.array(values, dtype)[:, None, :]


@pytest.mark.parametrize(
    ("value", "dtype", "can"),
    [
        (0, "uint8", True),
        (255, "uint8", True),
        (256, "uint8", False),
        (-1, "uint8", False),
        (-32768, "int16", True),
        (-32769, "int16", False),
        (1.5, "int16", False),
        (math.nan, "int16", False),
        (math.inf, "uint16", False),
        (math.nan, "float32", True),
        (1e300, "float32", True),
    ],
)
def test_a_type_can_hold_a_value_or_not(value: float, dtype: str, can: bool) -> None:
    assert fits(value, dtype) is can


@pytest.mark.parametrize(
    ("value", "never"), [(0, False), (255, False), (1e15, False), (1.1e15, True), (-1e-9, True)]
)
def test_values_that_imagery_never_holds(value: float, never: bool) -> None:
    assert is_impossible(value) is never


def test_a_usual_value_is_missing_where_all_bands_hold_it() -> None:
    found = valid_values(pixels([[0, 0, 7, 0], [0, 5, 0, 0]]), 0)
    assert found.tolist() == [[False, True, True, False]]


def test_an_impossible_value_is_missing_where_one_band_holds_it() -> None:
    found = valid_values(pixels([[-9, 1, 2], [3, -9, 4]], "int16"), -9)
    assert found.tolist() == [[False, False, True]]


def test_a_band_without_a_value_leaves_all_valid() -> None:
    assert valid_values(pixels([[0, 1], [0, 0]]), [0, None]).all()
    assert valid_values(pixels([[0, 1], [0, 0]]), [0, 999]).all()
    assert valid_values(pixels([[0, 1], [0, 0]]), [0, 0]).tolist() == [[False, True]]


def test_without_a_value_what_is_finite_is_valid() -> None:
    found = valid_values(pixels([[0, np.nan, 1], [0, 0, np.inf]], "float32"), None)
    assert found.tolist() == [[True, False, False]]
    assert valid_values(np.zeros((0, 1, 2), "uint8"), 0).all()


@pytest.mark.parametrize(
    ("steps", "equal"), [(0, True), (1, True), (-1, True), (3, True), (9, False), (-9, False)]
)
@pytest.mark.parametrize("nodata", [0.3, -9999.0, 1e29])
def test_floats_match_within_a_few_units_in_the_last_place(
    nodata: float, steps: int, equal: bool
) -> None:
    """GDAL: the difference is less than 2 epsilon times the sum, 4 units of the value at most."""
    own = np.float32(nodata)
    value = np.array([own * (1 + steps * EPSILON)], np.float32)
    assert bool(equals(value, nodata)) is equal


@pytest.mark.parametrize("nodata", [3.4e38, -3.4e38, 1.1e30])
def test_vast_floats_match_within_one_in_a_thousand(nodata: float) -> None:
    near, far = np.float32(nodata * 0.9995), np.float32(nodata * 0.998)
    found = equals(np.array([near, far, -near, 0], np.float32), nodata)
    assert found is not None
    assert found.tolist() == [True, False, False, False]


def test_below_the_vast_no_thousandth_is_granted() -> None:
    assert not equals(np.array([0.9995e30], np.float32), 1e30)


@pytest.mark.parametrize("nodata", [None, math.nan, 300, 1.5])
def test_what_a_type_cannot_hold_is_nowhere(nodata: float | None) -> None:
    assert equals(np.zeros(3, "uint8"), nodata) is None


def test_doubles_hold_values_beyond_single_precision() -> None:
    assert equals(np.array([np.inf, 0], "float32"), 1e300) is not None
    assert equals(np.array([1e300, 1e299]), 1e300).tolist() == [True, False]  # type: ignore[union-attr]


VALID = np.array([[True, False, True, True]])


@pytest.mark.parametrize(
    ("kind", "nodata", "dtype", "filler"),
    [
        ("nodata", 9, "uint8", 9),
        ("none", None, "uint8", 0),
        ("none", None, "float32", math.nan),
        ("mask", None, "float32", 0.0),
        ("alpha", None, "uint8", 0),
    ],
)
def test_missing_pixels_hold_a_filler(
    kind: Any, nodata: float | None, dtype: str, filler: float
) -> None:
    values = pixels([[1, 2, 3, 4], [5, 6, 7, 8]], dtype)
    stored = mark_missing(values, VALID, kind, nodata)
    np.testing.assert_array_equal(stored[:2, 0, 1], [filler, filler])
    np.testing.assert_array_equal(stored[:2, 0, [0, 2, 3]], values[:, 0, [0, 2, 3]])
    assert stored.dtype == values.dtype
    assert len(stored) == 2 + (kind == "alpha")


@pytest.mark.parametrize(("dtype", "opaque"), [("uint8", 255), ("uint16", 65535), ("float32", 1)])
def test_alpha_is_opaque_at_the_end_of_the_type(dtype: str, opaque: int) -> None:
    stored = mark_missing(pixels([[1, 2, 3, 4]], dtype), VALID, "alpha", None)
    assert stored[-1].tolist() == [[opaque, 0, opaque, opaque]]


@pytest.mark.parametrize(
    ("nodata", "dtype", "moved"),
    [(0, "uint8", 1), (1, "uint8", 0), (9, "uint8", 8), (-9, "int16", -8), (255, "uint8", 254)],
)
def test_a_valid_pixel_that_looks_missing_is_moved_by_one(
    nodata: int, dtype: str, moved: int
) -> None:
    """The last band alone, or every band where one is enough to look missing."""
    values = pixels([[nodata, 3, nodata], [nodata, nodata, 4]], dtype)
    stored = mark_missing(values, np.ones((1, 3), bool), "nodata", nodata)
    if nodata < 0:
        assert stored[:, 0].tolist() == [[moved, 3, moved], [moved, moved, 4]]
    else:
        assert stored[:, 0].tolist() == [[nodata, 3, nodata], [moved, nodata, 4]]
    assert valid_values(stored, nodata).all()


@pytest.mark.parametrize("nodata", [0.0, 0.3, -9999.0, 5.0, -3.4e38])
def test_a_valid_float_is_moved_towards_zero_by_what_gdal_tells_apart(nodata: float) -> None:
    values = np.full((2, 1, 1), nodata, np.float32)
    stored = mark_missing(values, np.ones((1, 1), bool), "nodata", nodata)
    assert valid_values(stored, nodata).all()
    moved = float(stored[-1, 0, 0])
    assert abs(moved) < abs(nodata) or nodata == 0
    assert moved > 0 if nodata == 0 else abs(moved / nodata - 1) < 1e-5 or abs(nodata) > 1e30


def test_missing_pixels_are_not_moved() -> None:
    stored = mark_missing(pixels([[9, 9]]), np.array([[False, True]]), "nodata", 9)
    assert stored.tolist() == [[[9, 8]]]


@pytest.mark.parametrize("kind", ["mask", "alpha", "none"])
def test_a_value_fills_only_where_it_marks(kind: Any) -> None:
    stored = mark_missing(pixels([[1, 2, 3, 4]]), VALID, kind, 9)
    assert stored[0, 0].tolist() == [1, 0, 3, 4]


def test_a_value_that_the_type_cannot_hold_moves_nothing() -> None:
    values = pixels([[44, 2]])
    stored = mark_missing(values, np.ones((1, 2), bool), "nodata", 300)
    assert stored.tolist() == values.tolist()


def test_whole_numbers_match_exactly_however_large() -> None:
    found = equals(np.array([10**9 - 1, 10**9, 10**9 + 1], "int32"), 10**9)
    assert found is not None
    assert found.tolist() == [False, True, False]
    assert equals(np.array([254, 255, 0], "uint8"), 255).tolist() == [False, True, False]  # type: ignore[union-attr]


def test_a_value_beyond_the_type_is_its_infinity() -> None:
    found = equals(np.array([np.inf, 1e38], "float32"), 1e300)
    assert found is not None
    assert found.tolist() == [True, False]


def test_each_band_needs_its_value() -> None:
    with pytest.raises(ValueError, match="shorter"):
        valid_values(pixels([[0], [0]]), [0])


@pytest.mark.parametrize("nodata", [7, -7])
def test_pixels_are_looked_at_one_by_one(nodata: int) -> None:
    values = np.full((3, 2, 4), 1, "int16")
    values[:, 0, 1], values[1, 1, 2] = nodata, nodata
    stored = mark_missing(values, np.ones((2, 4), bool), "nodata", nodata)
    changed = {tuple(map(int, place)) for place in np.argwhere(stored != values)}
    whole = {(2, 0, 1)} if nodata > 0 else {(0, 0, 1), (1, 0, 1), (2, 0, 1), (1, 1, 2)}
    assert changed == whole
