"""A small invented dataset and short configurations for the trainer's tests."""

from pathlib import Path

import numpy as np

from specgan_cli.datasets.dataset import ChipRecord, Sample
from support.datasets import DatasetWriter

TINY = {
    "channels": [8, 8, 8, 8, 8, 8],
    "bank_convs": [1, 1, 1, 1, 1],
    "encoder_channels": 8,
    "growth": 4,
    "dense_layers": 1,
    "dense_blocks": 1,
    "window": 3,
    "code": 8,
}
"""Options of a scene network that trains in moments."""

STAGES = """
recipe = "scene"
checkpoint_every = 4
log_every = 1
[network.options]
channels = [8, 8, 8, 8, 8, 8]
bank_convs = [1, 1, 1, 1, 1]
encoder_channels = 8
growth = 4
dense_layers = 1
dense_blocks = 1
window = 3
code = 8
[discriminator]
channels = 4
[validation]
every = 5
chips = 1
crop = 1
[[stages]]
octaves = [1, 1]
steps = 3
crop = 3
batch = 2
[[stages]]
octaves = [2, 3]
steps = 3
crop = 2
batch = 2
teacher = true
gan = 0.1
feature_matching = 0.1
r1_every = 2
[[stages]]
octaves = [1, 5]
steps = 4
crop = 1
batch = 1
accumulate = 2
gan = 0.1
"""
"""Ten steps through every kind of stage."""


def make_chip(rng: np.random.Generator, shape_yx: tuple[int, int], *, hsi: bool) -> Sample:
    """Return a chip of stripes and noise; its cube follows its colours."""
    height, width = shape_yx
    rows, columns = np.mgrid[:height, :width]
    angle = rng.uniform(0, np.pi)
    wave = np.sin((np.cos(angle) * rows + np.sin(angle) * columns) / rng.uniform(2, 9))
    rgb = 120 + 60 * wave[None] * rng.uniform(0.5, 1, (3, 1, 1)) + rng.normal(0, 5, (3, *shape_yx))
    rgb = rgb.clip(0, 255).astype(np.uint8)
    mask = np.ones(shape_yx, np.uint8)
    if not hsi:
        return Sample(rgb, mask, None, None, None, 0.3)
    coarse = rgb.astype(float).mean(0).reshape(height // 8, 8, width // 8, 8).mean((1, 3))
    cube = (coarse[None] * np.linspace(10, 30, 48)[:, None, None]).astype(np.int16)
    return Sample(rgb, mask, cube, np.ones(coarse.shape, np.uint8), 8, 0.1)


def make_dataset(folder: Path, *, side: int = 96) -> Path:
    """Write four chips with cubes, three without, and two of each kind for validation."""
    rng = np.random.default_rng(7)
    with DatasetWriter(folder) as writer:
        for index in range(11):
            hsi = index % 2 == 0
            split = "val" if index > 7 else "train"
            shape_yx = (side, side) if hsi or index % 3 else (side, side + 32)
            record = ChipRecord(
                id=f"chip{index}",
                split=split,
                group=f"{'pair' if hsi else 'rgb'}{index}",
                label=None,
                source=f"chip{index}.tif",
                hsi_source=f"cube{index}.tif" if hsi else None,
                hsi_kind="real" if hsi else "none",
                crs=None,
                bounds=None,
                gsd=0.1 if hsi else 0.3,
                shape_yx=shape_yx,
                shard="",
                index=0,
            )
            writer.add(record, make_chip(rng, shape_yx, hsi=hsi))
    return folder
