"""Writing a dataset chip by chip, into a folder that appears only when it is complete."""

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from specgan.bands import CANONICAL_BANDS, Bands
from specgan_cli.datasets import statistics as totals
from specgan_cli.datasets.degradation import Degradation
from specgan_cli.datasets.manifest import (
    ChipRecord,
    Manifest,
    Rejected,
    ShardRecord,
)
from specgan_cli.datasets.shards import Sample, write_shard
from specgan_cli.errors import OutputError

SHARD_BYTES = 48_000_000
"""Most bytes of pixels in one shard, unless a single chip is larger."""

_Key = tuple[Any, ...]


@dataclass
class DatasetWriter:
    """Write chips in the order they are added; a context manager.

    Use `specgan_cli.workflows.prepare_dataset` for many or large scenes: this one keeps a shard of
    every shape in memory, and does not restart.
    """

    path: Path
    """Folder to make; it must not exist."""
    scale: int = 32
    """Largest factor that every chip's size divides by."""
    degradation: Degradation = field(default_factory=Degradation)
    """The operator recorded in the dataset."""
    bands: Bands = CANONICAL_BANDS
    """Bands of the cubes."""
    rgb_range: tuple[float, float] = (0.0, 255.0)
    """Stored values that stand for -1 and +1."""
    _waiting: dict[_Key, list[tuple[ChipRecord, Sample]]] = field(default_factory=dict)
    _shards: list[ShardRecord] = field(default_factory=list)
    _chips: list[ChipRecord] = field(default_factory=list)
    _rejected: list[Rejected] = field(default_factory=list)
    _totals: dict[str, totals.BandTotals] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.path = Path(self.path)
        self._partial = self.path.with_name(f".{self.path.name}.partial")

    def __enter__(self) -> "DatasetWriter":
        """Make the temporary folder.

        Raises:
            OutputError: The folder, or a temporary one of its name, exists already.
        """
        if self.path.exists():
            raise OutputError(f"{self.path} exists already; give another folder or remove it")
        try:
            self._partial.mkdir(parents=True)
        except FileExistsError:
            raise OutputError(
                f"{self._partial} is left from another run; remove it and start again"
            ) from None
        return self

    def add(self, record: ChipRecord, sample: Sample) -> None:
        """Add one chip; the record's `shard` and `index` are filled in here.

        Raises:
            ValueError: The chip's size is no multiple of the scale.
        """
        height, width = sample.rgb.shape[1:]
        if height % self.scale or width % self.scale:
            raise ValueError(
                f"chip {record.id} of {height} x {width} does not divide by {self.scale}"
            )
        if record.split == "train":
            self._count("rgb", sample.rgb, sample.mask)
            if sample.hsi is not None and sample.hsi_mask is not None:
                self._count("hsi", sample.hsi, sample.hsi_mask)
        key = (record.split, sample.rgb.shape, sample.rgb.dtype.str, sample.hsi_factor)
        waiting = self._waiting.setdefault(key, [])
        waiting.append((record, sample))
        if (len(waiting) + 1) * sample_bytes(sample) > SHARD_BYTES:
            self._flush(key)

    def reject(self, source: str, reason: str) -> None:
        """Record something that was left out."""
        self._rejected.append(Rejected(source, reason))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Finish the dataset and give it its name; after an error leave nothing."""
        if kind is not None:
            shutil.rmtree(self._partial, ignore_errors=True)
            return
        for key in list(self._waiting):
            self._flush(key)
        low, high = self.rgb_range
        manifest = Manifest(
            scale=self.scale,
            degradation=self.degradation,
            bands=self.bands,
            statistics=totals.statistics(
                self._totals.get("rgb", totals.add((), 3)),
                self._totals.get("hsi", totals.add((), len(self.bands))),
                low,
                high,
            ),
            shards=tuple(sorted(self._shards, key=lambda shard: shard.name)),
            chips=tuple(sorted(self._chips, key=lambda chip: (chip.shard, chip.index))),
            rejected=tuple(self._rejected),
        )
        manifest.write(self._partial)
        self._partial.rename(self.path)

    def _count(self, kind: str, values: Any, mask: Any) -> None:
        counted = totals.BandTotals.of(values, mask)
        before = self._totals.get(kind)
        both = (counted,) if before is None else (before, counted)
        self._totals[kind] = totals.add(both, len(counted.sums))

    def _flush(self, key: _Key) -> None:
        waiting = self._waiting.pop(key, [])
        if not waiting:
            return
        split = waiting[0][0].split
        number = sum(shard.split == split for shard in self._shards)
        name = f"{split}-{number:04d}"
        shard = write_shard(self._partial, name, split, [sample for _, sample in waiting])
        self._shards.append(shard)
        for index, (record, _) in enumerate(waiting):
            self._chips.append(replace(record, shard=name, index=index))


def sample_bytes(sample: Sample) -> int:
    """Return the bytes that a chip takes in a shard."""
    arrays = (sample.rgb, sample.mask, sample.hsi, sample.hsi_mask)
    return sum(array.nbytes for array in arrays if array is not None)
