"""Readers of sensors' products, on small files made after the products' documented layouts.

NEON DP3.30006 (NEON.DOC.001288 and the product's HDF5 user guide); PRISMA L2D (ASI, PRISMA
Products Specification Document, issue 2.3); EMIT L2A RFL (LP DAAC, EMITL2ARFL.001 user guide);
EnMAP L2A (DLR, EN-PCV-ICD-2009-2).
"""

import builtins

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from specgan.bands import Bands
from specgan_cli.cubes.cube import Cube
from specgan_cli.cubes.options import CubeOptions
from specgan_cli.errors import MissingExtraError, RasterError
from specgan_cli.raster.grid import Window
from support.rasters import write_raster

h5py = pytest.importorskip("h5py")

ROWS, COLS = 7, 9
WINDOW = Window(2, 3, 4, 5)
INSIDE = np.s_[2:6, 3:8]


def numbers(bands: int, dtype: str = "int16") -> np.ndarray:
    """Rows x columns x bands of distinct values above zero."""
    return (np.arange(ROWS * COLS * bands).reshape(ROWS, COLS, bands) * 7 + 11).astype(dtype)


def make_neon(path, values):
    """DP3.30006: /SITE/Reflectance with rows x columns x bands of int16."""
    bands = values.shape[2]
    with h5py.File(path, "w") as file:
        group = file.create_group("HARV/Reflectance")
        data = group.create_dataset("Reflectance_Data", data=values, chunks=(4, 4, bands))
        data.attrs["Scale_Factor"] = np.float32(10000)
        data.attrs["Data_Ignore_Value"] = np.float32(-9999)
        spectral = group.create_group("Metadata/Spectral_Data")
        spectral["Wavelength"] = np.linspace(383.5, 2512.2, bands).astype(np.float32)
        spectral["FWHM"] = np.full(bands, 5.8, np.float32)
        place = group.create_group("Metadata/Coordinate_System")
        place["Map_Info"] = np.bytes_(
            "UTM,  1.000,  1.000,       726000.00,       4700000.0,       1.0000000,"
            "       1.0000000,  18,  North,  WGS-84,  units=Meters, 0"
        )
        place["EPSG Code"] = np.bytes_("32618")
    return path


def make_prisma(path, vnir, swir):
    """L2D HE5: rows x bands x columns of uint16, wavelengths falling, absent bands at 0 nm."""
    fields = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields"
    with h5py.File(path, "w") as file:
        file[f"{fields}/VNIR_Cube"] = vnir.transpose(0, 2, 1)
        file[f"{fields}/SWIR_Cube"] = swir.transpose(0, 2, 1)
        attributes = {
            "List_Cw_Vnir": np.array([970.0, 700.0, 410.0, 0.0], np.float32),
            "List_Fwhm_Vnir": np.array([11.0, 10.0, 9.0, 0.0], np.float32),
            "List_Cw_Swir": np.array([2490.0, 1500.0, 0.0], np.float32),
            "List_Fwhm_Swir": np.array([9.0, 12.0, 0.0], np.float32),
            "L2ScaleVnirMin": 0.0,
            "L2ScaleVnirMax": 1.1,
            "L2ScaleSwirMin": 0.05,
            "L2ScaleSwirMax": 0.9,
            "Epsg_Code": np.int64(32632),
            "Product_ULcorner_easting": 500015.0,
            "Product_ULcorner_northing": 4600185.0,
            "Product_LRcorner_easting": 500015.0 + 30 * (COLS - 1),
            "Product_LRcorner_northing": 4600185.0 - 30 * (ROWS - 1),
        }
        for key, value in attributes.items():
            file.attrs[key] = value
    return path


def make_emit(path, swath, glt_y, glt_x):
    """L2A RFL: a swath of float32 (downtrack x crosstrack x bands) and a lookup table from 1."""
    bands = swath.shape[2]
    with h5py.File(path, "w") as file:
        data = file.create_dataset("reflectance", data=swath)
        data.attrs["_FillValue"] = np.array([-9999.0], np.float32)
        parameters = file.create_group("sensor_band_parameters")
        parameters["wavelengths"] = np.linspace(381.0, 2493.0, bands).astype(np.float32)
        parameters["fwhm"] = np.full(bands, 8.5, np.float32)
        good = np.ones(bands, np.float32)
        good[-1] = 0
        parameters["good_wavelengths"] = good
        file["location/glt_x"], file["location/glt_y"] = glt_x, glt_y
        file.attrs["geotransform"] = np.array([-118.3, 0.00054, 0.0, 34.5, 0.0, -0.00054])
        file.attrs["spatial_ref"] = CRS.from_epsg(4326).to_wkt()
    return path


ENMAP_BAND = (
    '<bandID number="{number}"><wavelengthCenterOfBand>{centre}</wavelengthCenterOfBand>'
    "<FWHMOfBand>{width}</FWHMOfBand><GainOfBand>0.0001</GainOfBand>"
    "<OffsetOfBand>{offset}</OffsetOfBand></bandID>"
)


def make_enmap(folder, values):
    """L2A: -SPECTRAL_IMAGE.TIF of int16 and -METADATA.XML beside it."""
    stem = "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z"
    image = folder / f"{stem}-SPECTRAL_IMAGE.TIF"
    place = Affine(30, 0, 3.6e5, 0, -30, 5.8e6)
    stored = values.transpose(2, 0, 1).astype(np.int16)
    write_raster(image, stored, crs="EPSG:32633", transform=place)
    bands = "".join(
        ENMAP_BAND.format(number=i + 1, centre=418.2 + 6.5 * i, width=6.9, offset=0.001 * i)
        for i in range(values.shape[2])
    )
    metadata = folder / f"{stem}-METADATA.XML"
    metadata.write_text(
        "<?xml version='1.0' encoding='UTF-8'?><level_X><specific><backgroundValue>-32768"
        f"</backgroundValue><bandCharacterisation>{bands}</bandCharacterisation></specific>"
        "</level_X>"
    )
    return image, metadata


def test_neon_reflectance_is_read(tmp_path):
    values = numbers(12)
    values[0, 0, :] = -9999
    with Cube.open(make_neon(tmp_path / "NEON_D01_HARV_reflectance.h5", values)) as cube:
        assert cube.grid.crs.to_epsg() == 32618
        assert cube.grid.transform == Affine(1, 0, 726000, 0, -1, 4700000)
        assert cube.bands.wavelengths_nm[0] == pytest.approx(383.5)
        assert cube.bands.fwhm_nm == pytest.approx([5.8] * 12)
        part, valid = cube.read(WINDOW, [4, 1])
        assert valid.all()
        assert not cube.read(Window(0, 0, 1, 1))[1].any()
    expected = values[INSIDE][..., [4, 1]].transpose(2, 0, 1) / 10000
    np.testing.assert_allclose(part, expected, rtol=1e-6)


def test_prisma_is_read_with_both_arms_and_their_scales(tmp_path):
    vnir, swir = numbers(4, "uint16"), numbers(3, "uint16") * 3
    vnir[0, 0], swir[0, 0] = 0, 0
    with Cube.open(make_prisma(tmp_path / "PRS_L2D_STD.he5", vnir, swir)) as cube:
        assert cube.bands.wavelengths_nm == (970.0, 700.0, 410.0, 2490.0, 1500.0)
        assert cube.grid.crs.to_epsg() == 32632
        assert cube.grid.transform == Affine(30, 0, 500000, 0, -30, 4600200)
        part, valid = cube.read(WINDOW, [3, 0, 2])
        assert valid.all()
        assert not cube.read(Window(0, 0, 1, 1))[1].any()
    expected = [
        0.05 + swir[INSIDE][..., 0] * (0.85 / 65535),
        vnir[INSIDE][..., 0] * (1.1 / 65535),
        vnir[INSIDE][..., 2] * (1.1 / 65535),
    ]
    np.testing.assert_allclose(part, expected, rtol=1e-5)


def test_emit_is_put_on_its_grid_through_the_lookup_table(tmp_path):
    swath = numbers(6, "float32") / 10000
    swath[3, 3, :] = -9999
    rng = np.random.default_rng(0)
    glt_y = rng.integers(0, ROWS + 1, (10, 12)).astype(np.int32)
    glt_x = rng.integers(1, COLS + 1, (10, 12)).astype(np.int32)
    glt_x[glt_y == 0] = 0
    glt_y[5, 5], glt_x[5, 5] = 4, 4
    with Cube.open(make_emit(tmp_path / "EMIT_L2A_RFL.nc", swath, glt_y, glt_x)) as cube:
        assert cube.grid.shape_yx == (10, 12)
        assert cube.grid.crs.to_epsg() == 4326
        assert cube.grid.transform == Affine(0.00054, 0, -118.3, 0, -0.00054, 34.5)
        assert cube.bad.tolist() == [False] * 5 + [True]
        part, valid = cube.read(cube.grid.full_window, [0, 2])
    for row in range(10):
        for col in range(12):
            y, x = glt_y[row, col] - 1, glt_x[row, col] - 1
            if y < 0 or (y, x) == (3, 3):
                assert not valid[row, col]
            else:
                np.testing.assert_allclose(part[:, row, col], swath[y, x, [0, 2]], rtol=1e-6)


@pytest.mark.parametrize("named", [0, 1], ids=["image", "metadata"])
def test_enmap_is_read_from_either_of_its_files(tmp_path, named):
    values = numbers(5)
    values[1, 1, :] = -32768
    path = make_enmap(tmp_path, values)[named]
    with Cube.open(path) as cube:
        assert cube.bands.wavelengths_nm == pytest.approx([418.2 + 6.5 * i for i in range(5)])
        assert cube.bands.fwhm_nm == pytest.approx([6.9] * 5)
        part, valid = cube.read(WINDOW)
        assert valid.all()
        assert not cube.read(Window(1, 1, 1, 1))[1].any()
    offsets = 0.001 * np.arange(5)[:, None, None]
    np.testing.assert_allclose(part, values[INSIDE].transpose(2, 0, 1) / 10000 + offsets, rtol=1e-5)


def test_enmap_metadata_without_an_image_are_refused(tmp_path):
    image, metadata = make_enmap(tmp_path, numbers(5))
    image.unlink()
    with pytest.raises(RasterError, match=r"SPECTRAL_IMAGE\.TIF or \.bsq, is not beside"):
        Cube.open(metadata)


def test_an_enmap_image_alone_needs_wavelengths(tmp_path):
    image, metadata = make_enmap(tmp_path, numbers(5))
    metadata.unlink()
    with Cube.open(
        image, CubeOptions(Bands.from_wavelengths([450.0, 500, 550, 600, 650]), 10000)
    ) as cube:
        assert len(cube.bands) == 5


def test_enmap_metadata_of_another_image_are_refused(tmp_path):
    image, metadata = make_enmap(tmp_path, numbers(5))
    text = metadata.read_text()
    metadata.write_text(
        text.replace(
            ENMAP_BAND.format(number=5, centre=418.2 + 6.5 * 4, width=6.9, offset=0.001 * 4), ""
        )
    )
    with pytest.raises(RasterError, match="describes 4 bands, but the image has 5"):
        Cube.open(image)
    metadata.write_text("<level_X>")
    with pytest.raises(RasterError, match="no readable EnMAP metadata"):
        Cube.open(image)


def test_a_truncated_product_is_refused(tmp_path):
    path = make_neon(tmp_path / "n.h5", numbers(12))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(RasterError, match=r"n\.h5.*truncated"):
        Cube.open(path)


def test_a_product_without_a_part_of_its_layout_is_refused(tmp_path):
    path = make_neon(tmp_path / "n.h5", numbers(12))
    with h5py.File(path, "a") as file:
        del file["HARV/Reflectance/Metadata/Spectral_Data/Wavelength"]
    with pytest.raises(RasterError, match="layout is incomplete"):
        Cube.open(path)


def test_an_hdf5_file_of_another_kind_is_left_to_gdal(tmp_path):
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["a"], file["b"] = np.ones((3, 3)), np.ones((3, 3))
    with pytest.raises(RasterError, match="several images"):
        Cube.open(path)


def test_a_netcdf_cube_that_gdal_reads_is_opened(tmp_path):
    path = tmp_path / "cube.nc"
    values = numbers(4).transpose(2, 0, 1)
    with h5py.File(path, "w") as file:
        for name, axis in (
            ("wavelength", np.array([450.0, 550.0, 650.0, 750.0])),
            ("y", 4700000.0 - 0.5 - np.arange(ROWS)),
            ("x", 726000.0 + 0.5 + np.arange(COLS)),
        ):
            scale = file.create_dataset(name, data=axis)
            scale.make_scale(name)
            if name != "wavelength":
                scale.attrs["standard_name"] = f"projection_{name}_coordinate"
                scale.attrs["units"] = "m"
        file.attrs["Conventions"] = "CF-1.8"
        data = file.create_dataset("reflectance", data=values)
        for index, name in enumerate(("wavelength", "y", "x")):
            data.dims[index].attach_scale(file[name])
    with Cube.open(path, CubeOptions(scale=10000, crs="EPSG:32618")) as cube:
        assert cube.grid.transform.almost_equals(Affine(1, 0, 726000, 0, -1, 4700000))
        assert cube.bands.wavelengths_nm == (450.0, 550.0, 650.0, 750.0)
        part, _ = cube.read(WINDOW)
    np.testing.assert_allclose(part, values[:, *INSIDE] / 10000, rtol=1e-6)


def test_a_missing_h5py_is_named_with_what_to_install(tmp_path, monkeypatch):
    path = make_neon(tmp_path / "n.h5", numbers(12))
    real = builtins.__import__

    def without(name, *rest):
        if name == "h5py":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match="pip install h5py"):
        Cube.open(path)
