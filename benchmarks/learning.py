#!/usr/bin/env python3
"""Compare how fast networks learn: the scene network beside a plain residual network.

    python benchmarks/learning.py recipes/neon_ucmerced/ucmerced.csv --root DATA

Trains each network on one thread on the chips of the list's train split, on the root mean square
(or the mean absolute) difference at one factor, and prints the gain in PSNR over bicubic
interpolation on all chips of its val split after so many CPU minutes.  LR images are block means in
whole grey levels; the outermost LR pixel is left out of the PSNR.  The plain network: a 3x3
convolution, residual blocks at LR, pixel shuffles, on bicubic interpolation with the block means
put back; Adam 5e-4 on a cosine.
"""

import argparse
import copy
import csv
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import rasterio
import torch
from torch import Tensor, nn
from torch.nn import functional

from specgan.objectives.losses import masked_l1, masked_rms
from specgan.scene.network import SceneNetwork
from specgan_cli.training.recipes.muon import Muon

LOSSES = {"rms": masked_rms, "l1": masked_l1}
SIDE = 256
GSD = 0.3


class Plain(nn.Module):
    """The plain residual network of one factor."""

    def __init__(self, *, channels: int, blocks: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(channels, channels, 3, padding=1),
            )
            for _ in range(blocks)
        )
        doublings = scale.bit_length() - 1
        self.up = nn.Sequential(
            *(
                layer
                for _ in range(doublings)
                for layer in (nn.Conv2d(channels, 4 * channels, 3, padding=1), nn.PixelShuffle(2))
            )
        )
        self.tail = nn.Conv2d(channels, 3, 3, padding=1)
        nn.init.zeros_(self.tail.weight)

    def forward(self, lr: Tensor) -> Tensor:
        """Enlarge N x 3 x H x W in [-1, 1]."""
        first = features = self.head(lr)
        for block in self.body:
            features = features + 0.5 * block(features)
        fine = self.tail(self.up(first + features)).float() + enlarge(lr, self.scale)
        error = lr - functional.avg_pool2d(fine, self.scale)
        return fine + functional.interpolate(error, scale_factor=self.scale, mode="nearest")


def enlarge(lr: Tensor, scale: int) -> Tensor:
    """Enlarge bicubically."""
    return functional.interpolate(lr, scale_factor=scale, mode="bicubic", align_corners=False)


def read_chips(path: Path, root: Path, split: str) -> np.ndarray:
    """Read the chips of a split: N x 3 x 256 x 256."""
    chips = []
    with path.open() as file:
        for row in csv.DictReader(file):
            if row["split"] == split:
                with rasterio.open(root / row["rgb"]) as image:
                    chips.append(image.read([1, 2, 3]))
    return np.stack([c[:, :SIDE, :SIDE] for c in chips if min(c.shape[1:]) >= SIDE])


def lower(truth: Tensor, scale: int) -> Tensor:
    """Return block means in whole grey levels."""
    return whole(functional.avg_pool2d(truth, scale))


def whole(image: Tensor) -> Tensor:
    """Round to whole grey levels."""
    return ((image.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def batches(
    chips: np.ndarray, scale: int, count: int, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield LR crops and their truths for ever."""
    rng = np.random.default_rng(seed)
    side = max(128, 8 * scale)
    while True:
        crops = []
        for index in rng.integers(0, len(chips), count):
            row, col = rng.integers(0, SIDE + 1 - side, 2)
            crop = chips[index][:, row : row + side, col : col + side]
            crop = crop[:, :: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
            crops.append(crop.transpose(0, 2, 1) if rng.random() < 0.5 else crop)
        truth = torch.from_numpy(np.stack(crops)).float() / 127.5 - 1
        yield lower(truth, scale).contiguous(memory_format=torch.channels_last), truth


@torch.no_grad()
def gain(predict: Callable[[Tensor], Tensor], chips: np.ndarray, scale: int) -> float:
    """Return the mean gain over bicubic interpolation in decibels."""

    def psnr(image: Tensor, truth: Tensor) -> float:
        error = (whole(image.float()) - truth)[..., scale:-scale, scale:-scale]
        return 10 * math.log10(4 / float(error.square().mean()))

    gains = []
    for chip in chips:
        truth = torch.from_numpy(chip[None]).float() / 127.5 - 1
        lr = lower(truth, scale).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            found = predict(lr)
        gains.append(psnr(found, truth) - psnr(enlarge(lr, scale), truth))
    return float(np.mean(gains))


def learn(
    network: nn.Module,
    call: Callable[[nn.Module, Tensor], Tensor],
    optimiser: torch.optim.Optimizer,
    chips: tuple[np.ndarray, np.ndarray],
    options: argparse.Namespace,
    scale: int,
    count: int,
) -> list[float]:
    """Train for the largest of `options.minutes`, and return the gain after each of them."""
    rates = [group["lr"] for group in optimiser.param_groups]
    average = copy.deepcopy(network)
    draws, gains, left = batches(chips[0], scale, count, options.seed), [], list(options.minutes)
    start, step = time.process_time(), 0
    while left:
        spent = (time.process_time() - start) / 60
        if spent >= left[0]:
            before = time.process_time()
            gains.append(gain(lambda lr: call(average, lr), chips[1], scale))
            print(f"  x{scale} {left.pop(0):g} min {step} steps {gains[-1]:+.3f} dB", flush=True)
            start += time.process_time() - before
            continue
        share = 0.02 + 0.49 * (1 + math.cos(math.pi * min(1.0, spent / options.minutes[-1])))
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * share * min(1.0, (step + 1) / 20)
        lr, truth = next(draws)
        with torch.autocast("cpu", torch.bfloat16):
            found = call(network, lr)
        optimiser.zero_grad()
        LOSSES[options.loss](found.float(), truth, torch.ones_like(truth[:, :1])).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            weight = 1 - min(0.99, (step + 1) / (step + 10))
            for mean, value in zip(average.parameters(), network.parameters(), strict=True):
                mean.lerp_(value, weight)
        step += 1
    return gains


def scene_call(scale: int) -> Callable[[nn.Module, Tensor], Tensor]:
    """Return how the scene network is called, in training and in validation."""

    def call(network: nn.Module, lr: Tensor) -> Tensor:
        assert isinstance(network, SceneNetwork)
        return network.octaves(lr, gsd=GSD * scale, scale=scale, seed=None, local=True)[-1]

    return call


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("list", type=Path)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 5, 12])
    parser.add_argument("--scales", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--networks", nargs="+", default=["plain", "scene"])
    parser.add_argument("--lr", type=float, default=0.006, help="Muon's learning rate")
    parser.add_argument("--loss", choices=tuple(LOSSES), default="rms")
    parser.add_argument("--count", type=int, default=4, help="crops a step of the scene network")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    chips = tuple(read_chips(options.list, options.root, split) for split in ("train", "val"))
    rows = []
    for scale in options.scales:
        for name in options.networks:
            print(f"{name}, x{scale}: {len(chips[0])} chips to train, {len(chips[1])} to judge")
            torch.manual_seed(options.seed)
            if name == "plain":
                network: nn.Module = Plain(channels=64, blocks=8 if scale == 4 else 12, scale=scale)
                optimiser: torch.optim.Optimizer = torch.optim.Adam(
                    network.parameters(), lr=5e-4, betas=(0.9, 0.99)
                )
                call, count = (lambda network, lr: network(lr)), 8
            else:
                network = SceneNetwork.preset("base")
                optimiser = Muon(
                    network.parameters(), momentum=0.95, weight_decay=0.02, betas=(0.9, 0.99)
                )
                for group in optimiser.param_groups:
                    group["lr"] = options.lr
                call, count = scene_call(scale), options.count
            network = network.to(memory_format=torch.channels_last)
            gains = learn(network, call, optimiser, chips, options, scale, count)
            rows.append((scale, name, gains))
    print("| factor | network |" + "".join(f" {m:g} min |" for m in options.minutes))
    for scale, name, gains in rows:
        print(f"| x{scale} | {name} |" + "".join(f" {g:+.3f} dB |" for g in gains))


if __name__ == "__main__":
    main()
