"""What a dataset will hold: storage, chips, splits and shards, from headers alone."""

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from specgan.bands import CANONICAL_BANDS
from specgan_cli.datasets.building.build import DatasetOptions, ShardPlan
from specgan_cli.datasets.building.source import SourceImage, Storage, grounds
from specgan_cli.datasets.building.splits import (
    PlannedChip,
    block_name,
    draw_splits,
    guarded,
    plan_windows,
)
from specgan_cli.datasets.manifest import Rejected, Split
from specgan_cli.errors import DatasetError

logger = logging.getLogger(__name__)

SHARD_BYTES = 48_000_000
"""Most bytes of pixels in one shard, unless a single chip is larger."""


def choose_storage(
    sources: Sequence[SourceImage], rgb_range: tuple[float, float] | None
) -> Storage:
    """Choose the stored type: 8 bits where a source has them or floats of 0..255, else 16.

    Raises:
        DatasetError: The types do not fit together without a range.
    """
    types = {source.dtype for source in sources}
    floats = {name for name in types if name.startswith("float")}
    if rgb_range is None and types <= {"uint8", *floats}:
        return Storage("uint8", (0.0, 255.0) if floats else None)
    if rgb_range is None and types != {"uint16"}:
        raise DatasetError(
            f"the images hold {', '.join(sorted(types))}; give the values of black and white with "
            "--rgb-range LOW,HIGH"
        )
    return Storage("uint8" if "uint8" in types else "uint16", rgb_range)


def plan_chips(
    sources: Sequence[SourceImage], options: DatasetOptions
) -> tuple[list[PlannedChip], list[Rejected]]:
    """Cut every source into chips and give each its split.

    Returns:
        The chips, and what is left out: sources smaller than one LR pixel, and chips nearer than
        the guard distance to another split.

    Raises:
        DatasetError: One group is listed under two splits.
    """
    chips: list[PlannedChip] = []
    rejected: list[Rejected] = []
    several = len({source.crs_name for source in sources} - {None}) > 1
    for index, source in enumerate(sources):
        before = len(chips)
        for window in plan_windows(
            source.grid.shape_yx, options.chip, options.overlap, options.scale
        ):
            where = grounds(source, window, several)
            chips.append(
                PlannedChip(index, window, where, source.pair.group_name, source.pair.split)
            )
        if len(chips) == before:
            height, width = source.grid.shape_yx
            reason = f"too small: {height} x {width} pixels are no LR pixel"
            rejected.append(Rejected(source.pair.rgb, reason))
    chips = _split(chips, options)
    near = set(guarded(chips, options.guard_m))
    names = chip_names(chips, sources)
    rejected += [
        Rejected(names[index], f"near another split: less than {options.guard_m:g} m from it")
        for index in sorted(near)
    ]
    return [chip for index, chip in enumerate(chips) if index not in near], rejected


def _split(chips: Sequence[PlannedChip], options: DatasetOptions) -> list[PlannedChip]:
    """Give chips the split that their list names, and draw those of the other groups."""
    if options.split_by == "blocks":
        chips = _blocked(chips, options)
    listed: dict[str, Split] = {}
    sizes: Counter[str] = Counter()
    for chip in chips:
        if chip.split is None:
            sizes[chip.group] += 1
        elif listed.setdefault(chip.group, chip.split) != chip.split:
            raise DatasetError(
                f"group {chip.group} is listed under {listed[chip.group]} and {chip.split}; "
                "images that share ground must share their split"
            )
    free = {group: count for group, count in sizes.items() if group not in listed}
    if len(free) == 1 and not listed and options.shares.val + options.shares.test > 0:
        logger.warning("there is one group only, so nothing validates; try --split-by blocks")
    splits = draw_splits(free, options.shares) | listed
    return [replace(chip, split=splits[chip.group]) for chip in chips]


def _blocked(chips: Sequence[PlannedChip], options: DatasetOptions) -> list[PlannedChip]:
    """Name the groups of chips without a listed split after blocks of ground."""
    sides: dict[str, float] = {}
    for chip in chips:
        ground = chip.ground[-1]
        own = 4 * ground.extent if options.block_m is None else options.block_m * ground.unit
        sides.setdefault(ground.plane, own)
    return [
        chip
        if chip.split is not None
        else replace(chip, group=block_name(chip.ground[-1], sides[chip.ground[-1].plane]))
        for chip in chips
    ]


def chip_names(chips: Sequence[PlannedChip], sources: Sequence[SourceImage]) -> list[str]:
    """Name chips after their source's stem, or its whole name where stems repeat."""
    stems = Counter(Path(source.pair.rgb).stem for source in sources)
    names = []
    for chip in chips:
        path = Path(sources[chip.source].pair.rgb)
        stem = path.stem if stems[path.stem] == 1 else path.with_suffix("").as_posix()
        names.append(f"{stem}_{chip.window.row}_{chip.window.col}")
    return names


def plan_shards(
    chips: Sequence[PlannedChip],
    sources: Sequence[SourceImage],
    storage: Storage,
    shard_bytes: int = SHARD_BYTES,
) -> list[ShardPlan]:
    """Put chips of one split, shape and HSI factor together, up to the size of a shard.

    Args:
        chips: All chips that are kept.
        sources: The images that they are cut from.
        storage: How RGB values are stored, which decides their bytes.
        shard_bytes: Most bytes of pixels in a shard, unless a single chip is larger.
    """
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for index, chip in enumerate(chips):
        factor = sources[chip.source].hsi_factor
        groups[chip.split, chip.window.shape_yx, factor].append(index)
    names = chip_names(chips, sources)
    depth = 1 if storage.dtype == "uint8" else 2
    plans: list[ShardPlan] = []
    numbers: Counter[Split] = Counter()
    for (split, shape_yx, factor), members in groups.items():
        size = chip_bytes(shape_yx, factor, depth)
        step = max(1, shard_bytes // size)
        for start in range(0, len(members), step):
            part = members[start : start + step]
            name = f"{split}-{numbers[split]:04d}"
            numbers[split] += 1
            found = tuple(chips[index] for index in part)
            called = tuple(names[index] for index in part)
            plans.append(ShardPlan(name, split, found, called, size * len(part)))
    return plans


def chip_bytes(shape_yx: tuple[int, int], factor: int | None, depth: int) -> int:
    """Return the bytes of a chip with its masks and its cube."""
    pixels = shape_yx[0] * shape_yx[1]
    cube = 0 if factor is None else pixels // (factor * factor) * (2 * len(CANONICAL_BANDS) + 1)
    return pixels * (3 * depth + 1) + cube
