"""Measure the CPU time of what ends before a network runs, and of the smallest run that has one.

python benchmarks/startup.py [runs]

Prints one JSON line a command: median and worst seconds, and the median over that of importing
torch, measured in the same run.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SCENE = str(Path(__file__).parents[1] / "sample_data" / "scene.tif")

COMMANDS = (
    "--help",
    "models list",
    "upscale nothing.tif -o out.tif",
    "upscale SCENE -o out.tif --hsi nothing.tif",
    "upscale SCENE -o out.tif --dask tcp://127.0.0.1:9",
    "upscale SCENE -o out.tif --aoi nothing.geojson",
    "upscale SCENE -o out.tif --hsi self",
    "upscale SCENE -o out.tif --runtime openvino --dtype float16",
    "prepare nothing.tif --hsi nothing.tif -o out.tif",
    "prepare nothing.tif -o dataset",
    "evaluate nothing",
    "evaluate --sr nothing.tif --reference nothing.tif",
    "models import nothing.pth -o out.safetensors",
    "train nothing -o run",
    "upscale SCENE -o out.tif -x 4 --overwrite",
)


def children_seconds() -> float:
    """Return user and system seconds of the child processes that ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def cpu_seconds(words: list[str], folder: str) -> float:
    """Return user and system seconds that a child process took."""
    before = children_seconds()
    subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    return round(children_seconds() - before, 3)


def main() -> None:
    """Run each command several times, and print what it took."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        torch = [sys.executable, "-c", "import torch"]
        yardstick = statistics.median(cpu_seconds(torch, folder) for _ in range(runs))
        for command in COMMANDS:
            given = command.replace("SCENE", SCENE).split()
            words = [sys.executable, "-m", "specgan_cli", *given]
            times = [cpu_seconds(words, folder) for _ in range(runs)]
            median = statistics.median(times)
            figures = {"median_s": median, "worst_s": max(times)}
            ratio = round(median / yardstick, 2)
            print(json.dumps({"command": command, **figures, "of_importing_torch": ratio}))


if __name__ == "__main__":
    main()
