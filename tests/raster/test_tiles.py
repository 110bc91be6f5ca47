"""Laws of tile plans."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specgan_cli.raster.grid import Window, plan_tiles

shapes = st.tuples(st.integers(1, 90), st.integers(1, 90))


@given(shapes, st.integers(1, 120))
def test_tiles_cover_every_pixel_exactly_once(shape_yx: tuple[int, int], tile: int) -> None:
    hits = np.zeros(shape_yx, int)
    for window in plan_tiles(shape_yx, tile):
        hits[window.slices] += 1
    assert (hits == 1).all()


@given(shapes, st.integers(1, 120))
def test_tiles_lie_within_the_raster(shape_yx: tuple[int, int], tile: int) -> None:
    full = Window(0, 0, *shape_yx)
    assert all(tile_.intersection(full) == tile_ for tile_ in plan_tiles(shape_yx, tile))


@given(shapes, st.integers(1, 120))
def test_tiles_come_in_row_major_order(shape_yx: tuple[int, int], tile: int) -> None:
    corners = [(window.row, window.col) for window in plan_tiles(shape_yx, tile)]
    assert corners == sorted(corners)


@given(shapes, st.integers(1, 120))
def test_tiles_are_anchored_at_multiples_of_their_size(
    shape_yx: tuple[int, int], tile: int
) -> None:
    assert all(t.row % tile == 0 and t.col % tile == 0 for t in plan_tiles(shape_yx, tile))


def test_a_plan_written_by_hand() -> None:
    assert plan_tiles((3, 5), 2) == [
        Window(0, 0, 2, 2),
        Window(0, 2, 2, 2),
        Window(0, 4, 2, 1),
        Window(2, 0, 1, 2),
        Window(2, 2, 1, 2),
        Window(2, 4, 1, 1),
    ]


@pytest.mark.parametrize(("shape_yx", "tile"), [((3, 5), 0), ((0, 5), 2), ((3, 0), 2)])
def test_an_empty_plan_is_refused(shape_yx: tuple[int, int], tile: int) -> None:
    with pytest.raises(ValueError, match="cannot be cut"):
        plan_tiles(shape_yx, tile)
