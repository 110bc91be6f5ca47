"""The files around the code say what the code says: version, Pythons, paths."""

import re
import tomllib
from pathlib import Path

import specgan

ROOT = Path(__file__).parents[2]
WORKFLOW = (ROOT / ".github" / "workflows" / "test.yml").read_text()


def test_citation_names_this_version_and_the_paper() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {specgan.__version__}\n" in citation
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    doi = project["urls"]["Paper"].removeprefix("https://doi.org/")
    assert f"doi: {doi}\n" in citation
    assert f"license: {project['license']}\n" in citation


def test_workflow_starts_at_the_oldest_python_and_runs_the_check() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (pythons,) = re.findall(r"python: \[(.*)\]", WORKFLOW)
    assert pythons.split(", ")[0].strip('"') == project["requires-python"].removeprefix(">=")
    assert "- run: .ci/run\n" in WORKFLOW
    assert (ROOT / ".ci" / "run").exists()


def test_container_copies_what_is_there() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (.*) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    names = [name for line in copied for name in line.split()]
    assert names
    for name in names:
        assert (ROOT / name).exists()
        assert f"!{name}" in ignored
