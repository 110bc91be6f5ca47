"""A cube brought onto a scene's grid."""

import numpy as np
import pytest
import rasterio.warp
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

from displaced_pairs import UTM, write_cube
from specgan.bands import CANONICAL_BANDS
from specgan_cli.cubes.cube import Cube
from specgan_cli.errors import MismatchError
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.resampling.cube_on_grid import cube_on_grid
from specgan_cli.resampling.field import DisplacementField
from specgan_cli.resampling.model import Alignment

NM = np.asarray(CANONICAL_BANDS.wavelengths_nm)
ORIGIN = (726500.0, 4699100.0)


def transform(step: float = 1.0, dx: float = 0.0, dy: float = 0.0) -> Affine:
    return Affine(step, 0, ORIGIN[0] + dx, 0, -step, ORIGIN[1] + dy)


def grid(step: float, rows: int, cols: int, dx: float = 0.0, dy: float = 0.0) -> Grid:
    return Grid(CRS.from_user_input(UTM), transform(step, dx, dy), (rows, cols))


@pytest.fixture
def plane(tmp_path):
    """A cube of 24 x 30 pixels whose bands are planes: value = easting and northing at its centre.

    Band b is 0.2 + 0.004 (b + 1) (x - 0.5 y) / 30 with x, y in metres from the upper left corner.
    """
    y, x = np.mgrid[0:24, 0:30] + 0.5
    slope = 0.004 * np.arange(1, 49)[:, None, None]
    path = write_cube(tmp_path / "p.tif", 0.2 + slope * (x - 0.5 * y) / 30, transform(), nm=NM)
    with Cube.open(path) as cube:
        yield cube


def expected(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 0.2 + 0.004 * np.arange(1, 49)[:, None, None] * (x - 0.5 * y) / 30


@pytest.fixture
def noise(tmp_path):
    values = np.random.default_rng(0).uniform(0.05, 0.6, (48, 24, 30))
    invalid = np.zeros((24, 30), bool)
    invalid[5:9, 10:13] = True
    path = write_cube(tmp_path / "n.tif", values, transform(), nm=NM, invalid=invalid)
    with Cube.open(path) as cube:
        yield cube, np.rint(values * 10000) / 10000, ~invalid


def test_the_cubes_own_grid_gives_the_cube(noise):
    cube, values, valid = noise
    hsi, mask = cube_on_grid(cube, cube.grid)
    np.testing.assert_array_equal(mask, valid)
    np.testing.assert_allclose(hsi[:, valid], values[:, valid], atol=2e-6)
    assert np.all(hsi[:, ~valid] == 0)


def test_a_coarser_grid_gets_means_of_whole_blocks(noise):
    cube, values, valid = noise
    hsi, mask = cube_on_grid(cube, grid(2, 12, 15))
    total = (values * valid).reshape(48, 12, 2, 15, 2).sum(axis=(2, 4))
    count = valid.reshape(12, 2, 15, 2).sum(axis=(1, 3))
    np.testing.assert_array_equal(mask, count >= 2)
    np.testing.assert_allclose(hsi[:, mask], (total / np.maximum(count, 1))[:, mask], atol=2e-6)


def test_block_means_weigh_by_area(noise):
    cube, values, _ = noise
    hsi, mask = cube_on_grid(cube, grid(2.5, 1, 1, dx=20.25, dy=-1.75))
    weights = np.array([0.25, 1.0, 1.0, 0.25])
    mean = np.einsum("bij,i,j->b", values[:, 1:5, 20:23], weights, [0.75, 1.0, 0.75]) / 6.25
    assert mask.all()
    np.testing.assert_allclose(hsi[:, 0, 0], mean, atol=2e-6)


@pytest.mark.parametrize("step", [0.1, 0.8, 1.0, 1.25, 3.2])
def test_planes_stay_planes_at_every_ratio(plane, step):
    rows, cols = int(16 / step), int(20 / step)
    hsi, mask = cube_on_grid(plane, grid(step, rows, cols, dx=4.03, dy=-3.07))
    y, x = np.mgrid[0:rows, 0:cols]
    assert mask.all()
    want = expected(4.03 + step * (x + 0.5), 3.07 + step * (y + 0.5))
    np.testing.assert_allclose(hsi, want, atol=6e-5)


@pytest.mark.parametrize("degrees", [2.0, 33.0, 90.0, 180.0])
@pytest.mark.parametrize("step", [0.5, 2.6])
def test_planes_stay_planes_through_rotation(plane, degrees, step):
    size = int(10 / step)
    turned = (
        Affine.translation(ORIGIN[0] + 14, ORIGIN[1] - 12)
        @ Affine.rotation(degrees)
        @ Affine.scale(step, -step)
        @ Affine.translation(-size / 2, -size / 2)
    )
    hsi, mask = cube_on_grid(plane, Grid(CRS.from_user_input(UTM), turned, (size, size)))
    row, col = np.mgrid[0:size, 0:size] + 0.5
    x, y = turned.a * col + turned.b * row + turned.c, turned.d * col + turned.e * row + turned.f
    assert mask.all()
    np.testing.assert_allclose(hsi, expected(x - ORIGIN[0], ORIGIN[1] - y), atol=6e-5)


def test_south_up_and_mirrored_scenes_get_the_same_ground(noise):
    cube, values, valid = noise
    flipped = Affine(-1, 0, ORIGIN[0] + 30, 0, 1, ORIGIN[1] - 24)
    hsi, mask = cube_on_grid(cube, Grid(CRS.from_user_input(UTM), flipped, (24, 30)))
    np.testing.assert_array_equal(mask, valid[::-1, ::-1])
    np.testing.assert_allclose(hsi[:, mask], values[:, ::-1, ::-1][:, mask], atol=2e-6)


def test_planes_stay_planes_across_crss(plane):
    target = CRS.from_epsg(4326)
    lon, lat = rasterio.warp.transform(UTM, target, [ORIGIN[0] + 6], [ORIGIN[1] - 5])
    scene = Grid(target, Affine(9e-6, 0, lon[0], 0, -8e-6, lat[0]), (14, 16))
    hsi, mask = cube_on_grid(plane, scene)
    row, col = np.mgrid[0:14, 0:16] + 0.5
    x, y = rasterio.warp.transform(
        target, UTM, (lon[0] + 9e-6 * col).ravel(), (lat[0] - 8e-6 * row).ravel()
    )
    x, y = np.reshape(x, (14, 16)), np.reshape(y, (14, 16))
    assert mask.all()
    np.testing.assert_allclose(hsi, expected(x - ORIGIN[0], ORIGIN[1] - y), atol=6e-5)


def test_a_displacement_is_added_to_the_cubes_positions(plane):
    moved = Alignment(shift_crs=(1.3, -0.7), shift_xy=(1.3, -0.7))
    hsi, mask = cube_on_grid(plane, grid(1, 10, 12, dx=5, dy=-5), moved)
    y, x = np.mgrid[0:10, 0:12] + 0.5
    assert mask.all()
    np.testing.assert_allclose(hsi, expected(x + 5 - 1.3, y + 5 - 0.7), atol=6e-5)


def test_a_constant_field_equals_a_shift(noise):
    cube, _, _ = noise
    ones = tuple((0.4,) * 5 for _ in range(5))
    left, top = ORIGIN
    field = DisplacementField((left, top - 24, left + 30, top), ones, ones)
    shifted = cube_on_grid(cube, grid(2.5, 8, 8, dx=3, dy=-3), Alignment(shift_crs=(0.4, 0.4)))
    warped = cube_on_grid(cube, grid(2.5, 8, 8, dx=3, dy=-3), Alignment(field=field))
    np.testing.assert_array_equal(warped[1], shifted[1])
    assert np.abs(warped[0] - shifted[0]).max() < 0.03


def test_a_field_displaces_each_place_by_its_own_amount(plane):
    left, top = ORIGIN
    rng = np.random.default_rng(3)
    nodes = rng.uniform(-0.8, 0.8, (2, 5, 5))
    field = DisplacementField(
        (left, top - 24, left + 30, top), tuple(map(tuple, nodes[0])), tuple(map(tuple, nodes[1]))
    )
    hsi, mask = cube_on_grid(plane, grid(1, 12, 12, dx=8, dy=-6), Alignment(field=field))
    y, x = np.mgrid[0:12, 0:12] + 0.5
    nominal_x, nominal_y = left + 8 + x, top - 6 - y
    for _ in range(30):
        dx, dy = field.at(nominal_x, nominal_y)
        nominal_x, nominal_y = left + 8 + x - dx, top - 6 - y - dy
    assert mask.all()
    np.testing.assert_allclose(hsi, expected(nominal_x - left, top - nominal_y), atol=1e-4)


def test_beyond_the_cube_nothing_is_valid(noise):
    cube, _, _ = noise
    hsi, mask = cube_on_grid(cube, grid(1, 10, 10, dx=25, dy=4))
    assert mask[4:, :5].all()
    assert mask.sum() == 30
    assert np.all(hsi[:, ~mask] == 0)
    hsi, mask = cube_on_grid(cube, grid(1, 4, 4, dx=500))
    assert not mask.any()


def test_invalid_pixels_never_reach_their_neighbours(tmp_path):
    values = np.full((48, 12, 12), 0.3)
    invalid = np.zeros((12, 12), bool)
    invalid[6, 6] = True
    path = write_cube(tmp_path / "c.tif", values, transform(), nm=NM, invalid=invalid)
    with Cube.open(path) as cube:
        for step in (0.25, 0.8, 1.7):
            hsi, mask = cube_on_grid(cube, grid(step, int(11 / step), int(11 / step), dx=0.2))
            np.testing.assert_allclose(hsi[:, mask], 0.3, atol=1e-6)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(-3, 12), st.integers(-3, 12), st.sampled_from([0.4, 1.0, 2.3]), st.booleans())
def test_a_window_equals_its_part_of_the_whole(noise, row, col, step, turned):
    cube, _, _ = noise
    whole = grid(step, 15, 15, dx=1.1, dy=-0.9)
    if turned:
        whole = Grid(whole.crs, whole.transform @ Affine.rotation(4), whole.shape_yx)
    everything, mask = cube_on_grid(cube, whole, window=Window(-4, -4, 24, 24))
    part, known = cube_on_grid(cube, whole, window=Window(row, col, 5, 6))
    cut = np.s_[row + 4 : row + 9, col + 4 : col + 10]
    np.testing.assert_array_equal(known, mask[cut])
    np.testing.assert_allclose(part, everything[:, *cut], atol=1e-5)


def test_memory_is_bounded_by_the_window(noise, monkeypatch):
    cube, _, _ = noise
    sizes = []
    read = Cube.read

    def spy(self, window, indices=None):
        sizes.append(window.height * window.width)
        return read(self, window, indices)

    monkeypatch.setattr(Cube, "read", spy)
    monkeypatch.setattr("specgan_cli.resampling.resample._PART_VALUES", 96 * 60)
    small, mask = cube_on_grid(cube, grid(2.0, 12, 15))
    assert len(sizes) > 10
    assert max(sizes) <= 120
    monkeypatch.undo()
    whole, known = cube_on_grid(cube, grid(2.0, 12, 15))
    np.testing.assert_array_equal(mask, known)
    np.testing.assert_allclose(small, whole, atol=1e-6)


def test_a_cube_without_a_crs_is_refused_beside_a_scene_with_one(tmp_path):
    values = np.full((48, 8, 8), 0.3)
    path = write_cube(tmp_path / "c.tif", values, transform(), crs=None, nm=NM)
    with Cube.open(path) as cube, pytest.raises(MismatchError, match="--hsi-crs"):
        cube_on_grid(cube, grid(1, 4, 4))


def test_a_cube_beyond_the_near_infrared_is_refused(tmp_path):
    path = write_cube(tmp_path / "c.tif", np.full((2, 8, 8), 0.3), transform(), nm=[1600.0, 2200.0])
    with Cube.open(path) as cube, pytest.raises(MismatchError, match="none of its bands"):
        cube_on_grid(cube, grid(1, 4, 4))
