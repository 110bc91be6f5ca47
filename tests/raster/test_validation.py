"""Rasters that are no scene: each is refused in one line that says what to do."""

import shlex
import shutil
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import rasterio.vrt
from affine import Affine
from click.testing import CliRunner
from rasterio.enums import ColorInterp
from rasterio.rio.main import main_group

from specgan_cli.cubes.gdal import RasterStore
from specgan_cli.errors import RasterError
from specgan_cli.raster.grid import Window
from specgan_cli.raster.scene import Scene
from support.command import specgan
from support.rasters import UTM, write_raster

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


@pytest.mark.parametrize("text", ["descriptions", "units"])
def test_texts_of_another_encoding(make_raster: MakeRaster, text: str) -> None:
    path = make_raster()
    with rasterio.open(path, "r+") as dataset:
        setattr(dataset, text, ["caf\u00e9"] * dataset.count)
    path.write_bytes(path.read_bytes().replace("caf\u00e9".encode(), b"caf\xe9s"))
    assert "holds a text that is not UTF-8, 'caf\ufffds'" in refusal(path)
    with pytest.raises(RasterError, match="not UTF-8"):
        RasterStore(str(path))


def test_a_file_name_of_another_encoding_in_a_vrt(make_raster: MakeRaster) -> None:
    path = make_raster()
    vrt = path.with_suffix(".vrt")
    rasterio.shutil.copy(path, vrt, driver="VRT")
    name = path.name.encode()
    vrt.write_bytes(vrt.read_bytes().replace(name, b"\xff" + name))
    assert "holds a text that is not UTF-8" in refusal(vrt)


@pytest.mark.parametrize("side", [1e-12, 1e12])
def test_pixels_of_no_size(make_raster: MakeRaster, side: float) -> None:
    message = refusal(make_raster(transform=Affine(side, 0, 5e5, 0, -side, 4e6)))
    assert "units of its CRS; set its transform" in message


@pytest.mark.parametrize("place", [(1e13, 0.0), (0.0, -1.2e59)])
def test_coordinates_off_every_map(make_raster: MakeRaster, place: tuple[float, float]) -> None:
    message = refusal(make_raster(transform=Affine(2, 0, place[0], 0, -2, place[1])))
    assert "lie on no map; set its transform" in message


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
    assert f"gdal_translate -expand rgb {path} scene_rgb.tif" in refusal(path)


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
    listed = shlex.split(message.partition("subdataset: ")[2])
    with Scene.open(listed[0].removesuffix(","), bands=(1, 1, 1), georeferenced=False) as scene:
        assert scene.grid.shape_yx == (5, 5)


def test_a_raster_without_pixels(tmp_path: Path) -> None:
    path = tmp_path / "zero.vrt"
    path.write_text('<VRTDataset rasterXSize="0" rasterYSize="0"></VRTDataset>')
    refusal(path)


@pytest.mark.parametrize("side", [1.5e211, 1e10, 1e-10])
def test_a_pixel_of_an_absurd_size(make_raster: MakeRaster, side: float) -> None:
    transform = Affine(-side, 0, 726491, 0, -3.2, 4699078)
    message = refusal(make_raster(np.ones((3, 8, 8), np.uint8), transform=transform))
    assert f"{side:.3g} x 3.2 units" in message


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


SITE = (
    'LOCAL_CS["Site grid",UNIT["metre",1,AUTHORITY["EPSG","9001"]],AXIS["Easting",EAST],'
    'AXIS["Northing",NORTH]]'
)


def typed(message: str, **filled: str) -> None:
    """Run the command that a message ends with, as it would be typed."""
    words = message.partition("rio ")[2]
    for key, value in filled.items():
        words = words.replace(key, value)
    with warnings.catch_warnings(action="ignore"):
        result = CliRunner().invoke(main_group, shlex.split(words))
    assert result.exit_code == 0, result.output


def test_metres_called_degrees_are_refused_with_the_command(make_raster: MakeRaster) -> None:
    path = make_raster(crs="EPSG:4326")
    message = refusal(path)
    assert str(path) in message
    assert "are no degrees, but its CRS is EPSG:4326" in message
    typed(message, CODE="32618")
    with Scene.open(path) as scene:
        assert scene.grid.gsd == pytest.approx(3.2)


@pytest.mark.parametrize("left", [-180.0, 179.9, 350.0])
def test_degrees_beyond_the_antimeridian_are_taken(make_raster: MakeRaster, left: float) -> None:
    with Scene.open(make_raster(crs="EPSG:4326", transform=Affine(0.1, 0, left, 0, -0.1, 9))):
        pass


@pytest.mark.parametrize("unit", [("metre", 1.0), ("foot", 0.3048)])
def test_a_site_grid_has_a_pixel_size(make_raster: MakeRaster, unit: tuple[str, float]) -> None:
    crs = SITE.replace('"metre",1,AUTHORITY["EPSG","9001"]', f'"{unit[0]}",{unit[1]}')
    with Scene.open(make_raster(crs=crs)) as scene:
        assert scene.grid.gsd == pytest.approx(3.2 * unit[1])


def test_a_mosaic_whose_tile_was_moved_names_the_tile(make_raster: MakeRaster) -> None:
    tile = make_raster(name="tile.tif", nodata=0)
    mosaic = tile.with_name("scene.vrt")
    rasterio.shutil.copy(tile, mosaic, driver="VRT")
    tile.unlink()
    message = refusal(mosaic)
    assert "scene.vrt" in message
    assert "tile.tif" in message
    assert "a file that it is made of is missing" in message


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar"])
def test_an_archive_is_refused_with_the_name_of_its_raster(
    make_raster: MakeRaster, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "inside" / "deep"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("notes")
    make_raster(name="inside/deep/scene.tif")
    archive = shutil.make_archive(str(tmp_path / "scene"), kind, tmp_path / "inside")
    message = refusal(archive)
    assert "is an archive" in message
    with Scene.open(message.rpartition(" ")[2]) as scene:
        assert scene.grid.shape_yx == (12, 17)


def test_an_archive_without_a_raster_is_no_raster(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "notes.txt").write_text("notes")
    archive = shutil.make_archive(str(tmp_path / "notes"), "zip", tmp_path / "inside")
    assert "cannot be opened as a raster" in refusal(archive)


@pytest.mark.parametrize("words", [(), ("--hsi-crs", UTM, "--hsi-origin", "726491,4699078")])
@pytest.mark.parametrize("command", ["upscale", "prepare"])
def test_a_cube_without_a_geotransform_is_refused_with_the_command(
    make_raster: MakeRaster, tmp_path: Path, command: str, words: tuple[str, ...]
) -> None:
    make_raster()
    cube = write_raster(
        tmp_path / "cube.tif", np.full((2, 5, 5), 500, "int16"), transform=None, crs=None
    )
    given = ("--hsi", cube, "--wavelengths", "560 660", "-o", tmp_path / "out.tif", *words)
    result = specgan(command, tmp_path / "scene.tif", *given, "--no-align")
    assert result.code == 1
    line = result.stderr.strip().splitlines()[-1]
    assert "cube.tif: has no geotransform" in line
    filled = {"a, b, c, d, e, f": "3.2, 0, 726491, 0, -3.2, 4699078.4", "EPSG:CODE": UTM}
    typed(line, **filled)
    assert specgan(command, tmp_path / "scene.tif", *given[:6], "--no-align").code == 0


@pytest.mark.parametrize("words", [(), ("--no-align",)])
@pytest.mark.parametrize("command", ["upscale", "prepare"])
def test_a_cube_on_a_site_grid_cannot_be_joined(
    make_raster: MakeRaster, tmp_path: Path, command: str, words: tuple[str, ...]
) -> None:
    scene = make_raster()
    cube = write_raster(tmp_path / "cube.tif", np.full((2, 5, 5), 500, "int16"), crs=SITE)
    given = ("--hsi", cube, "--wavelengths", "560 660", "-o", tmp_path / "out.tif", *words)
    result = specgan(command, scene, *given)
    assert result.code == 3
    line = result.stderr.strip().splitlines()[-1]
    assert "CRSs" in line
    assert "cannot be joined" in line


@pytest.mark.parametrize("window", ["4,4,-2,5", "4,4,2,0"])
def test_a_window_of_no_size_is_wrong_usage(uint8_scene: Path, window: str) -> None:
    result = specgan("upscale", uint8_scene, f"--window={window}", "-o", "out.tif")
    assert result.code == 2
    assert "--window" in result.stderr
