"""Worker processes: what they say, and what becomes of a command when one is killed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

from specgan_cli.errors import DatasetError
from specgan_cli.workers import Workers

SAID = "band 4 is flagged alpha but described nir, so it hides no pixel"


@pytest.fixture
def scenes(make_raster) -> list[Path]:
    values = np.random.default_rng(1).integers(1, 250, (4, 24, 24)).astype(np.uint8)
    paths = [make_raster(values, name=f"{name}.tif", alpha="YES") for name in "ab"]
    for path in paths:
        with rasterio.open(path, "r+") as dataset:
            dataset.set_band_description(4, "nir")
    return paths


def prepare(scenes: list[Path], *words: object) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "specgan_cli",
        "prepare",
        *scenes,
        "-x",
        2,
        "--chip",
        4,
        *words,
    ]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("jobs", [1, 2])
def test_workers_say_what_the_command_would(scenes: list[Path], jobs: int, tmp_path: Path) -> None:
    words = ("-j", jobs, "--overwrite", "-o", tmp_path / "ds")
    quiet = prepare(scenes, *words, "-q")
    assert (quiet.returncode, quiet.stderr) == (0, "")
    log = tmp_path / "log.jsonl"
    done = prepare(scenes, *words, "--log-format", "json", "--log-file", log)
    for text in (done.stderr, log.read_text()):
        lines = [json.loads(line) for line in text.splitlines()]
        said = [line["text"] for line in lines if line["level"] == "warning"]
        assert sorted(line for line in said if SAID in line) == [
            f"{each}: {SAID}" for each in scenes
        ]


def test_a_killed_worker_is_one_line() -> None:
    with Workers(2) as workers, pytest.raises(DatasetError, match="perhaps for memory; use fewer"):
        list(workers.run(os._exit, [1, 1]))
