"""Disks that fail, fill up, are read-only or lose a file: one line, and nothing half done."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from support.command import specgan
from support.datasets import make_training_dataset
from support.rasters import write_cube, write_raster
from support.tiny_networks import tiny_weights
from support.training_configs import STAGES

ENOENT, EROFS, EDQUOT = "2", "30", "122"


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).integers(0, 256, (3, 48, 48)).astype("uint8")
    return write_raster(tmp_path / "scene.tif", values)


def run_failing(failing: Path, fault: dict[str, str], *words: object) -> str:
    """Run a command while system calls fail, which it has to tell in one line; return that."""
    faults = {f"FAIL_{key}": value for key, value in fault.items()}
    done = subprocess.run(
        [sys.executable, "-m", "specgan_cli", *map(str, words)],
        env={**os.environ, **faults, "LD_PRELOAD": str(failing)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("specgan: error:") == 1
    assert "please report" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("errno", ["28", "5", EDQUOT], ids=["full", "broken", "quota"])
def test_a_cog_on_a_failing_disk_is_an_error(
    failing: Path, scene: Path, tmp_path: Path, errno: str
) -> None:
    out = tmp_path / "out.tif"
    words = ["upscale", scene, "-o", out, "-x", 8, "--weights", tiny_weights(), "--of", "COG"]
    fault = {"CALL": "write", "NTH": "2", "ON": "1", "PATH": ".cog", "ERRNO": errno}
    run_failing(failing, fault, *words)
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]


@pytest.mark.parametrize("nth", ["1", "3"])
def test_a_checkpoint_on_a_failing_disk_is_an_error(
    failing: Path, tmp_path: Path, nth: str
) -> None:
    torch.save({"state": {"weight": torch.zeros(64, 64)}}, tmp_path / "foreign.pt")
    words = ["models", "import", tmp_path / "foreign.pt", "-o", tmp_path / "w.safetensors"]
    run_failing(failing, {"CALL": "read", "NTH": nth, "ON": "1", "PATH": "foreign.pt"}, *words)
    assert [path.name for path in tmp_path.iterdir()] == ["foreign.pt"]


def test_a_contact_sheet_on_a_full_disk_leaves_what_goes_on(failing: Path, tmp_path: Path) -> None:
    values = np.random.default_rng(2).integers(0, 256, (3, 64, 64)).astype("uint8")
    write_raster(tmp_path / "image.tif", values)
    words = ["prepare", tmp_path / "image.tif", "-o", tmp_path / "ds", "-x", 8, "--chip", 64]
    full = {"CALL": "write", "NTH": "1", "ON": "1", "PATH": "contact_sheet", "ERRNO": "28"}
    assert "the same command goes on" in run_failing(failing, full, *words)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".ds.partial", "image.tif"]
    assert specgan(*words).code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ds", "image.tif"]


@pytest.mark.parametrize("before", [False, True], ids=["new", "replaced"])
@pytest.mark.parametrize("nth", ["1", "2", "3"])
def test_outputs_take_their_places_together(
    failing: Path, scene: Path, tmp_path: Path, nth: str, before: bool
) -> None:
    out = tmp_path / "results"
    out.mkdir()
    named = [out / "sd.tif", out / "out.png", out / "out.tif"]
    for path in named[: 3 * before]:
        path.write_text(path.name)
    words = ["upscale", scene, "-o", named[2], "-x", 4, "--weights", tiny_weights(), "--overwrite"]
    words += ["--preview", named[1], "--uncertainty", named[0]]
    run_failing(failing, {"CALL": "rename", "NTH": nth, "ROOT": str(out)}, *words)
    left = {path.name: path.read_text() for path in out.iterdir()}
    assert left == {path.name: path.name for path in named[: 3 * before]}


def test_a_preview_on_a_failing_disk_is_an_error(
    failing: Path, scene: Path, tmp_path: Path
) -> None:
    words = ["upscale", scene, "-o", tmp_path / "out.tif", "-x", 4, "--weights", tiny_weights()]
    words += ["--preview", tmp_path / "out.png"]
    last = {"CALL": "read", "NTH": "3", "ON": "1", "PATH": "out.tif.partial"}
    assert "out.tif" in run_failing(failing, last, *words)
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]


UPSCALE = "upscale SCENE -o OUT/o.tif -x 4 --weights WEIGHTS"


@pytest.mark.parametrize(
    ("call", "line"),
    [
        ("open", UPSCALE),
        ("open", "prepare SCENE --hsi CUBE --no-align -o OUT/o.tif"),
        ("mkdir", "prepare SCENE -o OUT/o -x 8 --chip 32"),
        ("mkdir", "evaluate --sr SCENE --reference SCENE --metrics psnr -o OUT/o"),
        ("mkdir", "train DATASET -o OUT/o"),
    ],
    ids=lambda value: value.split()[0],
)
def test_a_read_only_folder_is_named(
    failing: Path, scene: Path, tmp_path: Path, tiny_dataset: Path, call: str, line: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    cube = write_cube(tmp_path / "cube.tif", left=726491.0)
    names = {"SCENE": scene, "CUBE": cube, "OUT": out, "DATASET": tiny_dataset}
    words = _words(line, {**names, "WEIGHTS": tiny_weights()})
    fault = {"CALL": call, "NTH": "1", "ON": "1", "ROOT": str(out), "ERRNO": EROFS}
    said = run_failing(failing, fault, *words)
    assert f"{out}/o" in said
    assert "Read-only file system" in said
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "gone", "nth"),
    [
        (UPSCALE, "scene.tif", "2"),
        (UPSCALE, "tiny.safetensors", "2"),
        ("prepare SCENE --hsi CUBE --no-align -o OUT/o.tif", "cube.tif", "2"),
    ],
    ids=["scene", "weights", "cube"],
)
def test_an_input_that_vanishes_is_named(
    failing: Path, scene: Path, tmp_path: Path, line: str, gone: str, nth: str
) -> None:
    """It is there when the run begins, and not when it is opened the next time."""
    out = tmp_path / "out"
    out.mkdir()
    cube = write_cube(tmp_path / "cube.tif", left=726491.0)
    names = {"SCENE": scene, "CUBE": cube, "OUT": out, "WEIGHTS": tiny_weights()}
    fault = {"CALL": "open", "NTH": nth, "ON": "1", "PATH": gone, "ERRNO": ENOENT}
    said = run_failing(failing, fault, *_words(line, names))
    assert gone in said
    assert "No such file" in said
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("path", ["samples", "metrics", "checkpoints"])
def test_a_run_on_a_full_disk_goes_on_later(failing: Path, tmp_path: Path, path: str) -> None:
    dataset, run = make_training_dataset(tmp_path / "ds"), tmp_path / "run"
    config = tmp_path / "config.toml"
    config.write_text(
        "\n".join(x for x in STAGES.splitlines() if not x.startswith(("perc", "gan")))
    )
    words = ["train", dataset, "-o", run, "--config", config, "--device", "cpu", "-j", 1]
    full = {"CALL": "write", "NTH": "1", "ON": "1", "PATH": f"run/{path}", "ERRNO": "28"}
    said = run_failing(failing, full, *words)
    assert f"{run}/{path}" in said
    assert "No space left on device" in said
    assert specgan(*words, "--resume").code == 0


def _words(line: str, names: dict[str, Path]) -> list[str]:
    for name, path in names.items():
        line = line.replace(name, str(path))
    return line.split()
