"""Laws of the sample scene, and of the simulator that makes it."""

import csv
import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from scipy import optimize

SAMPLE = Path(__file__).parents[2] / "sample_data"
FILES = ("scene.tif", "cube.tif", "reference.tif", "truth.json")


@pytest.fixture(scope="module")
def make() -> ModuleType:
    """The script, as a module."""
    return importlib.import_module("make")


@pytest.fixture(scope="module")
def small(make: ModuleType) -> object:
    """A sample of 5 x 7 scene pixels."""
    return make.Sample(gsd=0.4, factor=8, shape_yx=(5, 7), margin=40, nodata_steps=2)


def read(name: str) -> NDArray[np.float64]:
    with rasterio.open(SAMPLE / name) as dataset:
        return dataset.read().astype(np.float64)


def test_sample_is_small_enough_to_ship() -> None:
    assert sum((SAMPLE / name).stat().st_size for name in FILES) < 4e6


def test_reference_lies_on_the_scene_refined_32_times() -> None:
    with (
        rasterio.open(SAMPLE / "scene.tif") as scene,
        rasterio.open(SAMPLE / "reference.tif") as reference,
    ):
        assert (scene.width, scene.height) == (64, 48)
        assert (reference.width, reference.height) == (64 * 32, 48 * 32)
        assert scene.crs == reference.crs
        assert scene.crs.to_epsg() == 32632
        assert scene.res == (3.2, 3.2)
        assert tuple(reference.bounds) == pytest.approx(tuple(scene.bounds), abs=1e-6)


def test_scene_is_the_block_mean_of_the_reference_within_noise() -> None:
    scene, reference = read("scene.tif"), read("reference.tif")
    means = reference.reshape(3, 48, 32, 64, 32).mean(axis=(2, 4))
    error = (scene - means)[:, scene[0] > 0]
    assert np.abs(error.mean(axis=1)).max() < 0.15
    assert error.std() < 0.7
    assert np.abs(error).max() < 3.0


def test_scene_misses_a_staircase_in_its_upper_right_corner() -> None:
    with rasterio.open(SAMPLE / "scene.tif") as dataset:
        valid = dataset.dataset_mask() > 0
    rows, columns = np.nonzero(~valid)
    expected = [(row, column) for row in range(7) for column in range(64 - 7 + row, 64)]
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == expected


def test_cube_tells_at_least_60_uneven_wavelengths() -> None:
    with rasterio.open(SAMPLE / "cube.tif") as cube:
        nanometres = [float(cube.tags(band)["wavelength"]) for band in cube.indexes]
        coarse = [
            float(cube.tags(band, ns="IMAGERY")["CENTRAL_WAVELENGTH_UM"]) for band in cube.indexes
        ]
        assert cube.dtypes[0] == "int16"
    steps = np.diff(nanometres)
    assert len(nanometres) >= 60
    assert 395 < nanometres[0] < 405 and 995 < nanometres[-1] < 1005
    assert (steps > 0).all() and steps.max() > 1.3 * steps.min()
    assert np.abs(np.array(coarse) * 1000 - nanometres).max() < 0.51


def test_cube_reaches_beyond_the_scene_on_a_coarser_grid() -> None:
    with (
        rasterio.open(SAMPLE / "scene.tif") as scene,
        rasterio.open(SAMPLE / "cube.tif") as cube,
    ):
        assert cube.res[0] > scene.res[0]
        assert cube.bounds.left < scene.bounds.left and cube.bounds.right > scene.bounds.right
        assert cube.bounds.bottom < scene.bounds.bottom and cube.bounds.top > scene.bounds.top


def test_cube_holds_reflectance_of_plants_and_of_water() -> None:
    with rasterio.open(SAMPLE / "cube.tif") as dataset:
        nanometres = np.array([float(dataset.tags(band)["wavelength"]) for band in dataset.indexes])
        cube = dataset.read().astype(np.float64) * dataset.scales[0]
    green, red, infrared = (
        cube[np.abs(nanometres - centre) < 15].mean(axis=0) for centre in (555, 665, 850)
    )
    plants = (infrared - red) / (infrared + red) > 0.6
    water = green > 1.5 * infrared
    assert plants.mean() > 0.15
    assert infrared[plants].mean() > 0.2
    assert water.sum() > 20
    assert 0 <= cube.min() and cube.max() < 1


def footprints(count: int, step: float, middles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian footprints, 4.4 m wide at half height, on samples `step` metres apart."""
    fine = (np.arange(count) + 0.5) * step
    weights = np.exp(-4 * np.log(2) * ((fine - middles[:, None]) / 4.4) ** 2)
    return weights / weights.sum(axis=1, keepdims=True)


def test_cube_is_displaced_as_truth_says() -> None:
    truth = json.loads((SAMPLE / "truth.json").read_text())["cube_displacement_m"]
    red = read("reference.tif")[0].reshape(384, 4, 512, 4).mean(axis=(1, 3))
    with (
        rasterio.open(SAMPLE / "cube.tif") as dataset,
        rasterio.open(SAMPLE / "scene.tif") as scene,
    ):
        nanometres = np.array([float(dataset.tags(band)["wavelength"]) for band in dataset.indexes])
        inner = slice(4, -4), slice(4, -4)
        cube = dataset.read()[np.abs(nanometres - 612) < 38].mean(axis=0)[inner]
        east = dataset.bounds.left - scene.bounds.left + 4.0 * (np.arange(4, 51) + 0.5)
        south = scene.bounds.top - dataset.bounds.top + 4.0 * (np.arange(4, 38) + 0.5)

    def disagreement(shift: NDArray[np.float64]) -> float:
        rows = footprints(384, 0.4, south + shift[1])
        columns = footprints(512, 0.4, east - shift[0])
        seen = rows @ (red / 255) ** 1.7 @ columns.T
        return 1.0 - float(np.corrcoef(seen.ravel(), cube.ravel())[0, 1])

    found = optimize.minimize(disagreement, [0.0, 0.0], method="Nelder-Mead")
    assert found.fun < 0.01
    assert found.x == pytest.approx([truth["east"], truth["north"]], abs=0.1)
    assert 0 < abs(truth["east"]) < 4 and 0 < abs(truth["north"]) < 4


def test_script_makes_the_same_bytes_again(make: ModuleType, small: object, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        make.write_sample(tmp_path / name, small)
    for name in FILES:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_script_describes_the_shipped_truth(make: ModuleType) -> None:
    assert json.loads((SAMPLE / "truth.json").read_text()) == make._facts(make.Sample())


def test_simulated_fractions_sum_to_one_and_are_mixed(make: ModuleType) -> None:
    truth = make.simulate(3, (96, 128), centre_xy=(-60.0, 0.0))
    assert truth.abundance.min() >= 0
    assert np.abs(truth.abundance.sum(axis=0) - 1).max() < 1e-5
    assert (truth.abundance.max(axis=0) < 0.99).mean() > 0.2


def test_simulated_light_falls_into_shadow_and_onto_slopes(make: ModuleType) -> None:
    truth = make.simulate(4, (256, 256), centre_xy=(0.0, 15.0))
    assert (truth.direct < 0.05).mean() > 0.01
    assert 0.9 < np.median(truth.direct) < 1.1
    assert 0 < truth.sky.min() and 0.9 < truth.sky.max() < 1.1


def test_another_seed_is_another_village(make: ModuleType) -> None:
    one, other = (make.simulate(seed, (64, 64)).abundance for seed in (1, 2))
    assert np.abs(one - other).mean() > 0.01


@pytest.mark.parametrize(
    ("material", "law"),
    [
        ("broadleaf", lambda at: at(850) > 5 * at(670) and at(550) > at(670) and at(970) < at(900)),
        ("water", lambda at: at(560) > 2 * at(800) and at(900) < 0.02),
        ("dry_soil", lambda at: at(450) < at(550) < at(650) < at(800) < at(1000)),
        ("red_tile", lambda at: at(650) > 2.5 * at(480)),
        ("metal", lambda at: abs(at(700) / at(500) - 1) < 0.15 and at(1000) < at(900)),
        ("asphalt", lambda at: 0.05 < at(450) < at(900) < 0.2),
    ],
)
def test_spectra_have_the_shape_of_their_material(make: ModuleType, material, law) -> None:
    materials = importlib.import_module("simulator.materials")
    curve = materials.spectra()[materials.NAMES.index(material)]
    assert 0 <= curve.min() and curve.max() <= 1
    assert law(lambda nm: float(np.interp(nm, materials.WAVELENGTHS_NM, curve)))


def test_training_scenes_come_as_pairs_with_groups(make: ModuleType, tmp_path: Path) -> None:
    make.write_scenes(tmp_path, 3, 50, size=96, gsd=0.25, held_out=3)
    with (tmp_path / "pairs.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["split"] for row in rows] == ["train", "train", "val"]
    assert len({row["group"] for row in rows}) == 3
    for row in rows:
        with (
            rasterio.open(tmp_path / row["rgb"]) as rgb,
            rasterio.open(tmp_path / row["hsi"]) as hsi,
        ):
            assert rgb.shape == (96, 96) and hsi.shape == (24, 24)
            assert rgb.bounds == hsi.bounds
            assert rgb.dtypes == ("uint8",) * 3 and hsi.count == 64
