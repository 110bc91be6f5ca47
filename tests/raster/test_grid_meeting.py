"""Laws of windows at their ends, and of grids that meet in other CRSs: no edge is cut off."""

import dataclasses
import itertools
import math

import numpy as np
import pyproj
import pytest
from affine import Affine
from rasterio.crs import CRS

from specgan_cli.raster.grid import Grid, Window

UTM = CRS.from_epsg(32618)
DEGREES = CRS.from_epsg(4326)


def test_windows_and_grids_are_values() -> None:
    grid = Grid(UTM, Affine(2, 0, 0, 0, -2, 0), (3, 4))
    for value, name in ((Window(0, 0, 1, 1), "row"), (grid, "crs")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, 5)


@pytest.mark.parametrize(("height", "width"), [(-1, 3), (3, -1)])
def test_a_window_is_not_negative_either_way(height: int, width: int) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        Window(0, 0, height, width)


def test_a_window_may_be_empty() -> None:
    assert Window(0, 0, 0, 1).shape_yx == (0, 1)
    assert Window(0, 0, 1, 0).shape_yx == (1, 0)
    assert Window(5, 6, 4, 7).padded(-9).shape_yx == (0, 0)


def test_a_window_is_moved_down_and_right() -> None:
    assert Window(5, 6, 2, 3).shifted(10, -4) == Window(15, 2, 2, 3)


@pytest.mark.parametrize("other", [Window(2, 0, 2, 2), Window(0, 2, 2, 2), Window(2, 2, 2, 2)])
def test_windows_that_touch_share_no_pixel(other: Window) -> None:
    assert Window(0, 0, 2, 2).intersection(other) is None


def test_refining_and_coarsening_once_change_nothing() -> None:
    grid = Grid(UTM, Affine(2, 0, 100, 0, -2, 50), (1, 1))
    assert grid.refine(1) == grid
    assert grid.coarsen(1) == grid


@pytest.mark.parametrize(("shape_yx", "s"), [((3, 9), 4), ((9, 3), 4), ((4, 4), 0)])
def test_what_cannot_be_coarsened_is_refused(shape_yx: tuple[int, int], s: int) -> None:
    with pytest.raises(ValueError, match="cannot be coarsened"):
        Grid(UTM, Affine.identity(), shape_yx).coarsen(s)


def test_a_grid_of_just_one_coarse_pixel_is_coarsened() -> None:
    coarse = Grid(UTM, Affine(2, 0, 100, 0, -2, 50), (4, 4)).coarsen(4)
    assert coarse == Grid(UTM, Affine(8, 0, 100, 0, -8, 50), (1, 1))


def test_a_bare_grid_counts_in_metres() -> None:
    assert Grid(None, Affine(2, 0, 0, 0, -8, 0), (4, 4)).gsd == 4


def test_a_corner_alone_has_no_pixels() -> None:
    grid = Grid(UTM, Affine(2, 0, 100, 0, -2, 50), (9, 9))
    assert grid.window_around([(104, 44)]) == Window(3, 2, 0, 0)
    assert grid.window_around([(105, 43)]) == Window(3, 2, 1, 1)


def test_a_turned_grid_inside_another_is_covered_to_its_corners() -> None:
    here = Grid(UTM, Affine(2, 0, 0, 0, -2, 2000), (1000, 1000))
    for angle in (30, 130, 200, 290):
        turned = Affine.translation(1000, 1000) @ Affine.rotation(angle) @ Affine.scale(1, -1)
        there = Grid(UTM, turned, (160, 240))
        corners = [turned @ corner for corner in itertools.product((0, 240), (0, 160))]
        xs, ys = zip(*corners, strict=True)
        row, col = math.floor((2000 - max(ys)) / 2), math.floor(min(xs) / 2)
        bottom, right = math.ceil((2000 - min(ys)) / 2), math.ceil(max(xs) / 2)
        assert here.intersection(there) == Window(row, col, bottom - row, right - col)


@pytest.mark.parametrize(
    ("lon0", "lat0", "wide", "high"),
    [(-87, 30, 24, 10), (-87, -40, 24, 10), (-79, -20, 8, 40)],
    ids=["bottom bulges", "top bulges", "sides bulge"],
)
def test_edges_that_bulge_in_another_crs_are_covered(
    lon0: float, lat0: float, wide: float, high: float
) -> None:
    """In UTM 18 (central meridian 75 W) parallels and meridians are curves."""
    there = Grid(DEGREES, Affine(0.1, 0, lon0, 0, -0.1, lat0 + high), (10 * high, 10 * wide))
    here = Grid(UTM, Affine(1000, 0, -4e6, 0, -1000, 8e6), (16000, 9000))
    project = pyproj.Transformer.from_crs(4326, 32618, always_xy=True).transform
    ts = np.linspace(0, 1, 2001)
    lons = lon0 + wide * np.concatenate([ts, ts, 0 * ts, 0 * ts + 1])
    lats = lat0 + high * np.concatenate([0 * ts, 0 * ts + 1, ts, ts])
    xs, ys = (np.array(each) for each in project(lons, lats))
    window = here.intersection(there)
    assert window is not None
    row, col = (8e6 - ys.max()) / 1000, (xs.min() + 4e6) / 1000
    bottom, right = (8e6 - ys.min()) / 1000, (xs.max() + 4e6) / 1000
    found = (window.row, window.col, window.row + window.height, window.col + window.width)
    assert np.abs(np.subtract(found, (row, col, bottom, right))).max() < 1.01


def test_gsd_is_measured_at_the_centre() -> None:
    """Degrees get narrower towards the pole: those of the middle count."""
    tall = Grid(DEGREES, Affine(0.01, 0, 10, 0, -0.01, 70), (4000, 10))
    middle = tall.window(Window(2000, 5, 1, 1))
    assert tall.gsd == pytest.approx(middle.gsd, rel=1e-3)
    wide = Grid(CRS.from_epsg(3857), Affine(1000, 0, 0, 0, -1000, 9e6), (8000, 10))
    middle = wide.window(Window(4000, 5, 1, 1))
    assert wide.gsd == pytest.approx(middle.gsd, rel=1e-3)


def test_gsd_beyond_where_a_crs_holds_is_the_nominal_one() -> None:
    assert Grid(UTM, Affine(0.4, 0, 0, 0, -0.4, 1.2e65), (64, 64)).gsd == pytest.approx(0.4)
