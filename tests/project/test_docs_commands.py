"""The commands of the pages run, from top to bottom, on the sample scene.

Those that name what is not there are marked in the page, by a comment before their block:
`<!-- needs: FILE, ... -->`. Costly options are replaced, so that a page takes seconds.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import rasterio

from specgan_cli.cli.main import cli
from support.command import specgan

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
MARK = re.compile(r"<!-- needs: (.*) -->")
LINE = re.compile(r"^(?: {4,8})?(specgan [a-z-].*)$")


def lines(page: Path) -> list[tuple[str, bool]]:
    """Return the commands of a page, and whether each can run: what it names is there."""
    known = {*cli.list_commands(click.Context(cli)), "--json-usage"}
    found, needs = [], []
    for text in page.read_text().splitlines():
        if mark := MARK.fullmatch(text):
            needs = mark[1].split(", ")
        elif text.startswith("#"):
            needs = []
        elif (line := LINE.match(text)) and line[1].split()[1] in known:
            found.append((line[1], not any(name in line[1] for name in needs)))
    return found


def shortened(line: str) -> str:
    """Replace what costs time: factors by 2, all metrics by one, a training by two steps."""
    if line.startswith(("specgan upscale", "specgan models export")):
        line = re.sub(r" -x \d+", "", line).replace("upscale ", "upscale -x 2 ", 1)
        return line.replace("export ", "export -x 2 ", 1)
    if line.startswith("specgan train"):
        return f"{line} --max-steps {2 if '--resume' in line else 1}"
    if line.startswith("specgan evaluate"):
        return f"{line} --metrics psnr" + ("" if "--sr" in line else " --limit 2")
    return line


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that the pages take for granted: the sample, in several shapes."""
    for name in ("scene.tif", "cube.tif"):
        shutil.copy(ROOT / "sample_data" / name, tmp_path)
    for name in ("sample_data", "recipes"):
        (tmp_path / name).symlink_to(ROOT / name)
    for name, source in (("scenes/a.tif", "scene.tif"), ("cubes/a.tif", "cube.tif")):
        (tmp_path / name).parent.mkdir()
        shutil.copy(ROOT / "sample_data" / source, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add_reference() -> None:
    """Make the truth of a result that `shortened` made twice as fine."""
    with rasterio.open("scene.tif") as scene:
        twice = scene.read().repeat(2, 1).repeat(2, 2)
        profile = scene.profile | {"width": scene.width * 2, "height": scene.height * 2}
        profile["transform"] = scene.transform @ scene.transform.scale(0.5)
    with rasterio.open("reference.tif", "w", **profile) as truth:
        truth.write(np.asarray(twice))


def add_what_other_pages_make(line: str) -> None:
    """Make outputs that a command reads and its page does not make."""
    if " reference.tif" in line and not Path("reference.tif").exists():
        add_reference()
    if "--sr out.tif" in line and not Path("out.tif").exists():
        assert specgan("upscale", "scene.tif", "-x", 2, "-o", "out.tif").code == 0
    if re.search(r"(evaluate|--check) dataset/", line) and not Path("dataset").exists():
        words = ("prepare", "recipes/sample.csv", "-o", "dataset", "--split-by", "blocks")
        assert specgan(*words).code == 0


def run(line: str) -> None:
    """Run a command as its page shows it, shortened."""
    add_what_other_pages_make(line)
    short = shortened(line)
    if re.search("[<>|]", short):
        words = short.replace("specgan ", f"{sys.executable} -m specgan_cli ")
        env = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'models'}"}
        done = subprocess.run(words, shell=True, env=env, capture_output=True)
        assert done.returncode == 0, (line, done.stderr.decode())
        return
    result = specgan(*shlex.split(short)[1:])
    assert result.code == 0, (line, result.stderr)


CASES = {page: found for page in PAGES if (found := lines(page))}


@pytest.mark.slow
@pytest.mark.parametrize("page", CASES, ids=lambda page: page.name)
def test_the_commands_of_a_page_run(page: Path, folder: Path) -> None:
    done: set[str] = set()
    for line, ready in CASES[page]:
        if ready and shortened(line) not in done:
            run(line)
            done.add(shortened(line))
        if page.name == "gallery.md":  # where each has its own folder
            for path in folder.glob("*.*"):
                if path.suffix in (".tif", ".png") and path.name not in ("scene.tif", "cube.tif"):
                    path.unlink()


def test_commands_without_a_mark_are_the_most() -> None:
    ready = [line for found in CASES.values() for line, ready in found if ready]
    assert len(ready) > 40
    assert sum(map(len, CASES.values())) - len(ready) < 15


@pytest.mark.parametrize("page", CASES, ids=lambda page: page.name)
def test_a_mark_names_what_a_command_names_and_is_not_there(page: Path) -> None:
    marked = [name for found in MARK.findall(page.read_text()) for name in found.split(", ")]
    for name in marked:
        assert any(name in line and not ready for line, ready in CASES[page]), name
        assert not (ROOT / name).exists()
        assert not (ROOT / "sample_data" / name).exists()


OTHER = re.compile(r"^ {0,8}((?:make|python|pip|torchrun|docker|conda|rio|ogr2ogr)\b .*)$")
"""Lines of blocks that are commands of other programs; prose of a page is not wrapped so."""
SAID = re.compile(r"\s*<!-- (run by|not run[^:]*): (.*) -->")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_other_programs_say_what_runs_them(page: Path) -> None:
    said: re.Match[str] | None = None
    for text in page.read_text().splitlines():
        if mark := SAID.fullmatch(text):
            said = mark
        elif text.startswith("#"):
            said = None
        elif line := OTHER.match(text):
            assert said, f"{line[1]}: add <!-- run by: FILE --> or <!-- not run: WHY --> before it"
            if said[1] == "run by":
                assert line[1] in (ROOT / said[2]).read_text(), line[1]
            check_names(line[1])


def check_names(line: str) -> None:
    """Raise unless a make target or a script that a line names is there."""
    words = line.split()
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line
    if words[0] == "python" and words[1].endswith(".py"):
        assert (ROOT / words[1]).is_file(), line
