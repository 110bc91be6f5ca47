"""Everything about speed in one run, as ratios where a ratio says more than seconds.

    PYTHONPATH=sample_data python benchmarks/speed.py [rows ...] [--runs 5] [--threads 1]

Rows: runtime, pipeline, refusals, small, cores, memory, alignment, estimate; all without a word.
Processor seconds are of the whole process, user and system, so other work shows little; what is
compared is measured in turns, and the median of the ratios of the turns is printed.
`cores` is wall time and means nothing on a busy machine: the load is printed beside it, and what
the work allows, twice the processor seconds on one core over those on two.  One thread is given
one core, or the threads that read and compress would work on the other.

On a shared two-core AMD EPYC of 2026 with nothing else on it (shipped weights, one thread):

    | figure | measured | target |
    |---|---|---|
    | pipeline / bare network at x32 | 1.007 | 1.15 |
    | refusals, the dearest | 0.38 s (upscale SCENE -o out.tif --hsi nothing.tif) | 0.5 s |
    | 64 x 64 at x4, whole process | 1.57 s | 3 s |
    | one core / two, wall time, torch | 1.89; on another day 1.77, of 1.83 by the work | 1.85 |
    | one core / two, wall time, ONNX Runtime | 1.93, of 1.94 by the work | 1.85 |
    | one core / two, wall time, OpenVINO | 1.76, of 1.89 by the work | 1.85 |
    | one core / two, wall time, OpenVINO in bfloat16 | 1.78, of 1.82 by the work | 1.85 |
    | peak memory, 16 times the scene, torch, two tiles at once | 1.021 (501 MB) | 1.10 |
    | peak memory, 16 times the scene, onnx, two tiles at once | 0.899 (545 MB) | 1.10 |
    | runs within the range of --dry-run | 10 of 10 | 9 of 10 |

With a load of 9 to 14:

    | x8: eager torch / ONNX Runtime | 2.41 / 1.94 s a Mpx = 1.24 |  |
    | x8: eager torch / OpenVINO | 2.41 / 1.89 s a Mpx = 1.28 |  |
    | x8: eager torch / OpenVINO in bfloat16 | 2.41 / 1.01 s a Mpx = 2.43 |  |
    | x32: eager torch / ONNX Runtime | 0.99 / 0.52 s a Mpx = 1.91 | 1.8 |
    | x32: eager torch / OpenVINO | 0.99 / 0.52 s a Mpx = 1.89 | 1.8 |
    | x32: eager torch / OpenVINO in bfloat16 | 0.99 / 0.29 s a Mpx = 3.34 | 3 |
    | align 204 x 204 | 0.68 s, 0.0001 m off | 1 s |
    | prepare --hsi of it, whole process | 2.36 s (the first version: 3.88 s) | 1.94 s |

Two processes of bare convolutions scale by 1.95 there. OpenVINO 2026.4 is 2e-4 grey levels off at
most in single precision. In bfloat16, 0.13 in the mean and up to 4 in single pixels of eight
validation chips at x8 (0.08, 0.09 and 0.10, up to 3, on seven NAIP scenes at x8, x16 and x32); the
judges see 0.3016 and 0.3014 (AlexNet), 0.3901 and 0.3899 (VGG), 0.3637 and 0.3634 (aerial), 0.0005
apart on a chip. The GPU's part is `benchmarks/gpu.py`.
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from startup import COMMANDS, SCENE, children_seconds, cpu_seconds
from upscale import make_scene

import displaced_pairs

Row = tuple[str, str, str]
"""What was measured, what came out, and the target."""


def cli(words: list[str], folder: Path) -> tuple[float, float, str]:
    """Run the command line in a process of its own: processor seconds, wall seconds, stdout."""
    before, start = children_seconds(), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "specgan_cli", *words],
        cwd=folder,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=True,
    )
    return children_seconds() - before, time.monotonic() - start, done.stdout


def runtimes() -> dict[str, tuple[str, str]]:
    """Return torch and then what else is installed: the words for `upscale`, by name."""
    from specgan_cli.inference.predictors.runtime import GRAPH_RUNTIMES, computes_bfloat16

    found = {"torch": ("torch", "float32"), "ONNX Runtime": ("onnx", "float32")}
    if GRAPH_RUNTIMES["openvino"].installed:
        found["OpenVINO"] = ("openvino", "float32")
        if computes_bfloat16():
            found["OpenVINO in bfloat16"] = ("openvino", "bfloat16")
    return found


def runtime(folder: Path, options: argparse.Namespace) -> list[Row]:
    """Bare network on the usual tile at x8 and x32: eager torch over every other runtime."""
    import torch

    from specgan_cli.inference.engine import make_engines
    from specgan_cli.inference.job import open_job
    from specgan_cli.inference.plan import TILES
    from specgan_cli.inference.predictors.networks import load_networks
    from specgan_cli.inference.request import (
        ComputeOptions,
        InputOptions,
        OutputOptions,
        UpscaleRequest,
    )
    from specgan_cli.raster.grid import Window

    torch.set_num_threads(options.threads)
    scene, rows = make_scene(folder / "tile.tif", 128), []
    names = runtimes()
    for scale in (8, 32):
        calls = []
        for name, dtype in names.values():
            compute = ComputeOptions(scale=scale, device="cpu", runtime=name, dtype=dtype)
            request = UpscaleRequest(InputOptions(str(scene)), compute, OutputOptions(folder / "o"))
            networks = load_networks(compute)
            with open_job(request, networks.weights) as job:
                (engine,) = make_engines(job, networks)
                window = Window(32, 32, TILES[scale], TILES[scale])
                tile = job.reader.read(window, halo=networks.halo)
            calls.append((engine, [tile]))
        turns = [
            [_spent(engine.finest, tiles) for engine, tiles in calls]
            for _ in range(1 + options.runs)
        ]
        pixels = (TILES[scale] * scale) ** 2 / 1e6
        eager, *others = zip(*turns[1:], strict=True)
        for name, graph in zip(list(names)[1:], others, strict=True):
            ratio = statistics.median(a / b for a, b in zip(eager, graph, strict=True))
            a, b = (statistics.median(times) / pixels for times in (eager, graph))
            target = ("3" if "bfloat16" in name else "1.8") if scale == 32 else ""
            text = f"{a:.2f} / {b:.2f} s a Mpx = {ratio:.2f}"
            rows.append((f"x{scale}: eager torch / {name}", text, target))
    return rows


def _spent(call: Callable[..., Any], *arguments: Any) -> float:
    start = time.process_time()
    call(*arguments)
    return time.process_time() - start


def pipeline(folder: Path, options: argparse.Namespace) -> list[Row]:
    """Processor seconds of a run, start left out, over those of its bare network."""
    script = Path(__file__).with_name("upscale.py")
    command = [sys.executable, str(script), "overhead", "--side", "96"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("overhead"))
    return [("pipeline / bare network at x32", line.split()[-1], "1.15")]


def refusals(folder: Path, options: argparse.Namespace) -> list[Row]:
    """The dearest of the commands that end before a network runs."""
    spent = {}
    for command in COMMANDS[:-1]:
        words = [sys.executable, "-m", "specgan_cli", *command.replace("SCENE", SCENE).split()]
        spent[command] = statistics.median(cpu_seconds(words, str(folder)) for _ in range(3))
    worst = max(spent, key=lambda command: spent[command])
    return [("refusals, the dearest", f"{spent[worst]:.2f} s ({worst})", "0.5 s")]


def small(folder: Path, options: argparse.Namespace) -> list[Row]:
    """The whole process for 64 x 64 pixels at x4."""
    make_scene(folder / "small.tif", 64)
    words = ["upscale", "small.tif", "-x", "4", "-o", "out.tif", "--overwrite", "-q"]
    spent = statistics.median(cli(words, folder)[0] for _ in range(options.runs))
    return [("64 x 64 at x4, whole process", f"{spent:.2f} s", "3 s")]


@contextlib.contextmanager
def on_processors(count: int) -> Iterator[None]:
    """Give this process, and those that it starts, so many processors."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cores(folder: Path, options: argparse.Namespace) -> list[Row]:
    """Wall time of sixteen tiles on one processor over that on two, starts taken off."""
    make_scene(folder / "cores.tif", 128)
    rows: list[Row] = []
    for name, (runtime, dtype) in runtimes().items():
        words = ["upscale", "cores.tif", "-x", "32", "--tile", "32", "-o", "out.tif", "--overwrite"]
        words += ["--json", "-q", "--runtime", runtime, "--dtype", dtype]

        def seconds(count: int, *more: str, words: list[str] = words) -> np.ndarray:
            with on_processors(count):
                spent, _, report = cli([*words, "-j", str(count), *more], folder)
            return np.array([json.loads(report)["seconds"], spent])

        start = np.min([seconds(1, "--window", "0,0,1,1") for _ in range(3)], axis=0)
        turns = [[seconds(n) - start for n in (1, 2)] for _ in range(max(options.runs // 2, 1))]
        wall, work = np.median([one / two for one, two in turns], axis=0)
        text = f"{wall:.2f} (load {os.getloadavg()[0]:.0f}), of {2 * work:.2f} by the work"
        rows.append((f"one core / two, wall time, {name}", text, "1.85"))
    return rows


def memory(folder: Path, options: argparse.Namespace) -> list[Row]:
    """Peak memory of sixteen times the scene over that of the scene, for each runtime."""
    rows: list[Row] = []
    for name, (runtime, dtype) in runtimes().items():
        peaks = []
        for side in (64, 256):
            make_scene(folder / f"m{side}.tif", side)
            words = ["upscale", f"m{side}.tif", "-x", "8", "--tile", "32", "-o", "m.tif"]
            words += ["--overwrite", "--json", "-q", "--runtime", runtime, "--dtype", dtype]
            peaks.append(json.loads(cli(words, folder)[2])["peak_memory_bytes"])
        text = f"{peaks[1] / peaks[0]:.3f} ({peaks[0] / 1e6:.0f} MB)"
        rows.append((f"peak memory, 16 times the scene, {name}", text, "1.10"))
    return rows


def alignment(folder: Path, options: argparse.Namespace) -> list[Row]:
    """A cube of 204 x 204 pixels, a third as fine as its scene."""
    from specgan_cli.alignment.estimate import align
    from specgan_cli.cubes.cube import Cube
    from specgan_cli.raster.scene import Scene

    ratio, pad, shift = 3, 12, (0.37, -0.61)
    image = displaced_pairs.texture(204 * ratio + 2 * pad, 1)
    seen = displaced_pairs.see(image, ratio, pad, shift, 0.45)
    cube = displaced_pairs.cube_of(seen, snr=60, ramp=True)
    place = displaced_pairs.scene_transform()
    inside = place @ Affine.translation(pad, pad) @ Affine.scale(ratio)
    displaced_pairs.write_scene(folder / "scene.tif", image, place)
    displaced_pairs.write_cube(folder / "cube.tif", cube, inside)

    def run() -> Any:
        with Scene.open(folder / "scene.tif") as scene, Cube.open(folder / "cube.tif") as other:
            return align(scene, other)

    found, pixel = run(), place.a * ratio
    error = [abs(at - given * pixel) for at, given in zip(found.shift_xy, shift, strict=True)]
    spent = statistics.median(_spent(run) for _ in range(options.runs))
    words = ["prepare", "scene.tif", "--hsi", "cube.tif", "-o", "out.tif", "--overwrite", "-q"]
    whole = statistics.median(cli(words, folder)[0] for _ in range(options.runs))
    return [
        ("align 204 x 204", f"{spent:.2f} s, {max(error):.4f} m off", "1 s"),
        ("prepare --hsi of it, whole process", f"{whole:.2f} s", ""),
    ]


def estimate(folder: Path, options: argparse.Namespace) -> list[Row]:
    """How many runs fall into the range that a dry run gave just before, and its memory."""
    inside, shares, cases = [], [], ((64, 4), (48, 8), (96, 8), (32, 16), (24, 32))
    for side, scale in cases * max(options.runs // 2, 1):
        make_scene(folder / "e.tif", side)
        words = ["upscale", "e.tif", "-x", str(scale), "-o", "e_out.tif", "--overwrite"]
        words += ["--json", "-q"]
        planned, done = (json.loads(cli([*words, *m], folder)[2]) for m in (["--dry-run"], []))
        low, high = planned["seconds_range"]
        inside.append(low <= done["seconds"] <= high)
        shares.append(planned["plan"]["memory_bytes"] / done["peak_memory_bytes"])
    text = f"{sum(inside)} of {len(inside)} (load {os.getloadavg()[0]:.0f})"
    span = f"{min(shares):.2f} to {max(shares):.2f}"
    seconds = ("runs within the range of --dry-run", text, "9 of 10")
    return [seconds, ("memory of --dry-run / peak", span, "1 to 1.5")]


ROWS: dict[str, Callable[[Path, argparse.Namespace], list[Row]]] = {
    "runtime": runtime,
    "pipeline": pipeline,
    "refusals": refusals,
    "small": small,
    "cores": cores,
    "memory": memory,
    "alignment": alignment,
    "estimate": estimate,
}


def main() -> None:
    """Measure the rows that were asked for, and print them as one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", default=list(ROWS), help="some of the rows above")
    parser.add_argument("--runs", type=int, default=5, help="turns, of which medians are taken")
    parser.add_argument("--threads", type=int, default=1, help="of the bare network")
    options = parser.parse_args()
    print("| figure | measured | target |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        for name in options.rows:
            for figure, measured, target in ROWS[name](Path(folder), options):
                print(f"| {figure} | {measured} | {target} |", flush=True)


if __name__ == "__main__":
    main()
