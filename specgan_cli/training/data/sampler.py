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
from specgan_cli.training.data.batch import Batch, Kind, SamplingSpec
from specgan_cli.training.data.crop import (
    CroppedSample,
    CropWindow,
    SampleReader,
    read_crop,
)
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
            crops.append(self._changed(sample, spec, rng))
        draws = np.stack([rng.random(2, np.float32) for rng in generators])
        return _stack(crops, draws, kind.factor, seed, origin, spec.halo)

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

    def _changed(
        self, sample: CroppedSample, spec: SamplingSpec, rng: np.random.Generator
    ) -> CroppedSample:
        """Make the cube another sensor's, or lose it; turn and mirror all."""
        turn = int(rng.integers(8)) & spec.turns if self.config.dihedral else 0
        hsi, hsi_mask = sample.hsi, sample.hsi_mask
        if spec.whole_cubes:
            hsi, hsi_mask = hsi[:1], hsi_mask[:1]
        else:
            hsi, hsi_mask = changed_cube(hsi, hsi_mask, self.config, rng)
        if sample.lr_rgb.shape[1] != sample.lr_rgb.shape[2]:
            turn = turn // 2 * 2
        return CroppedSample(
            lr_rgb=turned(sample.lr_rgb, turn),
            hsi=tuple(turned(image, turn) for image in hsi),
            hsi_mask=tuple(turned(image, turn) for image in hsi_mask),
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


Grids = tuple[F32, ...]


def changed_cube(
    hsi: Grids, hsi_mask: Grids, config: DataConfig, rng: np.random.Generator
) -> tuple[Grids, Grids]:
    """Make a cube one of another sensor: none, with holes, fewer bands, coarser, in other units.

    Args:
        hsi: The cube on the LR grid and on finer ones, each bands x h x w.
        hsi_mask: Of each, bands x h x w or 1 x h x w.
        config: How often.
        rng: Decides.

    Returns:
        Cubes and masks, bands x h x w each, on as many grids or the first alone.
    """
    lose, hole, some, coarse = rng.random(4)
    gain, offset = rng.uniform(-1, 1, 2) * (config.hsi_gain, config.hsi_gain / 3)
    corner = rng.random(4)
    bands = len(hsi[0])
    known = np.ones(bands, np.float32)
    if some < config.hsi_bands:
        known = sensor_bands(bands, rng)
    if lose < config.hsi_dropout:
        known[:] = 0
    if coarse < config.hsi_coarse:
        hsi, hsi_mask = hsi[:1], hsi_mask[:1]
    masks = []
    for mask in hsi_mask:
        keep = _hole(mask.shape, corner) if hole < config.hsi_holes else np.float32(1)
        masks.append((mask * keep * known[:, None, None]).astype(np.float32))
    images = [
        ((image * np.exp(gain) + offset) * mask).astype(np.float32)
        for image, mask in zip(hsi, masks, strict=True)
    ]
    return tuple(images), tuple(masks)


def sensor_bands(count: int, rng: np.random.Generator) -> F32:
    """Choose the bands that another sensor has: `count` numbers, 1 or 0.

    Near infrared alone (a fourth band), all from some wavelength on, or up to five pieces.
    """
    window = np.arange(count) / max(count - 1, 1)  # 0 at the first band, 1 at the last
    kind = rng.random()
    if kind < 0.3:  # 780 to 890 nm of 380 to 1050 nm
        known = (window >= 0.6) & (window <= 0.76)
    elif kind < 0.6:
        known = window >= rng.uniform(0, 0.5)
    else:
        known = np.zeros(count, bool)
        for _ in range(int(rng.integers(1, 6))):
            known |= np.abs(window - rng.random()) <= rng.uniform(0.015, 0.09)
    return known.astype(np.float32)


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


def _hole(shape: tuple[int, ...], corner: np.ndarray) -> F32:
    keep = np.ones(shape, np.float32)
    (top, bottom), (left, right) = (
        sorted(corner[axis : axis + 2] * length) for axis, length in ((0, shape[1]), (2, shape[2]))
    )
    keep[:, int(top) : int(bottom) + 1, int(left) : int(right) + 1] = 0
    return keep


def _stack(
    crops: Sequence[CroppedSample],
    draws: F32,
    factor: int,
    seed: int,
    origin_yx: tuple[int, int],
    halo: int,
) -> Batch:
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


def _stack_grid(images: Sequence[Grids], level: int) -> torch.Tensor:
    """Stack the images of one grid; what a sample's cube does not resolve is unknown: zeros."""
    bands, height, width = images[0][0].shape
    empty = np.zeros((bands, height << level, width << level), np.float32)
    return torch.from_numpy(np.stack([i[level] if level < len(i) else empty for i in images]))
