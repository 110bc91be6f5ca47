"""What is missing in a cube: every mark that files have; bad and dead bands leave first."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from specgan.errors import SpecganError
from specgan_cli.cubes.cube import Cube
from specgan_cli.cubes.options import CubeOptions
from support.command import specgan
from support.rasters import tag_bands, write_raster
from support.tiny_networks import tiny_weights

NM = [450.0, 500.0, 550.0, 600.0, 650.0, 750.0]
LOWEST = float(np.finfo("float32").min)
COUNT = len(NM)


def spectra(dtype: str = "int16") -> np.ndarray:
    """Return 6 x 5 x 8 values of reflectance, different in each pixel."""
    values = np.arange(COUNT * 40).reshape(COUNT, 5, 8) * 10 + 500
    return (values / (10000 if dtype.startswith("float") else 1)).astype(dtype)


def write(path: Path, values: np.ndarray, **profile: Any) -> Path:
    """Write a cube whose first six bands name their wavelengths."""
    write_raster(path, values, **{"photometric": "MINISBLACK", **profile})
    with rasterio.open(path, "r+") as dataset:
        for band, nm in enumerate(NM, start=1):
            dataset.update_tags(band, wavelength=str(nm), wavelength_units="nm")
    return path


def missing(path: Path, **options: Any) -> list[list[int]]:
    with Cube.open(path, CubeOptions(**{"scale": 10000, **options})) as cube:
        used = np.flatnonzero(~cube.bad).tolist()
        return np.argwhere(~cube.read(cube.grid.full_window, used)[1]).tolist()


def bad(path: Path) -> list[int]:
    with Cube.open(path, CubeOptions(scale=10000)) as cube:
        return (np.flatnonzero(cube.bad) + 1).tolist()


@pytest.mark.parametrize(
    ("dtype", "stored", "nodata"),
    [
        ("int16", -9999, -9999),
        ("int16", -32768, -32768),
        ("int16", -1, -1),
        ("int16", 32767, 32767),
        ("uint16", 65535, 65535),
        ("int32", -9999, -9999),
        ("float32", -9999, -9999),
        ("float32", LOWEST, LOWEST),
        ("float32", LOWEST, -3.4e38),
        ("float64", LOWEST, -3.4e38),
        ("float32", LOWEST * (1 - 2e-7), LOWEST),
        ("float32", 1e20, 1e20),
        ("float32", np.nan, np.nan),
        ("float32", np.inf, None),
        ("float64", -9999.9, -9999.9),
        ("int16", -9999, None),
        ("int16", -32768, None),
        ("float32", -9999, None),
        ("float32", LOWEST, None),
        ("float32", 9.969209968386869e36, None),
    ],
)
@pytest.mark.parametrize("bands", [slice(None), slice(2, 3)], ids=["all", "one"])
def test_nodata_of_one_band_hides_the_pixel(
    tmp_path: Path, dtype: str, stored: float, nodata: float | None, bands: slice
) -> None:
    values = spectra(dtype)
    values[bands, 2, 3] = stored
    assert missing(write(tmp_path / "c.tif", values, nodata=nodata)) == [[2, 3]]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_zero_is_nodata_in_all_bands_only(tmp_path: Path, dtype: str) -> None:
    values = spectra(dtype) if dtype != "uint8" else (spectra() // 20).astype("uint8")
    values[:, 1, 1] = 0
    values[3:, 2, 3] = 0
    assert missing(write(tmp_path / "c.tif", values, nodata=0)) == [[1, 1]]


@pytest.mark.parametrize("internal", [True, False], ids=["internal", "msk"])
@pytest.mark.parametrize("nodata", [None, -9999])
@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_masks_and_nodata_hide_both(
    tmp_path: Path, internal: bool, nodata: float | None, dtype: str
) -> None:
    values = spectra(dtype)
    values[:, 2, 3] = -9999
    path = write(tmp_path / "c.tif", values, nodata=nodata)
    mask = np.full((5, 8), 255, np.uint8)
    mask[4, :2] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(mask)
    assert missing(path) == [[2, 3], [4, 0], [4, 1]]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("place", [0, 6])
def test_alpha_is_a_mask_and_no_band(tmp_path: Path, dtype: str, place: int) -> None:
    light = spectra(dtype) if dtype != "uint8" else (spectra() // 20).astype("uint8")
    alpha = np.ones((1, 5, 8), dtype)
    alpha[0, :, 0] = 0
    values = np.concatenate([light[:place], alpha, light[place:]])
    colours = [ColorInterp.gray] * (COUNT + 1)
    colours[place] = ColorInterp.alpha
    path = write_raster(
        tmp_path / "c.tif", values, colorinterp=tuple(colours), photometric="MINISBLACK"
    )
    with rasterio.open(path, "r+") as dataset:
        for nm, band in zip(NM, [i for i in range(1, 8) if i != place + 1], strict=True):
            dataset.update_tags(band, wavelength=str(nm))
    assert missing(path) == [[row, 0] for row in range(5)]
    with Cube.open(path, CubeOptions(scale=10000)) as cube:
        assert cube.bands.wavelengths_nm == tuple(NM)
        read = cube.read(cube.grid.full_window)[0] * 10000
    assert read[:, :, 1:] == pytest.approx(light[:, :, 1:].astype(float), rel=1e-5)


def test_values_of_the_dataset_are_nodata(tmp_path: Path) -> None:
    values = spectra()
    values[:, 2, 3] = (1, 2, 3, 4, 5, 6)
    path = write(tmp_path / "c.tif", values)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(NODATA_VALUES="1 2 3 4 5 6")
    assert missing(path) == [[2, 3]]


def test_an_option_tells_nodata(tmp_path: Path) -> None:
    values = spectra()
    values[:, 2, 3], values[:, 3, 3] = 7, -1
    path = write(tmp_path / "c.tif", values, nodata=-1)
    assert missing(path, nodata=7) == [[2, 3]]
    assert missing(path, nodata="none") == []
    values[:, 3, 3] = -9999
    assert missing(write(tmp_path / "c.tif", values), nodata="none") == []
    with pytest.raises(SpecganError, match="nodata 'many' is neither"):
        missing(path, nodata="many")


def test_the_command_takes_nodata_of_the_cube(tmp_path: Path) -> None:
    cube = spectra()
    cube[:, :, :4] = 7
    write(tmp_path / "cube.tif", cube)
    write_raster(tmp_path / "scene.tif", np.full((3, 5, 8), 9, np.uint8))
    words = ("prepare", tmp_path / "scene.tif", "--hsi", tmp_path / "cube.tif", "--no-align")
    words = (*words, "--hsi-scale", 10000, "-o", tmp_path / "out.tif", "--json")
    assert specgan(*words).json()["valid_share"] == 1
    found = specgan(*words, "--overwrite", "--hsi-nodata", 7).json()
    assert found["valid_share"] == pytest.approx(0.5)


@pytest.mark.parametrize("place", ["ENVI", "dataset", "netCDF", "bands", "good_wavelengths"])
def test_bad_bands_are_marked_in_any_place(tmp_path: Path, place: str) -> None:
    flags = ["1", "1", "0", "1", "1", "0"]
    path = write(tmp_path / "c.tif", spectra())
    with rasterio.open(path, "r+") as dataset:
        listed = "{" + ", ".join(flags) + "}"
        if place == "ENVI":
            dataset.update_tags(ns="ENVI", bbl=listed)
        elif place == "dataset":
            dataset.update_tags(bbl=" ".join(flags))
        elif place == "netCDF":
            dataset.update_tags(**{"reflectance#bbl": listed})
        elif place == "good_wavelengths":
            dataset.update_tags(good_wavelengths=listed)
        else:
            for band, flag in enumerate(flags, 1):
                dataset.update_tags(band, BBL=flag)
    assert bad(path) == [3, 6]


@pytest.mark.parametrize("place", ["header", "bands"])
def test_a_list_that_calls_all_bands_bad_is_not_believed(
    tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "c.tif", spectra())
    if place == "header":
        (tmp_path / "c.hdr").write_text("ENVI\nbbl = {0, 0, 0, 0, 0, 0}\n")
    else:
        tag_bands(path, bbl=["0"] * COUNT)
    with caplog.at_level(logging.WARNING):
        assert bad(path) == []
    assert "its bbl calls every band bad, so it is ignored" in caplog.text


@pytest.mark.parametrize(
    ("dtype", "value", "nodata"),
    [
        ("int16", -9999, -9999),
        ("int16", -9999, None),
        ("uint16", 65535, 65535),
        ("uint16", 0, None),
        ("int16", 0, -9999),
        ("float32", np.nan, None),
        ("float32", -9999, -9999),
        ("float32", LOWEST, -3.4e38),
    ],
)
def test_a_dead_band_leaves_and_no_pixel_with_it(
    tmp_path: Path,
    dtype: str,
    value: float,
    nodata: float | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    values = spectra(dtype)
    values[[1, 4]] = value
    values[:, 0, 0] = 0 if value == 0 else value
    path = write(tmp_path / "c.tif", values, nodata=nodata)
    with caplog.at_level(logging.WARNING):
        assert bad(path) == [2, 5]
    assert "bands 2, 5 hold no measurement" in caplog.text
    assert missing(path) == [[0, 0]]


def test_a_band_that_is_dead_but_behind_a_mask_leaves(tmp_path: Path) -> None:
    values = spectra()
    values[2, :, 2:] = -9999
    mask = np.zeros((5, 8), bool)
    mask[:, 2:] = True
    path = write(tmp_path / "c.tif", values, nodata=-9999, mask=mask)
    assert bad(path) == [3]
    assert missing(path) == [[row, col] for row in range(5) for col in (0, 1)]


def test_a_band_that_is_alive_anywhere_stays(tmp_path: Path) -> None:
    values = np.tile(spectra(), (1, 40, 25))
    values[2] = -9999
    values[2, :10, :10] = 700
    assert bad(write(tmp_path / "c.tif", values, nodata=-9999)) == []


def test_a_cube_of_nodata_alone_has_no_dead_band(tmp_path: Path) -> None:
    values = np.full((COUNT, 5, 8), -9999, np.int16)
    assert bad(write(tmp_path / "c.tif", values, nodata=-9999)) == []


def test_bands_without_a_wavelength_among_such_as_have_one_are_left_out(tmp_path: Path) -> None:
    """As quality bands behind a cube."""
    values = np.concatenate([spectra(), np.full((2, 5, 8), -9999, np.int16)])
    path = write(tmp_path / "c.tif", values, nodata=-9999)
    with Cube.open(path, CubeOptions(scale=10000)) as cube:
        assert cube.bands.wavelengths_nm == tuple(NM)
    assert missing(path) == []


def test_as_many_wavelengths_as_bands_make_each_a_band(tmp_path: Path) -> None:
    """As NAIP, whose fourth band GDAL takes for alpha."""
    values = np.random.default_rng(1).integers(1, 255, (4, 16, 16), dtype=np.uint8)
    values[3, :4] = 0
    colours = tuple(ColorInterp[name] for name in ("red", "green", "blue", "alpha"))
    path = write_raster(tmp_path / "s.tif", values, colorinterp=colours)
    with Cube.open(path, CubeOptions("660 560 480 830", scale=255)) as cube:
        assert cube.bands.wavelengths_nm == (660, 560, 480, 830)
        assert cube.read(cube.grid.full_window)[1].all()
    with Cube.open(path, CubeOptions("660 560 480", scale=255)) as cube:
        assert not cube.read(cube.grid.full_window)[1][:4].any()


def test_near_infrared_that_is_flagged_alpha_guides_its_scene(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(1, 255, (4, 16, 16), dtype=np.uint8)
    values[3, :4] = 0
    colours = tuple(ColorInterp[name] for name in ("red", "green", "blue", "alpha"))
    path = write_raster(tmp_path / "s.tif", values, colorinterp=colours)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("Red", "Green", "Blue", "Near Infrared")
    words = ("-x", 2, "--hsi", "self", "-o", tmp_path / "o.tif", "--weights", tiny_weights())
    result = specgan("upscale", path, *words)
    assert result.code == 0, result.stderr
    with rasterio.open(tmp_path / "o.tif") as output:
        assert output.dataset_mask().all()
