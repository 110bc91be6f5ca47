"""Laws of the cubes that are simulated over RGB images."""

import csv
import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import rasterio
from affine import Affine

from support.rasters import write_raster

CENTRES = np.linspace(380, 1050, 48)


PLACE = Affine(0.3, 0, 6e5, 0, -0.3, 5e6)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script, as a module."""
    return importlib.import_module("simulate_hsi")


@pytest.fixture(scope="module")
def colours(script: ModuleType) -> ModuleType:
    """The unmixing, as a module."""
    return importlib.import_module("simulator.color_spectra")


@pytest.fixture(scope="module")
def spectra_file(script: ModuleType, colours: ModuleType, tmp_path_factory) -> Path:
    """A measured library of smooth made-up spectra: plants with a red edge, the rest slopes."""
    nanometres = np.arange(325.0, 1076.0, dtype=np.float32)
    names, curves = [], []
    plants = ("LiveOakLeaves", "FriendshipOak", "LeavesBarkMixed", "GrassByBuilding")
    for members, _ in colours.MEASURED.values():
        for member in members:
            for turn in range(2):
                level = 0.1 + 0.05 * turn + 0.02 * len(names) % 0.2
                curve = level * (0.7 + 0.6 * (nanometres - 325) / 750)
                if member in (*plants, "GrassClumpInSun"):
                    edge = 1 / (1 + np.exp(-(nanometres - 715) / 12))
                    peak = np.exp(-0.5 * ((nanometres - 550) / 30) ** 2)
                    curve = 0.03 + 0.05 * peak + 0.4 * edge
                names.append(f"{member}/{turn}#0")
                curves.append(curve)
    path = tmp_path_factory.mktemp("spectra") / "library.npz"
    np.savez(
        path,
        wavelength_nm=nanometres,
        reflectance=np.stack(curves).astype(np.float32),
        name=np.array(names),
    )
    return path


def flat(colour: tuple[int, int, int], side: int = 16) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.uint8)[:, None, None], (3, side, side)).copy()


def simulate(
    script: ModuleType, spectra_file: Path, rgb: np.ndarray, label: str = ""
) -> np.ndarray:
    optics = script.Optics(factor=8, noise=0.0)
    return script.simulate_cube(
        rgb, script.load_spectra(spectra_file), label, optics, np.random.default_rng(5)
    )


def band(cube: np.ndarray, nanometres: float) -> float:
    return float(cube[np.abs(CENTRES - nanometres) < 18].mean())


def test_mixtures_are_convex_and_stationary(colours: ModuleType) -> None:
    rng = np.random.default_rng(1)
    chroma = rng.dirichlet(np.ones(3), 12)
    wanted = rng.dirichlet(np.full(3, 3.0), 40)
    log_prior = rng.normal(size=(40, 12))
    weights = colours.mixtures(wanted, chroma, log_prior).astype(np.float64)
    assert weights.min() >= 0
    assert weights.sum(axis=1) == pytest.approx(np.ones(40), abs=1e-5)
    # On the simplex the gradient of the objective is the same for all materials.
    prior = np.exp(log_prior - log_prior.max(axis=1, keepdims=True))
    misfit = (weights @ chroma - wanted) @ chroma.T / colours.TOLERANCE**2
    gradient = misfit + np.log(np.maximum(weights, 1e-30) / prior)
    seen = weights > 1e-6
    spread = [np.ptp(row[mask]) for row, mask in zip(gradient, seen, strict=True)]
    assert max(spread) < 1e-2


@pytest.mark.parametrize("colour", [(90, 120, 70), (150, 140, 120), (200, 90, 70), (60, 70, 90)])
def test_cube_has_the_colour_of_its_picture(script, colours, spectra_file, colour) -> None:
    cube = simulate(script, spectra_file, flat(colour))
    seen = []
    for middle, width in ((612, 75), (545, 80), (465, 70)):
        response = np.exp(-4 * np.log(2) * ((CENTRES - middle) / width) ** 2)
        seen.append(float(response @ cube.mean(axis=(1, 2)) / response.sum()))
    wanted = colours.linear(np.array(colour, np.float32))
    assert seen == pytest.approx(wanted.tolist(), rel=0.2, abs=0.013)


def test_green_has_a_red_edge_and_grey_of_a_runway_has_less(script, spectra_file) -> None:
    green = simulate(script, spectra_file, flat((75, 110, 60)))
    grey = simulate(script, spectra_file, flat((110, 110, 108)), "runway")
    assert band(green, 850) > 4 * band(green, 665)
    assert band(grey, 850) < 2.5 * band(grey, 665)


def test_a_harbours_dark_blue_is_water(script, spectra_file) -> None:
    cube = simulate(script, spectra_file, flat((10, 55, 75)), "harbor")
    assert band(cube, 900) < band(cube, 545)


def test_cube_pixels_see_their_own_part_of_the_picture(script, spectra_file) -> None:
    rgb = flat((60, 60, 60), 64)
    rgb[:, 40:48, 16:24] = 200
    cube = simulate(script, spectra_file, rgb)
    assert cube.shape == (48, 8, 8)
    row, column = np.unravel_index(band_image(cube).argmax(), (8, 8))
    assert (row, column) == (5, 2)


def band_image(cube: np.ndarray) -> np.ndarray:
    return cube[np.abs(CENTRES - 545) < 18].mean(axis=0)


def test_list_and_cubes_are_the_same_again(script, spectra_file, tmp_path, monkeypatch) -> None:
    images = tmp_path / "root" / "town"
    images.mkdir(parents=True)
    rng = np.random.default_rng(2)
    for name in ("a", "b"):
        values = rng.integers(20, 220, (3, 32, 48), dtype=np.uint8)
        write_raster(images / f"{name}.tif", values, crs="EPSG:32632", transform=PLACE)
    table = tmp_path / "list.csv"
    table.write_text("rgb,group,label\ntown/a.tif,one,river\ntown/b.tif,two,\n")
    words = ["simulate_hsi.py", str(table), "--root", str(tmp_path / "root")]
    words += ["--spectra", str(spectra_file), "--into"]
    for folder in ("first", "second"):
        monkeypatch.setattr(sys, "argv", [*words, str(tmp_path / folder)])
        script.main()
    for name in ("a", "b"):
        first, second = (tmp_path / f / "town" / f"{name}.tif" for f in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
    with rasterio.open(tmp_path / "first" / "town" / "a.tif") as cube:
        assert cube.shape == (4, 6) and cube.res == pytest.approx((2.4, 2.4))
        assert cube.tags()["SIMULATED"] == "yes"
        assert float(cube.tags(48)["wavelength"]) == 1050
    with (tmp_path / "first" / "list.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["hsi_kind"] for row in rows] == ["simulated"] * 2
    assert all((tmp_path / "root" / row["hsi"]).exists() for row in rows)


def test_pairs_reader_takes_the_list(script, spectra_file, tmp_path, monkeypatch) -> None:
    from specgan_cli.datasets.building.pairs import read_pairs

    (tmp_path / "x").mkdir()
    write_raster(tmp_path / "x" / "a.tif", flat((90, 110, 70)), crs="EPSG:32632", transform=PLACE)
    table = tmp_path / "list.csv"
    table.write_text("rgb,group,label\nx/a.tif,one,river\n")
    words = ["simulate_hsi.py", str(table), "--spectra", str(spectra_file), "--into"]
    monkeypatch.setattr(sys, "argv", [*words, str(tmp_path / "cubes")])
    script.main()
    (pair,) = read_pairs([tmp_path / "cubes" / "list.csv"], root=tmp_path)
    assert pair.hsi_kind == "simulated" and pair.hsi == "cubes/x/a.tif"
