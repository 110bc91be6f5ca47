"""Bad input to `specgan upscale`: one line, the right exit code, and no file left."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import rasterio

from support.command import specgan
from support.rasters import write_cube
from support.tiny_networks import tiny_weights


def refused(code: int, *words: object, out: Path) -> str:
    """Run upscale, check exit code and that nothing was left, and return its one line."""
    before = sorted(out.parent.iterdir()) if out.parent.is_dir() else []
    done = specgan("upscale", *words, "-o", out, "-x", 4, "--weights", tiny_weights())
    assert done.code == code, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if "error" in line]
    assert len(lines) == 1
    assert "Traceback" not in done.stderr
    if out.parent.is_dir():
        assert sorted(out.parent.iterdir()) == before
    return lines[0]


def test_upscale_refuses_a_missing_file(tmp_path: Path) -> None:
    line = refused(1, tmp_path / "nope.tif", out=tmp_path / "out.tif")
    assert "nope.tif" in line


def test_upscale_refuses_what_is_no_raster(tmp_path: Path) -> None:
    text = tmp_path / "notes.tif"
    text.write_text("not a raster")
    assert "notes.tif" in refused(1, text, out=tmp_path / "out.tif")


def test_upscale_refuses_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    assert "folder" in refused(1, folder, out=tmp_path / "out.tif")


@pytest.mark.parametrize("count", [1, 2])
def test_upscale_refuses_fewer_than_three_bands(make_raster, tmp_path: Path, count: int) -> None:
    scene = make_raster(count=count)
    assert "--bands" in refused(1, scene, out=tmp_path / "out.tif")


def test_upscale_refuses_bands_that_are_not_there(uint8_scene: Path, tmp_path: Path) -> None:
    line = refused(1, uint8_scene, "--bands", "1,2,9", out=tmp_path / "out.tif")
    assert "1,2,9" in line


def test_upscale_refuses_a_scene_without_crs(make_raster, tmp_path: Path) -> None:
    assert "CRS" in refused(1, make_raster(crs=None), out=tmp_path / "out.tif")


def test_upscale_refuses_a_scene_without_transform(make_raster, tmp_path: Path) -> None:
    line = refused(1, make_raster(transform=None), out=tmp_path / "out.tif")
    assert "transform" in line


def test_upscale_refuses_control_points_with_the_command_that_helps(
    gcp_scene: Path, tmp_path: Path
) -> None:
    assert "gdalwarp" in refused(1, gcp_scene, out=tmp_path / "out.tif")


def test_upscale_refuses_rpcs_with_the_command_that_helps(rpc_scene: Path, tmp_path: Path) -> None:
    assert "gdalwarp" in refused(1, rpc_scene, out=tmp_path / "out.tif")


def test_upscale_refuses_a_scene_without_any_data(make_raster, tmp_path: Path) -> None:
    scene = make_raster(np.zeros((3, 8, 8), "uint8"), nodata=0)
    assert "nodata" in refused(1, scene, out=tmp_path / "out.tif")


def test_upscale_refuses_a_missing_folder(uint8_scene: Path, tmp_path: Path) -> None:
    line = refused(1, uint8_scene, out=tmp_path / "nowhere" / "out.tif")
    assert "no such folder" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_upscale_refuses_a_read_only_folder(uint8_scene: Path, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    assert "read-only" in refused(1, uint8_scene, out=folder / "out.tif")


def test_upscale_refuses_to_replace_without_being_told(uint8_scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    out.write_bytes(b"precious")
    assert "--overwrite" in refused(1, uint8_scene, out=out)
    assert out.read_bytes() == b"precious"


def test_upscale_refuses_to_overwrite_its_input(uint8_scene: Path) -> None:
    line = refused(1, uint8_scene, "--overwrite", out=uint8_scene)
    assert "is an input" in line


def test_upscale_refuses_an_unknown_scale(uint8_scene: Path, tmp_path: Path) -> None:
    done = specgan("upscale", uint8_scene, "-x", 3, "-o", tmp_path / "out.tif")
    assert done.code == 2
    assert "'3' is not one of 2, 4, 8, 16, 32" in done.stderr


def test_upscale_refuses_unknown_weights(uint8_scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    done = specgan("upscale", uint8_scene, "-o", out, "--weights", "nobody")
    assert done.code == 1
    assert "nobody" in done.stderr
    assert not out.exists()


def test_upscale_refuses_corrupt_weights(uint8_scene: Path, tmp_path: Path) -> None:
    bad, out = tmp_path / "bad.safetensors", tmp_path / "out.tif"
    bad.write_bytes(tiny_weights().read_bytes()[:2000])
    done = specgan("upscale", uint8_scene, "-o", out, "--weights", bad)
    assert done.code == 1
    assert "bad.safetensors" in done.stderr
    assert not out.exists()


def test_upscale_refuses_a_cube_elsewhere(uint8_scene: Path, tmp_path: Path) -> None:
    cube = write_cube(tmp_path / "far.tif", left=600000.0)
    line = refused(3, uint8_scene, "--hsi", cube, out=tmp_path / "out.tif")
    assert "overlap" in line


def test_upscale_refuses_a_cube_that_matches_nowhere(uint8_scene: Path, tmp_path: Path) -> None:
    cube = write_cube(tmp_path / "noise.tif", left=726490.0, noise=True)
    line = refused(3, uint8_scene, "--hsi", cube, out=tmp_path / "out.tif")
    assert "--no-align" in line


def test_upscale_takes_a_cube_at_its_word(uint8_scene: Path, tmp_path: Path) -> None:
    cube, out = write_cube(tmp_path / "noise.tif", left=726490.0, noise=True), tmp_path / "out.tif"
    words = ("--hsi", cube, "--no-align", "-x", 4, "-o", out, "--weights", tiny_weights())
    assert specgan("upscale", uint8_scene, *words).code == 0
    with rasterio.open(out) as dataset:
        assert dataset.tags()["SPECGAN_HSI"] == str(cube)


def test_upscale_refuses_a_window_outside(uint8_scene: Path, tmp_path: Path) -> None:
    line = refused(3, uint8_scene, "--window", "40,40,5,5", out=tmp_path / "out.tif")
    assert "outside" in line


def test_upscale_refuses_a_nodata_value_that_does_not_fit(
    uint8_scene: Path, tmp_path: Path
) -> None:
    line = refused(3, uint8_scene, "--dst-nodata", "-9999", out=tmp_path / "out.tif")
    assert "uint8" in line


def test_upscale_refuses_a_range_upside_down(uint8_scene: Path, tmp_path: Path) -> None:
    line = refused(1, uint8_scene, "--rgb-range", "200,100", out=tmp_path / "out.tif")
    assert "--rgb-range" in line


def test_upscale_says_both_sizes_when_the_disk_is_full(
    uint8_scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    line = refused(1, uint8_scene, out=tmp_path / "out.tif")
    assert re.search(r"about [\d.]+ kB are needed and 1 kB are free", line)
    assert "are free" in line


def test_upscale_refuses_a_gpu_that_is_not_here(uint8_scene: Path, tmp_path: Path) -> None:
    line = refused(1, uint8_scene, "--device", "cuda:99", out=tmp_path / "out.tif")
    assert "cuda:99" in line


def test_upscale_refuses_a_remote_output(uint8_scene: Path) -> None:
    done = specgan("upscale", uint8_scene, "-o", "s3://bucket/out.tif")
    assert done.code == 2
    assert "local" in done.stderr


def test_upscale_needs_exactly_one_kind_of_output(uint8_scene: Path) -> None:
    assert specgan("upscale", uint8_scene).code == 2


def test_upscale_leaves_nothing_when_it_fails_half_way(
    uint8_scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from specgan_cli.inference.engine import Engine

    calls = []
    compute = Engine.predict

    def fail_later(self: Engine, tiles: list) -> list:
        calls.append(1)
        if len(calls) > 2:
            raise MemoryError("no room")
        return compute(self, tiles)

    monkeypatch.setattr(Engine, "predict", fail_later)
    line = refused(1, uint8_scene, "--tile", 4, out=tmp_path / "out.tif")
    assert "memory" in line
