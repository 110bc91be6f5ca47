"""Which bands are red, green and blue: by name, by colour, by number."""

import logging
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from specgan_cli.cli.options import BandNames
from specgan_cli.errors import RasterError
from specgan_cli.raster.bands import colour_of
from specgan_cli.raster.drivers.wavelengths import to_nm
from specgan_cli.raster.scene import Scene
from support.command import specgan
from support.rasters import coordinates, write_raster
from support.tiny_networks import tiny_weights

SENTINEL_2 = ("B02 blue", "B03 green", "B04 red", "B08 nir")
UNTOLD = (ColorInterp.gray,)
RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)


def stack(path: Path, names: tuple[str, ...], dtype: str = "uint16", tag: str = "") -> Path:
    """Write a raster without colours whose bands have these descriptions, or these tags."""
    values = coordinates((len(names), 16, 16), dtype)
    colours = UNTOLD + (ColorInterp.undefined,) * (len(names) - 1)
    write_raster(path, values, colorinterp=colours, photometric="MINISBLACK")
    with rasterio.open(path, "r+") as dataset:
        for band, name in enumerate(names, start=1):
            if tag:
                dataset.update_tags(band, **{tag: name})
            else:
                dataset.set_band_description(band, name)
    return path


@pytest.mark.parametrize(
    ("names", "right"),
    [
        (SENTINEL_2, (3, 2, 1)),
        (("B02", "B03", "B04", "B08"), (3, 2, 1)),
        (("B4", "B3", "B2"), (1, 2, 3)),
        (("Band 2", "Band 3", "Band 4", "Band 8"), (3, 2, 1)),
        (("SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B6", "SR_B7"), (4, 3, 2)),
        (("SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B7"), (3, 2, 1)),
        (("Blue", "Green", "Red", "Red Edge", "Near Infrared"), (3, 2, 1)),
        (
            ("coastal_blue", "blue", "green_i", "green", "yellow", "red", "rededge", "nir"),
            (6, 4, 2),
        ),
    ],
)
@pytest.mark.parametrize("tag", ["", "common_name", "BandName"])
def test_bands_are_found_by_name(
    tmp_path: Path,
    names: tuple[str, ...],
    right: tuple[int, ...],
    tag: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        caplog.at_level(logging.WARNING),
        Scene.open(stack(tmp_path / "s.tif", names, tag=tag)) as scene,
    ):
        assert scene.bands == right
    assert not caplog.records


@pytest.mark.parametrize(
    "names",
    [("Band 1", "Band 2", "Band 3", "Band 4"), ("B1", "B2", "B3", "B4"), ("a", "b", "c", "d")],
)
def test_names_that_only_count_tell_nothing(
    tmp_path: Path, names: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING),
        Scene.open(stack(tmp_path / "s.tif", names)) as scene,
    ):
        assert scene.bands == (1, 2, 3)
    assert names[0] in caplog.text
    assert "--bands 3,2,1" in caplog.text


def test_descriptions_that_contradict_the_colours_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_raster(
        tmp_path / "s.tif", coordinates((3, 16, 16), "uint8"), colorinterp=RGB, photometric="RGB"
    )
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("blue", "green", "red")
    with caplog.at_level(logging.WARNING), Scene.open(path) as scene:
        assert scene.bands == (1, 2, 3)
    assert "blue; green; red" in caplog.text
    assert "--bands 3,2,1" in caplog.text


@pytest.mark.parametrize(
    "bands", [("B04", "B03", "B02"), ("b4", 2, "band 2"), ("red", "green", "blue")]
)
def test_bands_can_be_named(tmp_path: Path, bands: tuple[int | str, ...]) -> None:
    path = stack(tmp_path / "s.tif", ("Band 2", "B03", "B04", "B08"))
    if bands[0] == "B04":
        path = stack(tmp_path / "t.tif", SENTINEL_2)
    with Scene.open(path, bands=bands) as scene:
        assert scene.bands == (3, 2, 1)


PLANET_NM = ("443", "490", "531", "565", "610", "665", "705", "865")


@pytest.mark.parametrize(
    ("tag", "unit", "factor"),
    [
        ("wavelength", "", 1),
        ("wavelength", "Nanometers", 1),
        ("wavelength", "um", 1000),
        ("WAVELENGTH", "Micrometers", 1000),
        ("center_wavelength", "", 1000),
        ("central_wavelength", "nm", 1),
    ],
)
def test_bands_are_found_by_their_wavelengths(
    tmp_path: Path, tag: str, unit: str, factor: int, caplog: pytest.LogCaptureFixture
) -> None:
    names = tuple(f"{int(nm) / factor:g}" for nm in PLANET_NM)
    path = stack(tmp_path / "s.tif", names, tag=tag)
    if unit:
        with rasterio.open(path, "r+") as dataset:
            for band in dataset.indexes:
                dataset.update_tags(band, wavelength_units=unit)
    with caplog.at_level(logging.WARNING), Scene.open(path) as scene:
        assert scene.bands == (6, 4, 2)
    assert not caplog.records


def test_wavelengths_stand_in_envi_lists_imagery_and_descriptions_too(tmp_path: Path) -> None:
    envi = stack(tmp_path / "envi.tif", PLANET_NM, tag="other")
    with rasterio.open(envi, "r+") as dataset:
        dataset.update_tags(ns="ENVI", wavelength=f"{{{', '.join(PLANET_NM)}}}")
    imagery = stack(tmp_path / "imagery.tif", PLANET_NM, tag="other")
    with rasterio.open(imagery, "r+") as dataset:
        for band, nm in enumerate(PLANET_NM, 1):
            dataset.update_tags(band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=str(int(nm) / 1000))
    described = stack(tmp_path / "described.tif", tuple(f"{nm} nm" for nm in PLANET_NM))
    for path in (envi, imagery, described):
        with Scene.open(path) as scene:
            assert scene.bands == (6, 4, 2)


def test_wavelengths_of_the_infrared_tell_nothing(tmp_path: Path) -> None:
    path = stack(tmp_path / "s.tif", ("865", "1610", "2200", "705"), tag="wavelength")
    with Scene.open(path) as scene:
        assert scene.bands == (1, 2, 3)


@pytest.mark.parametrize(
    "bands", ["665,565,490", "664.6,560nm,0.49um", "665 nm,4,490", "0.665,0.565,0.49"]
)
def test_bands_can_be_given_by_wavelength(tmp_path: Path, bands: str) -> None:
    path = stack(tmp_path / "s.tif", PLANET_NM, tag="wavelength")
    spec = BandNames().convert(bands, None, None)
    with Scene.open(path, bands=spec) as scene:
        assert scene.bands == (6, 4, 2)


def test_a_wavelength_that_no_band_has_is_refused(tmp_path: Path) -> None:
    path = stack(tmp_path / "s.tif", PLANET_NM, tag="wavelength")
    with pytest.raises(RasterError, match="no band is near 2200 nm; the nearest, band 8, has 865"):
        Scene.open(path, bands=(2200, 565, 490))
    path = stack(tmp_path / "t.tif", ("a", "b", "c", "d"))
    with pytest.raises(RasterError, match="665 nm was given, but its 4 bands name no wavelengths"):
        Scene.open(path, bands=(665, 565, 490))


def test_a_band_that_no_one_has_is_refused_with_their_names(tmp_path: Path) -> None:
    path = stack(tmp_path / "s.tif", SENTINEL_2)
    with pytest.raises(RasterError, match=r"no band is called 'B12'.*B02 blue; B03 green"):
        Scene.open(path, bands=("B12", "B03", "B02"))


def test_the_command_draws_a_stack_by_its_names(tmp_path: Path) -> None:
    scene = stack(tmp_path / "scene.tif", SENTINEL_2, "uint8")
    pictures = []
    for name, more in (
        ("a", ()),
        ("b", ("--bands", "3,2,1")),
        ("c", ("--bands", "red,green,blue")),
    ):
        output = tmp_path / f"{name}.tif"
        specgan("upscale", scene, "-x", 4, "-o", output, "--weights", tiny_weights(), *more)
        with rasterio.open(output) as dataset:
            pictures.append(dataset.read())
    assert np.array_equal(pictures[0], pictures[1])
    assert np.array_equal(pictures[0], pictures[2])
    with rasterio.open(scene) as dataset:
        given = dataset.read([3, 2, 1])
    means = pictures[0].reshape(3, 16, 4, 16, 4).mean((2, 4))
    assert np.abs(means - given).max() <= 0.5


def test_the_command_refuses_two_bands(tmp_path: Path) -> None:
    scene = stack(tmp_path / "scene.tif", SENTINEL_2)
    result = specgan("upscale", scene, "--bands", "B04,B03", "-o", tmp_path / "out.tif")
    assert result.code == 2
    assert "three bands" in result.stderr


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("B02 blue", "blue"),
        ("Red Edge 1", None),
        ("rededge", None),
        ("infrared", None),
        ("RGB", None),
    ],
)
def test_colours_in_names(text: str, colour: str | None) -> None:
    assert colour_of(text) == colour


@pytest.mark.parametrize(
    ("text", "units", "nm"),
    [
        ("665", None, 665.0),
        ("0.665", "Micrometers", 665.0),
        ("6650", "Angstroms", 665.0),
        ("6.65e-7", "m", 665.0),
        ("15037.594", "cm-1", 665.0),
        ("665 nm", "um", 665.0),
        ("5", "nm", None),
        ("665 counts", None, None),
        ("0", None, None),
        ("10 m", None, None),
    ],
)
def test_one_wavelength_in_any_unit(text: str, units: str | None, nm: float | None) -> None:
    assert to_nm(text, units) == (None if nm is None else pytest.approx(nm, rel=1e-6))
