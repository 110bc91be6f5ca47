"""Which bands are red, green and blue: by name, by colour, by number."""

import logging
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from specgan_cli.errors import RasterError
from specgan_cli.raster.bands import colour_of
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
        path = stack(tmp_path / "t.tif", ("B02", "B03", "B04", "B08"))
    with Scene.open(path, bands=bands) as scene:
        assert scene.bands == (3, 2, 1)


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
