"""Small invented datasets, written chip by chip."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from specgan.bands import CANONICAL_BANDS
from specgan_cli.datasets.dataset import ChipArrays, ChipRecord
from specgan_cli.datasets.degradation import Degradation
from specgan_cli.datasets.manifest import Manifest, Rejected
from specgan_cli.datasets.shards import write_shard
from specgan_cli.datasets.statistics import BandTotals, statistics, sum_totals

SIDE = 64


def chip_record(name: str, sample: ChipArrays, **fields: Any) -> ChipRecord:
    """Return the record of a training chip without a place, changed as `fields` say."""
    hsi = sample.hsi is not None
    record = ChipRecord(
        id=name,
        split="train",
        group=name,
        label=None,
        source=f"{name}.tif",
        hsi_source=f"{name}_hsi.tif" if hsi else None,
        hsi_kind="real" if hsi else "none",
        crs=None,
        bounds=None,
        gsd=sample.gsd,
        shape_yx=(sample.rgb.shape[1], sample.rgb.shape[2]),
        shard="",
        index=0,
    )
    return replace(record, **fields)


def save_chips(
    folder: Path,
    chips: Iterable[tuple[ChipRecord, ChipArrays]],
    *,
    degradation: Degradation | None = None,
    rejected: tuple[Rejected, ...] = (),
) -> Path:
    """Write chips as a dataset; those of one split, shape and kind share a shard."""
    groups: dict[Any, list[tuple[ChipRecord, ChipArrays]]] = {}
    for record, sample in chips:
        key = (record.split, sample.rgb.shape, sample.rgb.dtype.str, sample.hsi_factor or 0)
        groups.setdefault(key, []).append((record, sample))
    folder.mkdir(parents=True)
    shards, records, rgb, hsi = [], [], [], []
    for members in groups.values():
        split = members[0][0].split
        number = sum(shard.split == split for shard in shards)
        name = f"{split}-{number:04d}"
        shards.append(write_shard(folder, name, split, [sample for _, sample in members]))
        for index, (record, sample) in enumerate(members):
            records.append(replace(record, shard=name, index=index))
            if split == "train":
                rgb.append(BandTotals.of(sample.rgb, sample.mask))
                if sample.hsi is not None and sample.hsi_mask is not None:
                    hsi.append(BandTotals.of(sample.hsi, sample.hsi_mask))
    Manifest(
        scale=32,
        degradation=degradation or Degradation(),
        statistics=statistics(
            sum_totals(rgb, 3), sum_totals(hsi, len(CANONICAL_BANDS)), 0.0, 255.0
        ),
        shards=tuple(shards),
        chips=tuple(records),
        rejected=rejected,
    ).write(folder)
    return folder


def with_cube(rgb: np.ndarray, mask: np.ndarray) -> ChipArrays:
    """Return a chip of 0.1 m whose cube, of 8 x 8 pixels each, follows its brightness."""
    height, width = (length // 8 for length in mask.shape)
    coarse = rgb.astype(float).mean(0).reshape(height, 8, width, 8).mean((1, 3))
    cube = (coarse[None] * np.linspace(10, 30, 48)[:, None, None]).astype(np.int16)
    return ChipArrays(rgb, mask, cube, np.ones(coarse.shape, np.uint8), 8, 0.1)


def striped_chip(rng: np.random.Generator, shape_yx: tuple[int, int], *, hsi: bool) -> ChipArrays:
    """Return a chip of stripes and noise."""
    rows, cols = np.mgrid[: shape_yx[0], : shape_yx[1]]
    angle = rng.uniform(0, np.pi)
    wave = np.sin((np.cos(angle) * rows + np.sin(angle) * cols) / rng.uniform(2, 9))
    rgb = 120 + 60 * wave[None] * rng.uniform(0.5, 1, (3, 1, 1)) + rng.normal(0, 5, (3, *shape_yx))
    rgb = rgb.clip(0, 255).astype(np.uint8)
    mask = np.ones(shape_yx, np.uint8)
    return with_cube(rgb, mask) if hsi else ChipArrays(rgb, mask, None, None, None, 0.3)


def make_training_dataset(folder: Path, *, side: int = 96) -> Path:
    """Write four chips with cubes, three without, and two of each kind for validation."""
    rng = np.random.default_rng(7)
    chips = []
    for index in range(11):
        hsi = index % 2 == 0
        shape_yx = (side, side) if hsi or index % 3 else (side, side + 32)
        sample = striped_chip(rng, shape_yx, hsi=hsi)
        split = "val" if index > 7 else "train"
        group = f"{'pair' if hsi else 'rgb'}{index}"
        chips.append((chip_record(f"chip{index}", sample, split=split, group=group), sample))
    return save_chips(folder, chips)


def blobs(seed: int, side: int = SIDE) -> np.ndarray:
    """Return a 3 x side x side uint8 image of blobs and grain."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(0, 1, (3, side, side)), (0, 5, 5), mode="wrap")
    image = 120 + 300 * smooth + rng.normal(0, 12, (3, side, side))
    return np.clip(image, 0, 255).astype(np.uint8)


def blob_chip(seed: int, *, hsi: bool, side: int = SIDE) -> ChipArrays:
    """Return a chip, a corner of which is masked when its seed is odd."""
    rgb, mask = blobs(seed, side), np.ones((side, side), np.uint8)
    if seed % 2:
        rgb[:, :5, :7], mask[:5, :7] = 255, 0
    return with_cube(rgb, mask) if hsi else ChipArrays(rgb, mask, None, None, None, 0.3)


def make_evaluation_dataset(folder: Path, *, count: int = 8, side: int = SIDE) -> Path:
    """Write `count` labelled validation chips, every other with a cube, and two for training."""
    chips = []
    for index in range(count + 2):
        hsi = index % 2 == 0
        sample = blob_chip(index, hsi=hsi, side=side)
        left, top = 500000 + 100 * index, 4600000 + 30 * index
        record = chip_record(
            f"chip{index}",
            sample,
            split="val" if index < count else "train",
            group=f"place{index // 4}" if hsi else f"rgb{index}",
            label="field" if index % 3 else "road",
            source=f"{'pairs' if hsi else 'aerial'}/chip{index}.tif",
            crs="EPSG:32618" if hsi else None,
            bounds=(left, top - 6.4, left + 6.4, top) if hsi else None,
        )
        chips.append((record, sample))
    return save_chips(folder, chips)
