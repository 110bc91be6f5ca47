"""Cubes as writers and archives have them: units, headers, names, products of radiance."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from scipy.io import netcdf_file

from specgan.bands import Bands
from specgan_cli.cubes.cube import Cube
from specgan_cli.cubes.wavelengths import read_wavelengths
from specgan_cli.errors import MismatchError, RasterError
from specgan_cli.raster.drivers.units import found_bands, to_nanometres
from specgan_cli.raster.grid import Window
from support.command import specgan
from support.rasters import tag_bands, write_cube, write_raster

NM = [450.0, 550.0, 650.0, 750.0]


def stored(dtype: str = "int16", top: int = 5000) -> np.ndarray:
    return np.linspace(400, top, 4 * 6 * 8).reshape(4, 6, 8).astype(dtype)


def write(path: Path, values: np.ndarray | None = None, **options: Any) -> Path:
    return write_raster(path, stored() if values is None else values, **options)


def bands_of(path: Path | str) -> Bands:
    with Cube.open(path) as cube:
        return cube.bands


def envi_header(path: Path, **items: str) -> Path:
    facts = {"samples": "8", "lines": "6", "bands": "4", "data type": "2", **items}
    lines = [f"{key.replace('_', ' ')} = {value}" for key, value in facts.items()]
    path.write_text("\n".join(["ENVI", *lines]) + "\n")
    return path


@pytest.mark.parametrize(
    ("units", "values"),
    [
        ("nm", NM),
        ("Nanometers", NM),
        ("um", [0.45, 0.55, 0.65, 0.75]),
        ("µm", [0.45, 0.55, 0.65, 0.75]),
        ("Micrometers", [0.45, 0.55, 0.65, 0.75]),
        ("m", [4.5e-7, 5.5e-7, 6.5e-7, 7.5e-7]),
        ("metre", [4.5e-7, 5.5e-7, 6.5e-7, 7.5e-7]),
        ("Angstroms", [4500, 5500, 6500, 7500]),
        ("GHz", [299_792_458 / nm for nm in NM]),
        ("THz", [299_792.458 / nm for nm in NM]),
        ("cm-1", [1e7 / nm for nm in NM]),
        ("Wavenumber", [1e7 / nm for nm in NM]),
        (None, NM),
        (None, [0.45, 0.55, 0.65, 0.75]),
        (None, [4.5e-7, 5.5e-7, 6.5e-7, 7.5e-7]),
        ("Nanometers", [0.45, 0.55, 0.65, 0.75]),
    ],
)
def test_every_unit_of_light_becomes_nanometres(
    tmp_path: Path, units: str | None, values: list[float]
) -> None:
    tags = {"wavelength": [str(value) for value in values]}
    if units is not None:
        tags["wavelength_units"] = [units] * 4
    path = tag_bands(write(tmp_path / "c.tif"), **tags)
    np.testing.assert_allclose(bands_of(path).wavelengths_nm, NM, rtol=1e-9)


def test_widths_follow_their_unit() -> None:
    """Worked by hand: 18200 and 22200 wavenumbers are 549.45 and 450.45 nm."""
    centres, widths = found_bands([20000.0, 20200.0], [400.0, 400.0], "cm-1")
    assert centres == pytest.approx([500, 495.0495], rel=1e-6)
    assert widths == pytest.approx([1e7 / 19800 - 1e7 / 20200, 1e7 / 20000 - 1e7 / 20400])


def test_widths_in_micrometres_beside_nanometres_are_told_by_their_size(caplog) -> None:
    _, widths = found_bands([400.0, 440.0, 480.0], [0.04, 0.04, 0.04], "Nanometers")
    assert widths == pytest.approx([40, 40, 40])
    assert "micrometres" in caplog.text


def test_an_index_is_no_wavelength() -> None:
    with pytest.raises(RasterError, match="--wavelengths FILE"):
        to_nanometres([1.0, 2.0], "Index")


@pytest.mark.parametrize("form", ["Band {i} ({nm})", "Band {i} ({nm} Nanometers)", "{nm:.2f} nm"])
def test_band_names_of_envi_hold_wavelengths(tmp_path: Path, form: str) -> None:
    path = write(tmp_path / "c.img", driver="ENVI")
    names = ", ".join(form.format(i=i, nm=nm) for i, nm in enumerate(NM, 1))
    header = path.with_suffix(".hdr")
    text = header.read_text().partition("band names")[0]
    header.write_text(text + "band names = {" + names + "}\n")
    assert bands_of(path).wavelengths_nm == tuple(NM)


@pytest.mark.parametrize("key", ["wavelength", "Wavelength", "wavelengths", "cube#wavelength"])
@pytest.mark.parametrize("form", ["450, 550, 650, 750", "{450 550 650 750}", "[450;550;650;750]"])
def test_a_list_in_the_datasets_tags_is_read(tmp_path: Path, key: str, form: str) -> None:
    path = write(tmp_path / "c.tif")
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(**{key: form})
    assert bands_of(path).wavelengths_nm == tuple(NM)


def test_a_header_with_an_empty_value_is_read_on(tmp_path: Path) -> None:
    path = write(tmp_path / "c.tif")
    envi_header(tmp_path / "c.hdr", wavelength_units="", wavelength="{\n450,\n550,\n650,\n750}")
    assert bands_of(path).wavelengths_nm == tuple(NM)


@pytest.mark.parametrize(
    ("item", "value", "said"),
    [
        ("data type", "4", "float32, not int16"),
        ("samples", "9", "9 samples, not 8"),
        ("lines", "60", "60 lines, not 6"),
        ("bands", "3", "3 bands, not 4"),
    ],
)
def test_a_header_of_another_file_is_not_believed(
    tmp_path: Path, caplog, item: str, value: str, said: str
) -> None:
    nm = [str(each) for each in NM]
    path = tag_bands(write(tmp_path / "c.tif"), wavelength=nm)
    envi_header(tmp_path / "c.hdr", **{item: value, "reflectance scale factor": "7"})
    with Cube.open(path) as cube:
        assert cube.gains.tolist() == [1e-4] * 4
    assert said in caplog.text


def test_gains_of_a_header_are_applied(tmp_path: Path) -> None:
    nm = [str(each) for each in NM]
    path = tag_bands(write(tmp_path / "c.tif"), wavelength=nm)
    gains = "{2e-4, 1e-4, 1e-4, 5e-5}"
    envi_header(tmp_path / "c.hdr", data_gain_values=gains)
    with Cube.open(path) as cube:
        assert cube.gains.tolist() == [2e-4, 1e-4, 1e-4, 5e-5]


def test_a_scale_of_one_for_whole_numbers_is_a_writers_default(tmp_path: Path, caplog) -> None:
    nm = [str(each) for each in NM]
    path = tag_bands(write(tmp_path / "c.tif"), wavelength=nm)
    envi_header(tmp_path / "c.hdr", reflectance_scale_factor="1")
    with Cube.open(path) as cube:
        assert cube.gains.tolist() == [1e-4] * 4
    assert "10000 is taken" in caplog.text


@pytest.mark.parametrize(("scale", "said"), [(0.1, "reflectance 4"), (1e-9, "reflectance 4")])
def test_a_scale_that_the_values_contradict_is_said(
    tmp_path: Path, caplog, scale: float, said: str
) -> None:
    path = tag_bands(write(tmp_path / "c.tif"), wavelength=[str(each) for each in NM])
    with rasterio.open(path, "r+") as dataset:
        dataset.scales = (scale,) * 4
    with Cube.open(path):
        assert said in caplog.text
        assert "--hsi-scale" in caplog.text


@pytest.mark.parametrize("unit", ["W/m^2/sr/um", "uW cm-2 nm-1 sr-1", "at-sensor radiance"])
def test_radiance_is_said(tmp_path: Path, caplog, unit: str) -> None:
    path = tag_bands(write(tmp_path / "c.tif"), wavelength=[str(each) for each in NM])
    with rasterio.open(path, "r+") as dataset:
        dataset.units = (unit,) * 4
    with Cube.open(path):
        assert "radiance and not reflectance" in caplog.text


@pytest.mark.parametrize("unit", ["reflectance", "1", "%", "Watermark"])
def test_other_units_are_not_taken_for_radiance(tmp_path: Path, caplog, unit: str) -> None:
    path = tag_bands(write(tmp_path / "c.tif"), wavelength=[str(each) for each in NM])
    with rasterio.open(path, "r+") as dataset:
        dataset.units = (unit,) * 4
    with Cube.open(path):
        assert "radiance" not in caplog.text


def enmap(folder: Path, *, level: str = "L2A", ending: str = "TIF") -> Path:
    """Write an EnMAP product and return its metadata."""
    folder.mkdir(exist_ok=True)
    stem = f"ENMAP01-____{level}-DT0000000001_20220601T000000Z_001_V010111_20220601T000000Z"
    driver = "GTiff" if ending == "TIF" else "ENVI"
    write(folder / f"{stem}-SPECTRAL_IMAGE.{ending}", driver=driver)
    bands = "".join(
        f"<bandID number='{i}'><wavelengthCenterOfBand>{nm}</wavelengthCenterOfBand><FWHMOfBand>9"
        "</FWHMOfBand><GainOfBand>0.0001</GainOfBand><OffsetOfBand>0</OffsetOfBand></bandID>"
        for i, nm in enumerate(NM, 1)
    )
    metadata = folder / f"{stem}-METADATA.XML"
    metadata.write_text(
        f"<level_X><base><level>{level}</level></base><specific><bandCharacterisation>{bands}"
        "</bandCharacterisation></specific></level_X>"
    )
    return metadata


@pytest.mark.parametrize("ending", ["TIF", "bsq"])
@pytest.mark.parametrize("named", ["METADATA", "IMAGE"])
def test_enmap_is_read_as_dlr_and_enpt_write_it(tmp_path: Path, ending: str, named: str) -> None:
    metadata = enmap(tmp_path, ending=ending)
    image = next(tmp_path.glob(f"*.{ending}"))
    with Cube.open(metadata if named == "METADATA" else image) as cube:
        assert cube.bands.wavelengths_nm == tuple(NM)
        values, _ = cube.read(Window(0, 0, 6, 8))
    np.testing.assert_allclose(values, stored() / 10000, rtol=1e-5)


@pytest.mark.parametrize("inner", ["", "product/"])
def test_enmap_is_read_in_its_archive(tmp_path: Path, inner: str) -> None:
    metadata = enmap(tmp_path / "p")
    image = next((tmp_path / "p").glob("*.TIF"))
    archive = tmp_path / "p.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in (metadata, image):
            packed.write(path, f"{inner}{path.name}")
    for name in (image.name, metadata.name):
        assert bands_of(f"/vsizip/{archive}/{inner}{name}").wavelengths_nm == tuple(NM)


@pytest.mark.parametrize("level", ["L1B", "L1C"])
def test_enmap_radiance_is_refused(tmp_path: Path, level: str) -> None:
    with pytest.raises(RasterError, match=f"{level} is radiance.*use the L2A"):
        Cube.open(enmap(tmp_path, level=level))


def test_desis_is_read_by_the_header_beside_its_image(tmp_path: Path) -> None:
    stem = "DESIS-HSI-L2A-DT0000000000_000-20220601T000000-V0213"
    image = write(tmp_path / f"{stem}-SPECTRAL_IMAGE.tif")
    (tmp_path / f"{stem}-METADATA.xml").write_text("<hsi_doc><base/><specific/></hsi_doc>")
    gains = "{1e-4, 1e-4, 1e-4, 1e-4}"
    lists = {"wavelength": "{450, 550, 650, 750}", "data_gain_values": gains}
    envi_header(image.with_suffix(".hdr"), wavelength_units="nanometers", **lists)
    with Cube.open(image) as cube:
        assert cube.bands.wavelengths_nm == tuple(NM)
        assert cube.gains.tolist() == [1e-4] * 4


def test_a_header_is_found_in_the_archive_of_its_image(tmp_path: Path) -> None:
    image = write(tmp_path / "c.tif")
    header = envi_header(tmp_path / "c.hdr", wavelength="{450, 550, 650, 750}")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as packed:
        for path in (image, header):
            packed.write(path, f"inner/{path.name}")
    assert bands_of(f"/vsizip/{tmp_path}/c.zip/inner/c.tif").wavelengths_nm == tuple(NM)


def test_hdf5_in_an_archive_is_to_be_unzipped(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        for name in ("a", "b"):
            file[name] = np.ones((4, 6, 8), "f4")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as packed:
        packed.write(tmp_path / "c.h5", "c.h5")
    with pytest.raises(RasterError, match=r"c\.h5: .*unzip it first"):
        Cube.open(f"/vsizip/{tmp_path}/c.zip/c.h5")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("HDFEOS/SWATHS/PRS_L2C_HCO/Data Fields/VNIR_Cube", "L2C is not geocoded; use the L2D"),
        ("HDFEOS/SWATHS/PRS_L1_HCO/Data Fields/VNIR_Cube", "L1 is radiance, not .* use the L2D"),
        ("HDFEOS/SWATHS/PRS_L2B_HCO/Data Fields/VNIR_Cube", "L2B is radiance, not .* use the L2D"),
        ("HDFEOS/SWATHS/HYP/Data Fields/surface_reflectance", "holds .*surface_reflectance in"),
        ("radiance", "EMIT L1B is radiance; use the L2A"),
    ],
)
def test_products_that_are_no_reflectance_on_the_ground_are_refused(
    tmp_path: Path, name: str, said: str
) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "product.h5"
    with h5py.File(path, "w") as file:
        file[name] = np.ones((4, 6, 8), "f4")
        file["sensor_band_parameters/wavelengths"] = NM
    with pytest.raises(RasterError, match=said):
        Cube.open(path)


def test_one_image_a_band_says_how_to_put_them_together(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "bands.nc"
    with h5py.File(path, "w") as file:
        for nm in (450, 550, 650):
            file[f"rhos_{nm}"] = np.ones((6, 8), "f4")
    with pytest.raises(RasterError, match=r"gdalbuildvrt -separate cube\.vrt .*rhos_450"):
        Cube.open(path)


@pytest.mark.parametrize("text", ["400,5\n440,5\n480,5\n", "wavelength_nm\n400,5\n440,5\n480,5\n"])
def test_decimal_commas_are_asked_about(tmp_path: Path, text: str) -> None:
    table = tmp_path / "nm.csv"
    table.write_text(text)
    with pytest.raises(RasterError, match=r"nm\.csv: .*write decimal points"):
        read_wavelengths(table)


def test_decimal_commas_between_semicolons_are_read(tmp_path: Path) -> None:
    table = tmp_path / "nm.csv"
    table.write_text("wavelength;fwhm\n400,5;9,5\n440,5;9,5\n")
    bands = read_wavelengths(table)
    assert (bands.wavelengths_nm, bands.fwhm_nm) == ((400.5, 440.5), (9.5, 9.5))


def test_prepare_refuses_a_cube_elsewhere_without_alignment_too(make_raster, tmp_path) -> None:
    cube = write_cube(tmp_path / "cube.tif", left=826491.0)
    out = tmp_path / "out.tif"
    done = specgan("prepare", make_raster(), "--hsi", cube, "--no-align", "-o", out)
    assert (done.code, "does not overlap" in done.stderr, out.exists()) == (3, True, False)


def netcdf(path: Path, order: str, values: np.ndarray, **attributes: Any) -> Path:
    """Write bands x rows x columns as a variable whose dimensions are in an order, as xarray does.

    The cube lies where `write_raster` puts a scene, rows from the north.
    """
    h5py = pytest.importorskip("h5py")
    coordinates = {
        "wavelength": np.array(NM) / 1000,
        "y": 4699078.4 - 3.2 * (np.arange(values.shape[1]) + 0.5),
        "x": 726491.0 + 3.2 * (np.arange(values.shape[2]) + 0.5),
    }
    names = {"w": "wavelength", "y": "y", "x": "x"}
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "reflectance", data=values.transpose(["wyx".index(axis) for axis in order])
        )
        for name, items in coordinates.items():
            file[name] = items
            file[name].make_scale(name)
        file["wavelength"].attrs["units"] = "um"
        file["good_wavelengths"] = np.array([1, 1, 0, 1])
        for i, axis in enumerate(order):
            data.dims[i].attach_scale(file[names[axis]])
        file["crs"] = 0
        file["crs"].attrs["crs_wkt"] = rasterio.CRS.from_epsg(32618).to_wkt()
        data.attrs["grid_mapping"] = "crs"
        data.attrs.update(attributes)
    return path


@pytest.mark.parametrize("order", ["yxw", "ywx", "xyw", "xwy"])
def test_wavelengths_of_a_netcdf_cube_are_any_dimension(tmp_path: Path, order: str) -> None:
    values = stored("float32") / 10000
    values[:, 0, 0] = -1
    with Cube.open(netcdf(tmp_path / "c.nc", order, values, _FillValue=-1.0)) as cube:
        assert cube.bands.wavelengths_nm == pytest.approx(NM)
        assert cube.bad.tolist() == [False, False, True, False]
        assert cube.grid.crs == "EPSG:32618"
        assert cube.grid.transform.almost_equals((3.2, 0, 726491.0, 0, -3.2, 4699078.4), 1e-6)
        read, valid = cube.read(Window(0, 2, 3, 4), [3, 1])
        _, known = cube.read(cube.grid.full_window)
    np.testing.assert_allclose(read, values[[3, 1], 0:3, 2:6])
    assert valid.all()
    assert known.sum() == known.size - 1


def test_scale_and_offset_of_a_netcdf_cube_are_applied(tmp_path: Path) -> None:
    scaled = {"scale_factor": 2e-4, "add_offset": 0.01}
    with Cube.open(netcdf(tmp_path / "c.nc", "yxw", stored(), **scaled)) as cube:
        read, _ = cube.read(cube.grid.full_window)
    np.testing.assert_allclose(read, stored() * 2e-4 + 0.01, rtol=1e-5)


def test_uneven_coordinates_are_no_grid(tmp_path: Path) -> None:
    path = netcdf(tmp_path / "c.nc", "yxw", stored())
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "r+") as file:
        file["x"][3] += 2
    with pytest.raises(RasterError, match="not evenly spaced"):
        Cube.open(path)


def test_a_classic_netcdf_cube_that_lies_on_its_side_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "classic.nc"
    with netcdf_file(path, "w") as file:
        lines = {"y": np.arange(6.0)[::-1], "x": np.arange(8.0), "wavelength": NM}
        for name, items in lines.items():
            file.createDimension(name, len(items))
            file.createVariable(name, "d", (name,))[:] = items
        file.variables["wavelength"].units = "nm"
        values = file.createVariable("reflectance", "f", ("y", "x", "wavelength"))
        values[:] = stored().transpose(1, 2, 0)
    with pytest.raises(MismatchError, match=r"transpose to \(wavelength, y, x\)"):
        Cube.open(path)
