"""Shards of a dataset: arrays of chips of equal shape, one `.npy` file per kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specgan import files
from specgan.bands import CANONICAL_BANDS
from specgan_cli.datasets.manifest import FileRecord, ShardRecord, Split
from specgan_cli.datasets.statistics import HSI_UNIT
from specgan_cli.errors import DatasetError
from specgan_cli.types import F32


@dataclass(frozen=True)
class ChipArrays:
    """The pixels of one chip, in stored units."""

    rgb: NDArray[Any]
    """3 x H x W, uint8 or uint16, at full HR resolution."""
    mask: NDArray[np.uint8]
    """H x W, 1 where the RGB is valid."""
    hsi: NDArray[np.int16] | None
    """48 x H/hsi_factor x W/hsi_factor, reflectance x 10000; None without HSI."""
    hsi_mask: NDArray[np.uint8] | None
    """H/hsi_factor x W/hsi_factor, 1 where the HSI is valid; None without HSI."""
    hsi_factor: int | None
    """HR pixels per HSI pixel; None without HSI."""
    gsd: float
    """Size of an HR pixel, metres."""

    @property
    def reflectance(self) -> F32 | None:
        """The cube as float32 reflectance, 0..1; None without HSI."""
        return None if self.hsi is None else self.hsi.astype(np.float32) / np.float32(HSI_UNIT)


def shard_path(folder: Path, name: str, kind: str) -> Path:
    """Return where a shard keeps one kind of array."""
    return folder / "shards" / f"{name}.{kind}.npy"


def read_shard(
    folder: Path, shard: ShardRecord, bands: int = len(CANONICAL_BANDS)
) -> dict[str, NDArray[Any]]:
    """Memory-map the arrays of a shard, read-only.

    Args:
        folder: Dataset folder.
        shard: The shard.
        bands: Bands of its cubes.

    Raises:
        DatasetError: A file is missing, damaged, or has another shape than its record says.
    """
    arrays = {}
    for kind in shard.files:
        path = shard_path(folder, shard.name, kind)
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"{path} cannot be read ({error}); prepare the dataset again"
            ) from None
        factor = (shard.hsi_factor or 1) if kind.startswith("hsi") else 1
        layers = {"rgb": (3,), "hsi": (bands,)}.get(kind, ())
        expected = (shard.count, *layers, *(length // factor for length in shard.shape_yx))
        if array.shape != expected or array.dtype.kind not in "ui":
            raise DatasetError(
                f"{path} holds {array.dtype} of shape {array.shape}, expected whole numbers of "
                f"{expected}; prepare the dataset again"
            )
        arrays[kind] = array
    return arrays


def write_shard(
    folder: Path, name: str, split: Split, samples: Sequence[ChipArrays]
) -> ShardRecord:
    """Write chips of equal shape as one shard.

    Args:
        folder: Dataset folder; `shards` is made when missing.
        name: Name of the shard.
        split: Part of the dataset.
        samples: At least one; all of the same shapes, types and HSI factor.

    Raises:
        ValueError: The samples differ in shape or kind.
    """
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    first = samples[0]
    kinds: dict[str, list[Any]] = {
        "rgb": [sample.rgb for sample in samples],
        "mask": [sample.mask for sample in samples],
    }
    if len({sample.hsi_factor for sample in samples}) > 1:
        raise ValueError(f"chips of shard {name} have different HSI factors")
    if first.hsi_factor is not None:
        kinds["hsi"] = [sample.hsi for sample in samples]
        kinds["hsi_mask"] = [sample.hsi_mask for sample in samples]
    records = {}
    for kind, arrays in kinds.items():
        records[kind] = _write_array(shard_path(folder, name, kind), np.stack(arrays))
    shape_yx = (int(first.rgb.shape[1]), int(first.rgb.shape[2]))
    return ShardRecord(name, split, len(samples), shape_yx, first.hsi_factor, records)


def _write_array(path: Path, array: NDArray[Any]) -> FileRecord:
    np.save(path, np.ascontiguousarray(array), allow_pickle=False)
    return file_record(path)


def file_record(path: Path) -> FileRecord:
    """Hash and measure a file."""
    return FileRecord(files.sha256(path), path.stat().st_size)
