"""Rasters that are no scene: each is refused in one line that says what to do."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import rasterio.vrt
from affine import Affine
from rasterio.enums import ColorInterp

from specgan_cli.errors import RasterError
from specgan_cli.raster.grid import Window
from specgan_cli.raster.scene import Scene
from support.command import specgan
from support.rasters import write_raster

MakeRaster = Callable[..., Path]


def refusal(path: Path | str, **options: object) -> str:
    """Return the message with which a raster is refused, after checking that it is one line."""
    with pytest.raises(RasterError) as caught:
        Scene.open(path, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    assert isinstance(caught.value, OSError)
    return message


def test_a_missing_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.tif") == f"{tmp_path}/no.tif: no such file"


def test_a_missing_remote_file_shows_no_secrets() -> None:
    message = refusal("/vsizip/nowhere.zip/a.tif")
    assert message.startswith("/vsizip/nowhere.zip/a.tif: cannot be opened")


def test_a_folder(tmp_path: Path) -> None:
    assert "is a folder; give a raster file" in refusal(tmp_path)


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.tif"
    path.touch()
    assert "is an empty file" in refusal(path)


def test_a_text_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.tif"
    path.write_text("not a raster")
    assert "cannot be opened as a raster" in refusal(path)


def test_no_crs(make_raster: MakeRaster) -> None:
    message = refusal(make_raster(crs=None))
    assert "has no CRS; set it with: rio edit-info --crs" in message


def test_no_transform(make_raster: MakeRaster) -> None:
    message = refusal(make_raster(transform=None))
    assert "has no geotransform" in message
    assert "rio edit-info --transform" in message


def test_a_transform_without_area(make_raster: MakeRaster) -> None:
    flat = Affine(2.0, 2.0, 5e5, 1.0, 1.0, 4e6)
    assert "cannot be inverted" in refusal(make_raster(transform=flat))


def test_ground_control_points_only(gcp_scene: Path) -> None:
    message = refusal(gcp_scene)
    assert "has 4 ground control points" in message
    assert f"gdalwarp -tps -r cubic {gcp_scene} gcp_warped.tif" in message


def test_rational_polynomials_only(rpc_scene: Path) -> None:
    message = refusal(rpc_scene)
    assert "has RPCs but no transform" in message
    assert f"gdalwarp -rpc -to RPC_DEM=dem.tif -t_srs EPSG:CODE -r cubic {rpc_scene}" in message


def test_the_advised_command_is_quoted_for_a_shell(make_raster: MakeRaster) -> None:
    path = make_raster(crs=None, name="my scene.tif")
    assert f"'{path}'" in refusal(path)


def test_the_advised_warp_of_ground_control_points_makes_a_scene(
    gcp_scene: Path, tmp_path: Path
) -> None:
    """Rasterio's warper does what the advised gdalwarp does."""
    with rasterio.open(gcp_scene) as source:
        points, crs = source.gcps
        with rasterio.vrt.WarpedVRT(source, src_crs=crs, gcps=points, crs=crs) as warped:
            rasterio.shutil.copy(warped, tmp_path / "warped.tif", driver="GTiff")
    with Scene.open(tmp_path / "warped.tif") as scene:
        assert scene.grid.gsd == pytest.approx(3.2, rel=1e-3)


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_bands(make_raster: MakeRaster, count: int) -> None:
    message = refusal(make_raster(count=count))
    assert f"has {count} band{'s' * (count > 1)} of colour" in message
    assert "red, green and blue are needed" in message


def test_grey_with_alpha_is_too_few_bands(make_raster: MakeRaster) -> None:
    colours = (ColorInterp.gray, ColorInterp.alpha)
    assert "has 1 band of colour" in refusal(make_raster(count=2, colorinterp=colours))


def test_a_palette(make_raster: MakeRaster) -> None:
    path = make_raster(count=1)
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {0: (1, 2, 3, 255), 1: (4, 5, 6, 255)})
    assert "gdal_translate -expand rgb" in refusal(path)


@pytest.mark.parametrize("bands", [(1, 2), (1, 2, 4), (0, 1, 2), (1, 2, 3, 1)])
def test_bands_that_are_not_there(uint8_scene: Path, bands: tuple[int, ...]) -> None:
    message = refusal(uint8_scene, bands=bands)
    assert "give three numbers from 1 to 3" in message


def test_complex_values(make_raster: MakeRaster) -> None:
    assert "complex" in refusal(make_raster(dtype="complex64"))


def test_a_container_names_its_subdatasets(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "container.h5"
    with h5py.File(path, "w") as file:
        file["red"] = np.zeros((5, 5), np.float32)
        file["blue"] = np.zeros((5, 5), np.float32)
    message = refusal(path)
    assert "name a subdataset" in message
    assert "//red" in message


def test_a_raster_without_pixels(tmp_path: Path) -> None:
    path = tmp_path / "zero.vrt"
    path.write_text('<VRTDataset rasterXSize="0" rasterYSize="0"></VRTDataset>')
    refusal(path)


@pytest.mark.parametrize("kind", ["nodata", "mask", "alpha", "nan"])
def test_a_scene_of_nothing_but_missing_pixels(make_raster: MakeRaster, kind: str) -> None:
    zeros = np.zeros((3, 20, 30), np.float32 if kind == "nan" else np.uint8)
    if kind == "nodata":
        path = make_raster(zeros, nodata=0)
    elif kind == "mask":
        path = make_raster(zeros, mask=np.zeros((20, 30), bool))
    elif kind == "alpha":
        colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
        path = make_raster(np.zeros((4, 20, 30), np.uint8), colorinterp=colours)
    else:
        path = make_raster(zeros * np.nan)
    assert "every pixel is nodata" in refusal(path)


def test_one_valid_pixel_that_the_sample_misses_is_enough(make_raster: MakeRaster) -> None:
    values = np.zeros((3, 2100, 2100), np.uint8)
    values[:, 3, 3] = 9
    path = make_raster(values, nodata=0, tiled=True, compress="deflate")
    with Scene.open(path) as scene:
        assert scene.sample().size == 0
        assert scene.read(Window(3, 3, 1, 1))[1].all()


def test_a_file_that_was_cut_off(make_raster: MakeRaster) -> None:
    path = make_raster(shape_yx=(300, 300), tiled=True, blockxsize=64, blockysize=64)
    path.write_bytes(path.read_bytes()[:-40000])
    with Scene.open(path) as scene, pytest.raises(RasterError, match="cut off or damaged"):
        scene.read(scene.grid.full_window)


def test_a_bare_image_is_taken_where_no_georeference_is_needed(make_raster: MakeRaster) -> None:
    with Scene.open(make_raster(crs=None, transform=None), georeferenced=False) as scene:
        assert scene.grid.crs is None


def test_a_nodata_tag_that_cannot_occur_is_ignored(make_raster: MakeRaster) -> None:
    path = make_raster(np.full((3, 9, 9), 7, np.uint8), nodata=123)
    data = path.read_bytes()
    assert data.count(b"123\0") == 1
    path.write_bytes(data.replace(b"123\0", b"-99\0"))
    with Scene.open(path) as scene:
        assert scene.nodata is None


def test_a_damaged_directory_is_one_line_that_names_the_file(tmp_path: Path) -> None:
    values = np.ones((3, 64, 64), "uint8")
    path = write_raster(tmp_path / "s.tif", values, mask=np.full((64, 64), 255, "uint8"))
    content = bytearray(path.read_bytes())
    (first,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, first)
    # The link to the mask's directory leads behind the file's end.
    struct.pack_into("<I", content, first + 2 + 12 * entries, len(content) + 1000)
    path.write_bytes(content)
    result = specgan("upscale", path, "-x", 4, "-o", tmp_path / "out.tif")
    assert result.code == 1
    assert "s.tif: cannot be read" in result.stderr
    assert "may be cut off or damaged" in result.stderr
    assert "report" not in result.stderr
    assert not (tmp_path / "out.tif").exists()
