"""Cubes: bands, scale, validity and georeference from what files say and users mend."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine

from specgan.bands import CANONICAL_BANDS, Bands
from specgan_cli.cubes.cube import Cube
from specgan_cli.cubes.options import CubeOptions
from specgan_cli.cubes.wavelengths import parse_bad_bands, read_wavelengths
from specgan_cli.errors import MismatchError, RasterError
from specgan_cli.raster.drivers.units import to_nanometres
from specgan_cli.raster.grid import Window
from support.rasters import tag_bands, write_raster

TRANSFORM = Affine(1, 0, 726491.0, 0, -1, 4699078.0)
NM = [450.0, 550.0, 650.0, 750.0]


def values_of(bands: int = 4, dtype: str = "int16") -> np.ndarray:
    return (np.arange(bands * 30).reshape(bands, 5, 6) * 20 + 500).astype(dtype)


def write(path: Path, values: np.ndarray, **profile: Any) -> Path:
    return write_raster(path, values, **{"transform": TRANSFORM, **profile})


def whole(cube: Cube) -> Window:
    return cube.grid.full_window


def test_band_tags_name_the_wavelengths(tmp_path):
    path = tag_bands(write(tmp_path / "c.tif", values_of()), wavelength=NM, fwhm=[5.5] * 4)
    with Cube.open(path) as cube:
        assert cube.bands == Bands(tuple(NM), (5.5,) * 4)


def test_micrometres_become_nanometres(tmp_path):
    path = tag_bands(
        write(tmp_path / "c.tif", values_of()),
        wavelength=[nm / 1000 for nm in NM],
        wavelength_units=["Micrometers"] * 4,
        fwhm=[0.0055] * 4,
    )
    with Cube.open(path) as cube:
        np.testing.assert_allclose(cube.bands.wavelengths_nm, NM)
        np.testing.assert_allclose(cube.bands.fwhm_nm, 5.5)


def test_micrometres_are_told_by_their_size_where_no_unit_is_given(tmp_path):
    path = tag_bands(write(tmp_path / "c.tif", values_of()), wavelength=[nm / 1000 for nm in NM])
    with Cube.open(path) as cube:
        np.testing.assert_allclose(cube.bands.wavelengths_nm, NM)


def test_a_named_unit_comes_before_the_size_of_the_values():
    assert to_nanometres([101.0, 120.0], "Micrometers") == [101000.0, 120000.0]
    assert to_nanometres([45.0, 55.0], "Nanometers") == [45.0, 55.0]
    with pytest.raises(RasterError, match="Index"):
        to_nanometres([1000.0, 2000.0], "Index")


def test_exact_band_tags_come_before_the_rounded_imagery_domain(tmp_path):
    path = tag_bands(
        write(tmp_path / "c.tif", values_of()), wavelength=[450.1, 550.2, 650.3, 750.4]
    )
    with rasterio.open(path, "r+") as dataset:
        for index in dataset.indexes:
            dataset.update_tags(index, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=str(0.1 * index))
    with Cube.open(path) as cube:
        assert cube.bands.wavelengths_nm == (450.1, 550.2, 650.3, 750.4)


def test_the_imagery_domain_is_read(tmp_path):
    path = write(tmp_path / "c.tif", values_of())
    with rasterio.open(path, "r+") as dataset:
        for index, nm in enumerate(NM, start=1):
            items = {"CENTRAL_WAVELENGTH_UM": f"{nm / 1000}", "FWHM_UM": "0.006"}
            dataset.update_tags(index, ns="IMAGERY", **items)
    with Cube.open(path) as cube:
        np.testing.assert_allclose(cube.bands.wavelengths_nm, NM)
        np.testing.assert_allclose(cube.bands.fwhm_nm, 6.0)


@pytest.mark.parametrize("form", ["{:g} nm", "{:g} Nanometers", "band at {:g}nm"])
def test_band_descriptions_are_read(tmp_path, form):
    path = write(tmp_path / "c.tif", values_of())
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = tuple(form.format(nm) for nm in NM)
    with Cube.open(path) as cube:
        assert cube.bands.wavelengths_nm == tuple(NM)


def test_band_numbers_in_descriptions_are_no_wavelengths(tmp_path):
    path = write(tmp_path / "c.tif", values_of())
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("1", "2", "3", "4")
    with pytest.raises(MismatchError, match="4 bands name no wavelengths"):
        Cube.open(path)


def test_an_option_comes_before_what_the_file_says(tmp_path):
    path = tag_bands(write(tmp_path / "c.tif", values_of()), wavelength=NM)
    table = tmp_path / "w.csv"
    table.write_text("band,wavelength_nm\n1,500\n2,600\n3,700\n4,800\n")
    with Cube.open(path, CubeOptions(wavelengths=table)) as cube:
        assert cube.bands.wavelengths_nm == (500.0, 600.0, 700.0, 800.0)


def test_an_option_with_another_number_of_bands_is_refused(tmp_path):
    path = write(tmp_path / "c.tif", values_of())
    with pytest.raises(RasterError, match=r"names 3 bands, but .* has 4"):
        Cube.open(path, CubeOptions(wavelengths=Bands.from_wavelengths([450.0, 550.0, 650.0])))


def test_48_nameless_bands_pass_for_the_canonical_ones_with_a_warning(tmp_path, caplog):
    path = write(tmp_path / "c.tif", np.full((48, 3, 3), 900, np.int16))
    with caplog.at_level(logging.WARNING), Cube.open(path) as cube:
        assert cube.bands == CANONICAL_BANDS
    assert "48 bands are taken for 380 to 1050 nm" in caplog.text


ENVI_HEADER = """ENVI
samples = 6
lines = 5
bands = 4
header offset = 0
file type = ENVI Standard
data type = 2
interleave = bil
byte order = 0
map info = {UTM, 1, 1, 726491.0, 4699078.0, 1.0, 1.0, 18, North, WGS-84}
wavelength units = Micrometers
wavelength = {0.4501, 0.5502,
 0.6503, 0.7504}
fwhm = {0.0055, 0.0055, 0.0055, 0.0055}
bbl = {1, 1, 0, 1}
reflectance scale factor = 10000
data ignore value = -9999
"""


@pytest.fixture
def envi_cube(tmp_path):
    values = values_of()
    values[:, 0, 0] = -9999
    (tmp_path / "cube.hdr").write_text(ENVI_HEADER)
    (tmp_path / "cube.dat").write_bytes(values.transpose(1, 0, 2).astype("<i2").tobytes())
    return tmp_path / "cube.dat", values


def test_impossible_wavelengths_name_their_file(tmp_path):
    path = tag_bands(write(tmp_path / "c.tif", values_of()), wavelength=[-1.0, *NM[1:]])
    with pytest.raises(RasterError, match=r"c\.tif: wavelengths and FWHM must be positive"):
        Cube.open(path)


def test_an_envi_header_gives_wavelengths_bad_bands_scale_and_nodata(envi_cube):
    path, values = envi_cube
    with Cube.open(path) as cube:
        np.testing.assert_allclose(cube.bands.wavelengths_nm, [450.1, 550.2, 650.3, 750.4])
        np.testing.assert_allclose(cube.bands.fwhm_nm, 5.5)
        assert cube.bad.tolist() == [False, False, True, False]
        read, valid = cube.read(whole(cube))
    assert not valid[0, 0]
    assert valid.sum() == 29
    np.testing.assert_allclose(read[:, valid], values[:, valid] / 10000, rtol=1e-6)


@pytest.mark.parametrize("driver", ["GTiff", "ENVI", "JP2OpenJPEG", "VRT", "COG"])
def test_formats_that_gdal_opens_give_the_same_reflectance(tmp_path, driver):
    source = write(tmp_path / "s.tif", values_of(dtype="uint16"), nodata=0)
    path = tmp_path / f"cube.{driver.lower()}"
    extra = {"QUALITY": "100", "REVERSIBLE": "YES"} if driver == "JP2OpenJPEG" else {}
    rasterio.shutil.copy(source, path, driver=driver, **extra)
    with Cube.open(path, CubeOptions(wavelengths=Bands.from_wavelengths(NM), scale=10000)) as cube:
        read, valid = cube.read(Window(1, 2, 3, 4))
        assert cube.grid.transform.almost_equals(TRANSFORM)
    assert valid.all()
    np.testing.assert_allclose(read, values_of()[:, 1:4, 2:6] / 10000, rtol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "wavelength_nm,fwhm\n450,6\n550,6\n650,6\n750,6\n",
        "band;Center Wavelength (nm);FWHM (nm)\n1;450;6\n2;550;6\n3;650;6\n4;750;6\n",
        "450,6.0\n550,6.0\n650,6.0\n750,6.0\n",
        "# measured\nwavelength_um,fwhm_um\n0.45,0.006\n0.55,0.006\n0.65,0.006\n0.75,0.006\n",
    ],
)
def test_tables_of_wavelengths_are_read_in_their_usual_forms(tmp_path, text):
    table = tmp_path / "w.csv"
    table.write_text(text)
    bands = read_wavelengths(table)
    np.testing.assert_allclose(bands.wavelengths_nm, NM)
    np.testing.assert_allclose(bands.fwhm_nm, 6.0)


@pytest.mark.parametrize("text", ["", "name,colour\n1,red\n", "wavelength\nred\n", "a\x00b"])
def test_tables_that_are_none_are_refused_with_what_to_give(tmp_path, text):
    table = tmp_path / "w.csv"
    table.write_text(text)
    with pytest.raises(RasterError, match=r"w\.csv"):
        read_wavelengths(table)


def test_a_missing_table_is_named_once(tmp_path):
    with pytest.raises(RasterError) as raised:
        read_wavelengths(tmp_path / "none.csv")
    assert str(raised.value).count("none.csv") == 1


def test_bad_bands_are_named_by_number_or_wavelength():
    bands = Bands.from_wavelengths([400.0, 500.0, 600.0, 700.0, 800.0])
    flags = parse_bad_bands("1-2, 650-750nm", bands)
    assert flags.tolist() == [True, True, False, True, False]


@pytest.mark.parametrize("text", ["0", "4-9", "red", "3-2", ""])
def test_impossible_bad_bands_are_refused(text):
    with pytest.raises(RasterError, match="--bad-bands"):
        parse_bad_bands(text, Bands.from_wavelengths(NM))


def test_water_absorption_bands_are_bad_without_being_named(tmp_path):
    path = tag_bands(
        write(tmp_path / "c.tif", values_of()), wavelength=[850.0, 1400.0, 1650.0, 1900.0]
    )
    with Cube.open(path) as cube:
        assert cube.bad.tolist() == [False, True, False, True]


def test_scale_and_offset_of_the_file_are_applied(tmp_path):
    path = tag_bands(write(tmp_path / "c.tif", values_of()), wavelength=NM)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (2e-4,) * 4, (0.01,) * 4
    with Cube.open(path) as cube:
        read, _ = cube.read(whole(cube))
    np.testing.assert_allclose(read, values_of() * 2e-4 + 0.01, rtol=1e-6)


def test_a_given_scale_replaces_that_of_the_file(tmp_path):
    path = tag_bands(write(tmp_path / "c.tif", values_of()), wavelength=NM)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (2e-4,) * 4, (0.01,) * 4
    with Cube.open(path, CubeOptions(scale=4000)) as cube:
        read, _ = cube.read(whole(cube))
    np.testing.assert_allclose(read, values_of() / 4000, rtol=1e-6)


def test_names_of_colours_have_wavelengths(tmp_path):
    path = write(tmp_path / "c.tif", values_of())
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("Blue", "GREEN", "red", "Near-Infrared")
    with Cube.open(path) as cube:
        np.testing.assert_allclose(cube.bands.wavelengths_nm, [485, 560, 660, 835])
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("blue", "green", "red", "thermal")
    with pytest.raises(MismatchError, match="name no wavelengths"):
        Cube.open(path)


def test_eight_bits_without_a_scale_end_at_255(tmp_path, caplog):
    values = (values_of() / values_of().max() * 255).astype(np.uint8)
    path = tag_bands(write(tmp_path / "c.tif", values), wavelength=NM)
    with caplog.at_level(logging.WARNING), Cube.open(path) as cube:
        np.testing.assert_allclose(cube.gains, 1 / 255)
    assert "255 is taken for reflectance 1" in caplog.text


@pytest.mark.parametrize(("factor", "expected"), [(1.0, 10000), (0.01, 100), (0.0001, 1)])
def test_a_scale_that_nobody_names_is_told_by_the_values(tmp_path, caplog, factor, expected):
    values = (values_of() * factor).astype(np.float32)
    path = tag_bands(write(tmp_path / "c.tif", values), wavelength=NM)
    with caplog.at_level(logging.WARNING), Cube.open(path) as cube:
        np.testing.assert_allclose(cube.gains, 1 / expected)
    assert f"{expected} is taken for reflectance 1" in caplog.text


def test_radiance_without_a_scale_is_refused(tmp_path):
    path = tag_bands(write(tmp_path / "c.tif", values_of(dtype="uint16") * 15), wavelength=NM)
    with pytest.raises(RasterError, match="--hsi-scale"):
        Cube.open(path)


def test_missing_pixels_are_those_of_nodata_nan_and_empty_spectra(tmp_path):
    values = values_of(dtype="float32") / 10000
    values[2, 0, 0] = np.nan
    values[1, 0, 1] = -1.0
    values[:, 0, 2] = 0.0
    values[3, 0, 3] = 0.0
    path = tag_bands(write(tmp_path / "c.tif", values, nodata=-1.0), wavelength=NM)
    with Cube.open(path, CubeOptions(scale=1)) as cube:
        read, valid = cube.read(whole(cube))
    assert valid[0].tolist() == [False, False, False, True, True, True]
    assert np.all(read[:, ~valid] == 0)


def test_the_usual_nodata_of_products_is_known_where_none_is_declared(tmp_path):
    values = values_of()
    values[:, 1, 1] = -9999
    path = tag_bands(write(tmp_path / "c.tif", values), wavelength=NM)
    with Cube.open(path, CubeOptions(scale=10000)) as cube:
        assert not cube.read(whole(cube))[1][1, 1]


def test_a_chosen_band_decides_validity_alone(tmp_path):
    values = values_of()
    values[3, 2, 2] = -9999
    path = tag_bands(write(tmp_path / "c.tif", values, nodata=-9999), wavelength=NM)
    with Cube.open(path, CubeOptions(scale=10000)) as cube:
        assert cube.read(whole(cube), [0, 1])[1].all()
        assert not cube.read(whole(cube))[1][2, 2]


def test_crs_and_origin_can_be_given(tmp_path):
    path = tag_bands(write(tmp_path / "c.tif", values_of(), crs=None), wavelength=NM)
    with Cube.open(
        path, CubeOptions(scale=10000, crs="EPSG:32617", origin=(1000.0, 2000.0))
    ) as cube:
        assert cube.grid.crs.to_epsg() == 32617
        assert cube.grid.transform == Affine(1, 0, 1000, 0, -1, 2000)


def test_an_unknown_crs_is_refused(tmp_path):
    path = tag_bands(write(tmp_path / "c.tif", values_of()), wavelength=NM)
    with pytest.raises(RasterError, match="--hsi-crs"):
        Cube.open(path, CubeOptions(crs="EPSG:0"))


def test_a_missing_or_foreign_file_is_refused_by_name(tmp_path):
    (tmp_path / "x.tif").write_text("no raster")
    for name in ("x.tif", "absent.tif"):
        with pytest.raises(RasterError, match=name):
            Cube.open(tmp_path / name)


def test_a_truncated_cube_is_refused_when_it_is_read(tmp_path):
    path = write(tmp_path / "c.tif", values_of(), compress=None)
    path.write_bytes(path.read_bytes()[:-150])
    with pytest.raises(RasterError, match=r"c\.tif"):
        with Cube.open(
            path, CubeOptions(scale=10000, wavelengths=Bands.from_wavelengths(NM))
        ) as cube:
            cube.read(whole(cube))


def test_the_real_cube_as_shipped_opens_with_the_options_that_mend_it(shared_data):
    folder = shared_data / "neon_pair_40m"
    options = {
        "wavelengths": folder / "wavelengths_426_nm.csv",
        "crs": "EPSG:32618",
        "origin": (726491.0, 4699078.0),
    }
    with Cube.open(folder / "HARV_026_hsi_as_shipped.tif", CubeOptions(**options)) as cube:
        mended = cube.grid, cube.read(whole(cube))[0]
    with Cube.open(folder / "HARV_026_hsi.tif") as cube:
        assert cube.grid == mended[0]
        np.testing.assert_array_equal(cube.read(whole(cube))[0], mended[1])


def test_wavelengths_may_be_written_out() -> None:
    bands = read_wavelengths("635:32, 555:60, 465:60, 845:74")
    assert bands.wavelengths_nm == (635.0, 555.0, 465.0, 845.0)
    assert bands.fwhm_nm == (32.0, 60.0, 60.0, 74.0)
    assert read_wavelengths("560 660").fwhm_nm == (100.0, 100.0)
    with pytest.raises(RasterError, match=r"none\.csv"):
        read_wavelengths("none.csv")
