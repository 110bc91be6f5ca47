"""Further bands out (--also): exact block means, detail of red, green and blue, all laws."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

import specgan as door
from support.command import Result, specgan
from support.tiny_networks import tiny_weights

SCALE = 4


def run(scene: Path, *words: object, out: str = "out.tif", scale: int = SCALE) -> Result:
    return specgan(
        *("upscale", scene, "-x", scale, "-o", scene.with_name(out)),
        *("--weights", tiny_weights(), "--overwrite", *words),
    )


def upscale(scene: Path, *words: object, out: str = "out.tif", scale: int = SCALE) -> np.ndarray:
    done = run(scene, *words, out=out, scale=scale)
    assert done.code == 0, done.stderr
    with rasterio.open(scene.with_name(out)) as dataset:
        return dataset.read().astype(float)


def means(values: np.ndarray, factor: int = SCALE) -> np.ndarray:
    bands, rows, cols = values.shape
    return values.reshape(bands, rows // factor, factor, cols // factor, factor).mean((2, 4))


def ground(dtype: str = "uint8", noisy: bool = False) -> np.ndarray:
    """Return red, green, blue, and a fourth band that falls with red, or has nothing to do."""
    random = np.random.default_rng(1)
    rgb = random.integers(60, 190, (3, 12, 17))
    nir = random.integers(60, 190, (12, 17)) if noisy else 250 - rgb[0]
    return np.concatenate([rgb, nir[None]]).astype(dtype)


@pytest.fixture
def scene(make_raster) -> Path:
    return make_raster(ground())


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", "float32"])
def test_block_means_of_a_further_band_are_the_input(make_raster, dtype: str) -> None:
    values = ground("uint8", noisy=True).astype(np.int32) // (2 if dtype == "int8" else 1)
    scene = make_raster(values.astype(dtype))
    fine = upscale(scene, "--bands", "1,2,3", "--also", "nir=4")
    assert np.allclose(means(fine), values, atol=0 if dtype != "float32" else 1e-4)


def test_red_green_and_blue_are_the_same_with_a_further_band(scene: Path) -> None:
    alone = upscale(scene, "--bands", "1,2,3")[:3]
    assert np.array_equal(upscale(scene, "--bands", "1,2,3", "--also", "4")[:3], alone)


def test_a_band_that_falls_with_red_gets_its_detail_from_red(scene: Path) -> None:
    fine = upscale(scene, "--bands", "1,2,3", "--also", "nir=4")
    red, nir = (band - np.kron(means(fine)[i], np.ones((4, 4))) for i, band in enumerate(fine[::3]))
    slope = (red * nir).sum() / (red**2).sum()
    assert -1.05 < slope < -0.7


def test_a_band_without_relation_stays_smooth(make_raster) -> None:
    related = upscale(make_raster(ground()), "--bands", "1,2,3", "--also", "4")[3]
    other = upscale(make_raster(ground(noisy=True)), "--bands", "1,2,3", "--also", "4")[3]
    smooth = upscale(make_raster(np.repeat(ground(noisy=True)[3:], 3, 0)), "--fidelity", 1)[0]
    assert np.abs(other - smooth).mean() < np.abs(related - smooth).mean()
    assert np.abs(other - smooth).mean() < 20


def test_a_flat_band_stays_flat(make_raster) -> None:
    values = ground()
    values[3] = 77
    assert (upscale(make_raster(values), "--bands", "1,2,3", "--also", "4")[3] == 77).all()


@pytest.mark.parametrize("tile", [5, 8])
def test_further_bands_do_not_depend_on_tiles(make_raster, tile: int) -> None:
    values = ground(noisy=True)
    values[:, 4:7, 5:8] = 0
    scene = make_raster(values, nodata=0)
    words = ("--bands", "1,2,3", "--also", "4")
    whole = upscale(scene, *words, "--tile", 128)
    assert np.abs(upscale(scene, *words, "--tile", tile) - whole).max() <= 1


def test_further_bands_of_a_smaller_factor_are_the_means(make_raster) -> None:
    scene = make_raster(ground(noisy=True))
    words = ("--bands", "1,2,3", "--also", "4")
    large, small = upscale(scene, *words, scale=8), upscale(scene, *words, scale=4)
    assert np.abs(means(large, 2) - small).max() <= 1


@pytest.mark.parametrize("nodata", [0, -9999])
def test_a_pixel_that_is_missing_in_a_further_band_is_missing(make_raster, nodata: int) -> None:
    values = ground("int16", noisy=True)
    values[:, 0, :3] = nodata
    values[3, 5, 6] = nodata
    scene = make_raster(values, nodata=nodata)
    upscale(scene, "--bands", "1,2,3", "--also", "4")
    expected = np.ones((12, 17), bool)
    expected[0, :3] = False
    # Nought is a value where another band has one; -9999 never is.
    expected[5, 6] = nodata == 0
    with rasterio.open(scene.with_name("out.tif")) as dataset:
        fine = dataset.read()
        valid = (fine != nodata).any(0) if nodata == 0 else (fine != nodata).all(0)
    assert np.array_equal(valid, np.kron(expected, np.ones((4, 4), bool)))
    assert np.array_equal(means(fine)[:, expected], values[:, expected])


def test_values_of_missing_pixels_do_not_reach_further_bands(make_raster) -> None:
    values = ground("uint16", noisy=True)
    mask = np.ones((12, 17), bool)
    mask[4:8, 5:9] = False
    results = []
    for hidden in (0, 60000):
        values[:, ~mask] = hidden
        scene = make_raster(values, mask=mask, name=f"{hidden}.tif")
        words = ("--bands", "1,2,3", "--also", "4", "--rgb-range", "0,255", "--floor", "none")
        fine = upscale(scene, *words)
        results.append(fine[:, np.kron(mask, np.ones((4, 4), bool))])
    assert np.array_equal(*results)


def test_ndvi_of_the_output_averages_back_to_the_input(make_raster) -> None:
    values = ground("uint16", noisy=True)
    fine = means(upscale(make_raster(values), "--bands", "1,2,3", "--also", "nir=4"))
    red, nir = values[0].astype(float), values[3].astype(float)
    assert np.allclose((fine[3] - fine[0]) / (fine[3] + fine[0]), (nir - red) / (nir + red))


def test_the_output_says_how_a_further_band_was_made(make_raster) -> None:
    scene = make_raster(ground())
    with rasterio.open(scene, "r+") as dataset:
        dataset.descriptions = ("B04", "B03", "B02", "B08")
        dataset.scales, dataset.offsets = (0.1,) * 4, (-1.0, -1.0, -1.0, 2.0)
    upscale(scene, "--also", "nir=B08")
    with rasterio.open(scene.with_name("out.tif")) as dataset:
        assert dataset.descriptions == (
            *("B04", "B03", "B02"),
            "nir: detail by local regression on RGB",
        )
        assert dataset.colorinterp == (
            *(ColorInterp.red, ColorInterp.green, ColorInterp.blue),
            ColorInterp.undefined,
        )
        assert dataset.offsets == (-1.0, -1.0, -1.0, 2.0)
        assert dataset.tags()["SPECGAN_FURTHER_BANDS"] == "nir=4"


def test_all_bands_but_alpha_come_out(make_raster) -> None:
    values = np.concatenate([ground(), ground()[1:2], np.full((1, 12, 17), 255, "uint8")])
    colours = (
        *(ColorInterp.red, ColorInterp.green, ColorInterp.blue),
        *(ColorInterp.undefined, ColorInterp.undefined, ColorInterp.alpha),
    )
    scene = make_raster(values, colorinterp=colours)
    fine = upscale(scene, "--bands", "all")
    assert np.array_equal(means(fine), values)
    with rasterio.open(scene.with_name("out.tif")) as dataset:
        assert dataset.colorinterp == colours
        assert dataset.descriptions[4] == "band 5: detail by local regression on RGB"


def test_further_bands_have_a_floor_of_their_own(make_raster) -> None:
    scene = make_raster(ground("uint16") + 1000)
    with rasterio.open(scene, "r+") as dataset:
        dataset.scales, dataset.offsets = (1e-4,) * 4, (-0.1, -0.1, -0.1, -0.106)
    fine = upscale(scene, "--bands", "1,2,3", "--also", "4")
    assert fine[3].min() >= 1060


def test_overviews_hold_further_bands(make_raster) -> None:
    scene = make_raster(ground(noisy=True))
    words = ("--bands", "1,2,3", "--also", "4", "--overviews")
    fine = upscale(scene, *words, scale=32)
    with rasterio.open(scene.with_name("out.tif"), overview_level=0) as overview:
        assert np.abs(overview.read() - means(fine, 2)).max() <= 0.5


def test_python_returns_further_bands(scene: Path) -> None:
    made = door.upscale(
        scene, scale=SCALE, weights=str(tiny_weights()), bands=(1, 2, 3), also="nir=4"
    )
    expected = upscale(scene, "--bands", "1,2,3", "--also", "nir=4")
    assert np.array_equal(made.array, expected)


@pytest.mark.parametrize(
    ("also", "message"),
    [
        ("nir=3", "band 3 is one of red, green and blue; the further bands are 4"),
        ("nir=7", "band 7 is not there; the further bands are 4"),
        ("nir=B08", "no band is called 'B08'"),
    ],
)
def test_bands_that_cannot_come_out_are_named(scene: Path, also: str, message: str) -> None:
    done = run(scene, "--bands", "1,2,3", "--also", also)
    assert (done.code, message in done.stderr) == (1, True), done.stderr


def test_a_scene_of_three_bands_has_no_further_ones(uint8_scene: Path) -> None:
    done = run(uint8_scene, "--bands", "all")
    assert (done.code, "has no band beyond red, green and blue" in done.stderr) == (1, True)


def test_near_infrared_that_is_flagged_alpha_is_one_of_all(make_raster) -> None:
    values = ground()
    values[3, 2, 3] = 0
    scene = make_raster(values, photometric="RGB", alpha="YES")
    done = run(scene, "--bands", "all")
    told = "has no band beyond red, green and blue but alpha; if it is a colour: --also nir=4"
    assert (done.code, told in done.stderr) == (1, True), done.stderr
    with rasterio.open(scene, "r+") as dataset:
        dataset.set_band_description(4, "nir")
    fine = upscale(scene, "--also", "all")
    assert np.array_equal(means(fine), values)
    with rasterio.open(scene.with_name("out.tif")) as dataset:
        assert dataset.dataset_mask().all()
