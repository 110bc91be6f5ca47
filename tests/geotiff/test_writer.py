"""Laws of the writer: what goes in comes out, on the same ground, complete or not at all."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp

from specgan_cli.errors import OutputError
from specgan_cli.raster.grid import Grid, Window, plan_tiles
from specgan_cli.raster.scene import Scene
from support.rasters import COMPOUND, GEOGRAPHIC, NORTH_UP, ROTATED, SOUTH_UP, UTM, coordinates
from support.writers import raster_writer

SHAPE = (70, 100)
ROTATED_POLE = (
    "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=40 +lon_0=10 +datum=WGS84 +type=crs"
)


def grid_of(crs: str = UTM, transform: Affine = NORTH_UP) -> Grid:
    return Grid(CRS.from_user_input(crs), transform, SHAPE)


def write(
    path: Path, values: np.ndarray, valid: np.ndarray | None = None, tile: int = 32, **options: Any
) -> Path:
    """Write values in tiles and return the path."""
    options.setdefault("grid", grid_of())
    grid = options.pop("grid")
    with raster_writer(path, grid, dtype=str(values.dtype), block=32, **options) as writer:
        for window in plan_tiles(grid.shape_yx, tile):
            known = None if valid is None else valid[window.slices]
            writer.write(values[:, *window.slices], window, known)
    return path


def holed() -> np.ndarray:
    """A validity of SHAPE with a missing corner."""
    valid = np.ones(SHAPE, bool)
    valid[:20, :45] = False
    return valid


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("tile", [32, 64, 27, 200])
def test_values_come_back_whatever_the_tiles(tmp_path: Path, dtype: str, tile: int) -> None:
    values = coordinates((3, *SHAPE), dtype)
    path = write(tmp_path / "out.tif", values, tile=tile)
    with rasterio.open(path) as dataset:
        assert (dataset.read() == values).all()
        assert dataset.dtypes == (dtype,) * 3


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        (UTM, NORTH_UP),
        (UTM, ROTATED),
        (UTM, SOUTH_UP),
        ("EPSG:4326", GEOGRAPHIC),
        (COMPOUND, NORTH_UP),
        ("EPSG:2263", NORTH_UP),
        ("EPSG:3857", NORTH_UP),
        ("ESRI:54052", NORTH_UP),
        (ROTATED_POLE, GEOGRAPHIC),
    ],
)
@pytest.mark.parametrize("of", ["GTiff", "COG"])
def test_the_georeference_is_the_grids(
    tmp_path: Path, crs: str, transform: Affine, of: Any
) -> None:
    grid = grid_of(crs, transform)
    path = write(tmp_path / "out.tif", coordinates((3, *SHAPE), "uint8"), grid=grid, of=of)
    with Scene.open(path) as scene:
        assert scene.grid == grid


@pytest.mark.parametrize("of", ["GTiff", "COG"])
@pytest.mark.parametrize(
    ("kind", "dtype", "nodata"),
    [
        ("nodata", "uint8", 0),
        ("nodata", "uint8", 255),
        ("nodata", "int16", -9999),
        ("nodata", "float32", -3.4e38),
        ("nodata", "float32", float("nan")),
        ("alpha", "uint8", None),
        ("alpha", "uint16", None),
        ("alpha", "float32", None),
        ("mask", "uint8", None),
        ("mask", "float64", None),
        ("none", "float32", None),
    ],
)
def test_missing_pixels_come_back_exactly(
    tmp_path: Path, kind: Any, dtype: str, nodata: float | None, of: Any
) -> None:
    values = coordinates((3, *SHAPE), dtype)
    path = write(tmp_path / "out.tif", values, holed(), nodata=nodata, mask=kind, of=of)
    with Scene.open(path) as scene:
        read, valid = scene.read(scene.grid.full_window)
    assert (valid == holed()).all()
    assert (read == values)[:, valid].all()


@pytest.mark.parametrize(
    ("kind", "dtype", "nodata"),
    [
        ("nodata", "uint8", 0),
        ("alpha", "uint8", None),
        ("alpha", "float32", None),
        ("mask", "uint8", None),
    ],
)
def test_missing_pixels_are_those_of_other_readers_too(
    tmp_path: Path, kind: Any, dtype: str, nodata: float | None
) -> None:
    path = tmp_path / "out.tif"
    write(path, coordinates((3, *SHAPE), dtype), holed(), nodata=nodata, mask=kind)
    with rasterio.open(path) as dataset:
        assert ((dataset.dataset_mask() > 0) == holed()).all()


def test_what_invalid_pixels_hold_is_not_written(tmp_path: Path) -> None:
    values = coordinates((3, *SHAPE), "uint8")
    path = write(tmp_path / "out.tif", values, holed(), nodata=0)
    with rasterio.open(path) as dataset:
        assert (dataset.read()[:, ~holed()] == 0).all()


@pytest.mark.parametrize(
    ("dtype", "nodata", "moved"),
    [("uint8", 0, 1), ("uint8", 255, 254), ("uint16", 7, 6), ("int16", -5, -4)],
)
def test_valid_pixels_that_equal_nodata_stay_valid(
    tmp_path: Path, dtype: str, nodata: int, moved: int
) -> None:
    values = np.full((3, *SHAPE), nodata, dtype)
    path = write(tmp_path / "out.tif", values, nodata=nodata)
    with Scene.open(path) as scene:
        read, valid = scene.read(scene.grid.full_window)
    assert valid.all()
    assert (read[2] == moved).all()


def test_bands_that_share_a_value_with_nodata_keep_it(tmp_path: Path) -> None:
    values = coordinates((3, *SHAPE), "uint8")
    values[0] = 0
    path = write(tmp_path / "out.tif", values, nodata=0)
    with rasterio.open(path) as dataset:
        assert (dataset.read() == values).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_three_bands_are_red_green_and_blue(tmp_path: Path, dtype: str) -> None:
    path = write(tmp_path / "out.tif", coordinates((3, *SHAPE), dtype))
    with rasterio.open(path) as dataset:
        assert [colour.name for colour in dataset.colorinterp] == ["red", "green", "blue"]


def test_an_alpha_band_is_said_to_be_one(tmp_path: Path) -> None:
    path = write(tmp_path / "out.tif", coordinates((3, *SHAPE), "uint8"), holed(), mask="alpha")
    with rasterio.open(path) as dataset:
        assert dataset.colorinterp[3] == ColorInterp.alpha
        assert np.unique(dataset.read(4)).tolist() == [0, 255]


def test_tags_scales_and_offsets_are_kept(tmp_path: Path) -> None:
    tags = {"TIFFTAG_SOFTWARE": "specgan", "SPECGAN_INPUT": 'näme <&> "quoted".tif'}
    scales, offsets = (1e-4, 2e-4, 3e-4), (0.0, -0.1, 0.0)
    path = tmp_path / "out.tif"
    write(path, coordinates((3, *SHAPE), "uint16"), tags=tags, scales=scales, offsets=offsets)
    with rasterio.open(path) as dataset:
        assert tags.items() <= dataset.tags().items()
        assert (dataset.scales, dataset.offsets) == (scales, offsets)


@pytest.mark.parametrize(
    "co",
    [
        {"COMPRESS": "ZSTD"},
        {"COMPRESS": "LZW", "PREDICTOR": "1"},
        {"compress": "none"},
        {"INTERLEAVE": "BAND"},
        {"BIGTIFF": "YES"},
        {"BIGTIFF": "YES", "INTERLEAVE": "BAND"},
    ],
)
@pytest.mark.parametrize("kind", ["none", "mask"])
def test_creation_options_are_heeded(tmp_path: Path, co: dict[str, str], kind: Any) -> None:
    values = coordinates((3, *SHAPE), "uint8")
    path = write(tmp_path / "out.tif", values, holed(), mask=kind, co=co, overviews=2)
    given = {key.lower(): value.lower() for key, value in co.items()}
    with rasterio.open(path) as dataset:
        assert (dataset.read() == values)[:, holed()].all()
        profile = dataset.profile
    assert profile.get("compress", "none") == given.get("compress", "deflate")
    assert profile["interleave"] == given.get("interleave", "pixel")
    assert path.read_bytes()[2] == (43 if given.get("bigtiff") == "yes" else 42)


def test_blocks_are_those_of_the_options(tmp_path: Path) -> None:
    co = {"BLOCKXSIZE": "16", "BLOCKYSIZE": "16"}
    with raster_writer(tmp_path / "out.tif", grid_of(), co=co) as writer:
        writer.write(coordinates((3, *SHAPE), "uint8"), Window(0, 0, *SHAPE))
    with rasterio.open(writer.path) as dataset:
        assert dataset.block_shapes == [(16, 16)] * 3


@pytest.mark.parametrize(
    ("co", "reason"),
    [
        ({"COMPRES": "ZSTD"}, "COMPRES"),
        ({"COMPRESS": "ZIPPY"}, "ZIPPY"),
        ({"BLOCKXSIZE": "100"}, "multiple of 16"),
        ({"BLOCKXSIZE": "64", "BLOCKYSIZE": "32"}, "square"),
        ({"TILED": "NO"}, "tiled"),
        ({"PROFILE": "BASELINE"}, "place"),
        ({"PROFILE": "GeoTIFF"}, "tags"),
        ({"TFW": "YES"}, "no effect.*gdal_translate -co TFW=YES"),
        ({"RPB": "YES"}, "no effect"),
        ({"ENDIANNESS": "BIG"}, "little-endian"),
        ({"COMPRESS": "CCITTFAX4"}, "cannot store 3 bands of uint8 so.*[Bb]its.*; choose another"),
        ({"PREDICTOR": "7"}, "so: PREDICTOR=7 is not supported; choose"),
        ({"STREAMABLE_OUTPUT": "YES"}, "no effect"),
    ],
)
def test_creation_options_that_cannot_be_are_refused(
    tmp_path: Path, co: dict[str, str], reason: str
) -> None:
    with pytest.raises(OutputError, match=reason):
        raster_writer(tmp_path / "out.tif", grid_of(), co=co).open()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("co", [{"COMPRES": "ZSTD"}, {"COMPRESS": "ZIPPY"}, {"LEVEL": "many"}])
def test_options_of_a_cog_are_checked_before_anything_is_written(
    tmp_path: Path, co: dict[str, str]
) -> None:
    with pytest.raises(OutputError, match="creation option"):
        raster_writer(tmp_path / "out.tif", grid_of(), of="COG", co=co).open()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "co",
    [
        {"TARGET_SRS": "EPSG:4326"},
        {"TILING_SCHEME": "GoogleMapsCompatible"},
        {"OVERVIEWS": "NONE"},
        {"STATISTICS": "YES"},  # GDAL then makes its own overviews
        {"OVERVIEW_COMPRESS": "JPEG"},
        {"OVERVIEW_COMPRESS": "webp", "OVERVIEW_QUALITY": "80"},
    ],
)
def test_options_that_make_another_raster_of_a_cog_are_refused(
    tmp_path: Path, co: dict[str, str]
) -> None:
    with pytest.raises(OutputError, match="changes"):
        raster_writer(tmp_path / "out.tif", grid_of(), of="COG", co=co).open()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("co", [{"COMPRESS": "ZSTD"}, {"COMPRESS": "NONE"}, {"BLOCKSIZE": "128"}])
def test_options_of_a_cog_are_heeded(tmp_path: Path, co: dict[str, str]) -> None:
    values = coordinates((3, *SHAPE), "uint8")
    with raster_writer(tmp_path / "out.tif", grid_of(), of="COG", co=co) as writer:
        writer.write(values, writer.description.grid.full_window)
    with rasterio.open(writer.path) as dataset:
        assert (dataset.read() == values).all()
        assert dataset.profile.get("compress", "none") == co.get("COMPRESS", "deflate").lower()
        assert dataset.block_shapes[0] == (int(co.get("BLOCKSIZE", 512)),) * 2


def test_a_huge_output_is_a_bigtiff_with_a_small_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plenty = shutil.disk_usage(tmp_path)._replace(free=10**15)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: plenty)
    grid = Grid(CRS.from_user_input(UTM), NORTH_UP, (320000, 320000))
    writer = raster_writer(tmp_path / "out.tif", grid, overviews=True)
    writer.open()
    partial = tmp_path / ".out.tif.partial"
    assert partial.stat().st_size < 10e6
    with rasterio.open(partial) as dataset:
        assert dataset.shape == grid.shape_yx
        assert len(dataset.overviews(1)) == 11
    assert partial.read_bytes()[2] == 43
    writer.discard()


def test_a_cog_is_one(tmp_path: Path) -> None:
    cogeo = pytest.importorskip("rio_cogeo.cogeo")
    grid = Grid(CRS.from_user_input(UTM), NORTH_UP, (700, 600))
    values = coordinates((3, 700, 600), "uint8")
    with raster_writer(
        tmp_path / "cog.tif", grid, of="COG", tags={"SPECGAN_SCALE": "32"}
    ) as writer:
        writer.write(values, grid.full_window)
    with rasterio.open(writer.path) as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.tags()["SPECGAN_SCALE"] == "32"
        assert (dataset.read() == values).all()
    valid, errors, warnings = cogeo.cog_validate(writer.path, quiet=True)
    assert (valid, errors, warnings) == (True, [], [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cog.tif"]


@pytest.mark.parametrize("shape_yx", [(1100, 512), (2200, 1024), (700, 384)])
def test_a_cog_is_valid_where_a_level_is_as_wide_as_a_block(
    shape_yx: tuple[int, int], tmp_path: Path
) -> None:
    cogeo = pytest.importorskip("rio_cogeo.cogeo")
    grid = Grid(CRS.from_user_input(UTM), NORTH_UP, shape_yx)
    with raster_writer(tmp_path / "cog.tif", grid, of="COG") as writer:
        writer.write(coordinates((3, *shape_yx), "uint8"), grid.full_window)
    assert cogeo.cog_validate(writer.path, quiet=True) == (True, [], [])


@pytest.mark.parametrize("of", ["GTiff", "COG"])
def test_equal_writes_give_equal_bytes(tmp_path: Path, of: Any) -> None:
    values = coordinates((3, *SHAPE), "uint8")
    one, other = (
        write(tmp_path / name, values, holed(), mask="mask", of=of, overviews=2)
        for name in ("one.tif", "other.tif")
    )
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    ("values", "window", "reason"),
    [
        (np.zeros((3, 4, 4), np.uint16), Window(0, 0, 4, 4), "uint16"),
        (np.zeros((3, 4, 5), np.uint8), Window(0, 0, 4, 4), "4, 5"),
        (np.zeros((2, 4, 4), np.uint8), Window(0, 0, 4, 4), "2, 4, 4"),
        (np.zeros((3, 4, 4), np.uint8), Window(68, 0, 4, 4), "within"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, values: np.ndarray, window: Window, reason: str
) -> None:
    with (
        pytest.raises(ValueError, match=reason),
        raster_writer(tmp_path / "out.tif", grid_of()) as writer,
    ):
        writer.write(values, window)
    assert list(tmp_path.iterdir()) == []


def test_pixels_never_written_are_missing(tmp_path: Path) -> None:
    values = coordinates((3, *SHAPE), "uint8")
    with raster_writer(tmp_path / "out.tif", grid_of(), nodata=0, block=32) as writer:
        writer.write(values[:, :40, :50], Window(0, 0, 40, 50))
    with Scene.open(writer.path) as scene:
        read, valid = scene.read(scene.grid.full_window)
    expected = np.zeros(SHAPE, bool)
    expected[:40, :50] = True
    assert (valid == expected).all()
    assert (read == values)[:, expected].all()


def test_a_result_of_a_scene_marks_missing_pixels_as_it_does(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    for kind in ("nodata", "alpha", "mask", "nan"):
        with Scene.open(request.getfixturevalue(f"{kind}_scene")) as scene:
            values, valid = scene.read(scene.grid.full_window)
            write(
                tmp_path / "out.tif",
                values,
                valid,
                grid=scene.grid,
                nodata=scene.nodata,
                mask=scene.mask_kind,
                overwrite=True,
            )
        with Scene.open(tmp_path / "out.tif") as result:
            assert result.mask_kind == scene.mask_kind
            assert (result.read(scene.grid.full_window)[1] == valid).all()
