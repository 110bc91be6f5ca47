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

from specgan.objectives.augment import DRAWS
from specgan_cli.datasets.dataset import ChipRecord
from specgan_cli.errors import DatasetError
from specgan_cli.training.config.schema import DataConfig, SourceConfig
from specgan_cli.training.data.batch import Batch, SamplingSpec
from specgan_cli.training.data.crop import (
    CroppedSample,
    CropWindow,
    SampleReader,
    read_crop,
)
from specgan_cli.types import F32

Bucket = tuple[float, int, tuple[int, int], list[int]]
"""Share, factor, crop shape in LR pixels, and the chips that hold it."""

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
            `spec.batch` samples of one shape.

        Raises:
            DatasetError: No chip is large enough for any factor, or a shard cannot be read.
        """
        common = np.random.default_rng([self.seed, step, micro])
        factor, shape_yx, chosen = self._choose(spec, spec.batch * world, common)
        last = min(spec.last, factor.bit_length() - 1)
        seed = int(common.integers(_SEEDS))
        origin = (int(common.integers(_ORIGINS)), int(common.integers(_ORIGINS)))
        mine = range(rank * spec.batch, (rank + 1) * spec.batch)
        generators = [np.random.default_rng([self.seed, step, micro, 1 + i]) for i in mine]
        crops = []
        for index, rng in zip(mine, generators, strict=True):
            record = self.chips[chosen[index]]
            window = self._window(record, factor, shape_yx, spec.halo, rng)
            crops.append(
                self._changed(read_crop(self.reader, record, window, last, rng), spec, rng)
            )
        noises = _noises(crops, spec.noise, last, generators)
        draws = np.stack([rng.random((last, DRAWS), np.float32) for rng in generators])
        return _stack(crops, noises, draws, factor, seed, origin, spec.halo)

    def _choose(
        self, spec: SamplingSpec, count: int, rng: np.random.Generator
    ) -> tuple[int, tuple[int, int], list[int]]:
        """Choose a factor, a shape of crops, and chips that hold it."""
        if spec not in self._options:
            self._options[spec] = _buckets(self.chips, self.weights, spec)
        options = self._options[spec]
        shares = np.array([share for share, *_ in options])
        if not options:
            raise DatasetError(
                f"{self.reader.dataset.path}: no chip of the split is large enough for "
                f"{spec.crop if spec.exact else 1} LR pixels at the factors {list(spec.factors)}; "
                "prepare larger chips"
            )
        _, factor, shape_yx, members = options[rng.choice(len(options), p=shares / shares.sum())]
        chances = np.array([self.weights[i] for i in members])
        picks = rng.choice(len(members), size=count, p=chances / chances.sum())
        return factor, shape_yx, [members[i] for i in picks]

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

    def _changed(
        self, sample: CroppedSample, spec: SamplingSpec, rng: np.random.Generator
    ) -> CroppedSample:
        """Drop cubes, cut holes into them, turn and mirror."""
        lose, hole, turn = rng.random(), rng.random(), int(rng.integers(8))
        corner = rng.random(4)
        hsi, hsi_mask = sample.hsi, sample.hsi_mask
        if spec.whole_cubes:
            pass
        elif lose < self.config.hsi_dropout:
            hsi, hsi_mask = np.zeros_like(hsi), np.zeros_like(hsi_mask)
        elif hole < self.config.hsi_holes:
            keep = _hole(hsi_mask.shape, corner)
            hsi, hsi_mask = hsi * keep, hsi_mask * keep
        turn = turn & spec.turns if self.config.dihedral else 0
        if hsi.shape[1] != hsi.shape[2]:
            turn = turn // 2 * 2
        return CroppedSample(
            lr_rgb=turned(sample.lr_rgb, turn),
            hsi=turned(hsi, turn),
            hsi_mask=turned(hsi_mask, turn),
            truths=tuple(turned(image, turn) for image in sample.truths),
            masks=tuple(turned(image, turn) for image in sample.masks),
            gsd=sample.gsd,
        )


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


def turned(image: F32, turn: int) -> F32:
    """Apply one of the eight symmetries of the square to C x H x W.

    Args:
        image: The image; square if `turn` is odd.
        turn: 0 to 7; bit 0 transposes, bit 1 turns rows over, bit 2 columns.
    """
    if turn & 1:
        image = image.transpose(0, 2, 1)
    if turn & 2:
        image = image[:, ::-1]
    if turn & 4:
        image = image[:, :, ::-1]
    return image


def _matches(record: ChipRecord, source: SourceConfig) -> bool:
    return all(
        fnmatchcase(str(getattr(record, name)), getattr(source, name))
        for name in ("id", "group", "source", "hsi_kind")
    )


def _buckets(
    chips: Sequence[ChipRecord], weights: Sequence[float], spec: SamplingSpec
) -> list[Bucket]:
    """List every kind of batch that can be drawn."""
    found: dict[tuple[int, tuple[int, int]], list[int]] = {}
    for factor in spec.factors:
        for index, chip in enumerate(chips):
            height, width = (min(spec.crop, length // factor) for length in chip.shape_yx)
            if height and width and not (spec.exact and min(height, width) < spec.crop):
                found.setdefault((factor, (height, width)), []).append(index)
    shares = dict(zip(spec.factors, spec.weights, strict=True))
    return [
        (shares[factor] * sum(weights[i] for i in members), factor, shape_yx, members)
        for (factor, shape_yx), members in found.items()
    ]


def _hole(shape: tuple[int, ...], corner: np.ndarray) -> F32:
    keep = np.ones(shape, np.float32)
    (top, bottom), (left, right) = (
        sorted(corner[axis : axis + 2] * length) for axis, length in ((0, shape[1]), (2, shape[2]))
    )
    keep[:, int(top) : int(bottom) + 1, int(left) : int(right) + 1] = 0
    return keep


def _noises(
    crops: Sequence[CroppedSample],
    sigma: float,
    last: int,
    generators: Sequence[np.random.Generator],
) -> list[F32]:
    if sigma == 0:
        return []
    shapes = [image.shape for image in crops[0].truths[: last - 1]]
    return [
        np.stack([sigma * rng.standard_normal(shape, np.float32) for rng in generators])
        for shape in shapes
    ]


def _stack(
    crops: Sequence[CroppedSample],
    noises: Sequence[F32],
    draws: F32,
    factor: int,
    seed: int,
    origin_yx: tuple[int, int],
    halo: int,
) -> Batch:
    levels = range(len(crops[0].truths))
    return Batch(
        lr_rgb=torch.from_numpy(np.stack([c.lr_rgb for c in crops])),
        hsi=torch.from_numpy(np.stack([c.hsi for c in crops])),
        hsi_mask=torch.from_numpy(np.stack([c.hsi_mask for c in crops])),
        gsd=torch.tensor([c.gsd for c in crops], dtype=torch.float32),
        truths=tuple(torch.from_numpy(np.stack([c.truths[i] for c in crops])) for i in levels),
        masks=tuple(torch.from_numpy(np.stack([c.masks[i] for c in crops])) for i in levels),
        noises=tuple(torch.from_numpy(noise) for noise in noises),
        draws=torch.from_numpy(draws),
        factor=factor,
        seed=seed,
        origin_yx=origin_yx,
        halo=halo,
    )
