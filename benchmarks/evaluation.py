"""How fast chips are measured, and whether memory grows with their number.

    python benchmarks/evaluation.py --chips 1000

Invented chips of 256 pixels, every metric without a backbone, bicubic and nearest at x32; with
--weights and --perceptual the networks and the backbone too.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
import torch
from affine import Affine

from specgan_cli.datasets.building.pairs import read_pairs
from specgan_cli.datasets.building.splits import Shares
from specgan_cli.datasets.dataset import Dataset
from specgan_cli.evaluation.chips import EvalChip, read_chip
from specgan_cli.evaluation.image_pair import Units
from specgan_cli.evaluation.methods import Interpolation, Method, Network, load_network
from specgan_cli.evaluation.metrics.catalogue import check_names
from specgan_cli.evaluation.perceptual.judges import Judges
from specgan_cli.evaluation.runner import run
from specgan_cli.workflows.prepare_dataset import DatasetOptions, prepare_dataset

SIDE = 256


def main() -> None:
    """Make the chips, measure them, and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--chips", type=int, default=1000)
    parser.add_argument("-x", "--scale", type=int, default=32)
    parser.add_argument("--metrics", default="", help="names with commas between them")
    parser.add_argument("--weights", help="a network as well")
    parser.add_argument("--perceptual", type=Path, help="a backbone as well")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        dataset = Dataset.open(write(Path(folder), options.chips))
        print(json.dumps(measure(dataset, options)))


def write(folder: Path, count: int) -> Path:
    """Prepare chips of grain over gradients; all different, none compressible."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(40, 200, SIDE)[None, None]
    images = folder / "images"
    images.mkdir()
    profile = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": 3, "dtype": "uint8"}
    for index in range(count):
        rgb = (ramp + rng.normal(0, 20, (3, SIDE, SIDE))).clip(0, 255).astype(np.uint8)
        place = Affine(0.3, 0, 100 * SIDE * index, 0, -0.3, 0)
        name = images / f"chip{index}.tif"
        with rasterio.open(name, "w", crs="EPSG:32618", transform=place, **profile) as image:
            image.write(rgb)
    options = DatasetOptions(chip=SIDE // 32, shares=Shares(val=0.9))
    prepare_dataset(read_pairs([images]), folder / "chips", options)
    return folder / "chips"


def measure(dataset: Dataset, options: argparse.Namespace) -> dict[str, float | int | str]:
    """Return chips a second and the peak memory after a tenth and after all of the chips."""
    device = torch.device(options.device)
    low, high = dataset.statistics.rgb_low, dataset.statistics.rgb_high
    methods: list[Method] = [Interpolation("bicubic"), Interpolation("nearest")]
    if options.weights:
        network = load_network(options.weights, options.scale, dataset.bands, device)
        methods.append(Network("network", network, device))
    judges = Judges.load(options.perceptual, None, low=low, high=high, device=device)
    held: list[float] = []

    def chips() -> Iterator[EvalChip]:
        for record in dataset.chips:
            held.append(resident_mebibytes())
            yield read_chip(dataset, record, options.scale)

    names = check_names([name for name in options.metrics.split(",") if name])
    started, cpu = time.perf_counter(), time.process_time()
    run(chips(), methods, names, Units(low, high, options.scale), judges=judges)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    count = len(dataset.chips)
    return {
        "chips": count,
        "methods": len(methods),
        "chips_per_second": round(count / seconds, 2),
        "chips_per_cpu_second": round(count / cpu, 2),
        "peak_mib_of_the_first_tenth": round(max(held[: max(count // 10, 1)])),
        "peak_mib": round(max(held)),
        "device": options.device,
    }


def resident_mebibytes() -> float:
    """Return the memory that this process holds, MiB, without the pages of mapped chip files.

    Those belong to the page cache: the system takes them back when it needs them.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
