"""Odd files from users and bug reports: each case says what is run, and a script what is right."""

import json
import os
import shlex
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio

from support.command import specgan

pytestmark = pytest.mark.slow


def folder() -> Path:
    """Return where the cases lie: beside the real rasters."""
    given = os.environ.get("SPECGAN_DATA")
    data = Path(given) if given else Path(__file__).parents[3] / "shared" / "data"
    return data.parent / "cases"


CASES = sorted(path.parent for path in folder().glob("*/figure.py"))


@pytest.mark.skipif(not CASES, reason="the cases are not here; SPECGAN_DATA names a folder by them")
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_a_case_is_right(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(case, tmp_path / "case")
    monkeypatch.chdir(tmp_path / "case")
    command = Path("README.md").read_text().partition("```sh\n")[2].partition("```")[0]
    done = specgan(*shlex.split(command)[1:])
    found = {"code": done.code, "said": done.stderr, "told": done.stdout}
    found |= {"np": np, "rasterio": rasterio, "json": json}
    with warnings.catch_warnings(action="ignore"):
        exec(Path("figure.py").read_text(), found)
    assert found["right"], (found["figure"], done.stderr[-300:])
