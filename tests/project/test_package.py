"""Laws of the distribution: what a wheel holds, and what it asks for."""

import ast
import itertools
import re
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]

REPLACES_TORCH = ("piq", "lpips", "pyiqa", "torch-fidelity", "litdata", "spandrel", "torchvision")
"""Packages that pull torchvision, which replaces a CPU torch by gigabytes of CUDA packages."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    built = next(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"]))
    return zipfile.ZipFile(built)


@pytest.fixture(scope="module")
def project() -> dict:
    """The project table."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", text, maxsplit=1)[0].lower() for text in requirements}


def test_wheel_top_level_is_exactly_two_packages(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"specgan", "specgan_cli"}


@pytest.mark.parametrize("package", ["specgan", "specgan_cli"])
def test_wheel_says_that_it_is_typed(wheel: zipfile.ZipFile, package: str) -> None:
    assert f"{package}/py.typed" in wheel.namelist()


def test_wheel_holds_the_licence(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("/LICENSE"))
    assert b"Apache License" in wheel.read(name)


def test_wheel_holds_the_weights_and_their_card(wheel: zipfile.ZipFile) -> None:
    assert "specgan/weights/specgan-scene.safetensors" in wheel.namelist()
    assert wheel.getinfo("specgan/weights/specgan-scene.safetensors").file_size <= 16e6
    assert "specgan/weights/specgan-scene.md" in wheel.namelist()


def test_wheel_holds_every_module_of_the_tree(wheel: zipfile.ZipFile) -> None:
    modules = {
        str(path.relative_to(root))
        for root, package in ((ROOT, "specgan_cli"), (ROOT / "models", "specgan"))
        for path in (root / package).rglob("*.py")
    }
    assert {name for name in wheel.namelist() if name.endswith(".py")} == modules


def test_command_is_an_entry_point(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "specgan = specgan_cli.cli.main:main" in wheel.read(name).decode()


def test_requirements_do_not_replace_torch(project: dict) -> None:
    extras = project["optional-dependencies"].values()
    wanted = names(project["dependencies"]).union(*map(names, extras))
    assert not wanted & set(REPLACES_TORCH)


def imports(folder: Path) -> set[str]:
    """Return what the modules of a folder import, in whole and by its first name."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    return found | {name.split(".")[0] for name in found}


def test_the_product_imports_every_requirement_and_every_extra(project: dict) -> None:
    tools = ("test", "docs")
    extras = {k: v for k, v in project["optional-dependencies"].items() if k not in tools}
    used = imports(ROOT / "specgan_cli") | imports(ROOT / "models")
    through = {"tensorboard": "torch.utils.tensorboard", "dask": "distributed", "pillow": "PIL"}
    wanted = names(project["dependencies"]).union(*map(names, extras.values()))
    assert {name for name in wanted if through.get(name, name) not in used} == set()


def test_requirements_have_floors(project: dict) -> None:
    wanted = itertools.chain(project["dependencies"], *project["optional-dependencies"].values())
    assert [text for text in wanted if ">=" not in text] == []


def test_constraints_pin_every_requirement_exactly(project: dict) -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in pins if not re.match(r"[\w.-]+==[\w.]+(; |$)", line)] == []
    extras = project["optional-dependencies"].values()
    wanted = names(project["dependencies"]).union(*map(names, extras))
    assert wanted - names(pins) == set()
    assert "torch==2.13.0" in pins
    assert not names(pins) & set(REPLACES_TORCH)
