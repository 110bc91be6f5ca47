"""Grids, areas and cubes across the antimeridian, and longitudes of 0 to 360 degrees."""

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from specgan_cli.raster.area import select
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.resampling.geometry import PixelMap

LONLAT, UTM60 = CRS.from_epsg(4326), CRS.from_epsg(32660)
# The antimeridian is the line between columns 4 and 5.
LEFT = Grid(LONLAT, Affine(0.001, 0, 179.995, 0, -0.001, -16.99), (8, 10))
RIGHT = Grid(LONLAT, Affine(0.001, 0, -180.005, 0, -0.001, -16.99), (8, 10))
UTM = Grid(UTM60, Affine(10, 0, 818930, 0, -10, -1880900), (88, 106))
"""The antimeridian lies in its middle."""

SPLIT = (
    "MULTIPOLYGON (((179.998 -16.993, 180 -16.993, 180 -16.991, 179.998 -16.991, 179.998 -16.993)),"
    "((-180 -16.993, -179.997 -16.993, -179.997 -16.991, -180 -16.991, -180 -16.993)))"
)


@pytest.mark.parametrize("grid", [LEFT, RIGHT])
@pytest.mark.parametrize("crs", [None, "EPSG:4326", "EPSG:4258"])
def test_bounds_whose_left_is_greater_go_across(grid: Grid, crs: str | None) -> None:
    window, _ = select(grid, bounds=(179.998, -16.993, -179.997, -16.991), crs=crs)
    assert window == Window(1, 3, 2, 5)


@pytest.mark.parametrize("grid", [LEFT, RIGHT])
@pytest.mark.parametrize(
    ("bounds", "window"),
    [
        ((179.998, -16.993, 179.999, -16.991), Window(1, 3, 2, 1)),
        ((-179.999, -16.993, -179.997, -16.991), Window(1, 6, 2, 2)),
        ((180.001, -16.993, 180.003, -16.991), Window(1, 6, 2, 2)),
        ((-180, -90, 180, 90), Window(0, 0, 8, 10)),
        ((0, -90, 360, 90), Window(0, 0, 8, 10)),
    ],
)
def test_bounds_are_found_in_any_turn(
    grid: Grid, bounds: tuple[float, float, float, float], window: Window
) -> None:
    assert select(grid, bounds=bounds)[0] == window


def test_bounds_across_are_no_strip_around_the_globe() -> None:
    window, _ = select(UTM, bounds=(179.998, -16.993, -179.997, -16.991), crs="EPSG:4326")
    assert window.width < 60


@pytest.mark.parametrize("grid", [LEFT, RIGHT])
def test_polygons_that_were_cut_there_are_one_area(grid: Grid) -> None:
    window, area = select(grid, aoi=SPLIT)
    assert window == Window(1, 3, 2, 5)
    assert area is not None
    assert area.mask(grid.window(window)).all()


def test_a_projected_polygon_is_whole_in_degrees() -> None:
    hole = "819400 -1881200, 819500 -1881200, 819500 -1881300, 819400 -1881200"
    ring = "819200 -1881000, 819800 -1881000, 819800 -1881500, 819200 -1881500, 819200 -1881000"
    for grid in (LEFT, RIGHT):
        _, area = select(grid, aoi=f"SRID=32660;POLYGON (({ring}), ({hole}))")
        assert area is not None
        for each in area.polygons[0]:
            assert max(x for x, _ in each) - min(x for x, _ in each) < 0.01


def test_metres_that_are_called_degrees_stay() -> None:
    grid = Grid(LONLAT, Affine(10, 0, 500000, 0, -10, 4000000), (100, 100))
    assert select(grid, bounds=(500100, 3999500, 500200, 3999700))[0] == Window(30, 10, 20, 10)


@pytest.mark.parametrize("target", [LEFT, RIGHT, UTM])
@pytest.mark.parametrize("source", [LEFT, RIGHT])
def test_a_cube_is_met_on_both_sides(target: Grid, source: Grid) -> None:
    shared = target.intersection(source)
    assert shared is not None
    assert shared.width > 80 if target is UTM else shared == target.full_window
    places = PixelMap(target, source)
    rows, cols = (np.arange(size) + 0.5 for size in target.shape_yx)
    across = places.grid(rows, cols)[1]
    steps = np.diff(across, axis=1)
    assert np.allclose(steps, steps[0, 0], rtol=0.01)
    if target is not UTM:
        assert np.allclose(across, cols)


def test_a_cube_of_the_whole_globe_is_met() -> None:
    scene = Grid(LONLAT, Affine(0.001, 0, 100, 0, -0.001, -16.99), (8, 10))
    for west in (-180, 0):
        globe = Grid(LONLAT, Affine(1, 0, west, 0, -1, 90), (180, 360))
        assert scene.intersection(globe) == scene.full_window
        assert PixelMap(scene, globe).exact(np.array([0.0]), np.array([0.0]))[1] == 100 - west
