"""Chips of a dataset: what a network is given, and what its output is compared with."""

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specgan_cli.datasets.dataset import ChipRecord, Dataset
from specgan_cli.datasets.degradation import hsi_to_lr, resolved_levels
from specgan_cli.datasets.statistics import HSI_UNIT
from specgan_cli.evaluation.image_pair import Tile, whole
from specgan_cli.raster.radiometry import Radiometry, fill_invalid
from specgan_cli.resampling.cube_on_grid import FINEST
from specgan_cli.types import F64, Mask


@dataclass(frozen=True)
class CubeGrid:
    """A cube on one grid."""

    values: NDArray[np.float32]
    """Bands x h x w reflectance, 0..1."""
    valid: Mask
    """h x w."""


@dataclass(frozen=True)
class EvalChip:
    """One chip at one factor: the reference, the input that is made of it, and the cube."""

    record: ChipRecord
    """Its entry in the dataset."""
    scale: int
    """HR pixels along an LR pixel's side."""
    radiometry: Radiometry
    """Units of the pixels."""
    hr_reference: F64
    """3 x H x W, file units."""
    hr_valid: Mask
    """H x W."""
    lr: F64
    """3 x h x w, file units; invalid pixels are filled from their neighbours."""
    lr_valid: Mask
    """h x w."""
    cube: tuple[CubeGrid, ...]
    """The cube on the LR grid, and on those 2, 4, ... times finer that it resolves; empty without
    one."""
    kept: dict[str, tuple[Mask, Any]] = field(default_factory=dict, compare=False, repr=False)
    """What was measured of the reference, for all outputs that are compared with it."""

    @property
    def lr_gsd(self) -> float:
        """Side of an LR pixel, metres."""
        return self.record.gsd * self.scale

    def compare(self, hr_sr: F64) -> Tile:
        """Put an output, 3 x H x W in file units, beside the reference."""
        return whole(
            hr_sr,
            self.hr_reference,
            self.hr_valid,
            lr=self.lr,
            lr_valid=self.lr_valid,
            scale=self.scale,
            gsd=self.record.gsd,
            kept=self.kept,
        )


def read_chip(dataset: Dataset, record: ChipRecord, scale: int) -> EvalChip:
    """Read a chip and degrade it by the dataset's own operator.

    Rows and columns that are no multiple of the factor are cut off at the bottom and the right.

    Args:
        dataset: Open dataset.
        record: One of its chips.
        scale: Factor, a power of two.

    Raises:
        DatasetError: The pixels cannot be read.
    """
    sample = dataset.read(record)
    height, width = (side // scale * scale for side in sample.mask.shape)
    rgb, mask = sample.rgb[:, :height, :width], sample.mask[:height, :width]
    radiometry = Radiometry(str(rgb.dtype), dataset.statistics.rgb_low, dataset.statistics.rgb_high)
    rng = np.random.default_rng(zlib.crc32(record.id.encode()))
    lr, lr_mask = dataset.degradation.apply(
        rgb, mask, scale, rng, value_range=radiometry.high - radiometry.low
    )
    cube = []
    if sample.hsi is not None and sample.hsi_mask is not None and sample.hsi_factor:
        octaves = min(scale.bit_length() - 1, FINEST)  # as `upscale` reads it
        for level in range(resolved_levels(sample.hsi_factor, scale, octaves) + 1):
            pixels = scale >> level
            hsi, known = hsi_to_lr(sample.hsi, sample.hsi_mask, sample.hsi_factor, pixels)
            part = (slice(height // pixels), slice(width // pixels))
            values = hsi[:, *part] / np.float32(HSI_UNIT)
            cube.append(CubeGrid(values, known[part].astype(bool)))
    middle = (radiometry.low + radiometry.high) / 2
    return EvalChip(
        record=record,
        scale=scale,
        radiometry=radiometry,
        hr_reference=rgb.astype(np.float64),
        hr_valid=mask.astype(bool),
        lr=fill_invalid(lr, lr_mask.astype(bool), middle).astype(np.float64),
        lr_valid=lr_mask.astype(bool),
        cube=tuple(cube),
    )


def set_of(record: ChipRecord) -> str:
    """Name the set that a chip is reported under: its source's first folder and its cube's kind."""
    folder = record.source.split("/")[0] if "/" in record.source else "chips"
    return f"{folder}, simulated HSI" if record.hsi_kind == "simulated" else folder
