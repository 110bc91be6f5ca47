"""How many threads a command uses: those it was given, and no more."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from specgan_cli.threads import available_threads, environment, used_threads

SAMPLE = Path(__file__).parents[2] / "sample_data"

SCRIPT = """
import json, os, sys
from specgan_cli.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code == 0
import torch
told = os.environ["GDAL_NUM_THREADS"], os.environ["OMP_WAIT_POLICY"]
print(json.dumps([torch.get_num_threads(), *told]))
"""


def threads_of(tmp_path: Path, *words: str, **variables: str) -> list[object]:
    """Upscale a few pixels in a process of its own, and return torch's and GDAL's threads."""
    given = ["upscale", str(SAMPLE / "scene.tif"), "-o", str(tmp_path / "out.tif"), "-x", "2"]
    plain = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *given, "--window", "0,0,4,4", *words],
        capture_output=True,
        text=True,
        timeout=120,
        env={**plain, **variables},
    )
    assert done.returncode == 0, done.stderr
    threads: list[object] = json.loads(done.stdout)
    return threads


def test_threads_are_those_asked_for(tmp_path: Path) -> None:
    assert threads_of(tmp_path, "-j", "1") == [1, "1", "PASSIVE"]


def test_threads_of_the_batch_system_are_the_default(tmp_path: Path) -> None:
    assert threads_of(tmp_path, SLURM_CPUS_PER_TASK="1") == [1, "1", "PASSIVE"]


def test_variables_of_the_user_stay(tmp_path: Path) -> None:
    told = threads_of(tmp_path, GDAL_NUM_THREADS="7", OMP_WAIT_POLICY="ACTIVE")
    assert told[1:] == ["7", "ACTIVE"]


@pytest.mark.parametrize(
    ("text", "count"), [("max 100000", 64), ("100000 100000", 1), ("50000 100000", 1)]
)
def test_a_containers_share_bounds_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, count: int
) -> None:
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    (tmp_path / "cpu.max").write_text(text)
    here = available_threads(tmp_path / "none")
    assert available_threads(tmp_path / "cpu.max") == min(count, here)


def test_a_told_number_of_threads_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(5).items():
        monkeypatch.setenv(name, value)
    assert used_threads() == 5
