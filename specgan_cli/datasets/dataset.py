"""A training dataset on disk: shards of chips, readable with numpy alone."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specgan.bands import Bands
from specgan_cli.datasets.degradation import Degradation
from specgan_cli.datasets.manifest import (
    ChipRecord,
    FileRecord,
    Manifest,
    ShardRecord,
    Split,
    Statistics,
    read_manifest,
)
from specgan_cli.datasets.shards import ChipArrays, file_record, read_shard, shard_path
from specgan_cli.errors import DatasetError

__all__ = ["ChipArrays", "ChipRecord", "Dataset", "check"]

Crop = tuple[int, int, int, int]


@dataclass
class Dataset:
    """A prepared dataset, opened for reading; arrays are memory-mapped on first use."""

    path: Path
    """Folder."""
    manifest: Manifest
    """Table of contents."""
    _shards: dict[str, ShardRecord] = field(default_factory=dict, repr=False)
    _arrays: dict[str, dict[str, NDArray[Any]]] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, path: str | Path) -> "Dataset":
        """Open a dataset folder.

        Raises:
            DatasetError: There is no dataset there, or a file of it is missing or has another size.
        """
        folder = Path(path)
        manifest = read_manifest(folder)
        for shard in manifest.shards:
            for kind, entry in shard.files.items():
                _check_size(shard_path(folder, shard.name, kind), entry)
        return cls(folder, manifest, {shard.name: shard for shard in manifest.shards})

    @property
    def scale(self) -> int:
        """Largest factor that every chip's size divides by."""
        return self.manifest.scale

    @property
    def bands(self) -> Bands:
        """Bands of the cubes."""
        return self.manifest.bands

    @property
    def statistics(self) -> Statistics:
        """Statistics of the training split."""
        return self.manifest.statistics

    @property
    def degradation(self) -> Degradation:
        """The operator that makes LR from HR."""
        return self.manifest.degradation

    @property
    def chips(self) -> tuple[ChipRecord, ...]:
        """Every chip, by shard and index."""
        return self.manifest.chips

    def split(self, name: Split) -> tuple[ChipRecord, ...]:
        """Return the chips of one split."""
        return tuple(chip for chip in self.chips if chip.split == name)

    def hsi_factor(self, record: ChipRecord) -> int | None:
        """Return a chip's HR pixels per HSI pixel, without reading it; None without HSI."""
        return self._shards[record.shard].hsi_factor

    def read(self, record: ChipRecord, crop: Crop | None = None) -> ChipArrays:
        """Read one chip, or a part of it.

        Args:
            record: One of `chips`.
            crop: Row, column, height and width in HR pixels, multiples of the HSI factor.

        Returns:
            Copies of the pixels, free to be changed.

        Raises:
            DatasetError: The shard cannot be read.
            ValueError: The crop leaves the chip, or cuts through an HSI pixel.
        """
        arrays = self._open_shard(record.shard)
        factor = self._shards[record.shard].hsi_factor
        rows, cols = _crop_slices(crop, record.shape_yx, factor)
        rgb = np.array(arrays["rgb"][record.index, :, rows, cols])
        mask = np.array(arrays["mask"][record.index, rows, cols])
        if factor is None:
            return ChipArrays(rgb, mask, None, None, None, record.gsd)
        coarse_rows, coarse_cols = _coarser(rows, factor), _coarser(cols, factor)
        hsi = np.array(arrays["hsi"][record.index, :, coarse_rows, coarse_cols])
        hsi_mask = np.array(arrays["hsi_mask"][record.index, coarse_rows, coarse_cols])
        return ChipArrays(rgb, mask, hsi, hsi_mask, factor, record.gsd)

    def _open_shard(self, name: str) -> dict[str, NDArray[Any]]:
        if name not in self._arrays:
            self._arrays[name] = read_shard(self.path, self._shards[name], len(self.bands))
        return self._arrays[name]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the memory maps behind: a worker process opens its own."""
        return self.__dict__ | {"_arrays": {}}


def check(path: str | Path) -> list[str]:
    """Hash every file of a dataset and say what is wrong, one line per problem.

    Raises:
        DatasetError: There is no readable `dataset.json`.
    """
    folder = Path(path)
    problems = []
    for shard in read_manifest(folder).shards:
        for kind, entry in shard.files.items():
            file = shard_path(folder, shard.name, kind)
            if not file.is_file():
                problems.append(f"shard {shard.name}: {file.name} is missing")
            elif file_record(file) != entry:
                problems.append(f"shard {shard.name}: {file.name} was changed or damaged")
    return problems


def _check_size(path: Path, entry: FileRecord) -> None:
    if not path.is_file():
        raise DatasetError(f"{path} is missing; prepare the dataset again")
    if path.stat().st_size != entry.bytes:
        raise DatasetError(
            f"{path} has {path.stat().st_size} bytes, expected {entry.bytes}; "
            "prepare the dataset again"
        )


def _crop_slices(
    crop: Crop | None, shape_yx: tuple[int, int], factor: int | None
) -> tuple[slice, slice]:
    row, col, height, width = crop or (0, 0, *shape_yx)
    inside = 0 <= row <= row + height <= shape_yx[0] and 0 <= col <= col + width <= shape_yx[1]
    if not inside:
        raise ValueError(f"crop {crop} leaves the chip of {shape_yx}")
    if factor and any(number % factor for number in (row, col, height, width)):
        raise ValueError(f"crop {crop} cuts through HSI pixels of {factor} HR pixels")
    return slice(row, row + height), slice(col, col + width)


def _coarser(part: slice, factor: int) -> slice:
    return slice(part.start // factor, part.stop // factor)
