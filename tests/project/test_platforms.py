"""Commands run on systems that lack what Linux has; simulated, not run there."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.platforms import MODULES
from support.tiny_networks import tiny_weights
from support.training_configs import STAGES, make_backbone

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_data"

SCRIPT = """
import sys
sys.path[:0] = {paths!r}
from support.platforms import pretend
pretend({system!r})
from specgan_cli.cli.main import main
main({words!r})
"""


def run(system: str, *words: object) -> subprocess.CompletedProcess[str]:
    paths = [str(ROOT / "tests"), str(ROOT), str(ROOT / "models")]
    script = SCRIPT.format(paths=paths, system=system, words=[str(word) for word in words])
    return subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", script],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def sources() -> list[Path]:
    return [
        path for name in ("specgan_cli", "models/specgan") for path in (ROOT / name).rglob("*.py")
    ]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_needs_what_windows_lacks_to_be_imported(path: Path) -> None:
    for node in ast.parse(path.read_text("utf-8")).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.partition(".")[0] for name in names} & set(MODULES)


@pytest.mark.parametrize("system", ["macos", "windows"])
def test_upscale_runs_elsewhere(system: str, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    words = ("--hsi", SAMPLE / "cube.tif", "--window", "4,4,8,8", "-x", 4, "--of", "COG")
    more = ("--preview", tmp_path / "p.png", "--uncertainty", tmp_path / "u.tif", "--overwrite")
    for _ in range(2):  # the second replaces what the first left
        done = run(
            system, "upscale", SAMPLE / "scene.tif", "-o", out, *words, *more, "--weights",
            tiny_weights(),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.tif", "p.png", "u.tif"]


@pytest.mark.parametrize("system", ["macos", "windows"])
def test_doctor_and_prepare_run_elsewhere(system: str, tmp_path: Path) -> None:
    assert run(system, "doctor", "--json").returncode == 0
    words = (SAMPLE / "scene.tif", "--hsi", SAMPLE / "cube.tif", "-o", tmp_path / "aligned.tif")
    done = run(system, "prepare", *words)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("system", ["macos", "windows"])
def test_training_runs_elsewhere(system: str, tmp_path: Path, tiny_dataset: Path) -> None:
    (tmp_path / "config.toml").write_text(STAGES)
    words = ["train", tiny_dataset, "-o", tmp_path / "run", "--config", tmp_path / "config.toml"]
    words += ["--perceptual", make_backbone(tmp_path / "b.pth"), "--device", "cpu"]
    done = run(system, *words, "--max-steps", 1)
    assert done.returncode == 0, done.stderr
    done = run(system, *words, "--max-steps", 2, "--resume")
    assert done.returncode == 0, done.stderr
