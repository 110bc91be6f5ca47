"""Prove the README from an empty folder: clone, demo, wheel, every extra, tests.

python benchmarks/fresh_machine.py [--source URL] [--folder FOLDER] [--skip STEP ...]

Needs Python 3.11 or later, git and make, and nothing installed. Prints a table of what was
done: the seconds it took, those of a processor (which other work on the machine changes little)
and the megabytes that it left. A step that fails ends it with its log.
The folder must be empty or new, and stays.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]

CLI = '"$VENV_PYTHON" -m specgan_cli -q'
SCENE = f'{CLI} upscale "$CLONE/sample_data/scene.tif" -x 2'

XARRAY = """
import sys, rioxarray, specgan
fine = specgan.upscale(rioxarray.open_rasterio(sys.argv[1]), scale=2)
assert fine.rio.shape == (96, 128)
"""

EXTRAS = {
    "train": f'{CLI} prepare "$CLONE/recipes/sample.csv" -o dataset --split-by blocks'
    f' && {CLI} train dataset -o run --config "$CLONE/recipes/sample.toml" --max-steps 1'
    " && test -d run/tensorboard",
    "distributed": f"{SCENE} -o dask.tif --dask local:1",
    "xarray": f'"$VENV_PYTHON" -c \'{XARRAY}\' "$CLONE/sample_data/scene.tif"',
    "hdf5": '"$VENV_PYTHON" -c "import h5py, specgan"',
    "onnx": f"{CLI} models export specgan-scene -x 2 -o net.onnx",
    "openvino": f"{SCENE} -o openvino.tif --runtime openvino",
    "docs": '"$VENV_PYTHON" -m mkdocs build --strict -q -f "$CLONE/mkdocs.yml" -d "$PWD/site"',
    "test": '"$VENV_PYTHON" -m pytest -q -c "$CLONE/pyproject.toml" "$CLONE/tests/raster"',
}
"""What shows that an extra works: a shell line that is run beside the clone, on the wheel."""

PIP = '"$VENV_PYTHON" -m pip install --disable-pip-version-check -q -c "$CLONE/constraints.txt"'


def steps(source: str) -> dict[str, str]:
    """Return the shell line of every step, in order."""
    before = {
        "git clone": f'git clone -q "{source}" "$CLONE"',
        "make demo": 'make -C "$CLONE" demo',
        "make wheel": 'make -C "$CLONE" wheel',
        "wheel alone": f'python3 -m venv wheel && {PIP} "$CLONE"/dist/*.whl && {SCENE} -o out.tif',
    }
    wheel = '"$(ls "$CLONE"/dist/*.whl)'
    extras = {f"extra {name}": f'{PIP} {wheel}[{name}]" && {EXTRAS[name]}' for name in EXTRAS}
    return before | extras | {"make test": 'make -C "$CLONE" test'}


def megabytes(folder: Path) -> float:
    """Return what a folder takes on the disk, every file once however many names it has."""
    found = (os.lstat(Path(root) / name) for root, _, names in os.walk(folder) for name in names)
    return sum({each.st_ino: each.st_blocks * 512 for each in found}.values()) / 1e6


def environment(folder: Path, name: str) -> dict[str, str]:
    """Return the variables of a step; an extra gets its own copy of the wheel's environment."""
    venv = folder / "wheel"
    if name.startswith("extra "):
        venv = folder / name.replace(" ", "_")
        # Names for the same files: pip replaces what it changes, so that the first stays as it is.
        shutil.copytree(folder / "wheel", venv, symlinks=True, copy_function=os.link)
    ours = {"CLONE": str(folder / "specgan"), "VENV_PYTHON": str(venv / "bin" / "python")}
    foreign = ("PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS")
    return {key: value for key, value in os.environ.items() if key not in foreign} | ours


def run(folder: Path, name: str, line: str) -> tuple[float, float]:
    """Run a step and return its seconds, by the clock and of processors.

    Where it fails, the program ends with its log.
    """
    log = folder / f"{name.replace(' ', '_')}.log"
    variables = environment(folder, name)
    start, used = time.monotonic(), _processor_seconds()
    with log.open("w") as out:
        code = subprocess.run(
            ["sh", "-ec", line], cwd=folder, env=variables, stdout=out, stderr=subprocess.STDOUT
        ).returncode
    if code:
        sys.exit(f"{log.read_text()[-4000:]}\n{name}: failed with code {code}; its log is {log}")
    return time.monotonic() - start, _processor_seconds() - used


def _processor_seconds() -> float:
    """Return what the processes that ended have used."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Run the steps and print a row for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--source", default=str(ROOT), help="what is cloned: a URL or a folder")
    parser.add_argument("--folder", type=Path, help="where; a temporary folder by default")
    parser.add_argument("--skip", nargs="*", default=[], help="names of steps, such as 'make test'")
    given = parser.parse_args()
    folder = (given.folder or Path(tempfile.mkdtemp(prefix="fresh-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        sys.exit(f"{folder}: is not empty; name another folder")
    print("| step | seconds | processor seconds | MB |\n|---|---|---|---|", flush=True)
    for name, line in steps(given.source).items():
        if name not in given.skip:
            before = megabytes(folder)
            seconds, used = run(folder, name, line)
            left = megabytes(folder) - before
            row = f"| `{name}` | {seconds:.0f} | {used:.0f} | {left:.0f} |"
            print(row, flush=True)


def extras() -> list[str]:
    """Return the extras that pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return sorted(project["optional-dependencies"])


if __name__ == "__main__":
    main()
