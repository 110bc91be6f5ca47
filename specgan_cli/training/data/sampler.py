"""Drawing batches: each is a function of the seed and the step alone.

No state is carried from batch to batch, so threads may work ahead, a resumed run draws what the
uninterrupted one would have, and W processes with a batch of B draw together what one process with
W * B draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np
import torch

from specgan_cli.datasets.dataset import ChipRecord
from specgan_cli.errors import DatasetError
from specgan_cli.training.config.schema import DataConfig, SourceConfig
from specgan_cli.training.data.augment import augmented
from specgan_cli.training.data.batch import Batch, Kind, SamplingSpec
from specgan_cli.training.data.crop import CroppedSample, CropWindow, SampleReader, read_crop
from specgan_cli.types import F32

Bucket = tuple[float, Kind, tuple[int, int], list[int]]
"""Share, kind of batch, crop shape in LR pixels, and the chips that hold it."""

_ORIGINS = 4096
_SEEDS = 2**31 - 1


@dataclass(frozen=True)
class Sampler:
    """Draws training batches from a dataset."""

    reader: SampleReader
    """Where the chips lie, and how their pixels are scaled."""

    chips: tuple[ChipRecord, ...]
    """The chips to draw from."""

    weights: tuple[float, ...]
    """Probability of each chip; together 1."""

    config: DataConfig
    """How samples are changed."""

    seed: int
    """Seed of the whole run."""

    _options: "dict[SamplingSpec, list[Bucket]]" = field(
        default_factory=dict, repr=False, compare=False
    )

    def draw(
        self, spec: SamplingSpec, step: int, micro: int, rank: int = 0, world: int = 1
    ) -> Batch:
        """Draw one process's part of a micro-batch.

        Args:
            spec: Shapes and factors.
            step: Step of the run, from 0.
            micro: Micro-batch of the step, from 0.
            rank: This process.
            world: Processes together.

        Returns:
            Samples of one shape, as many as the kind that was drawn says.

        Raises:
            DatasetError: No chip is large enough for any factor, or a shard cannot be read.
        """
        common = np.random.default_rng([self.seed, step, micro])
        kind, shape_yx, chosen = self._choose(spec, world, common)
        seed = int(common.integers(_SEEDS))
        origin = (int(common.integers(_ORIGINS)), int(common.integers(_ORIGINS)))
        mine = range(rank * kind.batch, (rank + 1) * kind.batch)
        generators = [np.random.default_rng([self.seed, step, micro, 1 + i]) for i in mine]
        crops = []
        for index, rng in zip(mine, generators, strict=True):
            record = self.chips[chosen[index]]
            window = self._window(record, kind.factor, shape_yx, spec.halo, rng)
            sample = read_crop(self.reader, record, window, kind.octaves, rng)
            crops.append(augmented(sample, spec, self.config, rng))
        draws = np.stack([rng.random(2, np.float32) for rng in generators])
        return stacked(crops, draws, kind.factor, seed, origin, spec.halo)

    def _choose(
        self, spec: SamplingSpec, world: int, rng: np.random.Generator
    ) -> tuple[Kind, tuple[int, int], list[int]]:
        """Choose a kind of batch, a shape of crops, and chips that hold it."""
        if spec not in self._options:
            self._options[spec] = _buckets(self.chips, self.weights, spec)
        options = self._options[spec]
        shares = np.array([share for share, *_ in options])
        if not options:
            least = min(kind.crop for kind in spec.kinds) if spec.exact else 1
            raise DatasetError(
                f"{self.reader.dataset.path}: no chip of the split is large enough for "
                f"{least} LR pixels at the factors {sorted({kind.factor for kind in spec.kinds})}; "
                "prepare larger chips"
            )
        _, kind, shape_yx, members = options[rng.choice(len(options), p=shares / shares.sum())]
        chances = np.array([self.weights[i] for i in members])
        picks = rng.choice(len(members), size=kind.batch * world, p=chances / chances.sum())
        return kind, shape_yx, [members[i] for i in picks]

    def _window(
        self,
        record: ChipRecord,
        factor: int,
        shape_yx: tuple[int, int],
        halo: int,
        rng: np.random.Generator,
    ) -> CropWindow:
        unit = factor
        if self.config.random_phase:
            unit = self.reader.dataset.hsi_factor(record) or 1
        spare = [
            length - pixels * factor
            for length, pixels in zip(record.shape_yx, shape_yx, strict=True)
        ]
        row, column = (int(rng.integers(room // unit + 1)) * unit for room in spare)
        return CropWindow(row, column, shape_yx, factor, halo)


def make_sampler(
    reader: SampleReader, records: Sequence[ChipRecord], config: DataConfig, seed: int
) -> Sampler:
    """Sort chips into their weighted groups.

    Args:
        reader: Where the chips lie, and how their pixels are scaled.
        records: The chips of one split.
        config: The groups and their weights.
        seed: Seed of the whole run.

    Raises:
        DatasetError: No chip belongs to a group, or a group with a weight has no chip.
    """
    groups: list[list[ChipRecord]] = [[] for _ in config.sources]
    for record in records:
        for group, source in zip(groups, config.sources, strict=True):
            if _matches(record, source):
                group.append(record)
                break
    total = sum(source.weight for source in config.sources)
    chips: list[ChipRecord] = []
    weights: list[float] = []
    for index, (group, source) in enumerate(zip(groups, config.sources, strict=True)):
        if source.weight == 0:
            continue
        if not group:
            raise DatasetError(
                f"{reader.dataset.path}: no chip to train on matches data.sources.{index} "
                f"({source}); correct the patterns, or give the group weight 0"
            )
        chips += group
        weights += [source.weight / total / len(group)] * len(group)
    return Sampler(reader, tuple(chips), tuple(weights), config, seed)


def _matches(record: ChipRecord, source: SourceConfig) -> bool:
    return all(
        fnmatchcase(str(getattr(record, name)), getattr(source, name))
        for name in ("id", "group", "source", "hsi_kind")
    )


def _buckets(
    chips: Sequence[ChipRecord], weights: Sequence[float], spec: SamplingSpec
) -> list[Bucket]:
    """List every kind of batch that can be drawn."""
    found: dict[tuple[Kind, tuple[int, int]], list[int]] = {}
    for kind in spec.kinds:
        for index, chip in enumerate(chips):
            height, width = (min(kind.crop, length // kind.factor) for length in chip.shape_yx)
            if height and width and not (spec.exact and min(height, width) < kind.crop):
                found.setdefault((kind, (height, width)), []).append(index)
    return [
        (kind.weight * sum(weights[i] for i in members), kind, shape_yx, members)
        for (kind, shape_yx), members in found.items()
    ]


def stacked(
    crops: Sequence[CroppedSample],
    draws: F32,
    factor: int,
    seed: int = 0,
    origin_yx: tuple[int, int] = (0, 0),
    halo: int = 0,
) -> Batch:
    """Put samples of one shape together.

    Args:
        crops: The samples.
        draws: N x 2 uniform numbers, for the perceptual backbone's lattice.
        factor: Factor between LR and the stored truth.
        seed: Of the network's noise.
        origin_yx: Absolute LR row and column of the crops' first pixels.
        halo: LR pixels of surroundings on every side.
    """
    octaves = range(len(crops[0].truths))
    grids = range(max(len(c.hsi) for c in crops))
    return Batch(
        lr_rgb=torch.from_numpy(np.stack([c.lr_rgb for c in crops])),
        hsi=tuple(_stack_grid([c.hsi for c in crops], k) for k in grids),
        hsi_mask=tuple(_stack_grid([c.hsi_mask for c in crops], k) for k in grids),
        gsd=torch.tensor([c.gsd for c in crops], dtype=torch.float32),
        truths=tuple(torch.from_numpy(np.stack([c.truths[i] for c in crops])) for i in octaves),
        masks=tuple(torch.from_numpy(np.stack([c.masks[i] for c in crops])) for i in octaves),
        draws=torch.from_numpy(draws),
        factor=factor,
        seed=seed,
        origin_yx=origin_yx,
        halo=halo,
    )


def _stack_grid(images: Sequence[tuple[F32, ...]], level: int) -> torch.Tensor:
    """Stack the images of one grid; what a sample's cube does not resolve is unknown: zeros."""
    bands, height, width = images[0][0].shape
    empty = np.zeros((bands, height << level, width << level), np.float32)
    return torch.from_numpy(np.stack([i[level] if level < len(i) else empty for i in images]))
