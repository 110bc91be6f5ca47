"""The physical floor: no output is below physical zero unless the scene is."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from support.command import specgan
from support.tiny_networks import tiny_weights

SCALE = 4


def dark_stack(make_raster, dtype: str = "uint16", **tags: tuple[float, ...]) -> Path:
    """Return a scene of dark water beside bright ground, as Sentinel-2 with its offset of 1000."""
    random = np.random.default_rng(0)
    values = random.integers(1000, 1060, (3, 12, 16))
    values[:, :, 8:] += random.integers(0, 2500, (3, 12, 8))
    values[:, 3, 3] = 990
    path = make_raster(values.astype(dtype), name=f"{dtype}.tif")
    if tags:
        with rasterio.open(path, "r+") as dataset:
            dataset.scales, dataset.offsets = tags["scales"], tags["offsets"]
    return path


def upscaled(scene: Path, *words: object, scale: int = SCALE) -> tuple[np.ndarray, np.ndarray]:
    """Return the output, and the input repeated onto its grid."""
    out = scene.with_name(f"out_x{scale}.tif")
    done = specgan(
        *("upscale", scene, "-x", scale, "-o", out, "--weights", tiny_weights(), "--overwrite"),
        *words,
    )
    assert done.code == 0, done.stderr
    with rasterio.open(out) as dataset, rasterio.open(scene) as source:
        fine, lr = dataset.read().astype(float), source.read().astype(float)
    return fine, np.kron(lr, np.ones((1, scale, scale)))


def means(fine: np.ndarray, factor: int = SCALE) -> np.ndarray:
    bands, rows, cols = fine.shape
    return fine.reshape(bands, rows // factor, factor, cols // factor, factor).mean((2, 4))


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32", "float32"])
def test_no_output_is_below_physical_zero(make_raster, dtype: str) -> None:
    scene = dark_stack(make_raster, dtype, scales=(1e-4,) * 3, offsets=(-0.1,) * 3)
    fine, lr = upscaled(scene)
    assert (fine >= np.minimum(lr, 1000)).all()
    assert np.allclose(means(fine), lr[:, ::SCALE, ::SCALE], atol=1e-3)


def test_the_floor_is_that_of_each_band(make_raster) -> None:
    scene = dark_stack(make_raster, scales=(1e-4,) * 3, offsets=(-0.1, -0.102, 0.0))
    fine, lr = upscaled(scene)
    assert (fine[1] >= np.minimum(lr[1], 1020)).all()
    assert (fine[2] < 1000).any()


def test_the_user_says_the_floor_and_no_floor(make_raster) -> None:
    scene = dark_stack(make_raster)
    bounded, lr = upscaled(scene, "--floor", 1010)
    free, _ = upscaled(scene, "--floor", "none")
    assert (bounded >= np.minimum(lr, 1010)).all()
    assert (free < np.minimum(lr, 900)).any()
    assert np.array_equal(means(free), lr[:, ::SCALE, ::SCALE])


def test_without_a_scale_a_pixel_is_as_dark_as_the_scene(make_raster) -> None:
    scene = dark_stack(make_raster)
    fine, lr = upscaled(scene)
    assert fine.min() >= 990
    assert np.array_equal(means(fine), lr[:, ::SCALE, ::SCALE])


def test_the_floor_does_not_depend_on_tiles(make_raster) -> None:
    scene = dark_stack(make_raster)
    whole, _ = upscaled(scene, "--tile", 128)
    tiled, _ = upscaled(scene, "--tile", 5)
    assert np.abs(whole - tiled).max() <= 1


def test_octaves_above_the_floor_average_to_the_smaller_result(make_raster) -> None:
    scene = dark_stack(make_raster, scales=(1e-4,) * 3, offsets=(-0.1,) * 3)
    small, _ = upscaled(scene, scale=4)
    large, _ = upscaled(scene, scale=8)
    assert np.abs(means(large, 2) - small).max() <= 1


def test_the_floor_is_a_number(make_raster) -> None:
    done = specgan("upscale", dark_stack(make_raster), "-o", "o.tif", "--floor", "nan")
    assert (done.code, "neither a finite number nor none" in done.stderr) == (2, True)
