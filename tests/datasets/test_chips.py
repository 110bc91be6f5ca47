"""Laws of cutting sources into chips and giving ground to splits."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from specgan_cli.datasets.building.splits import (
    Ground,
    PlannedChip,
    Shares,
    block_name,
    draw_splits,
    guarded,
    plan_windows,
    too_near,
)
from specgan_cli.datasets.manifest import SPLITS
from specgan_cli.raster.grid import Window

SCALES = st.sampled_from([2, 4, 8, 16, 32])


@settings(max_examples=100, deadline=None)
@given(height=st.integers(1, 400), width=st.integers(1, 400), chip=st.integers(1, 12), scale=SCALES)
def test_chips_lie_within_and_never_share_pixels(
    height: int, width: int, chip: int, scale: int
) -> None:
    windows = list(plan_windows((height, width), chip, 0, scale))
    seen: set[tuple[int, int]] = set()
    for window in windows:
        assert window.row >= 0 and window.row + window.height <= height
        assert window.col >= 0 and window.col + window.width <= width
        assert window.height % scale == 0 and window.width % scale == 0
        assert 0 < window.height <= chip * scale
        corners = {
            (r, c) for r in range(0, window.height, scale) for c in range(0, window.width, scale)
        }
        corners = {(window.row + r, window.col + c) for r, c in corners}
        assert not corners & seen
        seen |= corners
    assert bool(windows) == (min(height, width) >= scale)


def test_source_of_one_chip_gives_its_middle() -> None:
    assert list(plan_windows((200, 210), 12, 0, 32)) == [Window(4, 9, 192, 192)]


def test_rest_of_half_a_chip_is_a_smaller_chip() -> None:
    columns = [window.col for window in plan_windows((32, 32 * 17), 12, 0, 32)]
    widths = [window.width for window in plan_windows((32, 32 * 18), 12, 0, 32)]
    assert columns == [0] and widths == [384, 192]


def test_neighbours_share_the_overlap() -> None:
    windows = list(plan_windows((64, 640), 8, 2, 16))
    assert [window.col for window in windows] == [0, 96, 192, 288, 384, 480]
    assert all(window.width == 128 for window in windows[:-1])


def ground(left: float, bottom: float, side: float, plane: str = "EPSG:32617") -> Ground:
    return Ground(plane, (left, bottom, left + side, bottom + side))


def chip(split: str, place: Ground, *common: Ground) -> PlannedChip:
    return PlannedChip(0, Window(0, 0, 32, 32), (place, *common), "g", split)  # type: ignore[arg-type]


PLACES = st.tuples(st.integers(0, 60), st.integers(0, 60), st.sampled_from(SPLITS))


@settings(max_examples=200, deadline=None)
@given(places=st.lists(PLACES, min_size=1, max_size=25), guard=st.integers(0, 12))
def test_what_is_kept_of_different_splits_is_apart(
    places: list[tuple[int, int, str]], guard: int
) -> None:
    chips = [chip(split, ground(x, y, 5.0)) for x, y, split in places]
    out = set(guarded(chips, guard))
    kept = [each for index, each in enumerate(chips) if index not in out]
    for one in kept:
        for other in kept:
            if one.split != other.split:
                (left, bottom, right, top), theirs = one.ground[0].bounds, other.ground[0].bounds
                across = max(left, theirs[0]) - min(right, theirs[2])
                along = max(bottom, theirs[1]) - min(top, theirs[3])
                assert max(across, along) >= guard


@settings(max_examples=50, deadline=None)
@given(places=st.lists(PLACES, min_size=1, max_size=25), guard=st.integers(0, 12))
def test_test_chips_are_never_given_up(places: list[tuple[int, int, str]], guard: int) -> None:
    chips = [chip(split, ground(x, y, 5.0)) for x, y, split in places]
    assert all(chips[index].split != "test" for index in guarded(chips, guard))


def test_touching_chips_share_no_ground() -> None:
    left = chip("train", ground(542353.1, 4135271.3, 19.2))
    right = chip("val", ground(542353.1 + 19.2, 4135271.3, 19.2))
    assert guarded([left, right], 0.0) == []
    assert guarded([left, right], 0.5) == [0]


def test_far_apart_chips_of_large_and_small_extent_are_compared() -> None:
    large = chip("val", ground(0, 0, 1000.0))
    small = chip("train", ground(1003.0, 990.0, 2.0))
    assert guarded([large, small], 5.0) == [1]


def test_ground_of_another_crs_is_compared_on_the_common_plane() -> None:
    common = Ground("EPSG:3857", (0.0, 0.0, 10.0, 10.0), 2.0)
    train = chip("train", ground(5e5, 0, 5.0), common)
    val = chip(
        "val",
        ground(1e5, 9e4, 5.0, "EPSG:32618"),
        Ground("EPSG:3857", (14.0, 0.0, 24.0, 10.0), 2.0),
    )
    # Four units of a plane on which a metre takes two are two metres.
    assert too_near(train, val, 2.1)
    assert not too_near(train, val, 1.9)


def test_images_without_crs_are_never_near() -> None:
    assert not too_near(
        chip("train", ground(0, 0, 5.0, "file:a")), chip("val", ground(0, 0, 5.0, "file:b")), 99.0
    )


def test_block_is_the_square_around_the_centre() -> None:
    assert block_name(ground(-9.0, 95.0, 10.0), 50.0) == "EPSG:32617:-1:2"


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.dictionaries(st.text(min_size=1, max_size=6), st.integers(1, 9), min_size=1),
    val=st.floats(0, 0.5),
    test=st.floats(0, 0.4),
)
def test_something_always_trains(sizes: dict[str, int], val: float, test: float) -> None:
    splits = draw_splits(sizes, Shares(val, test))
    assert set(splits) == set(sizes)
    assert "train" in splits.values()


def test_draw_takes_about_the_asked_share() -> None:
    splits = draw_splits({f"g{i}": 1 for i in range(100)}, Shares(0.2, 0.1))
    counts = [list(splits.values()).count(split) for split in SPLITS]
    assert counts == [70, 20, 10]


@settings(max_examples=30, deadline=None)
@given(names=st.lists(st.text(min_size=1), min_size=3, unique=True), order=st.randoms())
def test_draw_does_not_depend_on_order(names: list[str], order: object) -> None:
    assume(len(names) >= 3)
    sizes = dict.fromkeys(names, 1)
    shuffled = dict(reversed(list(sizes.items())))
    assert draw_splits(sizes, Shares()) == draw_splits(shuffled, Shares())


def test_shares_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing to train"):
        Shares(0.7, 0.3)
