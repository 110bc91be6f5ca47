"""Chips of a source, and the split that the ground of each belongs to."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from specgan_cli.datasets.manifest import Split
from specgan_cli.raster.grid import Window

SplitBy = Literal["group", "blocks"]
Bounds = tuple[float, float, float, float]
_Cell = tuple[str, int, int]

_RANK: dict[Split, int] = {"train": 0, "val": 1, "test": 2}
_TOUCHING = 1e-6


@dataclass(frozen=True)
class Ground:
    """Where something lies, on one plane."""

    plane: str
    """Name of the plane; things on different planes are never near."""
    bounds: Bounds
    """Left, bottom, right, top, in the plane's units."""
    unit: float = 1.0
    """Units of the plane that a metre takes here."""

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the bounds."""
        left, bottom, right, top = self.bounds
        return (left + right) / 2, (bottom + top) / 2

    @property
    def extent(self) -> float:
        """Longer side, in the plane's units."""
        left, bottom, right, top = self.bounds
        return max(right - left, top - bottom)

    def gap(self, other: "Ground") -> float:
        """Return the distance to another along the axis where it is larger, metres.

        Negative where both overlap, infinite on another plane.
        """
        if self.plane != other.plane:
            return math.inf
        ours, theirs = self.bounds, other.bounds
        across = max(ours[0], theirs[0]) - min(ours[2], theirs[2])
        along = max(ours[1], theirs[1]) - min(ours[3], theirs[3])
        return max(across, along) / max(self.unit, other.unit)


@dataclass(frozen=True)
class PlannedChip:
    """A chip that is planned, before its pixels are read."""

    source: int
    """Index of its pair."""
    window: Window
    """HR pixels in the source."""
    ground: tuple[Ground, ...]
    """Where it lies: first on its source's own plane, then on one common to several CRSs."""
    group: str
    """What it shares its split with."""
    split: Split | None = None
    """Part of the dataset, once decided."""


@dataclass(frozen=True)
class Shares:
    """How much of the ground does not train."""

    val: float = 0.2
    """Share that validates."""
    test: float = 0.0
    """Share that tests."""

    def __post_init__(self) -> None:
        if self.val < 0 or self.test < 0 or self.val + self.test >= 1:
            raise ValueError(
                f"shares of {self.val} to validate and {self.test} to test leave nothing to train"
            )


def plan_windows(
    shape_yx: tuple[int, int], chip: int, overlap: int, scale: int
) -> Iterator[Window]:
    """Cut a source into chips, row by row.

    Args:
        shape_yx: HR rows and columns of the source.
        chip: LR rows and columns of a chip; a smaller source gives one smaller chip.
        overlap: LR pixels that neighbours share.
        scale: HR pixels per LR pixel.

    Yields:
        HR windows, multiples of `scale` in size.  The last chip of an axis is as large as what is
        left, when that is half a chip or more; a source of one chip gives its middle.
    """
    for row, height in _cut(shape_yx[0], chip, overlap, scale):
        for col, width in _cut(shape_yx[1], chip, overlap, scale):
            yield Window(row, col, height, width)


def _cut(length: int, chip: int, overlap: int, scale: int) -> Iterator[tuple[int, int]]:
    pixels = length // scale
    if pixels <= chip:
        if pixels:
            yield (length - pixels * scale) // 2, pixels * scale
        return
    start = 0
    while pixels - start >= chip:
        yield start * scale, chip * scale
        start += chip - overlap
    rest = pixels - start
    if rest - overlap >= (chip + 1) // 2:
        yield start * scale, rest * scale


def block_name(ground: Ground, side: float) -> str:
    """Name the square block of ground, `side` plane units wide, that holds a chip's centre."""
    x, y = ground.centre
    return f"{ground.plane}:{math.floor(x / side)}:{math.floor(y / side)}"


def draw_splits(sizes: dict[str, int], shares: Shares) -> dict[str, Split]:
    """Give groups to splits, in the order of a hash of their names.

    Args:
        sizes: Chips of every group.
        shares: How much validates and tests.

    Returns:
        The split of every group; at least one group trains, and a share above 0 gets at least one
        group while there are three.
    """
    names = sorted(sizes, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    splits: dict[str, Split] = dict.fromkeys(names, "train")
    total, taken = sum(sizes.values()), 0
    wanted: list[tuple[Split, float]] = [("test", shares.test), ("val", shares.val)]
    for split, share in wanted:
        count = 0
        while share > 0 and taken < len(names) - 1 and count < max(1, round(share * total)):
            splits[names[taken]] = split
            count += sizes[names[taken]]
            taken += 1
    return splits


def guarded(chips: Sequence[PlannedChip], guard_m: float) -> list[int]:
    """Find the chips that lie too near to one of a split that must stay unseen.

    Between training and validation, or validation and test, it is the chip of the former that has
    to go.

    Args:
        chips: Chips with their splits.
        guard_m: Metres of ground between splits; at 0 they must only not overlap.

    Returns:
        Indices of the chips to leave out, ascending.
    """
    sizes = _cell_sizes(chips, guard_m)
    cells: dict[_Cell, list[int]] = defaultdict(list)
    for index, chip in enumerate(chips):
        for ground in chip.ground:
            cells[_cell(ground, sizes)].append(index)
    return [
        index
        for index, chip in enumerate(chips)
        if any(
            _rank(chips[other]) > _rank(chip) and too_near(chip, chips[other], guard_m)
            for other in _neighbours(cells, chip, sizes)
        )
    ]


def too_near(chip: PlannedChip, other: PlannedChip, guard_m: float) -> bool:
    """Whether two chips lie nearer than the guard distance; at 0, whether they share ground."""
    if chip.ground[0].plane == other.ground[0].plane:
        return _within(chip.ground[0], other.ground[0], guard_m)
    return any(
        _within(mine, theirs, guard_m)
        for mine in chip.ground[1:]
        for theirs in other.ground[1:]
        if mine.plane == theirs.plane
    )


def _within(ground: Ground, other: Ground, guard_m: float) -> bool:
    # Neighbours of one source touch; the last digits of their coordinates must not count.
    return ground.gap(other) < guard_m - _TOUCHING * ground.extent / ground.unit


def _cell_sizes(chips: Sequence[PlannedChip], guard_m: float) -> dict[str, float]:
    """Return cells per plane so large that whatever is near lies in the same or the next one."""
    sizes: dict[str, float] = defaultdict(float)
    for chip in chips:
        for ground in chip.ground:
            wide = ground.extent + guard_m * ground.unit
            sizes[ground.plane] = max(sizes[ground.plane], wide)
    return sizes


def _cell(ground: Ground, sizes: dict[str, float], dx: int = 0, dy: int = 0) -> _Cell:
    (x, y), size = ground.centre, sizes[ground.plane]
    return ground.plane, math.floor(x / size) + dx, math.floor(y / size) + dy


def _neighbours(
    cells: dict[_Cell, list[int]], chip: PlannedChip, sizes: dict[str, float]
) -> Iterator[int]:
    for ground in chip.ground:
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                yield from cells.get(_cell(ground, sizes, dx, dy), ())


def _rank(chip: PlannedChip) -> int:
    return _RANK[chip.split or "train"]
