"""A small labelled dataset with cubes and places, and rasters, for the evaluation's tests."""

from pathlib import Path

import numpy as np
from scipy import ndimage

from specgan_cli.datasets.dataset import ChipRecord, Sample
from support.datasets import DatasetWriter

SIDE = 64


def picture(seed: int, side: int = SIDE) -> np.ndarray:
    """Return a 3 x side x side uint8 image of blobs and grain."""
    rng = np.random.default_rng(seed)
    blobs = ndimage.gaussian_filter(rng.normal(0, 1, (3, side, side)), (0, 5, 5), mode="wrap")
    image = 120 + 300 * blobs + rng.normal(0, 12, (3, side, side))
    return np.clip(image, 0, 255).astype(np.uint8)


def sample(seed: int, *, hsi: bool, side: int = SIDE) -> Sample:
    """Return a chip, a corner of which is masked when its seed is odd."""
    rgb, mask = picture(seed, side), np.ones((side, side), np.uint8)
    if seed % 2:
        rgb[:, :5, :7], mask[:5, :7] = 255, 0
    if not hsi:
        return Sample(rgb, mask, None, None, None, 0.3)
    cells = side // 8
    coarse = rgb.astype(float).mean(0).reshape(cells, 8, cells, 8).mean((1, 3))
    cube = (coarse[None] * np.linspace(10, 30, 48)[:, None, None]).astype(np.int16)
    return Sample(rgb, mask, cube, np.ones(coarse.shape, np.uint8), 8, 0.1)


def write_dataset(folder: Path, *, count: int = 8, side: int = SIDE) -> Path:
    """Write `count` validation chips, every other one with a cube, and two for training."""
    with DatasetWriter(folder) as writer:
        for index in range(count + 2):
            hsi = index % 2 == 0
            left, top = 500000 + 100 * index, 4600000 + 30 * index
            record = ChipRecord(
                id=f"chip{index}",
                split="val" if index < count else "train",
                group=f"place{index // 4}" if hsi else f"rgb{index}",
                label="field" if index % 3 else "road",
                source=f"{'pairs' if hsi else 'aerial'}/chip{index}.tif",
                hsi_source=f"pairs/cube{index}.tif" if hsi else None,
                hsi_kind="real" if hsi else "none",
                crs="EPSG:32618" if hsi else None,
                bounds=(left, top - 6.4, left + 6.4, top) if hsi else None,
                gsd=0.1 if hsi else 0.3,
                shape_yx=(side, side),
                shard="",
                index=0,
            )
            writer.add(record, sample(index, hsi=hsi, side=side))
    return folder
