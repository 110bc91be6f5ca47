"""What is missing in a scene: every mark that files have, in every type that holds it."""

import logging
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.windows
from rasterio.enums import ColorInterp

from specgan_cli.raster.grid import Window
from specgan_cli.raster.masks import equals, mark_missing, valid_values
from specgan_cli.raster.missing import spread_windows
from specgan_cli.raster.scene import Scene
from specgan_cli.raster.untagged import warn_of_untagged
from support.command import specgan
from support.rasters import NORTH_UP, coordinates, write_raster
from support.tiny_networks import tiny_weights

LOWEST = float(np.finfo("float32").min)
RGBA = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)


def hole(dtype: str, value: float, bands: slice = slice(None)) -> np.ndarray:
    """Return 3 x 8 x 8 values of which (2, 3) holds a value in some bands."""
    values = (coordinates((3, 8, 8), "uint8") % 100 + 1).astype(dtype)
    values[bands, 2, 3] = np.asarray(value).astype(dtype)
    return values


def missing(path: Path, **options: object) -> list[list[int]]:
    with Scene.open(path, **options) as scene:  # type: ignore[arg-type]
        return np.argwhere(~scene.read(scene.grid.full_window)[1]).tolist()


@pytest.mark.parametrize(
    ("dtype", "stored", "nodata"),
    [
        ("uint8", 0, 0),
        ("uint8", 255, 255),
        ("int8", -128, -128),
        ("uint16", 65535, 65535),
        ("int16", -9999, -9999),
        ("int16", -32768, -32768),
        ("uint32", 4294967295, 4294967295),
        ("int32", -9999, -9999),
        ("float32", -9999, -9999),
        ("float32", LOWEST, LOWEST),
        ("float32", LOWEST * (1 - 2e-7), LOWEST),
        ("float32", LOWEST, -3.4e38),
        ("float64", LOWEST, -3.4e38),
        ("float32", -3.4e38, LOWEST),
        ("float32", 9.969209968386869e36, 9.969209968386869e36),
        ("float32", 1e20, 1e20),
        ("float32", -0.1, -0.1),
        ("float32", np.nan, np.nan),
        ("float64", -9999.9, -9999.9),
        ("float64", float(np.finfo("float64").min), float(np.finfo("float64").min)),
    ],
)
def test_nodata_is_compared_in_the_bands_own_type(
    tmp_path: Path, dtype: str, stored: float, nodata: float
) -> None:
    path = write_raster(tmp_path / "s.tif", hole(dtype, stored), nodata=nodata)
    assert missing(path) == [[2, 3]]
    assert missing(path, src_nodata="none") == ([[2, 3]] if np.isnan(stored) else [])


@pytest.mark.parametrize("nodata", [-9999.0, LOWEST, 9.969209968386869e36])
def test_a_value_that_no_image_holds_is_missing_in_one_band(tmp_path: Path, nodata: float) -> None:
    path = write_raster(tmp_path / "s.tif", hole("float32", nodata, slice(1, 2)), nodata=nodata)
    assert missing(path) == [[2, 3]]


@pytest.mark.parametrize("nodata", [0, 255])
def test_a_value_that_images_hold_is_missing_in_all_bands_only(tmp_path: Path, nodata: int) -> None:
    path = write_raster(tmp_path / "s.tif", hole("uint8", nodata, slice(1, 2)), nodata=nodata)
    assert missing(path) == []


@pytest.mark.parametrize("band", [1, 2, 3])
def test_each_band_has_its_own_nodata(tmp_path: Path, band: int) -> None:
    """A VRT is the file in which bands differ."""
    nodata = (-9999, -32768, -1)
    values = hole("int16", nodata[band - 1], slice(band - 1, band))
    write_raster(tmp_path / "bands.tif", values)
    with rasterio.open(tmp_path / "bands.tif") as dataset:
        wkt, place = dataset.crs.to_wkt(), ", ".join(map(str, dataset.transform.to_gdal()))
    bands = "".join(
        f'<VRTRasterBand dataType="Int16" band="{i}"><NoDataValue>{value}</NoDataValue>'
        f'<SimpleSource><SourceFilename relativeToVRT="1">bands.tif</SourceFilename>'
        f"<SourceBand>{i}</SourceBand></SimpleSource></VRTRasterBand>"
        for i, value in enumerate(nodata, 1)
    )
    path = tmp_path / "scene.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="8" rasterYSize="8"><SRS>{wkt}</SRS>'
        f"<GeoTransform>{place}</GeoTransform>{bands}</VRTDataset>"
    )
    assert missing(path) == [[2, 3]]
    assert missing(path, src_nodata="none") == []


def test_values_of_the_dataset_are_nodata(tmp_path: Path) -> None:
    values = coordinates((3, 8, 8), "uint8")
    values[:, 2, 3] = (7, 8, 9)
    values[:, 5, 5] = (7, 8, 10)
    path = write_raster(tmp_path / "s.tif", values)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(NODATA_VALUES="7 8 9")
    assert missing(path) == [[2, 3]]
    assert missing(path, src_nodata="none") == []
    with Scene.open(path) as scene:
        assert scene.mask_kind == "mask"


@pytest.mark.parametrize("internal", [True, False], ids=["internal", "msk"])
@pytest.mark.parametrize("nodata", [None, 0])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_masks_and_nodata_hide_both(
    tmp_path: Path, internal: bool, nodata: float | None, dtype: str
) -> None:
    path = write_raster(tmp_path / "s.tif", hole(dtype, 0), nodata=nodata)
    mask = np.full((8, 8), 255, np.uint8)
    mask[7] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(mask)
    assert (tmp_path / "s.tif.msk").exists() is not internal
    expected = [[7, col] for col in range(8)]
    assert missing(path) == ([] if nodata is None else [[2, 3]]) + expected


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_not_finite_is_missing(tmp_path: Path, value: float, dtype: str) -> None:
    path = write_raster(tmp_path / "s.tif", hole(dtype, value, slice(1, 2)))
    assert missing(path) == [[2, 3]]


def rgba(path: Path, alpha: np.ndarray, description: str = "") -> Path:
    values = np.concatenate([coordinates((3, 16, 16), "uint8"), alpha[None].astype("uint8")])
    write_raster(path, values, colorinterp=RGBA)
    if description:
        with rasterio.open(path, "r+") as dataset:
            dataset.set_band_description(4, description)
    return path


def image() -> np.ndarray:
    """Return 16 x 16 values of a band of light, a few of them 0."""
    return (np.arange(256).reshape(16, 16) * 7 % 200) * (np.arange(16) > 0)


@pytest.mark.parametrize(
    ("description", "hidden"),
    [("", 16), ("Alpha", 16), ("NIR", 0), ("B08", 0), ("Near Infrared", 0), ("830 nm", 0)],
)
def test_a_band_flagged_alpha_but_described_as_light_hides_nothing(
    tmp_path: Path, description: str, hidden: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = rgba(tmp_path / "s.tif", image(), description)
    with caplog.at_level(logging.WARNING):
        assert len(missing(path)) >= hidden
        assert bool(missing(path)) is bool(hidden)
    assert "flagged alpha" in caplog.text
    told = "described" if not hidden else "rio edit-info --colorinterp red,green,blue,undefined"
    assert told in caplog.text


def test_the_command_of_the_warning_works(tmp_path: Path) -> None:
    from click.testing import CliRunner
    from rasterio.rio.main import main_group

    path = rgba(tmp_path / "s.tif", image())
    words = ["edit-info", "--colorinterp", "red,green,blue,undefined", str(path)]
    assert CliRunner().invoke(main_group, words).exit_code == 0
    assert missing(path) == []


def test_alpha_that_is_a_mask_is_no_matter_for_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    alpha = np.full((16, 16), 255)
    alpha[:, :2], alpha[:, 2:5] = 0, np.arange(48).reshape(16, 3) * 5
    with caplog.at_level(logging.WARNING):
        assert len(missing(rgba(tmp_path / "s.tif", alpha))) == 33
    assert not caplog.records


def test_a_band_that_is_read_as_a_colour_is_no_alpha(tmp_path: Path) -> None:
    assert missing(rgba(tmp_path / "s.tif", image()), bands=(4, 1, 2)) == []


@pytest.mark.parametrize("nodata", [-9999.0, -0.1, 0.0, 1.5, 255.0])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "uint8"])
def test_valid_pixels_that_look_like_nodata_are_told_apart_by_gdal_too(
    tmp_path: Path, nodata: float, dtype: str
) -> None:
    values = coordinates((3, 4, 4), dtype)
    if equals(values, nodata) is None:
        pytest.skip(f"{dtype} does not hold {nodata}")
    values[:, 1, 1] = nodata
    valid = np.ones((4, 4), bool)
    valid[0, 0] = False
    stored = mark_missing(values, valid, "nodata", nodata)
    assert (valid_values(stored, nodata) == valid).all()
    assert np.abs(stored[:, 1, 1].astype(float) - nodata).max() <= max(1e-2, dtype[0] != "f")
    path = write_raster(tmp_path / "s.tif", stored, nodata=nodata)
    with rasterio.open(path) as dataset:
        assert ((dataset.dataset_mask() > 0) == valid).all()


def warned(values: np.ndarray, tmp_path: Path, caplog: pytest.LogCaptureFixture, **profile) -> str:
    path = write_raster(tmp_path / "s.tif", values, **profile)
    with caplog.at_level(logging.WARNING), Scene.open(path) as scene:
        warn_of_untagged(scene)
    assert len(caplog.records) <= 1
    return caplog.text


@pytest.mark.parametrize(
    ("dtype", "value", "shown"),
    [
        ("int16", -9999, "-9999"),
        ("int16", -32768, "-32768"),
        ("int32", -9999, "-9999"),
        ("float32", -9999, "-9999"),
        ("float32", LOWEST, "-3.40282347e+38"),
        ("float64", LOWEST, "-3.40282347e+38"),
        ("uint8", 0, "0"),
        ("uint8", 255, "255"),
        ("uint16", 0, "0"),
        ("uint16", 65535, "65535"),
        ("float32", 0, "0"),
    ],
)
def test_untagged_values_that_look_like_nodata_are_named_with_the_option(
    tmp_path: Path, dtype: str, value: float, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    values = coordinates((3, 20, 20), "uint8").astype(dtype)
    values[:, :4] = value
    text = warned(values, tmp_path, caplog)
    assert f"20.0 % of its pixels hold {shown}" in text
    given = text.split("--src-nodata ")[1].split()[0]
    assert len(missing(tmp_path / "s.tif", src_nodata=given)) == 80


@pytest.mark.parametrize("nodata", [0, -9999])
def test_tagged_values_are_no_matter_for_a_warning(
    tmp_path: Path, nodata: int, caplog: pytest.LogCaptureFixture
) -> None:
    values = coordinates((3, 20, 20), "int16")
    values[:, :4] = nodata
    assert not warned(values, tmp_path, caplog, nodata=nodata)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_dark_pixels_amid_a_scene_are_no_collar(
    tmp_path: Path, dtype: str, caplog: pytest.LogCaptureFixture
) -> None:
    values = coordinates((3, 20, 20), "uint8").astype(dtype)
    values[:, 5:15, 5:15] = 0
    values[1, :4] = 0
    assert not warned(values, tmp_path, caplog)


def test_a_part_tells_whether_it_holds_a_valid_pixel(tmp_path: Path) -> None:
    values = coordinates((3, 40, 40), "uint8")
    values[:, :, :20] = 0
    values[:, 3, 7] = 9
    path = write_raster(tmp_path / "s.tif", values, nodata=0)
    with Scene.open(path) as scene:
        assert scene.any_valid(Window(0, 0, 8, 8))
        assert not scene.any_valid(Window(8, 0, 8, 20))
        assert scene.any_valid(Window(8, 0, 8, 21))


def test_the_command_says_that_a_part_is_missing(tmp_path: Path) -> None:
    values = coordinates((3, 12, 12), "uint8")
    values[:, :, :6] = 0
    path = write_raster(tmp_path / "s.tif", values, nodata=0)
    words = ("-x", 2, "-o", tmp_path / "o.tif", "--weights", tiny_weights())
    result = specgan("upscale", path, "--window", "0,0,4,4", *words)
    assert result.code == 0
    assert "no pixel of the part is valid" in result.stderr
    with rasterio.open(tmp_path / "o.tif") as output:
        assert not output.dataset_mask().any()


@pytest.mark.parametrize("command", ["upscale", "prepare"])
def test_the_commands_warn_of_a_collar(tmp_path: Path, command: str) -> None:
    values = coordinates((3, 64, 64), "uint8")
    values[:, :16] = 0
    path = write_raster(tmp_path / "s.tif", values)
    words = ("-x", 2, "-o", tmp_path / "out")
    if command == "upscale":
        words = ("-x", 2, "-o", tmp_path / "out.tif", "--weights", tiny_weights())
    result = specgan(command, path, *words)
    assert result.stderr.count("--src-nodata 0") == 1
    quiet = specgan(command, path, *words, "--src-nodata", 0, "--overwrite")
    assert "--src-nodata" not in quiet.stderr


def test_a_look_takes_the_middle_and_all_corners() -> None:
    area = Window(100, 200, 1000, 30)
    windows = list(spread_windows(area))
    assert len(windows) == 26
    assert windows[0] == Window(568, 200, 64, 30)
    assert {(w.row, w.col) for w in windows} >= {(100, 200), (100, 214), (1084, 200), (1084, 214)}
    assert all(w.intersection(area) == w for w in windows)


def test_a_huge_empty_alpha_is_looked_at_in_windows(tmp_path: Path) -> None:
    """A sparse file of 60,000 x 50,000 pixels opens without being read as a whole."""
    path = tmp_path / "huge.tif"
    profile = {"width": 60000, "height": 50000, "count": 4, "dtype": "uint8", "crs": "EPSG:32618"}
    layout = {"tiled": True, "sparse_ok": True, "compress": "deflate", "photometric": "RGB"}
    with rasterio.open(
        path, "w", driver="GTiff", transform=NORTH_UP, **profile, **layout
    ) as dataset:
        dataset.colorinterp = RGBA
        middle = rasterio.windows.Window(29952, 24960, 64, 64)
        dataset.write(np.full((4, 64, 64), 255, np.uint8), window=middle)
    with Scene.open(path) as scene:
        assert scene.mask_kind == "alpha"
        assert scene.any_valid(scene.grid.full_window)
