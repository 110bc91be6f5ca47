"""`upscale --hsi self`: the scene's own bands beyond red, green and blue."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from support.command import specgan
from support.tiny_networks import tiny_weights


@pytest.fixture
def four_bands(tmp_path: Path) -> Path:
    """An 8-bit scene of red, green, blue and near infrared, as aerial surveys deliver it."""
    path = tmp_path / "rgbn.tif"
    values = np.random.default_rng(3).integers(1, 255, (4, 24, 20), np.uint8)
    profile = {"driver": "GTiff", "width": 20, "height": 24, "count": 4, "dtype": "uint8"}
    place = rasterio.Affine(0.6, 0, 595041.6, 0, -0.6, 4403679.0)
    with rasterio.open(
        path, "w", crs="EPSG:26910", transform=place, photometric="RGB", **profile
    ) as d:
        d.write(values)
        d.descriptions = ("red", "green", "blue", "nir")
    return path


def upscaled(scene: Path, *more: object) -> np.ndarray:
    out = scene.with_name("out.tif")
    words = ("upscale", scene, "-o", out, "-x", 4, "--weights", tiny_weights(), "--overwrite")
    done = specgan(*map(str, (*words, *more)))
    assert done.code == 0, done.stderr
    with rasterio.open(out) as dataset:
        return dataset.read()


def test_it_is_the_scene_as_its_own_cube_without_its_colours(four_bands: Path) -> None:
    guided = upscaled(four_bands, "--hsi", "self")
    same = ("--hsi", four_bands, "--bad-bands", "1-3", "--hsi-scale", 255, "--no-align")
    np.testing.assert_array_equal(guided, upscaled(four_bands, *same))
    assert (guided != upscaled(four_bands)).any()


def test_nothing_is_said_of_a_cube_that_lies_elsewhere(four_bands: Path) -> None:
    words = ("upscale", four_bands, "-o", four_bands.with_name("o.tif"), "-x", 2)
    done = specgan("-v", *words, "--hsi", "self", "--weights", tiny_weights())
    assert done.code == 0
    assert "georeference" not in done.stderr


def test_its_bands_have_the_range_of_the_colours(four_bands: Path) -> None:
    ranged = ("--rgb-range", "0,510")
    same = ("--hsi", four_bands, "--bad-bands", "1-3", "--hsi-scale", 510, "--no-align", *ranged)
    guided = upscaled(four_bands, "--hsi", "self", *ranged)
    np.testing.assert_array_equal(guided, upscaled(four_bands, *same))


def test_a_scene_without_further_bands_is_refused(four_bands: Path, tmp_path: Path) -> None:
    three = tmp_path / "rgb.tif"
    with rasterio.open(four_bands) as dataset:
        profile = dataset.profile | {"count": 3}
        with rasterio.open(three, "w", **profile) as made:
            made.write(dataset.read([1, 2, 3]))
            made.descriptions = ("red", "green", "blue")
    done = specgan("upscale", str(three), "--hsi", "self", "-o", str(tmp_path / "out.tif"))
    assert done.code == 1
    assert "wants bands beyond red, green and blue" in done.stderr
    assert not (tmp_path / "out.tif").exists()
