"""The laws of the product, end to end on files, with a tiny network of random weights."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from support.command import specgan
from support.tiny_networks import tiny_weights

SCENES = (
    "uint8_scene",
    "uint16_scene",
    "float32_scene",
    "nodata_scene",
    "alpha_scene",
    "mask_scene",
    "nan_scene",
)
PLACES = ("rotated_scene", "south_up_scene", "geographic_scene", "compound_scene")


def upscale(scene: Path, *words: object, scale: int = 4, name: str = "out.tif") -> Path:
    out = scene.with_name(name)
    done = specgan(
        "upscale", scene, "-x", scale, "-o", out, "--weights", tiny_weights(), "--overwrite", *words
    )
    assert done.code == 0, done.stderr
    return out


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the colour bands as float64, and the dataset's mask; NaN in any band is missing."""
    with rasterio.open(path) as dataset:
        values = dataset.read((1, 2, 3)).astype(np.float64)
        valid = dataset.dataset_mask() > 0
    return values, valid & np.isfinite(values).all(0)


def block_means(values: np.ndarray, factor: int) -> np.ndarray:
    bands, rows, cols = values.shape
    return values.reshape(bands, rows // factor, factor, cols // factor, factor).mean((2, 4))


@pytest.mark.parametrize("name", PLACES)
def test_upscale_keeps_the_ground(name: str, request: pytest.FixtureRequest) -> None:
    scene = request.getfixturevalue(name)
    with rasterio.open(upscale(scene)) as out, rasterio.open(scene) as source:
        assert (out.height, out.width) == (4 * source.height, 4 * source.width)
        assert out.transform.almost_equals(source.transform @ Affine.scale(0.25), 1e-12)
        assert out.crs == source.crs
        assert np.allclose(
            out.transform @ (17 * 4, 12 * 4), source.transform @ (17, 12), rtol=1e-15
        )


@pytest.mark.parametrize("name", SCENES)
def test_upscale_gives_the_input_back_as_block_means(
    name: str, request: pytest.FixtureRequest
) -> None:
    scene = request.getfixturevalue(name)
    values, _ = read(upscale(scene))
    lr_values, lr_valid = read(scene)
    with rasterio.open(scene) as source:
        tolerance = 1e-6 * 255 if source.dtypes[0] == "float32" else 0.5
    error = np.abs(block_means(values, 4) - lr_values)[:, lr_valid]
    assert error.max() <= tolerance


@pytest.mark.parametrize("name", SCENES)
def test_upscale_leaves_missing_pixels_missing(name: str, request: pytest.FixtureRequest) -> None:
    scene = request.getfixturevalue(name)
    _, valid = read(upscale(scene))
    _, lr_valid = read(scene)
    assert np.array_equal(valid, np.kron(lr_valid, np.ones((4, 4), bool)))


@pytest.mark.parametrize("name", SCENES)
def test_upscale_keeps_dtype_and_nodata(name: str, request: pytest.FixtureRequest) -> None:
    scene = request.getfixturevalue(name)
    with rasterio.open(upscale(scene)) as out, rasterio.open(scene) as source:
        assert out.dtypes[0] == source.dtypes[0]
        if source.nodata is not None:
            assert out.nodata == source.nodata


@pytest.mark.parametrize("tile", [5, 8])
def test_upscale_does_not_depend_on_tiles(nodata_scene: Path, tile: int) -> None:
    whole, _ = read(upscale(nodata_scene, "--tile", 128, name="whole.tif"))
    tiled, _ = read(upscale(nodata_scene, "--tile", tile))
    assert np.abs(whole - tiled).max() <= 1


def test_upscale_of_floats_does_not_depend_on_tiles(float32_scene: Path) -> None:
    whole, _ = read(upscale(float32_scene, "--tile", 128, name="whole.tif"))
    tiled, _ = read(upscale(float32_scene, "--tile", 5))
    assert np.abs(whole - tiled).max() <= 1e-3 * np.ptp(whole)


def test_upscale_does_not_depend_on_batches(uint8_scene: Path) -> None:
    single, _ = read(upscale(uint8_scene, "--tile", 4, name="single.tif"))
    batched, _ = read(upscale(uint8_scene, "--tile", 4, "--batch", 3))
    assert np.abs(single - batched).max() <= 1


@pytest.mark.parametrize("scale", [2, 4, 8, 16])
def test_upscale_twice_as_far_averages_to_the_smaller_result(uint8_scene: Path, scale: int) -> None:
    crop = ("--window", "3,2,6,5")
    small, _ = read(upscale(uint8_scene, *crop, scale=scale, name="small.tif"))
    large, _ = read(upscale(uint8_scene, *crop, scale=2 * scale))
    assert np.abs(block_means(large, 2) - small).max() <= 1


def test_upscale_overviews_are_the_smaller_results(nodata_scene: Path) -> None:
    out = upscale(nodata_scene, "--overviews", scale=32)
    with rasterio.open(out) as dataset:
        assert dataset.overviews(1)[0] == 2
    with rasterio.open(out, overview_level=0) as overview:
        kept = overview.read()
    smaller, valid = read(upscale(nodata_scene, scale=16, name="smaller.tif"))
    # More only in blocks that must stay clear of the nodata value, 0.
    difference = np.abs(kept[:, valid].astype(int) - smaller[:, valid])
    assert (difference > 1).mean() < 0.01


def test_upscale_twice_gives_the_same_bytes(nodata_scene: Path) -> None:
    first = upscale(nodata_scene, "--tile", 8, name="first.tif").read_bytes()
    assert upscale(nodata_scene, "--tile", 8, name="second.tif").read_bytes() == first


def test_upscale_of_another_seed_differs(uint8_scene: Path) -> None:
    first, _ = read(upscale(uint8_scene, name="first.tif"))
    second, _ = read(upscale(uint8_scene, "--seed", 7))
    assert not np.array_equal(first, second)


def test_upscale_of_a_part_is_the_part_of_the_whole(uint8_scene: Path) -> None:
    whole, _ = read(upscale(uint8_scene, name="whole.tif"))
    part, _ = read(upscale(uint8_scene, "--window", "3,2,6,5"))
    assert np.abs(part - whole[:, 8:28, 12:36]).max() <= 1


def test_upscale_of_bounds_covers_whole_pixels(uint8_scene: Path) -> None:
    with rasterio.open(uint8_scene) as source:
        left, top = source.transform @ (2.5, 3.5)
        right, bottom = source.transform @ (4.5, 6.5)
    bounds = f"{left},{bottom},{right},{top}"
    with rasterio.open(upscale(uint8_scene, "--bounds", bounds)) as out:
        assert (out.height, out.width) == (4 * 4, 4 * 3)


@pytest.mark.parametrize("shape_yx", [(1, 9), (9, 1), (1, 1), (7, 13), (513, 3)])
def test_upscale_takes_odd_shapes(make_raster, shape_yx: tuple[int, int]) -> None:
    scene = make_raster(shape_yx=shape_yx)
    values, _ = read(upscale(scene, "--tile", 8 if max(shape_yx) < 100 else 128))
    lr_values, _ = read(scene)
    assert np.array_equal(block_means(values, 4), lr_values)


def test_upscale_ignores_the_values_of_missing_pixels(make_raster) -> None:
    values = (np.arange(3 * 12 * 12).reshape(3, 12, 12) % 199 + 20).astype("uint16")
    mask = np.ones((12, 12), bool)
    mask[4:7, 5:8] = False
    dark, bright = values.copy(), values.copy()
    dark[:, ~mask], bright[:, ~mask] = 1, 60000
    one = read(upscale(make_raster(dark, name="dark.tif", mask=mask), "--rgb-range", "0,300"))
    other = read(upscale(make_raster(bright, name="bright.tif", mask=mask), "--rgb-range", "0,300"))
    assert np.array_equal(one[1], other[1])
    assert np.array_equal(one[0][:, one[1]], other[0][:, one[1]])


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32", "uint32", "float64"])
def test_upscale_keeps_values_outside_the_range(make_raster, dtype: str) -> None:
    values = (np.arange(3 * 8 * 8).reshape(3, 8, 8) * 5 + 200).astype(dtype)
    values[:, 2, 2], values[:, 5, 5] = 30000, 3
    scene = make_raster(values)
    out, _ = read(upscale(scene, "--rgb-range", "100,1500"))
    assert np.abs(block_means(out, 4) - values).max() <= (0.01 if "float" in dtype else 0)


def test_upscale_keeps_single_bands_of_the_nodata_value(make_raster) -> None:
    values = np.full((3, 6, 6), 3, "uint8")
    values[0] = 0
    values[:, 0, 0] = 0
    out, valid = read(upscale(make_raster(values, nodata=0)))
    assert valid[4:, :].all()
    assert np.abs(block_means(out, 4) - values)[:, 1:].max() <= 0.5


def test_upscale_states_where_the_pixels_came_from(uint8_scene: Path) -> None:
    with rasterio.open(upscale(uint8_scene, "--seed", 5)) as out:
        tags = out.tags()
    assert tags["SPECGAN_SCALE"] == "4"
    assert tags["SPECGAN_SEED"] == "5"
    assert tags["SPECGAN_INPUT"] == str(uint8_scene)
    assert len(tags["SPECGAN_WEIGHTS_SHA256"]) == 64
    assert tags["TIFFTAG_SOFTWARE"].startswith("specgan ")
