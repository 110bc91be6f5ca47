"""Laws of the tree: small folders, tests in folders of the same names, no import circle."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = ("specgan_cli", "models/specgan")
MODULES = 12


def folders(*roots: str) -> list[Path]:
    return sorted({path.parent for root in roots for path in (ROOT / root).rglob("*.py")})


def test_no_folder_holds_more_than_twelve_modules() -> None:
    counts = {
        str(folder.relative_to(ROOT)): sum(path.stem != "__init__" for path in folder.glob("*.py"))
        for folder in folders(*SHIPPED)
    }
    assert {name: count for name, count in counts.items() if count > MODULES} == {}


def test_every_package_has_tests_in_a_folder_of_its_name() -> None:
    named = {
        path.name for path in (ROOT / "specgan_cli").iterdir() if (path / "__init__.py").exists()
    }
    tested = {path.parent.name for path in (ROOT / "tests").rglob("test_*.py")}
    # Cubes on other grids are tested through the alignment, pictures through their commands.
    assert named - tested <= {"resampling", "pictures"}
    assert tested - named == {"networks", "project"}


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run the contract against cycles on a tree."""
    code = "import sys; from importlinter.cli import lint_imports_command as c; c(sys.argv[1:])"
    command = [sys.executable, "-c", code, "--contract", "cycles", "--no-cache"]
    paths = os.pathsep.join([str(tree), str(tree / "models")])
    return subprocess.run(
        command, cwd=tree, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("specgan_cli/raster/grid.py", "import specgan_cli.raster.scene"),
        ("specgan_cli/raster/grid.py", "import specgan_cli.cubes.cube"),
        ("models/specgan/errors.py", "import specgan.checkpoints"),
    ],
    ids=["neighbours", "packages", "networks"],
)
def test_a_cycle_breaks_the_contract(tmp_path: Path, module: str, line: str) -> None:
    for name in SHIPPED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("weights"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert lint(tmp_path).returncode == 0
    path = tmp_path / module
    path.write_text(f"{path.read_text()}\n{line}\n")
    result = lint(tmp_path)
    assert result.returncode == 1
    assert "no cycle between neighbours, in any folder BROKEN" in result.stdout
