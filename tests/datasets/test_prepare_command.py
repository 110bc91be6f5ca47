"""Laws of `specgan prepare` on the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio

from specgan_cli.datasets.building.pairs import read_pairs
from specgan_cli.workflows.prepare_dataset import prepare_dataset
from support.command import specgan
from support.prepare_data import at, cube_values, small, textured, write


def test_dry_run_writes_nothing(folder: Path, tmp_path: Path) -> None:
    words = ("-o", tmp_path / "out", "-x", 8, "--dry-run", "--json")
    report = specgan("prepare", folder, *words).json()
    assert report["dry_run"] and sum(report["chips"].values()) == 12
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rgb"]
    prepared = prepare_dataset(read_pairs([folder]), tmp_path / "out", small())
    assert prepared.chips == report["chips"]


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_an_image_that_cannot_be_read_is_a_failure_and_the_rest_is_made(
    folder: Path, tmp_path: Path, dry: tuple[str, ...]
) -> None:
    (folder / "junk.tif").write_bytes(b"II*\0 not a raster")
    done = specgan("prepare", folder, "-o", tmp_path / "out", "-x", 8, "--json", *dry)
    assert done.code == 1
    assert "junk.tif" in done.stderr and "the rest is in it" in done.stderr
    assert done.stderr.count("specgan: error:") == 1
    report = json.loads(done.stdout)
    assert len(report["unreadable"]) == 1 and "junk.tif" in report["unreadable"][0]
    assert sum(report["chips"].values()) == 12
    assert (tmp_path / "out" / "dataset.json").exists() == (not dry)


def test_check_names_the_bad_shard(folder: Path, tmp_path: Path) -> None:
    specgan("prepare", folder, "-o", tmp_path / "out", "-x", 8)
    good = specgan("prepare", "--check", tmp_path / "out")
    assert good.code == 0 and "as it was written" in good.stdout
    victim = tmp_path / "out" / "shards" / "train-0000.rgb.npy"
    content = bytearray(victim.read_bytes())
    content[500] ^= 255
    victim.write_bytes(content)
    bad = specgan("prepare", "--check", tmp_path / "out")
    assert bad.code == 1 and "train-0000.rgb.npy was changed" in bad.stderr


def test_one_scene_is_given_its_cube(tmp_path: Path, wavelengths: Path) -> None:
    scene = write(tmp_path / "rgb.tif", textured(0, 96, 96), at(0, 0))
    cube = write(tmp_path / "hsi.tif", cube_values(18, 18), at(-2.4, 2.4, 0.8))
    words = ["--hsi", cube, "--wavelengths", wavelengths, "--hsi-scale", 10000, "--no-align"]
    done = specgan("prepare", scene, *words, "-o", tmp_path / "aligned.tif", "--json")
    assert done.json()["alignment"]["estimated"] is False
    with rasterio.open(tmp_path / "aligned.tif") as aligned, rasterio.open(scene) as rgb:
        assert aligned.transform == rgb.transform and aligned.crs == rgb.crs
        assert (aligned.count, aligned.height, aligned.width) == (48, 96, 96)
        centre = aligned.read(10)[4::8, 4::8].astype(float)
    np.testing.assert_allclose(centre, cube_values(18, 18)[9, 3:15, 3:15], atol=60)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name an RGB scene"),
        (["a.tif", "b.tif", "--hsi", "c.tif", "-o", "o.tif"], "one scene"),
        (["a.tif"], "name the output"),
        (["a.tif", "--hsi", "c.tif", "-o", "o.tif", "--chip", "4"], "--chip belongs to datasets"),
        (["a.csv", "-o", "out", "--quicklook", "q.png"], "--quicklook belongs to one scene"),
        (["a.csv", "-o", "out", "--chip", "4", "--overlap", "4"], "--overlap 4 must be less"),
        (["a.csv", "-o", "out", "--val", "0.6", "--test", "0.4"], "nothing to train"),
        (["a.csv", "-o", "out", "--rgb-range", "5,5"], "lower value first"),
        (["a.csv", "-o", "out", "-x", "3"], "'3' is not one of"),
    ],
)
def test_meaningless_options_are_usage_errors(words: list[str], message: str) -> None:
    done = specgan("prepare", *words)
    assert done.code == 2 and message in done.stderr


def test_interrupted_run_exits_130_and_leaves_no_dataset(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "specgan_cli", "prepare", str(folder)]
    child = subprocess.Popen(
        [*command, "-o", str(tmp_path / "out"), "-x", "8", "-j", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / ".out.partial").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert (child.returncode, errors.strip()) == (130, b"specgan: error: interrupted")
    assert not (tmp_path / "out").exists()
