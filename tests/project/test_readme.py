"""README and first page show every command, and what is cheap of them runs."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import click
import pytest

from specgan_cli.cli.main import COMMANDS, cli, main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
START = README + (ROOT / "docs" / "start.md").read_text()


def blocks(language: str, page: str = START) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


def commands(program: str) -> list[str]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith(f"{program} ")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that holds the files that the README names."""
    for name in ("scene.tif", "cube.tif", "reference.tif"):
        shutil.copy(ROOT / "sample_data" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parse(line: str) -> None:
    """Parse a command line as the program would, and run nothing."""
    words = shlex.split(line)[1:]
    command: click.Command | None = cli
    context = click.Context(cli, info_name="specgan")
    while isinstance(command, click.Group):
        command = command.get_command(context, words.pop(0))
    assert command is not None, line
    command.make_context(command.name, words, parent=context)


def test_every_command_is_in_the_readme() -> None:
    shown = {shlex.split(line)[1] for line in commands("specgan")}
    assert shown == set(COMMANDS)


def test_fresh_machine_needs_two_commands() -> None:
    assert [block.strip() for block in blocks("sh", README)] == ["make demo", "make test"]
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert {"demo", "test"} <= targets


def test_demo_is_the_first_command_on_the_sample() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    (line,) = re.findall(r"specgan (upscale .*)$", makefile, flags=re.MULTILINE)
    parse(f"specgan {line}")
    assert "sample_data/scene.tif --hsi sample_data/cube.tif -x 32" in line


def test_readme_environment_variable_names_an_option() -> None:
    options = {f"SPECGAN_{parameter.name}".upper() for parameter in cli.params}
    for name in cli.list_commands(context := click.Context(cli)):
        command = cli.get_command(context, name)
        assert command is not None
        options |= {f"SPECGAN_{name}_{parameter.name}".upper() for parameter in command.params}
    assert set(re.findall(r"`(SPECGAN_[A-Z_]+)=", START)) <= options


@pytest.mark.parametrize(
    "line",
    [line for line in commands("specgan") if "--dry-run" in line or "--window" in line]
    + ["specgan models list", "specgan models show specgan-scene"],
)
def test_cheap_readme_commands_run(line: str, folder: Path) -> None:
    assert line in START
    line = line.replace("16,8,24,24", "20,8,3,2")
    with pytest.raises(SystemExit) as stopped:
        main(shlex.split(line)[1:])
    assert stopped.value.code == 0
    if "--window" in line:
        import rasterio

        with rasterio.open(folder / "part.tif") as output:
            assert (output.width, output.height) == (3 * 32, 2 * 32)


PAGES = (START, (ROOT / "docs" / "python.md").read_text())


@pytest.mark.parametrize("code", [code for page in PAGES for code in blocks("python", page)])
def test_python_examples_run(code: str, folder: Path) -> None:
    if "net.onnx" in code:
        with pytest.raises(SystemExit):
            main("models export specgan-scene -x 8 --gsd 3.2 -o net.onnx".split())
    names: dict[str, Any] = {}
    exec(code, names)
    if "report" in names:
        assert names["fine"].shape == names["pixels"].shape == (3, 48 * 8, 64 * 8)
        assert (names["fine"] == names["pixels"]).all()
        assert names["report"].shape_yx == (48 * 8, 64 * 8)
