"""A writer of small datasets, chip by chip."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from specgan.bands import CANONICAL_BANDS
from specgan_cli.datasets.degradation import Degradation
from specgan_cli.datasets.manifest import ChipRecord, Manifest, Rejected, Split
from specgan_cli.datasets.shards import Sample, write_shard
from specgan_cli.datasets.statistics import BandTotals, add, statistics


@dataclass
class DatasetWriter:
    """Keeps chips in memory and writes one shard of each shape when its block ends."""

    folder: Path
    scale: int = 32
    degradation: Degradation = field(default_factory=Degradation)
    rgb_range: tuple[float, float] = (0.0, 255.0)
    rejected: list[Rejected] = field(default_factory=list)
    _chips: list[tuple[ChipRecord, Sample]] = field(default_factory=list)

    def __enter__(self) -> "DatasetWriter":
        self.folder.mkdir(parents=True)
        return self

    def add(self, record: ChipRecord, sample: Sample) -> None:
        """Add one chip; the record's `shard` and `index` are filled in here."""
        self._chips.append((record, sample))

    def __exit__(self, *exc: object) -> None:
        together: dict[Any, list[tuple[ChipRecord, Sample]]] = defaultdict(list)
        for record, sample in self._chips:
            together[record.split, sample.rgb.shape, sample.hsi_factor].append((record, sample))
        numbers: Counter[Split] = Counter()
        shards, records = [], []
        for (split, *_), chips in together.items():
            name = f"{split}-{numbers[split]:04d}"
            numbers[split] += 1
            shards.append(write_shard(self.folder, name, split, [sample for _, sample in chips]))
            records += [replace(r, shard=name, index=i) for i, (r, _) in enumerate(chips)]
        training = [sample for record, sample in self._chips if record.split == "train"]
        rgb = [BandTotals.of(each.rgb, each.mask) for each in training]
        hsi = [
            BandTotals.of(each.hsi, each.hsi_mask)
            for each in training
            if each.hsi is not None and each.hsi_mask is not None
        ]
        Manifest(
            scale=self.scale,
            degradation=self.degradation,
            statistics=statistics(add(rgb, 3), add(hsi, len(CANONICAL_BANDS)), *self.rgb_range),
            shards=tuple(sorted(shards, key=lambda shard: shard.name)),
            chips=tuple(sorted(records, key=lambda chip: (chip.shard, chip.index))),
            rejected=tuple(self.rejected),
        ).write(self.folder)
