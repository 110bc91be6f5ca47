"""Measure what `upscale --uncertainty` is calibrated by, and how well that holds elsewhere.

    python benchmarks/calibration.py DATASET --weights specgan-scene --chips 6 \
        --into models/specgan/weights/specgan-scene-uncertainty.json

DATASET holds ground that trained nothing: the split that is named.  Its sets (first folders) are
the grounds.  Each chip is computed at x32 and at x8 with four seeds; every octave of both is
compared with the truth averaged to its pixels.  Chips with a cube are also computed with it.
The three factors of a scale (see
`specgan_cli/inference/calibration.py`) are those whose sigma has 68 % of the errors within 1 and
95 % within 2, each ground counting the same.  Cross-validated by ground: the shares that are
printed and written are of the ground that was left out of the fit.  Takes some minutes of a core.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize

from specgan import checkpoints
from specgan.scene.config import SCALES
from specgan.serde import to_plain
from specgan_cli.datasets.dataset import Dataset
from specgan_cli.evaluation.chips import EvalChip, read_chip, set_of
from specgan_cli.evaluation.methods import Network, load_network
from specgan_cli.inference.calibration import Calibration, Factors
from specgan_cli.inference.uncertainty import REACH, local_contrast
from specgan_cli.types import F64

SHARES = (0.6827, 0.9545)
"""Shares of a normal distribution within one and two standard deviations."""
FACTORS = (8, 32)
GUIDED = ", guided"
"""Ends the name of a ground whose chips were given their cube."""
PIXELS = 800
"""Pixels of each chip and octave that are kept."""


@dataclass(frozen=True)
class Samples:
    """Pixels of one ground at one scale, of values in [-1, 1]."""

    error: F64
    """N x 3: output minus truth, absolute."""
    contrast: F64
    """N."""
    spread: F64
    """N."""


Found = dict[int, dict[str, list[Samples]]]


def main() -> None:
    """Measure, fit, cross-validate, print a table and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dataset")
    parser.add_argument("--weights", default="specgan-scene")
    parser.add_argument("--split", default="val")
    parser.add_argument("--chips", type=int, default=6, help="of each ground")
    parser.add_argument("--samples", type=int, default=4, help="seeds")
    parser.add_argument("--into", type=Path)
    options = parser.parse_args()
    dataset = Dataset.open(options.dataset)
    device = torch.device("cpu")
    network = load_network(options.weights, max(FACTORS), dataset.bands, device)
    sets = defaultdict(list)
    for record in dataset.split(options.split):
        sets[set_of(record)].append(record)
    found: Found = defaultdict(lambda: defaultdict(list))
    for ground, records in sorted(sets.items()):
        for record in records[:: max(1, len(records) // options.chips)][: options.chips]:
            for factor in FACTORS:
                chip = read_chip(dataset, record, factor)
                for variant in ("without HSI", "with") if chip.cube else ("without HSI",):
                    method = Network("network", network, device, variant)
                    name = ground + GUIDED if variant == "with" else ground
                    for scale, pixels in measure(method, chip, options.samples):
                        found[scale][name].append(pixels)
        print(ground, "measured", flush=True)
    calibration = Calibration(
        checkpoints.sha256(options.weights),
        tuple(sorted(sets)),
        tuple(cross_validate(scale, found[scale]) for scale in sorted(found)),
    )
    if options.into:
        options.into.write_text(json.dumps(to_plain(calibration), indent=1) + "\n")


def measure(method: Network, chip: EvalChip, seeds: int) -> Iterator[tuple[int, Samples]]:
    """Yield scale and pixels of every octave of a chip."""
    half = (chip.radiometry.high - chip.radiometry.low) / 2
    runs = [method.with_seed(seed).predict(chip) for seed in range(seeds)]
    padded = np.pad(chip.radiometry.to_unit(chip.lr), ((0, 0), *((REACH, REACH),) * 2), "symmetric")
    rng = np.random.default_rng(0)
    for level in range(len(runs[0])):
        scale = 2 << level
        side = chip.scale // scale
        blocks = (-1, chip.hr_valid.shape[0] // side, side, chip.hr_valid.shape[1] // side, side)
        truth = chip.hr_reference.reshape(blocks).mean((2, 4))
        valid = chip.hr_valid.reshape(blocks[1:]).all((1, 3))
        outputs = np.stack([run[level] for run in runs]) / half
        chosen = rng.permutation(np.flatnonzero(valid))[:PIXELS]
        contrast = local_contrast(torch.from_numpy(padded), scale).numpy()
        spread = np.sqrt(outputs.var(axis=0, ddof=1).mean(axis=0))
        error = np.abs(outputs[0] - truth / half).reshape(3, -1).T
        yield scale, Samples(error[chosen], contrast.ravel()[chosen], spread.ravel()[chosen])


def joined(parts: list[Samples]) -> Samples:
    """Return the pixels of several chips as one."""
    return Samples(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0]))
    )


def sigma_of(factors: F64, pixels: Samples) -> F64:
    """Return sigma at pixels, of floor, contrast and spread."""
    terms = (factors[0], factors[1] * pixels.contrast, factors[2] * pixels.spread)
    return np.sqrt(sum(np.square(term) for term in terms))


def fit(grounds: dict[str, Samples]) -> F64:
    """Return floor, contrast and spread: quantile regression, each ground of the same weight."""

    def loss(logs: F64) -> float:
        total = 0.0
        for pixels in grounds.values():
            sigma = sigma_of(np.exp(logs), pixels)[:, None]
            for times, share in zip((1, 2), SHARES, strict=True):
                over = np.log(np.maximum(pixels.error, 1e-4)) - np.log(times * sigma)
                total += float(np.mean(np.maximum(share * over, (share - 1) * over)))
        return total

    starts = [np.log([0.02, share, 1.0]) for share in (0.3, 1.0)]
    best = min(
        (minimize(loss, start, method="Nelder-Mead") for start in starts), key=lambda r: r.fun
    )
    return np.exp(best.x)


def within(factors: F64, pixels: Samples) -> tuple[float, float]:
    """Return the shares of errors within one and two sigma."""
    ratio = pixels.error / sigma_of(factors, pixels)[:, None]
    return float((ratio <= 1).mean()), float((ratio <= 2).mean())


def cross_validate(scale: int, chips: dict[str, list[Samples]]) -> Factors:
    """Fit all grounds of a scale, and print what a fit without each says of it.

    Grounds with their guide are not fitted, but judged by a fit without that ground.
    """
    plain = [name for name in chips if not name.endswith(GUIDED)]
    if len(plain) == 1:  # then chip by chip, which says less of other ground
        chips = {f"chip {i}": [part] for i, part in enumerate(chips[plain[0]])}
        plain = list(chips)
    grounds = {name: joined(parts) for name, parts in chips.items()}
    held = {}
    for name, pixels in grounds.items():
        left_out = name.removesuffix(GUIDED)
        held[name] = within(fit({n: grounds[n] for n in plain if n != left_out}), pixels)
    factors = fit({name: grounds[name] for name in plain})
    shares = " | ".join(f"{one:.0%}, {two:.0%}" for one, two in held.values())
    if scale == min(SCALES):
        print("| factor | floor | contrast | spread |", " | ".join(held), "|", flush=True)
    floor, contrast, spread = (round(float(value), 4) for value in factors)
    print(f"| x{scale} | {floor} | {contrast} | {spread} | {shares} |", flush=True)
    one, two = (round(float(np.mean([held[n][i] for n in plain])), 3) for i in (0, 1))
    return Factors(scale, floor, contrast, spread, (one, two))


if __name__ == "__main__":
    main()
