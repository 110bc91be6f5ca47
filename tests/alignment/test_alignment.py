"""Measuring how a cube lies on a scene."""

import csv
import math

import numpy as np
import pytest
import rasterio
import rasterio.warp
from affine import Affine

import displaced_pairs as pairs
from specgan.serde import from_plain, to_plain
from specgan_cli.alignment.estimate import align
from specgan_cli.alignment.options import AlignOptions
from specgan_cli.alignment.pair import MatchPair
from specgan_cli.alignment.refine import blur_variance, refine
from specgan_cli.alignment.search import reliability
from specgan_cli.cubes.cube import Cube
from specgan_cli.cubes.options import CubeOptions
from specgan_cli.errors import MismatchError
from specgan_cli.raster.grid import Grid
from specgan_cli.raster.scene import Scene
from specgan_cli.resampling.cube_on_grid import cube_on_grid
from specgan_cli.resampling.field import DisplacementField
from specgan_cli.resampling.model import Alignment

SIZE, RATIO, PAD = 400, 10, 40


@pytest.fixture(scope="module")
def ground():
    return np.rint(pairs.texture(SIZE))


@pytest.fixture(scope="module")
def scene_path(ground, tmp_path_factory):
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    return pairs.write_scene(path, ground, pairs.scene_transform())


def cube_transform(ratio=RATIO, pad=PAD):
    return pairs.scene_transform() @ Affine.translation(pad, pad) @ Affine.scale(ratio)


def found(scene_path, cube_path, **options):
    with Scene.open(scene_path) as scene, Cube.open(cube_path) as cube:
        return align(scene, cube, AlignOptions(**options))


def residual(alignment, shift, pixel=1.0):
    """Metres between what was found and the truth (pixels east and north)."""
    east, north = alignment.shift_xy
    return math.hypot(east - shift[0] * pixel, north - shift[1] * pixel)


@pytest.mark.parametrize("shift", pairs.SHIFTS)
def test_easy_cubes_lie_within_a_hundredth_of_a_metre(tmp_path, ground, scene_path, shift):
    cube = pairs.cube_of(pairs.see(ground, RATIO, PAD, shift))
    path = pairs.write_cube(tmp_path / "c.tif", cube, cube_transform())
    alignment = found(scene_path, path)
    assert residual(alignment, shift) <= 0.010
    assert alignment.field is None
    assert alignment.reliability > 0.999
    assert alignment.correlation > max(alignment.correlation_before, 0.95)


@pytest.mark.parametrize("shift", pairs.SHIFTS)
def test_hard_cubes_lie_within_16_millimetres(tmp_path, ground, scene_path, shift):
    seen = pairs.see(ground, RATIO, PAD, shift, psf=0.45)
    cube = pairs.cube_of(seen, snr=60, ramp=True)
    path = pairs.write_cube(tmp_path / "c.tif", cube, cube_transform())
    assert residual(found(scene_path, path), shift) <= 0.016


@pytest.mark.parametrize("ratio", [3, 1])
def test_other_ratios_lie_within_a_tenth_of_a_scene_pixel(tmp_path, ground, ratio):
    scene = pairs.write_scene(tmp_path / "s.tif", ground[:, :150, :150], pairs.scene_transform())
    seen = pairs.see(ground[:, :150, :150], ratio, 12, (1.37, -0.82))
    path = pairs.write_cube(tmp_path / "c.tif", pairs.cube_of(seen), cube_transform(ratio, 12))
    alignment = found(scene, path, local=False)
    assert residual(alignment, (1.37, -0.82), 0.1 * ratio) <= 0.010


def test_a_cube_finer_than_the_scene_is_moved_the_same_way(tmp_path, ground):
    seen = pairs.see(ground, RATIO, 0, (0.0, 0.0))
    transform = pairs.scene_transform(1.0)
    scene = pairs.write_scene(tmp_path / "s.tif", seen, transform)
    cube = pairs.cube_of(pairs.see(ground, 2, 50, (3.4, -6.1)))
    path = pairs.write_cube(tmp_path / "c.tif", cube, cube_transform(2, 50))
    alignment = found(scene, path, local=False)
    assert residual(alignment, (3.4, -6.1), 0.2) <= 0.016


@pytest.mark.parametrize("which", ["scene", "cube"])
@pytest.mark.parametrize("shape", ["scattered", "block"])
def test_thirty_percent_nodata_does_not_mislead(tmp_path, ground, which, shape):
    rng = np.random.default_rng(5)
    size = SIZE if which == "scene" else 32
    invalid = rng.random((size, size)) < 0.3
    if shape == "block":
        invalid[:] = False
        invalid[: int(0.55 * size), : int(0.55 * size)] = True
    shift = (0.23, 0.41)
    cube = pairs.cube_of(pairs.see(ground, RATIO, PAD, shift))
    image = np.maximum(ground, 1) * (1 if which == "cube" else ~invalid)
    scene = pairs.write_scene(tmp_path / "s.tif", image, pairs.scene_transform(), nodata=0)
    path = pairs.write_cube(
        tmp_path / "c.tif", cube, cube_transform(), invalid=invalid if which == "cube" else None
    )
    assert residual(found(scene, path), shift) <= 0.016


@pytest.mark.parametrize("value", [0, 7, 255])
@pytest.mark.parametrize("place", ["left", "frame", "corner"])
def test_a_collar_that_no_tag_tells_does_not_mislead(tmp_path, ground, value, place):
    rows, cols = np.mgrid[:SIZE, :SIZE]
    collar = {
        "left": cols < SIZE // 4,
        "frame": np.minimum.reduce([rows, cols, SIZE - 1 - rows, SIZE - 1 - cols]) < SIZE // 8,
        "corner": rows + cols < SIZE // 2,
    }[place]
    shift = (3.4, -2.3)
    scene = np.where(collar, value, ground)
    path = pairs.write_scene(tmp_path / "s.tif", scene, pairs.scene_transform())
    cube = pairs.cube_of(pairs.see(ground, RATIO, PAD, shift))
    cube_path = pairs.write_cube(tmp_path / "c.tif", cube, cube_transform())
    assert residual(found(path, cube_path, local=False), shift) <= 0.016


def test_a_cube_turned_by_two_degrees_is_aligned(tmp_path, ground, scene_path):
    middle = Affine.translation(pairs.CORNER[0] + 20, pairs.CORNER[1] - 20)
    transform = middle @ Affine.rotation(2) @ Affine.scale(1, -1) @ Affine.translation(-15, -15)
    shift = (1.37, -0.82)
    seen = pairs.see_anywhere(ground, transform, (30, 30), lambda x, y: (x, y), shift)
    path = pairs.write_cube(tmp_path / "c.tif", pairs.cube_of(seen), transform)
    assert residual(found(scene_path, path, local=False), shift) <= 0.016


def test_a_cube_in_another_crs_is_aligned(tmp_path, ground, scene_path):
    other = "EPSG:32619"
    (x,), (y,) = rasterio.warp.transform(
        pairs.UTM, other, [pairs.CORNER[0] + 20], [pairs.CORNER[1] - 20]
    )
    transform = Affine(1, 0, x - 15, 0, -1, y + 15)

    def to_scene(x, y):
        moved = rasterio.warp.transform(other, pairs.UTM, x.ravel(), y.ravel())
        return tuple(np.reshape(values, x.shape) for values in moved)

    shift = (0.23, 0.41)
    seen = pairs.see_anywhere(ground, transform, (30, 30), to_scene, shift)
    path = pairs.write_cube(tmp_path / "c.tif", pairs.cube_of(seen), transform, crs=other)
    assert residual(found(scene_path, path, local=False), shift) <= 0.016


def test_a_cube_and_a_scene_on_the_same_site_grid_are_aligned(tmp_path, ground):
    site = (
        'LOCAL_CS["Site grid",UNIT["metre",1,AUTHORITY["EPSG","9001"]],AXIS["Easting",EAST],'
        'AXIS["Northing",NORTH]]'
    )
    scene = pairs.write_scene(tmp_path / "s.tif", ground, pairs.scene_transform(), site)
    cube = pairs.cube_of(pairs.see(ground, RATIO, PAD, (1.37, -0.82)))
    path = pairs.write_cube(tmp_path / "c.tif", cube, cube_transform(), site)
    assert residual(found(scene, path, local=False), (1.37, -0.82)) <= 0.016


def test_a_smooth_warp_is_followed_within_three_hundredths_of_a_pixel(tmp_path, ground, scene_path):
    def warp(rows, cols):
        return 1.5 * np.sin(2 * np.pi * cols / 72 + 0.4), 1.5 * np.cos(2 * np.pi * rows / 72 + 0.2)

    pad, size = 20, 36
    path = pairs.write_cube(
        tmp_path / "c.tif",
        pairs.cube_of(pairs.see_warped(ground, RATIO, pad, warp)),
        cube_transform(RATIO, pad),
    )
    alignment = found(scene_path, path)
    assert alignment.field is not None
    rows, cols = np.mgrid[0:size, 0:size] + 0.5
    x, y = cube_transform(RATIO, pad) @ (cols, rows)
    dx, dy = alignment.field.at(np.asarray(x), np.asarray(y))
    grad_row, grad_col = warp(rows, cols)
    error = np.hypot(alignment.shift_crs[0] + dx - grad_col, alignment.shift_crs[1] + dy + grad_row)
    assert np.median(error) <= 0.03


def test_a_rotation_that_the_georeference_hides_is_followed(tmp_path, ground, scene_path):
    middle = Affine.translation(pairs.CORNER[0] + 20, pairs.CORNER[1] - 20)
    named = middle @ Affine.scale(1, -1) @ Affine.translation(-16, -16)
    true = middle @ Affine.rotation(2) @ Affine.scale(1, -1) @ Affine.translation(-16, -16)
    seen = pairs.see_anywhere(ground, true, (32, 32), lambda x, y: (x, y), (0.6, -0.4))
    alignment = found(scene_path, pairs.write_cube(tmp_path / "c.tif", pairs.cube_of(seen), named))
    assert alignment.field is not None
    rows, cols = np.mgrid[0:32, 0:32] + 0.5
    x, y = (np.asarray(values) for values in named @ (cols, rows))
    true_x, true_y = (np.asarray(values) for values in true @ (cols, rows))
    dx, dy = alignment.field.at(x, y)
    east, north = alignment.shift_crs
    error = np.hypot(x + east + dx - true_x - 0.6, y + north + dy - true_y + 0.4)
    assert np.median(error) <= 0.03


@pytest.mark.parametrize("size", [1, 4, 6])
def test_unrelated_overlaps_of_a_few_pixels_are_refused(tmp_path, ground, size):
    image = np.maximum(ground[:, :size, :size], 1)
    scene = pairs.write_scene(tmp_path / "s.tif", image, pairs.scene_transform())
    cube = pairs.cube_of(ground[:, 100 : 100 + size, 50 : 50 + size])
    path = pairs.write_cube(tmp_path / "c.tif", cube, pairs.scene_transform())
    with pytest.raises(MismatchError, match="--no-align"):
        found(scene, path)
    if size > 3:
        assert found(scene, path, threshold=0).reliability < 0.999


def test_unrelated_ground_is_refused_with_the_figure(tmp_path, scene_path):
    other = pairs.cube_of(pairs.see(pairs.texture(SIZE, seed=7), RATIO, PAD, (0, 0)))
    path = pairs.write_cube(tmp_path / "c.tif", other, cube_transform())
    with pytest.raises(MismatchError, match=r"reliability 0\.\d+.*--max-shift") as caught:
        found(scene_path, path)
    assert caught.value.exit_code == 3


def test_a_shift_beyond_the_search_is_refused_and_found_when_allowed(tmp_path, ground, scene_path):
    cube = pairs.cube_of(pairs.see(ground, RATIO, 120, (11.3, -11.6)))
    path = pairs.write_cube(tmp_path / "c.tif", cube, cube_transform(RATIO, 120))
    with pytest.raises(MismatchError):
        found(scene_path, path)
    assert residual(found(scene_path, path, max_shift=13), (11.3, -11.6)) <= 0.03


@pytest.mark.parametrize("flat", ["scene", "cube"])
def test_constant_images_are_refused(tmp_path, ground, flat):
    cube = pairs.cube_of(pairs.see(ground, RATIO, PAD, (0, 0)), snr=1e9)
    if flat == "cube":
        cube[:] = 0.3
    image = np.full_like(ground, 255) if flat == "scene" else ground
    scene = pairs.write_scene(tmp_path / "s.tif", image, pairs.scene_transform())
    path = pairs.write_cube(tmp_path / "c.tif", cube, cube_transform())
    with pytest.raises(MismatchError, match=r"cannot be aligned|too few valid pixels"):
        found(scene, path)


def test_a_cube_of_nodata_alone_is_refused(tmp_path, ground, scene_path):
    cube = pairs.cube_of(pairs.see(ground, RATIO, PAD, (0, 0)))
    invalid = np.ones(cube.shape[1:], bool)
    path = pairs.write_cube(tmp_path / "c.tif", cube, cube_transform(), invalid=invalid)
    with pytest.raises(MismatchError, match="too few valid pixels"):
        found(scene_path, path)


def test_no_overlap_is_refused(tmp_path, ground, scene_path):
    cube = pairs.cube_of(pairs.see(ground, RATIO, PAD, (0, 0)))
    path = pairs.write_cube(tmp_path / "c.tif", cube, Affine(1, 0, 4e5, 0, -1, 4e6))
    with pytest.raises(MismatchError, match="do not overlap"):
        found(scene_path, path)


def test_a_partial_overlap_is_enough(tmp_path, ground, scene_path):
    seen = pairs.see(ground, RATIO, PAD, (0.4, 0.3))[:, 10:, 12:]
    beyond = np.zeros((3, 50, 45))
    beyond[:, : seen.shape[1], : seen.shape[2]] = seen
    beyond[:, seen.shape[1] :, :] = pairs.texture(60, 4)[:, :28, :45]
    transform = cube_transform() @ Affine.translation(12, 10)
    path = pairs.write_cube(tmp_path / "c.tif", pairs.cube_of(beyond), transform)
    assert residual(found(scene_path, path, local=False), (0.4, 0.3)) <= 0.03


def test_a_cube_without_a_crs_is_refused_with_the_option(tmp_path, ground, scene_path):
    cube = pairs.cube_of(pairs.see(ground, RATIO, PAD, (0, 0)))
    path = pairs.write_cube(tmp_path / "c.tif", cube, cube_transform(), crs=None)
    with pytest.raises(MismatchError, match="--hsi-crs"):
        found(scene_path, path)


def test_a_mirrored_cube_is_aligned(tmp_path, ground, scene_path):
    shift = (1.37, -0.82)
    cube = pairs.cube_of(pairs.see(ground, RATIO, PAD, shift))
    transform = cube_transform() @ Affine.translation(32, 32) @ Affine.scale(-1, -1)
    path = pairs.write_cube(tmp_path / "c.tif", cube[:, ::-1, ::-1], transform)
    assert residual(found(scene_path, path), shift) <= 0.010


def test_what_was_found_brings_the_cube_onto_the_scene(tmp_path, ground, scene_path):
    shift = (-3.65, 2.18)
    cube = pairs.cube_of(pairs.see(ground, RATIO, PAD, shift), snr=1e9)
    path = pairs.write_cube(tmp_path / "c.tif", cube, cube_transform())
    true = pairs.cube_of(pairs.see(ground, RATIO, PAD, (0, 0)), snr=1e9)
    alignment = found(scene_path, path)
    errors = []
    with Cube.open(path) as opened:
        grid = opened.grid
        for lie in (None, alignment):
            hsi, mask = cube_on_grid(opened, grid, lie, bands=opened.bands)
            errors.append(np.abs(hsi - true)[:, 6:-6, 6:-6][:, mask[6:-6, 6:-6]].mean())
    assert errors[1] < 0.2 * errors[0]


def test_the_blur_beyond_the_area_of_a_pixel_is_measured(tmp_path, ground, scene_path):
    seen = pairs.see(ground, RATIO, PAD, (0.3, 0.2), psf=0.45)
    path = pairs.write_cube(tmp_path / "c.tif", pairs.cube_of(seen), cube_transform())
    with Scene.open(scene_path) as scene, Cube.open(path) as cube:
        views = MatchPair.of(scene, cube).views(pad=5, per_axis=1)
    excess, left = blur_variance(views, refine(views, (0.0, 0.0))), 0.0
    for _ in range(4):
        blurred = [view.blurred(excess) for view in views]
        left = blur_variance(blurred, refine(blurred, (0.0, 0.0)))
        excess += left
    assert excess == pytest.approx(0.45**2 - 1 / 12, rel=0.3)
    assert left < 0.1 * excess


def test_alignments_survive_json():
    field = DisplacementField((0.0, 1.0, 2.0, 3.0), ((0.5,) * 4,) * 4, ((-0.25,) * 4,) * 4)
    whole = Alignment((1.0, -2.0), (0.1, -0.2), field, 0.99, 0.8, 0.5, 0.01, 0.9, 400, True)
    assert from_plain(Alignment, to_plain(whole)) == whole
    bare = from_plain(Alignment, to_plain(Alignment()))
    assert math.isnan(bare.uncertainty)
    assert bare.field is None


def test_reliability_is_the_chance_that_unrelated_images_correlate_less():
    pair = np.random.default_rng(0).normal(size=(3000, 20, 2, 50))
    pair -= pair.mean(axis=-1, keepdims=True)
    pair /= np.linalg.norm(pair, axis=-1, keepdims=True)
    best = (pair[:, :, 0] * pair[:, :, 1]).sum(axis=-1).max(axis=1)
    for share in (0.5, 0.9, 0.95):
        r = float(np.quantile(best, share))
        assert reliability(r, 50, 20) == pytest.approx(share, abs=0.03)


def neon(folder, rgb, hsi, origin):
    table = folder / "wavelengths_369_nm.csv"
    with (
        Scene.open(folder / "rgb" / f"{rgb}.tif") as scene,
        Cube.open(
            folder / "hsi" / f"{hsi}.tif", CubeOptions(table, scale=10000, origin=origin)
        ) as cube,
    ):
        return align(scene, cube, AlignOptions(local=False))


def test_real_pairs_are_accepted_and_swapped_ones_refused(shared_data):
    folder = shared_data / "neon_pairs"
    with open(folder / "pairs.csv", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["usable"] == "1"]
    accepted, refused = 0, 0
    chosen = rows[::8]
    for row, other in zip(chosen, chosen[1:] + chosen[:1], strict=True):
        origin = float(row["left"]), float(row["top"])
        alignment = neon(folder, row["name"], row["name"], origin)
        accepted += alignment.correlation > alignment.correlation_before
        try:
            neon(folder, row["name"], other["name"], origin)
        except MismatchError:
            refused += 1
    assert accepted == len(chosen)
    assert refused >= 0.9 * len(chosen)


def test_the_real_whole_scene_gains_from_its_alignment(shared_data):
    folder = shared_data / "neon_pair_40m"
    options = {
        "wavelengths": folder / "wavelengths_426_nm.csv",
        "crs": "EPSG:32618",
        "origin": (726491.0, 4699078.0),
    }
    with (
        Scene.open(folder / "HARV_026_rgb.tif") as scene,
        Cube.open(folder / "HARV_026_hsi_as_shipped.tif", CubeOptions(**options)) as cube,
    ):
        alignment = align(scene, cube)
    assert alignment.correlation > alignment.correlation_before + 0.05
    assert math.hypot(*alignment.shift_xy) < 1.0


def test_geographic_scenes_report_metres(tmp_path, ground):
    degrees = 1e-6
    latitude = 42.4
    transform = Affine(degrees, 0, -72.2, 0, -degrees, latitude)
    scene = pairs.write_scene(tmp_path / "s.tif", ground, transform, crs="EPSG:4326")
    cube = pairs.cube_of(pairs.see(ground, RATIO, PAD, (1.37, -0.82)))
    cube_at = transform @ Affine.translation(PAD, PAD) @ Affine.scale(RATIO)
    path = pairs.write_cube(tmp_path / "c.tif", cube, cube_at, crs="EPSG:4326")
    alignment = found(scene, path, local=False)
    assert alignment.shift_crs == pytest.approx((1.37e-5, -0.82e-5), abs=2e-7)
    metre = 111_320.0
    assert alignment.shift_xy[0] == pytest.approx(
        1.37e-5 * metre * math.cos(math.radians(latitude)), rel=0.01
    )
    assert alignment.shift_xy[1] == pytest.approx(-0.82e-5 * metre, rel=0.01)


def test_large_overlaps_are_measured_through_spread_windows(tmp_path, ground):
    scene = pairs.write_scene(tmp_path / "s.tif", ground, pairs.scene_transform())
    cube = pairs.cube_of(pairs.see(ground, 2, 10, (2.3, 1.6)), bands=20)
    path = pairs.write_cube(tmp_path / "c.tif", cube, cube_transform(2, 10))
    alignment = found(scene, path, local=False, max_shift=1.0)
    assert residual(alignment, (2.3, 1.6), 0.2) <= 0.010
    assert alignment.pixels < 190 * 190


def test_a_grid_of_another_crs_kind_is_no_overlap_but_a_mismatch(tmp_path):
    scene = Grid(None, Affine.identity(), (8, 8))
    path = pairs.write_cube(tmp_path / "c.tif", np.full((48, 8, 8), 0.3), cube_transform())
    with Cube.open(path) as cube, pytest.raises(MismatchError, match="no CRS"):
        cube_on_grid(cube, scene)
