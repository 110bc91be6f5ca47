"""`specgan doctor`: sound here, and one line of advice for each thing that is missing."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest

from specgan import checkpoints
from specgan_cli.workflows import doctor
from support.command import specgan

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def test_here_nothing_is_missing_that_commands_need() -> None:
    result = specgan("doctor")
    assert (result.code, result.stderr) == (0, "")
    assert "\nall that commands need is there\n" in result.stdout
    assert not re.search(r"^missing: ", result.stdout, re.MULTILINE)


def test_json_has_versions_and_digests() -> None:
    document = specgan("doctor", "--json").json()
    assert document["versions"]["torch"] == importlib.metadata.version("torch")
    digests = {name: checkpoints.sha256(name) for name in checkpoints.names()}
    assert document["weights"] == digests
    assert document["proj"]["data"]


def test_a_missing_extra_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version

    def version(package: str) -> str:
        if package == "h5py":
            raise importlib.metadata.PackageNotFoundError(package)
        return real(package)

    monkeypatch.setattr(importlib.metadata, "version", version)
    result = specgan("doctor")
    assert result.code == 0
    line = "optional: h5py, for NEON, PRISMA and EMIT cubes; pip install h5py"
    assert line in result.stdout.splitlines()


def test_data_of_another_gdal_is_a_failure_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GDAL_DATA", str(tmp_path / "gone"))
    result = specgan("doctor")
    assert result.code == 1
    assert result.stdout.splitlines()[-1] == (
        f"missing: GDAL's data: {tmp_path}/gone is no folder; unset GDAL_DATA"
    )


def test_damaged_weights_are_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "specgan-scene.safetensors").write_bytes(b"version https://git-lfs")
    monkeypatch.setattr(checkpoints, "WEIGHTS", tmp_path)
    document = specgan("doctor", "--json")
    assert document.code == 1
    assert any("specgan-scene" in finding["what"] for finding in document.json()["findings"])


def test_the_tables_are_those_of_the_project() -> None:
    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[><=]", requirement)[0] for requirement in requirements}

    assert set(doctor.NEEDED) == names(PROJECT["dependencies"])
    extras = PROJECT["optional-dependencies"]
    users = {extra: names(extras[extra]) for extra in extras if extra not in ("docs", "test")}
    assert {extra: set(packages) for extra, (packages, _) in doctor.EXTRAS.items()} == users
