"""What is free and what was held, on systems that say it in different ways."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from specgan_cli import memory
from support.tiny_networks import tiny_weights
from support.training_configs import STAGES, make_backbone

SAMPLE = Path(__file__).parents[2] / "sample_data"


def test_some_memory_is_free_and_some_is_held() -> None:
    assert memory.free_memory() > 10**7
    block = bytearray(64 * 2**20)
    assert memory.peak_memory() > len(block)


def test_a_container_limits_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    (tmp_path / "memory.current").write_text("1000000\n")
    (tmp_path / "memory.max").write_text("3000000\n")
    assert memory.free_memory() == 2000000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_memory() > 2000000


def test_memory_is_assumed_where_the_system_does_not_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> int:
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(memory, "_kib", lambda path, name: None)
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sysconf", refuse)
    assert memory.free_memory() == memory.ASSUMED
    monkeypatch.delattr(os, "sysconf")
    assert memory.free_memory() == memory.ASSUMED


ELSEWHERE = """
import os, pathlib, sys
sys.modules["fcntl"] = sys.modules["resource"] = None  # as on Windows
def refuse(name):
    raise ValueError("unrecognized configuration name")
os.sysconf = refuse  # as on macOS
read = pathlib.Path.read_text
def read_text(path, *words, **named):
    if path.parts[:2] == ("/", "proc"):
        raise FileNotFoundError(path)
    return read(path, *words, **named)
pathlib.Path.read_text = read_text
from specgan_cli.cli.main import main
main(sys.argv[1:])
"""


def elsewhere(*words: object) -> None:
    """Run a command in a process without what only Linux has."""
    command = [sys.executable, "-c", ELSEWHERE, *(str(word) for word in words)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_commands_run_without_sysconf_fcntl_and_resource(
    tmp_path: Path, tiny_dataset: Path
) -> None:
    out, weights = tmp_path / "out.tif", tiny_weights()
    elsewhere(
        "upscale", SAMPLE / "scene.tif", "-x", "2", "--window", "0,0,8,8", "-o", out,
        "--weights", weights,
    )  # fmt: skip
    config = tmp_path / "config.toml"
    config.write_text(STAGES)
    elsewhere(
        "train", tiny_dataset, "-o", tmp_path / "run", "--config", config, "--max-steps", "1",
        "--perceptual", make_backbone(tmp_path / "backbone.pth"),
        "--set", "validation.every=0", "--device", "cpu",
    )  # fmt: skip
    elsewhere(
        "prepare", SAMPLE / "scene.tif", "--hsi", SAMPLE / "cube.tif", "-o", tmp_path / "cube.tif"
    )
