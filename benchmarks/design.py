r"""Compare designs of the scene network on equal training: same data, steps, crops and losses.

    python benchmarks/design.py DATASET RUNS --teacher alex_shift_tolerant.pth \
        --model vgg_shift_tolerant.pth

Each variant is one short x4 training of recipes/neon_ucmerced/design.toml with one thing changed,
judged on the same held-out chips; runs that are finished in RUNS are not trained again.  The plain
design is trained with two seeds: what differs by less than these two says nothing.  Fixed tiles are
not trained but computed: the plain weights on tiles of 8 x 8 LR pixels, each for itself, as the
published network needs them.
"""

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from specgan.scene.network import SceneNetwork
from specgan_cli.datasets.dataset import ChipRecord, Dataset
from specgan_cli.evaluation.chips import EvalChip, read_chip
from specgan_cli.evaluation.methods import Interpolation, Method, Network, load_network
from specgan_cli.evaluation.metrics.grid_artifacts import Steps
from specgan_cli.evaluation.metrics.suite import Units
from specgan_cli.evaluation.perceptual.features import PerceptualModel
from specgan_cli.evaluation.runner import Evaluation, run
from specgan_cli.measures import Pixels

CONFIG = Path(__file__).parents[1] / "recipes" / "neon_ucmerced" / "design.toml"
SCALE = 4
TILE = 8
METRICS = ("psnr", "spectrum", "grid_step", "colour_spread", "perceptual")
BOTH = "[1, 2]"
VARIANTS: dict[str, dict[str, str]] = {
    "plain": {},
    "plain, other seed": {"seed": "22"},
    "no adversary": {"stages.0.gan": "0.0", "stages.1.gan": "0.0"},
    "no HSI branch": {"data.hsi_dropout": "1.0"},
    "attention window 1": {"network.options.window": "1"},
    "block fix alone": {"network.options.consistency": '"block"'},
    "all octaves at once": {"stages.0.octaves": BOTH},
}


class WithoutCube(Network):
    """A network that gets no cube, on every chip, whether it has one or not."""

    def applies(self, chip: EvalChip) -> bool:
        """Return true: all variants are judged on the same chips."""
        return True


@dataclass(frozen=True)
class FixedTiles:
    """A network on tiles that know nothing of each other."""

    network: SceneNetwork
    """What computes a tile, without a cube."""
    name: str = "plain, fixed tiles"
    """How the table calls it."""

    def applies(self, chip: EvalChip) -> bool:
        """Return true: any chip can be cut into tiles."""
        return True

    def predict(self, chip: EvalChip) -> list[Pixels]:
        """Compute tile after tile and put them side by side."""
        rows, cols = chip.lr.shape[1:]
        strips = []
        for row in range(0, rows, TILE):
            tiles = [self._tile(chip, row, col) for col in range(0, cols, TILE)]
            strips.append([np.concatenate(level, axis=2) for level in zip(*tiles, strict=True)])
        return [np.concatenate(level, axis=1) for level in zip(*strips, strict=True)]

    def _tile(self, chip: EvalChip, row: int, col: int) -> list[Pixels]:
        part = (..., slice(row, row + TILE), slice(col, col + TILE))
        rgb = torch.from_numpy(chip.radiometry.to_unit(chip.lr[part]))[None]
        with torch.inference_mode():
            octaves = self.network.octaves(rgb, gsd=chip.lr_gsd, scale=chip.scale)
        return [
            chip.radiometry.from_unit(octave[0].numpy()).round().clip(0, 255) for octave in octaves
        ]


def main() -> None:
    """Train what is missing, model all, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--teacher", type=Path, required=True, help="backbone used in training")
    parser.add_argument("--model", type=Path, required=True, help="another backbone")
    parser.add_argument("--limit", type=int, default=24, help="held-out chips")
    options = parser.parse_args()
    for name, changes in VARIANTS.items():
        train(options, name, changes)
    dataset = Dataset.open(options.dataset)
    statistics = dataset.statistics
    units = Units(statistics.rgb_low, statistics.rgb_high, SCALE)
    cpu = torch.device("cpu")
    model = PerceptualModel.load(options.model, statistics.rgb_low, statistics.rgb_high, cpu)
    methods: list[Method] = [Interpolation("bicubic")]
    for name in VARIANTS:
        weights = folder(options, name) / "weights.safetensors"
        network = load_network(weights, SCALE, dataset.bands, cpu)
        if name == "no HSI branch":
            methods.append(WithoutCube(name, network, variant="without HSI"))
        else:
            methods.append(Network(name, network))
    plain = load_network(
        folder(options, "plain") / "weights.safetensors", SCALE, dataset.bands, cpu
    )
    methods.append(WithoutCube("plain, without cubes", plain, variant="without HSI"))
    methods.append(FixedTiles(plain))
    borders = {method.name: Steps(SCALE * TILE) for method in methods}

    def watch(chip: EvalChip, method: str, outputs: list[Pixels]) -> None:
        if method in borders:
            borders[method].add(outputs[-1], np.ones(outputs[-1].shape[1:], bool))

    chips = (read_chip(dataset, record, SCALE) for record in held_out(dataset, options.limit))
    result = run(chips, methods, METRICS, units, model=model, watch=watch)
    report(result, borders)


def folder(options: argparse.Namespace, name: str) -> Path:
    """Return the run folder of a variant."""
    return Path(options.runs) / name.replace(", ", "-").replace(" ", "_")


def train(options: argparse.Namespace, name: str, changes: dict[str, str]) -> None:
    """Train one variant, unless it is there."""
    target = folder(options, name)
    if (target / "weights.safetensors").is_file():
        return
    words = ["train", str(options.dataset), "-o", str(target), "--config", str(CONFIG)]
    words += ["--perceptual", str(options.teacher)]
    for key, value in changes.items():
        words += ["--set", f"{key}={value}"]
    start = time.monotonic()
    subprocess.run([sys.executable, "-m", "specgan_cli", *words], check=True, capture_output=True)
    print(f"{name}: trained in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)


def held_out(dataset: Dataset, limit: int) -> list[ChipRecord]:
    """Return held-out chips, evenly spread."""
    chips = [chip for chip in dataset.chips if chip.split in ("val", "test")]
    count = min(limit, len(chips))
    return [chips[place * len(chips) // count] for place in range(count)]


def report(result: Evaluation, borders: dict[str, Steps]) -> None:
    """Print a line a variant."""
    print("| variant | " + " | ".join(METRICS) + f" | steps every {TILE} LR pixels |")
    print("|---" * (len(METRICS) + 2) + "|")
    for method in result.methods:
        cells = []
        for name in METRICS:
            interval = result.mean(name, method)
            cells.append(f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]")
        print(f"| {method} | " + " | ".join(cells) + f" | {borders[method].ratio():.3f} |")


if __name__ == "__main__":
    main()
