"""What a scene says of its bands and of itself is said by what is made of it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from specgan_cli.raster.drivers.vrt import write_vrt
from specgan_cli.raster.scene import Scene
from support.command import specgan
from support.rasters import coordinates, write_raster
from support.tiny_networks import tiny_weights

OWN = {
    "STATISTICS_MEAN": "7",
    "AREA_OR_POINT": "Point",
    "NODATA_VALUES": "1 2 3 4",
    "SPECGAN_SEED": "99",
    "TIFFTAG_SOFTWARE": "other",
    "TIFFTAG_XRESOLUTION": "300",
    "_FillValue": "7",
}
"""Tags that hold for the file that has them alone."""


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    path = write_raster(
        tmp_path / "scene.tif", coordinates((4, 12, 12), "uint16"), photometric="MINISBLACK"
    )
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("B02", "B03", "B04", "B08")
        dataset.units = ("reflectance",) * 4
        dataset.scales, dataset.offsets = (1e-4,) * 4, (-0.1,) * 4
        dataset.update_tags(platform="Sentinel-2B", TIFFTAG_COPYRIGHT="ESA", **OWN)
        for band, nm in enumerate((490, 560, 665, 842), start=1):
            dataset.update_tags(band, wavelength=str(nm), STATISTICS_MEAN="7")
            dataset.update_tags(band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=str(nm / 1000))
    return path


def check(path: Path) -> None:
    with rasterio.open(path) as out:
        assert out.descriptions[:3] == ("B04", "B03", "B02")
        assert out.units[:3] == ("reflectance",) * 3
        assert (out.scales[:3], out.offsets[:3]) == ((1e-4,) * 3, (-0.1,) * 3)
        assert [out.tags(band)["wavelength"] for band in (1, 2, 3)] == ["665", "560", "490"]
        imagery = [out.tags(band, ns="IMAGERY")["CENTRAL_WAVELENGTH_UM"] for band in (1, 2, 3)]
        assert imagery == ["0.665", "0.56", "0.49"]
        tags = out.tags()
        assert (tags["platform"], tags["TIFFTAG_COPYRIGHT"]) == ("Sentinel-2B", "ESA")
        assert tags["SPECGAN_SEED"] == "0"
        assert not [key for key, value in OWN.items() if tags.get(key) == value]
        assert "STATISTICS_MEAN" not in out.tags(1)
        assert out.dataset_mask().all()


@pytest.mark.parametrize("of", ["GTiff", "COG"])
def test_the_output_keeps_what_the_scene_says(scene: Path, tmp_path: Path, of: str) -> None:
    words = ("-x", 2, "-o", tmp_path / "out.tif", "--of", of, "--weights", tiny_weights())
    result = specgan("upscale", scene, *words)
    assert result.code == 0, result.stderr
    check(tmp_path / "out.tif")


def test_a_vrt_of_parts_says_what_they_say(scene: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.tif"
    specgan("upscale", scene, "-x", 2, "-o", output, "--weights", tiny_weights())
    with rasterio.open(output) as dataset, Scene.open(output) as whole:
        write_vrt(tmp_path / "out.vrt", whole.grid, [output], dataset.tags())
    check(tmp_path / "out.vrt")


def test_an_output_is_read_as_its_scene_is(scene: Path, tmp_path: Path) -> None:
    """The bands' names still say which is which, and no warning comes of them."""
    output = tmp_path / "out.tif"
    specgan("upscale", scene, "-x", 2, "-o", output, "--weights", tiny_weights())
    again = specgan(
        "upscale", output, "-x", 2, "-o", tmp_path / "b.tif", "--weights", tiny_weights()
    )
    assert again.code == 0
    assert "WARNING" not in again.stderr


@pytest.mark.parametrize("kind", ["alpha_scene", "mask_scene", "nodata_scene"])
def test_files_that_say_nothing_say_nothing(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(kind)
    specgan("upscale", path, "-x", 2, "-o", tmp_path / "out.tif", "--weights", tiny_weights())
    with rasterio.open(tmp_path / "out.tif") as out:
        assert set(out.descriptions) == {None}
        assert set(out.units) == {None}


@pytest.mark.parametrize("of", ["GTiff", "COG"])
def test_alpha_is_described_no_band_too_many(
    make_raster: Callable[..., Path], tmp_path: Path, of: str
) -> None:
    values = coordinates((4, 12, 12), "uint8")
    values[3] = 255 * (np.arange(12) > 3)
    colours = tuple(rasterio.enums.ColorInterp[n] for n in ("red", "green", "blue", "alpha"))
    path = make_raster(values, colorinterp=colours)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("red", "green", "blue", "alpha")
    words = ("-x", 2, "-o", tmp_path / "out.tif", "--of", of, "--weights", tiny_weights())
    assert specgan("upscale", path, *words).code == 0
    with rasterio.open(tmp_path / "out.tif") as out:
        assert out.descriptions[:3] == ("red", "green", "blue")
        assert out.colorinterp == colours
