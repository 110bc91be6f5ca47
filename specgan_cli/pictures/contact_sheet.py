"""One picture of many chips, to judge a dataset at a glance."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specgan.bands import Bands
from specgan_cli import png
from specgan_cli.datasets.dataset import ChipArrays, ChipRecord, Dataset
from specgan_cli.datasets.manifest import SPLITS
from specgan_cli.pictures.sheet import arrange

Picture = NDArray[np.uint8]

TILE = 96
"""Side of a chip's picture, pixels."""
CHIPS = 48
"""Chips on a sheet, about."""
_COLUMNS = 8
_GAP = 4
_BACKGROUND = 32
_MISSING = (200, 0, 200)
_FRAMES = {"train": (90, 160, 90), "val": (220, 170, 40), "test": (210, 70, 60)}
_VISIBLE_NM = (650.0, 550.0, 460.0)


def contact_sheet(dataset: Dataset, path: Path, chips: int = CHIPS) -> None:
    """Write a PNG of chips taken evenly from every split.

    Each entry shows the RGB above its cube in true colours (dark grey without one), framed green
    for training, yellow for validation, red for testing; missing pixels are magenta.

    Args:
        dataset: An open dataset.
        path: PNG to write.
        chips: About how many are shown.
    """
    shown = chosen(dataset.chips, chips)
    cols = min(_COLUMNS, len(shown))
    sheet = arrange([_entry(dataset, record) for record in shown], cols, _BACKGROUND)
    png.write(path, sheet.transpose(1, 2, 0))


def chosen(chips: Sequence[ChipRecord], count: int) -> list[ChipRecord]:
    """Take about `count` chips: of every split its share, and at least one; evenly spread."""
    if len(chips) <= count:
        return list(chips)
    shown: list[ChipRecord] = []
    for split in SPLITS:
        members = sorted(
            (chip for chip in chips if chip.split == split),
            key=lambda chip: (chip.hsi_kind, chip.label or "", chip.id),
        )
        share = min(len(members), max(1, round(count * len(members) / len(chips))))
        shown += [members[index * len(members) // share] for index in range(share) if members]
    return shown


def _entry(dataset: Dataset, record: ChipRecord) -> Picture:
    sample = dataset.read(record)
    low, high = dataset.statistics.rgb_low, dataset.statistics.rgb_high
    entry = np.empty((3, 2 * TILE + 3 * _GAP, TILE + 2 * _GAP), np.uint8)
    entry[:] = np.array(_FRAMES[record.split], np.uint8)[:, None, None]
    stretched = (sample.rgb.astype(np.float32) - low) * (255.0 / (high - low))
    rgb = _thumbnail(stretched, sample.mask)
    entry[:, _GAP : _GAP + TILE, _GAP:-_GAP] = rgb
    entry[:, 2 * _GAP + TILE : -_GAP, _GAP:-_GAP] = _cube(sample, dataset.bands)
    return entry


def _cube(sample: ChipArrays, bands: Bands) -> Picture:
    reflectance = sample.reflectance
    if reflectance is None or sample.hsi_mask is None:
        return np.full((3, TILE, TILE), _BACKGROUND, np.uint8)
    wavelengths = np.asarray(bands.wavelengths_nm)
    visible = reflectance[[int(np.abs(wavelengths - nm).argmin()) for nm in _VISIBLE_NM]]
    valid = visible[:, sample.hsi_mask != 0]
    white = float(np.percentile(valid, 99)) if valid.size else 1.0
    return _thumbnail(visible * (235.0 / max(white, 1e-6)), sample.hsi_mask)


def _thumbnail(values: NDArray[Any], mask: NDArray[Any]) -> Picture:
    """Fit an image into a square by its nearest pixels, on the background."""
    height, width = mask.shape
    longest = max(height, width)
    shape = max(1, TILE * height // longest), max(1, TILE * width // longest)
    rows = ((np.arange(shape[0]) + 0.5) * height / shape[0]).astype(int)
    cols = ((np.arange(shape[1]) + 0.5) * width / shape[1]).astype(int)
    picked = np.clip(values[:, rows[:, None], cols], 0, 255).astype(np.uint8)
    missing = np.array(_MISSING, np.uint8)[:, None, None]
    picture = np.full((3, TILE, TILE), _BACKGROUND, np.uint8)
    picture[:, : shape[0], : shape[1]] = np.where(mask[rows[:, None], cols], picked, missing)
    return picture
