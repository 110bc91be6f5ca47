"""How often the truth lies within one and two sigma of the output, sigma the spread over seeds.

    python benchmarks/calibration.py DATASET -x 8 --weights specgan-scene --chips 24 --samples 4

Chips of the split that is named; sigma of a pixel is that of `upscale --uncertainty`: the root mean
square over the bands of the standard deviation over the seeds.  A calibrated one has 0.68 and 0.95.
`factor` is what sigma would have to be multiplied by for the first.  Prints one JSON line.
"""

import argparse
import json

import numpy as np
import torch

from specgan_cli.datasets.dataset import Dataset
from specgan_cli.evaluation.chips import EvalChip, read_chip
from specgan_cli.evaluation.methods import Network, load_network
from specgan_cli.types import F64

ONE_SIGMA, TWO_SIGMA = 0.6827, 0.9545
"""Shares of a normal distribution within one and two standard deviations."""


def main() -> None:
    """Measure the chips, and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dataset")
    parser.add_argument("-x", "--scale", type=int, default=8)
    parser.add_argument("--weights", default="specgan-scene")
    parser.add_argument("--split", default="val")
    parser.add_argument("--chips", type=int, default=24)
    parser.add_argument("--samples", type=int, default=4)
    options = parser.parse_args()
    dataset = Dataset.open(options.dataset)
    device = torch.device("cpu")
    network = load_network(options.weights, options.scale, dataset.bands, device)
    records = dataset.split(options.split)
    step = max(1, len(records) // options.chips)
    ratios, sigmas, errors = [], [], []
    for record in records[::step][: options.chips]:
        chip = read_chip(dataset, record, options.scale)
        error, sigma = measure(Network("network", network, device), chip, options.samples)
        ratios.append((error / np.maximum(sigma, 1e-9)).ravel())
        sigmas.append(float(np.sqrt((sigma**2).mean())))
        errors.append(float(np.sqrt((error**2).mean())))
    ratio = np.concatenate(ratios)
    result = {
        "weights": options.weights,
        "scale": options.scale,
        "split": options.split,
        "chips": len(ratios),
        "samples": options.samples,
        "within_1_sigma": round(float((ratio <= 1).mean()), 3),
        "within_2_sigma": round(float((ratio <= 2).mean()), 3),
        "calibrated": [ONE_SIGMA, TWO_SIGMA],
        "rms_sigma": round(float(np.mean(sigmas)), 2),
        "rms_error": round(float(np.mean(errors)), 2),
        "factor": round(float(np.quantile(ratio, ONE_SIGMA)), 1),
    }
    print(json.dumps(result))


def measure(network: Network, chip: EvalChip, samples: int) -> tuple[F64, F64]:
    """Return the error of the first seed and the spread over all.

    Args:
        network: The network.
        chip: The chip.
        samples: Seeds.

    Returns:
        Bands x N absolute errors, and N spreads, at the N valid pixels, in file units.
    """
    outputs = np.stack([network.with_seed(seed).predict(chip)[-1] for seed in range(samples)])
    sigma = np.sqrt(outputs.var(axis=0, ddof=1).mean(axis=0))
    error = np.abs(outputs[0] - chip.hr_reference)
    return error[:, chip.hr_valid], sigma[chip.hr_valid]


if __name__ == "__main__":
    main()
