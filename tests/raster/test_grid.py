"""Laws of grids and windows: ground is never lost, whatever the transform."""

import itertools
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.transform
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.scene import Scene

UTM = CRS.from_epsg(32618)

finite = {"allow_nan": False, "allow_infinity": False}
origins = st.floats(-1e7, 1e7, **finite)
sides = st.floats(1e-5, 1e3, **finite)
sizes = st.integers(1, 20000)
factors = st.sampled_from([2, 4, 8, 16, 32])


@st.composite
def transforms(draw: st.DrawFn) -> Affine:
    """North-up, south-up, mirrored, rotated and sheared ones, with pixels that are not square."""
    x, y = draw(sides), draw(sides)
    kind = draw(st.sampled_from(["north-up", "south-up", "mirrored", "rotated", "sheared"]))
    signs = {"south-up": (1, 1), "mirrored": (-1, -1)}.get(kind, (1, -1))
    linear = Affine.scale(x * signs[0], y * signs[1])
    if kind == "rotated":
        linear = Affine.rotation(draw(st.integers(1, 359))) @ linear
    if kind == "sheared":
        linear = Affine.shear(draw(st.integers(-40, 40)), 0.0) @ linear
    return Affine.translation(draw(origins), draw(origins)) @ linear


@st.composite
def grids(draw: st.DrawFn, crs: CRS | None = UTM) -> Grid:
    return Grid(crs, draw(transforms()), (draw(sizes), draw(sizes)))


@st.composite
def windows(draw: st.DrawFn) -> Window:
    start = st.integers(-3000, 3000)
    return Window(draw(start), draw(start), draw(st.integers(1, 3000)), draw(st.integers(1, 3000)))


def exact_bounds(grid: Grid) -> list[Fraction]:
    """Bounds in exact arithmetic: left, bottom, right, top."""
    a, b, c, d, e, f = (Fraction(float(value)) for value in grid.transform[:6])
    rows, cols = grid.shape_yx
    corners = [(col, row) for col in (0, cols) for row in (0, rows)]
    xs = [a * col + b * row + c for col, row in corners]
    ys = [d * col + e * row + f for col, row in corners]
    return [min(xs), min(ys), max(xs), max(ys)]


def pixels_apart(grid: Grid, other: list[Fraction]) -> float:
    """Largest distance between a grid's bounds and others, in its smaller pixel side."""
    return max(
        float(abs(Fraction(mine) - theirs)) / min(grid.res_xy)
        for mine, theirs in zip(grid.bounds, other, strict=True)
    )


@given(grids(), factors)
def test_refining_keeps_the_exact_bounds(grid: Grid, s: int) -> None:
    assert exact_bounds(grid.refine(s)) == exact_bounds(grid)


@given(grids())
def test_bounds_are_those_of_exact_arithmetic(grid: Grid) -> None:
    rounding = 8 * math.ulp(max(map(abs, (*grid.bounds, 1.0)))) / min(grid.res_xy)
    assert pixels_apart(grid, exact_bounds(grid)) <= rounding


@given(grids(), factors)
def test_bounds_of_the_refined_grid_are_the_same_floats(grid: Grid, s: int) -> None:
    assert grid.refine(s).bounds == grid.bounds


@given(grids(), st.integers(2, 40))
def test_refining_by_any_factor_moves_no_bound_beyond_rounding(grid: Grid, s: int) -> None:
    rounding = 4 * math.ulp(max(map(abs, (*grid.bounds, 1.0))))
    for mine, theirs in zip(grid.refine(s).bounds, grid.bounds, strict=True):
        assert abs(mine - theirs) <= rounding + 1e-12 * max(grid.res_xy) * max(grid.shape_yx)


@given(grids(), factors)
def test_refining_multiplies_the_shape_and_keeps_the_crs(grid: Grid, s: int) -> None:
    rows, cols = grid.shape_yx
    assert (grid.refine(s).shape_yx, grid.refine(s).crs) == ((rows * s, cols * s), grid.crs)


@given(grids())
def test_refining_in_steps_is_refining_at_once(grid: Grid) -> None:
    assert grid.refine(2).refine(4).refine(4) == grid.refine(32)


@given(grids(), factors)
def test_coarsening_undoes_refining(grid: Grid, s: int) -> None:
    assert grid.refine(s).coarsen(s) == grid


@given(grids(), windows(), factors)
def test_a_window_refined_is_the_refined_window(grid: Grid, window: Window, s: int) -> None:
    fine, same = grid.window(window).refine(s), grid.refine(s).window(window.scaled(s))
    assert fine.shape_yx == same.shape_yx
    tolerance = 1e-9 * max(grid.res_xy) + 8 * math.ulp(max(map(abs, grid.bounds)))
    assert fine.transform.almost_equals(same.transform, precision=tolerance)


def corners(grid: Grid) -> list[tuple[float, float]]:
    """Return the corners of a grid's bounds."""
    left, bottom, right, top = grid.bounds
    return list(itertools.product((left, right), (bottom, top)))


@given(windows(), sides, sides, st.floats(-1e6, 1e6, **finite), st.sampled_from([1, -1]))
def test_a_window_comes_back_from_its_bounds(
    window: Window, x: float, y: float, origin: float, up: int
) -> None:
    x, y = max(x, 1e-2), max(y, 1e-2)
    grid = Grid(UTM, Affine(x, 0, origin, 0, up * y, origin), (10, 10))
    assert grid.window_around(corners(grid.window(window))) == window


@given(grids(), windows())
def test_bounds_of_a_window_are_covered_when_the_grid_is_turned(grid: Grid, window: Window) -> None:
    covered = grid.window_around(corners(grid.window(window)))
    assert covered.intersection(window) == window


@given(windows(), windows())
def test_intersection_is_the_set_of_shared_pixels(one: Window, other: Window) -> None:
    def spans(window: Window) -> tuple[range, range]:
        rows, cols = window.slices
        return range(rows.start, rows.stop), range(cols.start, cols.stop)

    rows, cols = (
        range(max(a.start, b.start), min(a.stop, b.stop))
        for a, b in zip(spans(one), spans(other), strict=True)
    )
    shared = one.intersection(other)
    assert shared == other.intersection(one)
    assert (shared is None) == (not rows or not cols)
    if shared is not None:
        assert spans(shared) == (rows, cols)


@given(windows(), st.integers(0, 50))
def test_padding_is_undone_by_its_negative(window: Window, pixels: int) -> None:
    assert window.padded(pixels).padded(-pixels) == window


def test_a_window_becomes_rasterios() -> None:
    window = Window(3, 5, 7, 11).rasterio()
    assert (window.row_off, window.col_off, window.height, window.width) == (3, 5, 7, 11)


def test_a_negative_window_is_refused() -> None:
    with pytest.raises(ValueError, match="-1 x 3"):
        Window(0, 0, -1, 3)


@pytest.mark.parametrize("s", [0, -2])
def test_refining_by_less_than_one_is_refused(s: int) -> None:
    with pytest.raises(ValueError, match="from 1"):
        Grid(UTM, Affine.identity(), (2, 2)).refine(s)


def test_bounds_of_a_south_up_grid_are_ordered() -> None:
    grid = Grid(UTM, Affine(2, 0, 100, 0, 2, 50), (10, 5))
    assert grid.bounds == (100, 50, 110, 70)


def test_bounds_of_a_turned_grid_hold_its_corners() -> None:
    quarter = Affine(0, 2, 100, 3, 0, 50)
    assert Grid(UTM, quarter, (10, 5)).bounds == (100, 50, 120, 65)


def test_gsd_of_a_projected_grid_is_its_mean_pixel_side() -> None:
    assert Grid(UTM, Affine(2, 0, 5e5, 0, -8, 4e6), (4, 4)).gsd == pytest.approx(4)


def test_gsd_is_in_metres_where_the_crs_counts_feet() -> None:
    new_york_feet = CRS.from_epsg(2263)
    grid = Grid(new_york_feet, Affine(1, 0, 984250, 0, -1, 200000), (4, 4))
    assert grid.gsd == pytest.approx(1200 / 3937, rel=1e-6)


def test_gsd_of_a_geographic_grid_is_measured_on_the_ellipsoid() -> None:
    latitude, a, e2 = math.radians(42.5), 6378137.0, 0.00669437999014
    w = 1 - e2 * math.sin(latitude) ** 2
    east = math.radians(1e-4) * a / math.sqrt(w) * math.cos(latitude)
    north = math.radians(0.5e-4) * a * (1 - e2) / w**1.5
    grid = Grid(CRS.from_epsg(4326), Affine(1e-4, 0, -72.2, 0, -0.5e-4, 42.5), (2, 2))
    assert grid.gsd == pytest.approx(math.sqrt(east * north), rel=1e-5)


def test_gsd_in_web_mercator_shrinks_with_the_latitude() -> None:
    y = 6378137.0 * math.log(math.tan(math.pi / 4 + math.radians(60) / 2))
    grid = Grid(CRS.from_epsg(3857), Affine(10, 0, 0, 0, -10, y), (2, 2))
    assert grid.gsd == pytest.approx(5.0, rel=5e-3)


def test_gsd_of_a_turned_grid_is_that_of_the_upright_one() -> None:
    turned = Affine.translation(5e5, 4e6) @ Affine.rotation(30) @ Affine.scale(3, -3)
    assert Grid(UTM, turned, (9, 9)).gsd == pytest.approx(3)


def test_gsd_of_a_compound_crs_is_that_of_its_horizontal_part() -> None:
    compound = CRS.from_user_input("EPSG:4326+5773")
    transform = Affine(1e-4, 0, -72.2, 0, -1e-4, 42.5)
    flat = Grid(CRS.from_epsg(4326), transform, (9, 9))
    assert Grid(compound, transform, (9, 9)).gsd == pytest.approx(flat.gsd, rel=1e-9)


def test_gsd_of_another_planet_uses_its_own_ellipsoid() -> None:
    moon = CRS.from_wkt(
        'GEOGCS["Moon",DATUM["Moon",SPHEROID["Moon",1737400,0]],PRIMEM["Reference",0],'
        'UNIT["degree",0.0174532925199433]]'
    )
    grid = Grid(moon, Affine(0.01, 0, 10, 0, -0.01, 0.01), (2, 2))
    assert grid.gsd == pytest.approx(math.radians(0.01) * 1737400, rel=1e-6)


def test_intersection_of_grids_is_the_shared_window() -> None:
    here = Grid(UTM, Affine(2, 0, 1000, 0, -2, 5000), (50, 50))
    there = Grid(UTM, Affine(5, 0, 1050, 0, -5, 4990), (100, 100))
    assert here.intersection(there) == Window(5, 25, 45, 25)


def test_grids_apart_share_nothing() -> None:
    here = Grid(UTM, Affine(2, 0, 1000, 0, -2, 5000), (50, 50))
    assert here.intersection(Grid(UTM, Affine(2, 0, 2000, 0, -2, 5000), (50, 50))) is None


def test_grids_in_other_crss_meet_on_the_ground() -> None:
    here = Grid(UTM, Affine(10, 0, 500000, 0, -10, 4600000), (100, 100))
    degrees = Grid(CRS.from_epsg(4326), Affine(0.01, 0, -76, 0, -0.01, 43), (300, 300))
    assert here.intersection(degrees) == here.full_window
    assert degrees.intersection(here) is not None


def test_grids_with_and_without_a_crs_are_not_compared() -> None:
    bare = Grid(None, Affine(2, 0, 1000, 0, -2, 5000), (50, 50))
    with pytest.raises(ValueError, match="CRS"):
        bare.intersection(Grid(UTM, bare.transform, (50, 50)))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_every_real_raster_keeps_its_bounds_when_refined(shared_data: Path) -> None:
    """Against rasterio's arithmetic on the file's own and on the refined transform."""
    paths = sorted([*shared_data.rglob("*.tif"), *shared_data.rglob("*.webp")])
    assert len(paths) > 1000
    for path in paths:
        with rasterio.open(path) as dataset:
            grid = Grid(dataset.crs, dataset.transform, dataset.shape)
            fine = grid.refine(32)
            rows, cols = np.array(list(itertools.product((0, 1), (0, 1)))).T * np.array(
                [[dataset.height], [dataset.width]]
            )
            mine = rasterio.transform.xy(fine.transform, 32 * rows, 32 * cols, offset="ul")
            theirs = rasterio.transform.xy(dataset.transform, rows, cols, offset="ul")
        # A coordinate is stored to a half of its last place, whatever the size of the pixel.
        rounding = 2 * np.spacing(np.abs(theirs).max())
        allowed = max(1e-9, rounding / min(fine.res_xy))
        assert np.abs(np.subtract(mine, theirs)).max() <= allowed * min(fine.res_xy), path
        assert pixels_apart(fine, exact_bounds(grid)) <= allowed, path


@pytest.mark.parametrize("kind", ["rotated", "south_up", "geographic", "compound"])
def test_grids_read_from_files_keep_their_bounds(kind: str, request: pytest.FixtureRequest) -> None:
    with Scene.open(request.getfixturevalue(f"{kind}_scene")) as scene:
        assert exact_bounds(scene.grid.refine(32)) == exact_bounds(scene.grid)


def test_a_padded_window_grows_on_every_side() -> None:
    assert Window(7, 5, 20, 30).padded(2) == Window(5, 3, 24, 34)
    assert Window(7, 5, 20, 30).padded(-3) == Window(10, 8, 14, 24)
