"""Draw real ground that trained nothing: best, median and worst chips by rank, not by taste.

    python benchmarks/ground.py DATASET x4.json x8.json x32.json

The reports are those of `card.py`.  Chips of each ground are ranked by the first judge's distance
as a share of bicubic's.  Writes `docs/pictures/ground_x4.jpg` and so on.
"""

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

from specgan_cli.datasets.dataset import Dataset
from specgan_cli.evaluation.chips import EvalChip, read_chip
from specgan_cli.evaluation.methods import Interpolation, Method, Network, can_run, load_network
from specgan_cli.evaluation.report.colours import picture
from specgan_cli.pictures.captions import captioned

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
GROUNDS = ("ucmerced", "naip4")
WEIGHTS = ("specgan-scene", "specgan-scene-means")
TITLES = ("bicubic", "default", "--fidelity 1", "truth")
SIDE, GAP = 256, 6


def main() -> None:
    """Draw a picture for every report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("reports", nargs="+", type=Path, help="JSON of specgan evaluate")
    parser.add_argument("--each", type=int, default=1, help="chips of a rank and ground")
    options = parser.parse_args()
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    dataset = Dataset.open(options.dataset)
    records = {record.id: record for record in dataset.chips}
    for path in options.reports:
        report = json.loads(path.read_text("utf-8"))
        scale, cpu = report["scale"], torch.device("cpu")
        methods: list[Method] = [Interpolation("bicubic")]
        for name in WEIGHTS:
            network = load_network(name, scale, dataset.bands, cpu, 0.0)
            methods.append(Network(name, network, cpu))
        rows = [
            row(read_chip(dataset, records[chip], scale), methods, f"{rank}, {share:.2f}")
            for ground in GROUNDS
            for chip, rank, share in ranked(report["chips"], ground, options.each)
        ]
        Image.fromarray(np.concatenate(rows)).save(PICTURES / f"ground_x{scale}.jpg", quality=70)


def ranked(chips: list[dict[str, Any]], ground: str, each: int) -> list[tuple[str, str, float]]:
    """List the best, median and worst chips of a ground with their rank and share."""
    found: dict[str, dict[str, float]] = {"bicubic": {}, WEIGHTS[0]: {}}
    for chip in chips:
        if chip["set"] == ground and chip["method"] in found and chip["perceptual"] is not None:
            found[chip["method"]][chip["chip"]] = chip["perceptual"]
    shares = {name: far / found["bicubic"][name] for name, far in found[WEIGHTS[0]].items()}
    order = sorted(shares, key=lambda name: shares[name])
    middle = (len(order) - each) // 2
    places = {"best": 0, "median": middle, "worst": len(order) - each}
    return [
        (name, rank, shares[name])
        for rank, start in places.items()
        for name in order[start : start + each]
    ]


def row(chip: EvalChip, methods: list[Method], note: str) -> NDArray[np.uint8]:
    """Draw a chip: input, outputs, truth, and below them what they are."""
    low, high = chip.radiometry.low, chip.radiometry.high
    images = [picture(chip.lr, chip.lr_valid, low, high)]
    for method in methods:
        octaves = can_run(method, chip)
        assert octaves is not None
        images.append(picture(octaves[-1], chip.hr_valid, low, high))
    images.append(picture(chip.hr_reference, chip.hr_valid, low, high))
    panels = []
    for image in images:
        enlarged = Image.fromarray(image[..., :3]).resize((SIDE, SIDE), Image.Resampling.NEAREST)
        panels += [np.asarray(enlarged), np.full((SIDE, GAP, 3), 255, np.uint8)]
    sheet = np.concatenate(panels[:-1], axis=1)
    places = [number * (SIDE + GAP) for number in range(len(images))]
    captions = [f"{chip.lr_gsd:g} m ({note})", *TITLES]
    return captioned(sheet, captions, places, chip.record.gsd * chip.hr_valid.shape[1] / SIDE)


if __name__ == "__main__":
    main()
