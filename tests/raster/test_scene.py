"""Laws of scenes: what is read, what is masked, and what lies beyond the edges."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp

from specgan_cli.errors import RasterError
from specgan_cli.raster.grid import Window
from specgan_cli.raster.scene import Scene
from support.rasters import coordinates

MakeRaster = Callable[..., Path]
UNMASKED = ["uint8", "uint16", "float32", "rotated", "south_up", "geographic", "compound"]


@pytest.mark.parametrize("kind", UNMASKED)
def test_windows_hold_the_files_own_values(kind: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(f"{kind}_scene")
    with rasterio.open(path) as dataset, Scene.open(path) as scene:
        values, valid = scene.read(Window(2, 3, 7, 5))
        assert (values == dataset.read()[:, 2:9, 3:8]).all()
        assert values.dtype == dataset.dtypes[0]
        assert valid.all()


@pytest.mark.parametrize("kind", UNMASKED)
def test_the_georeference_is_the_files(kind: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(f"{kind}_scene")
    with rasterio.open(path) as dataset, Scene.open(path) as scene:
        assert scene.grid.crs == dataset.crs
        assert scene.grid.transform == dataset.transform
        assert scene.grid.shape_yx == dataset.shape


@pytest.mark.parametrize("shape_yx", [(12, 17), (1, 9), (9, 1), (1, 1), (2, 3)])
def test_padding_mirrors_the_scene(make_raster: MakeRaster, shape_yx: tuple[int, int]) -> None:
    halo = 40
    values = coordinates((3, *shape_yx), "uint8")
    expected = np.pad(values, ((0, 0), (halo, halo), (halo, halo)), mode="symmetric")
    with Scene.open(make_raster(values)) as scene:
        padded, valid = scene.read_padded(scene.grid.full_window, halo)
    assert (padded == expected).all()
    assert valid.shape == padded.shape[1:]


@pytest.mark.parametrize("window", [Window(0, 0, 4, 4), Window(5, 6, 3, 2), Window(10, 14, 2, 3)])
def test_padded_windows_agree_with_the_padded_whole(mask_scene: Path, window: Window) -> None:
    halo = 6
    with Scene.open(mask_scene) as scene:
        whole, whole_valid = scene.read_padded(scene.grid.full_window, halo)
        part, valid = scene.read_padded(window, halo)
    rows, cols = window.shifted(halo, halo).padded(halo).slices
    assert (part == whole[:, rows, cols]).all()
    assert (valid == whole_valid[rows, cols]).all()


def test_a_window_beyond_the_edge_is_refused_without_padding(uint8_scene: Path) -> None:
    with Scene.open(uint8_scene) as scene, pytest.raises(ValueError, match="12 x 17"):
        scene.read(Window(0, 0, 13, 1))


def test_nodata_hides_pixels_that_hold_it_in_every_band(nodata_scene: Path) -> None:
    with Scene.open(nodata_scene) as scene:
        valid = scene.read(scene.grid.full_window)[1]
    expected = np.ones((12, 17), bool)
    expected[:3, :4] = False
    assert (valid == expected).all()


def test_validity_is_rasterios_dataset_mask(nodata_scene: Path) -> None:
    with rasterio.open(nodata_scene) as dataset, Scene.open(nodata_scene) as scene:
        expected = dataset.dataset_mask() > 0
        assert (scene.read(scene.grid.full_window)[1] == expected).all()


def test_a_negative_nodata_hides_a_pixel_that_holds_it_in_any_band(
    make_raster: MakeRaster,
) -> None:
    values = coordinates((3, 6, 6), "int16")
    values[1, 2, 3] = -9999
    with Scene.open(make_raster(values, nodata=-9999)) as scene:
        valid = scene.read(scene.grid.full_window)[1]
    assert np.argwhere(~valid).tolist() == [[2, 3]]


def test_real_saturated_pixels_survive_when_nodata_is_overruled(make_raster: MakeRaster) -> None:
    values = coordinates((3, 6, 6), "uint8")
    values[:, 2, 2] = 255
    path = make_raster(values, nodata=255)
    with Scene.open(path) as scene:
        assert (~scene.read(scene.grid.full_window)[1]).sum() == 1
    with Scene.open(path, src_nodata="none") as scene:
        assert scene.read(scene.grid.full_window)[1].all()
        assert (scene.nodata, scene.mask_kind) == (None, "none")


def test_nodata_can_be_given(make_raster: MakeRaster) -> None:
    values = coordinates((3, 6, 6), "uint8")
    values[:, 4, 5] = 7
    with Scene.open(make_raster(values), src_nodata="7") as scene:
        assert np.argwhere(~scene.read(scene.grid.full_window)[1]).tolist() == [[4, 5]]
        assert (scene.nodata, scene.mask_kind) == (7, "nodata")


@pytest.mark.parametrize("given_nodata", ["seven", "", "300", "-1", "1.5", "nan"])
def test_nodata_that_cannot_be_is_refused(uint8_scene: Path, given_nodata: str) -> None:
    with pytest.raises(RasterError, match="nodata"):
        Scene.open(uint8_scene, src_nodata=given_nodata)


def test_alpha_is_a_mask_and_no_colour(alpha_scene: Path) -> None:
    with Scene.open(alpha_scene) as scene:
        values, valid = scene.read(scene.grid.full_window)
        assert (scene.bands, scene.mask_kind) == ((1, 2, 3), "alpha")
    assert values.shape[0] == 3
    assert (valid == (np.arange(12) < 10)[:, np.newaxis]).all()


def test_alpha_masks_types_in_which_gdal_ignores_it(make_raster: MakeRaster) -> None:
    values = coordinates((4, 6, 6), "float32")
    values[3] = 1
    values[3, 2] = 0
    colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
    with Scene.open(make_raster(values, colorinterp=colours)) as scene:
        valid = scene.read(scene.grid.full_window)[1]
    assert (valid == (np.arange(6) != 2)[:, np.newaxis]).all()


def test_a_mask_band_hides_pixels(mask_scene: Path) -> None:
    with Scene.open(mask_scene) as scene:
        valid = scene.read(scene.grid.full_window)[1]
        assert scene.mask_kind == "mask"
    assert (valid == (np.arange(17) >= 5)[np.newaxis]).all()


def test_numbers_that_are_not_finite_are_missing(nan_scene: Path) -> None:
    with Scene.open(nan_scene) as scene:
        valid = scene.read(scene.grid.full_window)[1]
    assert np.argwhere(~valid).tolist() == [[2, 3], [5, 6]]


def test_nan_as_nodata_hides_pixels(make_raster: MakeRaster) -> None:
    values = coordinates((3, 6, 6), "float32")
    values[:, 1, 1] = np.nan
    with Scene.open(make_raster(values, nodata=np.nan)) as scene:
        assert np.argwhere(~scene.read(scene.grid.full_window)[1]).tolist() == [[1, 1]]


def test_colours_are_found_by_their_interpretation(make_raster: MakeRaster) -> None:
    colours = (ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined)
    with Scene.open(make_raster(count=4, colorinterp=colours)) as scene:
        assert scene.bands == (3, 2, 1)


def test_more_bands_than_three_say_which_are_used(
    make_raster: MakeRaster, caplog: pytest.LogCaptureFixture
) -> None:
    path = make_raster(count=8, photometric="MINISBLACK")
    with caplog.at_level(logging.WARNING), Scene.open(path) as scene:
        assert scene.bands == (1, 2, 3)
    assert "bands 1,2,3 of 8" in caplog.text


@pytest.mark.parametrize("bands", [(3, 2, 1), (4, 1, 1)])
def test_bands_can_be_chosen(make_raster: MakeRaster, bands: tuple[int, ...]) -> None:
    path = make_raster(count=4, photometric="MINISBLACK")
    with rasterio.open(path) as dataset, Scene.open(path, bands=bands) as scene:
        values, _ = scene.read(scene.grid.full_window)
        assert (values == dataset.read(list(bands))).all()


def test_scale_and_offset_are_those_of_the_bands(make_raster: MakeRaster) -> None:
    path = make_raster(dtype="uint16")
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (1e-4, 2e-4, 3e-4), (-0.1, -0.2, -0.3)
    with Scene.open(path, bands=(3, 2, 1)) as scene:
        assert (scene.scales, scene.offsets) == ((3e-4, 2e-4, 1e-4), (-0.3, -0.2, -0.1))


def test_rasters_inside_archives_are_read(make_raster: MakeRaster, tmp_path: Path) -> None:
    import zipfile

    source = make_raster()
    with zipfile.ZipFile(tmp_path / "scenes.zip", "w") as archive:
        archive.write(source, "inner.tif")
    for path in (
        f"/vsizip/{tmp_path}/scenes.zip/inner.tif",
        f"zip+file://{tmp_path}/scenes.zip!inner.tif",
    ):
        with Scene.open(path) as scene:
            assert scene.grid.shape_yx == (12, 17)


def test_a_large_scenes_sample_is_a_small_one(make_raster: MakeRaster) -> None:
    values = np.zeros((3, 2500, 1500), np.uint16)
    values[:, :1250] = 1000
    with Scene.open(make_raster(values, tiled=True)) as scene:
        sample = scene.sample()
    assert sample.shape[1] < 1024 * 1024
    assert sample.mean() == pytest.approx(500, abs=2)


def test_a_huge_scene_without_overviews_is_sampled_on_a_lattice(tmp_path: Path) -> None:
    path = tmp_path / "huge.tif"
    profile = {"width": 60000, "height": 50000, "count": 3, "dtype": "uint16", "crs": "EPSG:32618"}
    where = {"transform": Affine(1, 0, 5e5, 0, -1, 4e6)}
    layout = {"tiled": True, "sparse_ok": True, "compress": "deflate"}
    rasterio.open(path, "w", driver="GTiff", **profile, **where, **layout).close()
    with Scene.open(path) as scene:
        assert scene.sample().shape == (3, 8 * 8 * 128 * 128)
