"""What `specgan upscale` costs beyond its network: time, memory, seams, scale coherence.

    python benchmarks/upscale.py                       # everything, on a scene of 256 x 256
    python benchmarks/upscale.py --side 64 --device cuda

Prints ratios, measured in one run on one machine:

- overhead: time of `upscale` (compression included) over that of the bare network on the same
  tiles, as wall and as processor time (the one to read where other work shares the machine), and
  the share of the wall time that the network was busy, rounding to the file's values included;
- memory: peak resident size for a scene 16 times larger over that of the smaller one, each in a
  process of its own, both larger than a tile;
- seam index: mean absolute step across tile borders over that across the other borders of LR
  pixels (which a tile border is, too);
- coherence: largest difference, and share of pixels that differ, between the 2x2 means of a result
  and the result of half the scale.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from scipy import ndimage
from torch import Tensor

from specgan_cli.inference.engine import make_engines
from specgan_cli.inference.job import open_job
from specgan_cli.inference.plan import plan_job
from specgan_cli.inference.predictors.networks import load_networks
from specgan_cli.inference.request import (
    ComputeOptions,
    InputOptions,
    OutputOptions,
    UpscaleRequest,
)
from specgan_cli.workflows.upscale import upscale


def make_scene(path: Path, side: int) -> Path:
    """Write a scene of smooth noise with edges, uint8, 3.2 m."""
    random = np.random.default_rng(0)
    fine = random.standard_normal((3, side, side))
    coarse = ndimage.gaussian_filter(random.standard_normal((3, side, side)), (0, 6, 6)) * 12
    values = 110 + 40 * np.sign(coarse) * np.abs(coarse) ** 0.5 + 12 * fine
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=side,
        height=side,
        count=3,
        dtype="uint8",
        crs="EPSG:32632",
        transform=Affine(3.2, 0, 691200, 0, -3.2, 5334400),
    ) as scene:
        scene.write(values.clip(1, 254).astype("uint8"))
    return path


def make_request(
    scene: Path, out: Path, arguments: argparse.Namespace, scale: int
) -> UpscaleRequest:
    """Return the request of one run."""
    return UpscaleRequest(
        InputOptions(str(scene)),
        ComputeOptions(
            weights=arguments.weights,
            scale=scale,
            device=arguments.device,
            dtype=arguments.dtype,
            tile=arguments.tile,
        ),
        OutputOptions(out, overwrite=True, co={"COMPRESS": arguments.compress}),
    )


def bare_seconds(request: UpscaleRequest) -> tuple[float, float]:
    """Return wall and processor time of the network alone on the run's own tiles."""
    networks = load_networks(request.compute)
    with open_job(request, networks.weights) as job:
        tiles = [
            job.reader.read(window, halo=networks.halo) for window in plan_job(job, networks).tiles
        ]
        (engine,) = make_engines(job, networks)
        start, processor = time.monotonic(), time.process_time()
        for tile in tiles:
            wait(engine.finest([tile]))
        return time.monotonic() - start, time.process_time() - processor


def wait(image: Tensor) -> None:
    """Wait until a GPU has computed the result."""
    image[0, 0, 0, 0].item()


def print_overhead(folder: Path, arguments: argparse.Namespace) -> None:
    """Measure network, run and network again, and print the ratio."""
    scene = make_scene(folder / "scene.tif", arguments.side)
    request = make_request(scene, folder / "out.tif", arguments, arguments.scale)
    upscale_small(folder, arguments)
    networks = load_networks(request.compute)
    start = time.process_time()
    report = upscale(request, load=lambda compute: networks)
    processor = time.process_time() - start
    bare, bare_processor = bare_seconds(request)
    size = (folder / "out.tif").stat().st_size
    plain = report.shape_yx[0] * report.shape_yx[1] * 3
    print(f"scene {arguments.side} x {arguments.side}, x{arguments.scale}, tile {report.tile}")
    print("                         wall  processor")
    print(f"bare network       {bare:8.2f} s {bare_processor:8.2f} s")
    print(f"upscale            {report.seconds:8.2f} s {processor:8.2f} s")
    print(f"overhead           {report.seconds / bare:8.3f}   {processor / bare_processor:8.3f}")
    print(f"network busy       {report.network_seconds / report.seconds:8.3f} of the wall time")
    print(f"{arguments.compress.lower():<10} keeps   {size / plain:8.3f} of the size")
    print(f"seam index         {seam_index(folder / 'out.tif', report.tile, arguments.scale):8.4f}")


def upscale_small(folder: Path, arguments: argparse.Namespace) -> None:
    """Run once on little, so that nothing is loaded or compiled while time is taken."""
    scene = make_scene(folder / "warm.tif", 8)
    upscale(make_request(scene, folder / "warm_out.tif", arguments, arguments.scale))


def seam_index(path: Path, tile: int, scale: int) -> float:
    """Return steps across tile borders over steps across the other borders of LR pixels."""
    with rasterio.open(path) as dataset:
        values = dataset.read().astype(np.float32)
    at_tiles, inside = [], []
    for axis in (1, 2):
        steps = np.abs(np.diff(values, axis=axis)).mean(axis=(0, 3 - axis))
        borders = np.arange(scale, values.shape[axis], scale)
        on_tile = borders % (tile * scale) == 0
        at_tiles.append(steps[borders[on_tile] - 1])
        inside.append(steps[borders[~on_tile] - 1])
    if not sum(len(part) for part in at_tiles):
        return float("nan")
    return float(np.concatenate(at_tiles).mean() / np.concatenate(inside).mean())


def print_coherence(folder: Path, arguments: argparse.Namespace) -> None:
    """Compare a result with that of half the scale."""
    scene = make_scene(folder / "part.tif", min(arguments.side, 48))
    images = []
    for scale in (arguments.scale // 2, arguments.scale):
        out = folder / f"x{scale}.tif"
        upscale(make_request(scene, out, arguments, scale))
        with rasterio.open(out) as dataset:
            images.append(dataset.read().astype(np.float32))
    small, large = images
    rows, cols = small.shape[1:]
    difference = np.abs(large.reshape(3, rows, 2, cols, 2).mean((2, 4)) - small)
    print(f"coherence          {difference.max():10.3f} grey levels at most,")
    print(f"                   {(difference > 0).mean():10.2e} of the pixels differ")


def print_memory(folder: Path, arguments: argparse.Namespace) -> None:
    """Compare the peaks of two processes."""
    peaks = []
    for side in (arguments.memory_side, 4 * arguments.memory_side):
        scene = make_scene(folder / f"memory{side}.tif", side)
        words = ["upscale", str(scene), "-x", "8", "--tile", "32", "-o", str(folder / "m.tif")]
        words += ["--weights", arguments.weights, "--device", arguments.device, "--json"]
        command = [sys.executable, "-m", "specgan_cli", *words, "--overwrite"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(json.loads(done.stdout)["peak_memory_bytes"])
    print(f"memory             {peaks[0] / 1e6:10.0f} MB for {arguments.memory_side} pixels a side")
    print(f"                   {peaks[1] / 1e6:10.0f} MB for {4 * arguments.memory_side}")
    print(f"memory ratio       {peaks[1] / peaks[0]:10.3f}")


def main() -> None:
    """Read the options and run what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", default=["overhead", "coherence", "memory"])
    parser.add_argument("--side", type=int, default=256, help="LR pixels of the scene's side")
    parser.add_argument("--scale", type=int, default=32)
    parser.add_argument("--tile", type=int)
    parser.add_argument("--weights", default="specgan-scene")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--compress", default="DEFLATE")
    parser.add_argument("--memory-side", type=int, default=96, help="LR pixels, more than a tile")
    arguments = parser.parse_args()
    measures = {"overhead": print_overhead, "coherence": print_coherence, "memory": print_memory}
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.what:
            measures[name](Path(folder), arguments)


if __name__ == "__main__":
    main()
