"""The script that proves the README knows every extra and every command of the README."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "benchmarks" / "fresh_machine.py"))


def test_every_extra_is_installed_and_used() -> None:
    assert sorted(SCRIPT["EXTRAS"]) == SCRIPT["extras"]()


def test_every_command_of_the_readme_is_a_step() -> None:
    commands = re.findall(r"```sh\n(.*)\n```", (ROOT / "README.md").read_text())
    assert commands
    assert set(commands) <= set(SCRIPT["steps"]("."))


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(3_000_000))
    once = SCRIPT["megabytes"](tmp_path)
    assert once == pytest.approx(3, abs=0.1)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert SCRIPT["megabytes"](tmp_path) == once
