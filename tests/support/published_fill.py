"""Weights that follow from a tensor's published name and shape, as the golden vectors used."""

import math
import re
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

DISCRIMINATOR_RULES: tuple[tuple[str, str], ...] = (
    (r"^stages\.0\.weight$", r"convs.0.0.conv.weight_orig"),
    (r"^stages\.0\.bias$", r"convs.0.1.bias"),
    (r"^stages\.(\d+)\.first\.weight$", r"convs.\1.conv1.0.conv.weight_orig"),
    (r"^stages\.(\d+)\.first\.bias$", r"convs.\1.conv1.1.bias"),
    (r"^stages\.(\d+)\.second\.weight$", r"convs.\1.conv2.1.conv.weight_orig"),
    (r"^stages\.(\d+)\.second\.bias$", r"convs.\1.conv2.2.bias"),
    (r"^stages\.(\d+)\.skip\.weight$", r"convs.\1.skip.1.conv.weight_orig"),
    (r"^last\.weight$", r"final_conv.0.conv.weight_orig"),
    (r"^last\.bias$", r"final_conv.1.bias"),
    (r"^hidden\.weight$", r"final_linear.0.linear.weight_orig"),
    (r"^hidden\.bias$", r"final_linear.0.bias"),
    (r"^score\.weight$", r"final_linear.1.linear.weight_orig"),
    (r"^score\.bias$", r"final_linear.1.bias"),
)
"""How a name of `PublishedDiscriminator` becomes the published one; all apply, in this order."""

GOLDEN = Path(__file__).parents[1] / "data" / "golden"

FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype(np.float32) / 64


def read_inventory(name: str) -> dict[str, tuple[tuple[int, ...], str, str]]:
    """Return shape, class and CRC-32 of every published tensor in a golden table."""
    rows = (GOLDEN / f"{name}_state_dict.tsv").read_text().splitlines()
    inventory = {}
    for row in rows:
        if row.startswith("#"):
            continue
        key, shape, _, _, kind, crc = row.split("\t")
        inventory[key] = (tuple(int(n) for n in shape.split(",")), kind, crc)
    return inventory


def fill(key: str, shape: tuple[int, ...], kind: str) -> np.ndarray:
    """Return the golden float32 numbers of one tensor."""
    if kind == "KEEP":
        doubles = re.search(r"(upsample|blur)\.kernel$", key)
        return FILTER * np.float32(4 if doubles else 1)
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode())))
    values = generator.standard_normal(size=shape, dtype=np.float32)
    if kind == "MOD_BIAS":
        return np.float32(1) + values * np.float32(0.1)
    if kind in ("BIAS", "NOISE_STRENGTH"):
        return values * np.float32(0.1)
    gains = {"FUSION": 0.9, "DENSE": 1.3, "ATTN_QK": 2.0}
    if kind in gains:
        return values * np.float32(gains[kind] / math.sqrt(math.prod(shape[1:])))
    return values


def fill_published(name: str) -> dict[str, Tensor]:
    """Return all tensors of a golden table, by published name."""
    return {
        key: torch.from_numpy(fill(key, shape, kind))
        for key, (shape, kind, _) in read_inventory(name).items()
    }


def crc32(values: Tensor) -> str:
    """Return the CRC-32 of a tensor's bytes as the golden tables write it."""
    return f"{zlib.crc32(values.detach().contiguous().numpy().tobytes()):08x}"


def uniform(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return PCG64 draws from [-1, 1), float64 cast to float32."""
    draws = np.random.Generator(np.random.PCG64(seed)).uniform(-1, 1, size=shape)
    return draws.astype(np.float32)


def statistics(values: Tensor) -> np.ndarray:
    """Return mean, biased standard deviation, least and greatest, as the golden files do."""
    array = values.detach().double().numpy()
    return np.array([array.mean(), array.std(), array.min(), array.max()])


def decimate(values: Tensor) -> np.ndarray:
    """Thin a tensor out as the golden files do."""
    array = values.detach().numpy()
    if array.ndim == 4:
        _, channels, height, width = array.shape
        steps = max(1, channels // 32), max(1, height // 16), max(1, width // 16)
        return array[:, :: steps[0], :: steps[1], :: steps[2]]
    step = max(1, array.shape[1] // 64)
    return array[:, ::step, ::step] if array.ndim == 3 else array
