"""`specgan prepare RGB --hsi CUBE`: the aligned cube as a file, its report and its picture."""

import json
import warnings

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

import displaced_pairs as pairs
from specgan.bands import CANONICAL_BANDS
from specgan.serde import from_plain
from specgan_cli.alignment.options import AlignOptions
from specgan_cli.cubes.cube import Cube
from specgan_cli.errors import MismatchError, OutputError
from specgan_cli.geotiff.writer import RasterWriter
from specgan_cli.raster.scene import Scene
from specgan_cli.resampling.cube_on_grid import cube_on_grid
from specgan_cli.resampling.model import Alignment
from specgan_cli.workflows.prepare_raster import AlignedCubeOptions, align_cube
from support.command import specgan

GLOBAL = AlignedCubeOptions(alignment=AlignOptions(local=False))
SHIFT = (1.37, -0.82)
RATIO, PAD = 10, 20


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    ground = np.rint(pairs.texture(240))
    scene = pairs.write_scene(folder / "scene.tif", ground, pairs.scene_transform())
    transform = pairs.scene_transform() @ Affine.translation(PAD, PAD) @ Affine.scale(RATIO)
    cube = pairs.cube_of(pairs.see(ground, RATIO, PAD, SHIFT))
    return scene, pairs.write_cube(folder / "cube.tif", cube, transform)


def test_the_output_is_the_cube_on_the_scenes_grid(pair, tmp_path):
    output = tmp_path / "aligned.tif"
    report = align_cube(*pair, output)
    with Scene.open(pair[0]) as scene, Cube.open(pair[1]) as cube:
        alignment = from_plain(Alignment, report["alignment"])
        expected, mask = cube_on_grid(cube, scene.grid, alignment)
        with rasterio.open(output) as dataset:
            values = dataset.read()
            assert (dataset.crs, dataset.transform) == (scene.grid.crs, scene.grid.transform)
            assert dataset.shape == scene.grid.shape_yx
            assert dataset.dtypes == ("int16",) * 48
            np.testing.assert_array_equal(dataset.dataset_mask() > 0, mask)
    np.testing.assert_allclose(values[:, mask] / 10000, expected[:, mask], atol=5.1e-5)
    assert report["valid_share"] == pytest.approx(mask.mean())
    assert np.hypot(alignment.shift_xy[0] - SHIFT[0], alignment.shift_xy[1] - SHIFT[1]) < 0.02


@pytest.mark.parametrize("of", ["GTiff", "COG"])
@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_wavelengths_scale_and_alignment_survive_in_the_file(pair, tmp_path, of, dtype):
    output = tmp_path / "aligned.tif"
    report = align_cube(
        *pair,
        output,
        options=AlignedCubeOptions(alignment=AlignOptions(local=False), of=of, dtype=dtype),
    )
    with rasterio.open(output) as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == ("COG" if of == "COG" else None)
        assert float(dataset.tags(48)["wavelength"]) == 1050.0
        assert float(dataset.tags(48, ns="IMAGERY")["CENTRAL_WAVELENGTH_UM"]) == 1.05
        assert json.loads(dataset.tags()["SPECGAN_ALIGNMENT"]) == report["alignment"]
    with Cube.open(output) as cube:
        assert cube.bands.matches(CANONICAL_BANDS, 1e-3)
        values, valid = cube.read(cube.grid.full_window)
        assert 0.02 < values[:, valid].mean() < 0.6


def test_preparing_first_changes_nothing_downstream(pair, tmp_path):
    output = tmp_path / "aligned.tif"
    report = align_cube(*pair, output, options=AlignedCubeOptions(dtype="float32"))
    with Scene.open(pair[0]) as scene, Cube.open(pair[1]) as raw, Cube.open(output) as ready:
        direct, mask = cube_on_grid(raw, scene.grid, from_plain(Alignment, report["alignment"]))
        again, known = cube_on_grid(ready, scene.grid)
    np.testing.assert_array_equal(known, mask)
    np.testing.assert_allclose(again, direct, atol=2e-6)


def test_a_dry_run_reports_and_writes_nothing(pair, tmp_path):
    output = tmp_path / "aligned.tif"
    report = align_cube(*pair, output, dry_run=True)
    assert not list(tmp_path.iterdir())
    assert report["dry_run"] is True
    assert report["uncompressed_bytes"] == 240 * 240 * 48 * 2
    assert report["alignment"]["estimated"] is True
    assert len(report["coverage"]) == 48
    json.dumps(report)


def test_the_georeference_can_be_trusted(pair, tmp_path):
    report = align_cube(
        *pair, tmp_path / "a.tif", options=AlignedCubeOptions(alignment=AlignOptions(align=False))
    )
    assert report["alignment"]["shift_xy"] == [0.0, 0.0]
    assert report["alignment"]["estimated"] is False


def test_an_output_that_exists_is_refused_before_any_work(pair, tmp_path):
    output = tmp_path / "aligned.tif"
    output.write_text("mine")
    with pytest.raises(OutputError, match="--overwrite"):
        align_cube(pair[0], tmp_path / "absent.tif", output)
    assert output.read_text() == "mine"
    align_cube(
        *pair,
        output,
        overwrite=True,
        options=GLOBAL,
    )
    with rasterio.open(output) as dataset:
        assert dataset.count == 48


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_stops_midway_leaves_nothing(pair, tmp_path, monkeypatch, error):
    def full(self, *args, **kwargs):
        raise error

    monkeypatch.setattr(RasterWriter, "write", full)
    with pytest.raises(type(error)):
        align_cube(
            *pair,
            tmp_path / "aligned.tif",
            options=GLOBAL,
        )
    assert not list(tmp_path.iterdir())


def test_a_cube_that_does_not_fit_leaves_nothing(pair, tmp_path):
    other = pairs.cube_of(pairs.see(pairs.texture(240, seed=9), RATIO, PAD, (0, 0)))
    transform = pairs.scene_transform() @ Affine.translation(PAD, PAD) @ Affine.scale(RATIO)
    path = pairs.write_cube(tmp_path / "other.tif", other, transform)
    with pytest.raises(MismatchError):
        align_cube(pair[0], path, tmp_path / "aligned.tif", quicklook=tmp_path / "look.png")
    assert [file.name for file in tmp_path.iterdir()] == ["other.tif"]


def test_the_quicklook_shows_the_cube_nearer_to_the_scene_after(pair, tmp_path):
    picture = tmp_path / "look.png"
    align_cube(*pair, None, quicklook=picture, dry_run=True)
    with (
        warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning),
        rasterio.open(picture) as dataset,
    ):
        assert dataset.driver == "PNG"
        image = dataset.read().astype(float)
    assert [file.name for file in tmp_path.iterdir()] == ["look.png"]
    gap, height, width = 8, (image.shape[1] - 24) // 2, (image.shape[2] - 32) // 3
    panels = [
        image[:, gap : gap + height, gap + k * (width + gap) : gap + k * (width + gap) + width]
        for k in range(3)
    ]
    inner = np.s_[:, height // 5 : -height // 5, width // 5 : -width // 5]
    rgb, before, after = (panel[inner] for panel in panels)
    assert np.abs(after - rgb).mean() < 0.9 * np.abs(before - rgb).mean()


def test_a_picture_that_cannot_be_written_is_an_error_of_the_output(pair, tmp_path):
    with pytest.raises(OutputError, match="absent: no such folder"):
        align_cube(*pair, None, quicklook=tmp_path / "absent" / "look.png", dry_run=True)


def test_the_same_inputs_give_the_same_bytes(pair, tmp_path):
    for name in ("a.tif", "b.tif"):
        align_cube(*pair, tmp_path / name, options=GLOBAL)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_a_refused_alignment_exits_with_3(pair, tmp_path):
    other = pairs.cube_of(pairs.see(pairs.texture(240, seed=9), RATIO, PAD, (0, 0)))
    transform = pairs.scene_transform() @ Affine.translation(PAD, PAD) @ Affine.scale(RATIO)
    path = pairs.write_cube(tmp_path / "other.tif", other, transform)
    output = tmp_path / "a.tif"
    result = specgan("prepare", pair[0], "--hsi", path, "-o", output)
    assert (result.code, result.stdout) == (3, "")
    assert result.stderr.startswith("specgan: error: ") and result.stderr.count("\n") == 1
    assert not output.exists()


def test_bands_and_nodata_of_the_scene_can_be_given(pair, tmp_path):
    """Stored as blue, green, red, with a collar of 7 that no tag tells."""
    with rasterio.open(pair[0]) as dataset:
        profile, values = dataset.profile, dataset.read()[::-1]
    values[:, :, :60] = 7
    profile.update(photometric="MINISBLACK")
    with rasterio.open(tmp_path / "scene.tif", "w", **profile) as dataset:
        dataset.write(values)
    words = ("prepare", tmp_path / "scene.tif", "--hsi", pair[1], "--dry-run", "--json")
    found = specgan(*words, "--no-local", "--bands", "3,2,1", "--src-nodata", 7).json()
    x, y = found["alignment"]["shift_xy"]
    assert np.hypot(x - SHIFT[0], y - SHIFT[1]) < 0.1
    assert "no band is called" in specgan(*words, "--bands", "B04,B03,B02").stderr
