"""The steps of making a dataset, each of which a worker process can do alone."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from specgan import files
from specgan.serde import from_plain, parse_json, to_plain
from specgan_cli.alignment.options import AlignOptions
from specgan_cli.cubes.options import CubeOptions
from specgan_cli.datasets.building.pairs import ImagePair
from specgan_cli.datasets.building.source import (
    ChipReader,
    SourceImage,
    Storage,
    open_cube,
    open_scene,
    read_headers,
)
from specgan_cli.datasets.building.splits import PlannedChip, Shares, SplitBy
from specgan_cli.datasets.degradation import Degradation
from specgan_cli.datasets.manifest import (
    ChipRecord,
    Rejected,
    ShardRecord,
    Split,
)
from specgan_cli.datasets.shards import ChipArrays, write_shard
from specgan_cli.datasets.statistics import BandTotals, sum_totals
from specgan_cli.errors import MismatchError, RasterError
from specgan_cli.resampling.model import Alignment


@dataclass(frozen=True)
class DatasetOptions:
    """How pairs become a dataset."""

    scale: int = 32
    """Largest factor that the dataset serves."""
    chip: int = 12
    """LR rows and columns of a chip, at most."""
    overlap: int = 0
    """LR pixels that neighbouring chips share."""
    assume_gsd: float | None = None
    """Pixel size in metres of images without a CRS."""
    degradation: Degradation = field(default_factory=Degradation)
    """Operator recorded in the dataset."""
    split_by: SplitBy = "group"
    """Split whole groups, or blocks of ground."""
    shares: Shares = field(default_factory=Shares)
    """How much does not train."""
    block_m: float | None = None
    """Side of a block, metres; four chips by default."""
    guard_m: float = 0.0
    """Metres of ground between splits."""
    max_nodata: float = 0.1
    """Largest share of missing RGB pixels in a chip."""
    min_contrast: float = 0.004
    """Smallest standard deviation of a chip's brightness, as a fraction of 255 or, of 16-bit
    images, of its brightest value."""
    rgb_range: tuple[float, float] | None = None
    """Source values of black and white, for RGB that is not 8-bit."""
    alignment: AlignOptions = field(default_factory=AlignOptions)
    """How the displacement of real cubes is looked for."""
    cubes: CubeOptions = field(default_factory=CubeOptions)
    """What is known of the cubes beyond their files; a list's own columns come first."""


@dataclass(frozen=True)
class ShardPlan:
    """One shard's work."""

    name: str
    """Name of the shard."""
    split: Split
    """Part of the dataset."""
    chips: tuple[PlannedChip, ...]
    """Planned chips of equal shape and HSI factor."""
    names: tuple[str, ...]
    """Unique name of each chip."""
    nbytes: int
    """Bytes of pixels, at most."""


@dataclass(frozen=True)
class ShardResult:
    """What became of a shard's chips."""

    shard: ShardRecord | None
    """The shard; None when every chip was rejected."""
    chips: tuple[ChipRecord, ...]
    """Chips kept."""
    rejected: tuple[Rejected, ...]
    """Chips left out."""
    totals: dict[Literal["rgb", "hsi"], BandTotals]
    """Sums over the chips kept."""


def inspect_pair(work: tuple[ImagePair, DatasetOptions]) -> SourceImage | Rejected:
    """Read a pair's headers; a pair that cannot be used is rejected with the reason.

    Raises:
        DatasetError: The pixel size of an image without a CRS was not given.
    """
    pair, options = work
    try:
        return read_headers(pair, options.assume_gsd, options.scale, options.cubes)
    except RasterError as error:
        return Rejected(pair.rgb, f"unreadable: {error}")
    except MismatchError as error:
        return Rejected(pair.rgb, f"unusable cube: {error}")


def align_source(work: tuple[SourceImage, DatasetOptions]) -> Alignment | Rejected | None:
    """Measure how a real cube lies on its image; None where there is nothing to measure."""
    source, options = work
    if not options.alignment.align or source.pair.hsi_kind != "real" or source.grid.crs is None:
        return None
    if source.pair.guided_by_itself:
        return None
    from specgan_cli.alignment.estimate import align

    try:
        with (
            open_scene(source.pair, options.assume_gsd) as (scene, grid),
            open_cube(source.pair, grid, options.cubes) as cube,
        ):
            return align(scene, cube, options.alignment)
    except MismatchError as error:
        return Rejected(source.pair.rgb, f"misaligned: {error}")
    except RasterError as error:
        return Rejected(source.pair.rgb, f"unreadable: {error}")


@dataclass(frozen=True)
class ShardWork:
    """All that a worker needs to write one shard."""

    folder: Path
    """Temporary dataset folder."""
    plan: ShardPlan
    """What to write."""
    sources: dict[int, SourceImage]
    """Sources of the chips, by index."""
    alignments: dict[int, Alignment | None]
    """Displacements of their cubes, by index."""
    options: DatasetOptions
    """How chips are made."""
    storage: Storage
    """How values are stored."""


def make_shard(work: ShardWork) -> ShardResult:
    """Read, judge and write the chips of one shard, and note the result beside it."""
    kept: list[tuple[ChipRecord, ChipArrays]] = []
    rejected: list[Rejected] = []
    with ChipReader(work.options.cubes, work.options.assume_gsd, work.storage) as reader:
        for chip, name in zip(work.plan.chips, work.plan.names, strict=True):
            source = work.sources[chip.source]
            try:
                sample = reader.read(source, chip.window, work.alignments.get(chip.source))
            except (RasterError, MismatchError) as error:
                rejected.append(Rejected(name, f"unreadable: {error}"))
                continue
            if reason := rejection_reason(sample, work.options):
                rejected.append(Rejected(name, reason))
                continue
            record = describe(chip, name, source, sample, work.plan, len(kept))
            kept.append((record, sample))
    result = _store(work, kept, tuple(rejected))
    save_result(work.folder, work.plan.name, result)
    return result


def rejection_reason(sample: ChipArrays, options: DatasetOptions) -> str | None:
    """Say why a chip is not fit for training; None when it is."""
    missing = 1.0 - float(sample.mask.mean())
    if missing > options.max_nodata:
        return f"nodata: {missing:.0%} of the pixels are missing"
    brightness = sample.rgb[:, sample.mask != 0].astype(np.float32).mean(axis=0)
    # 16-bit files rarely use all 16 bits: their own brightest value is the measure there.
    full = 255.0 if sample.rgb.dtype == np.uint8 else max(float(brightness.max()), 1.0)
    if float(brightness.std()) < options.min_contrast * full:
        return "blank: the pixels hardly differ"
    return None


def describe(
    chip: PlannedChip,
    name: str,
    source: SourceImage,
    sample: ChipArrays,
    plan: ShardPlan,
    index: int,
) -> ChipRecord:
    """Make a chip's record; a cube that shows nothing of it does not count as its cube.

    Args:
        chip: As it was planned.
        name: Its unique name.
        source: Where it comes from.
        sample: Its pixels.
        plan: The shard that it goes into.
        index: Its place there, from 0.
    """
    seen = sample.hsi_mask is not None and bool(sample.hsi_mask.any())
    georeferenced = source.grid.crs is not None
    left, bottom, right, top = source.grid.window(chip.window).bounds
    return ChipRecord(
        id=name,
        split=plan.split,
        group=chip.group,
        label=source.pair.label,
        source=source.pair.rgb,
        hsi_source=source.pair.hsi if seen else None,
        hsi_kind=source.pair.hsi_kind if seen else "none",
        crs=source.crs_name,
        bounds=(left, bottom, right, top) if georeferenced else None,
        gsd=source.gsd,
        shape_yx=chip.window.shape_yx,
        shard=plan.name,
        index=index,
        hsi_known=source.hsi_known if seen else None,
    )


def _store(
    work: ShardWork, kept: Sequence[tuple[ChipRecord, ChipArrays]], rejected: tuple[Rejected, ...]
) -> ShardResult:
    if not kept:
        return ShardResult(None, (), rejected, {})
    samples = [sample for _, sample in kept]
    shard = write_shard(work.folder, work.plan.name, work.plan.split, samples)
    return ShardResult(shard, tuple(record for record, _ in kept), rejected, _totals(samples))


def _totals(samples: Sequence[ChipArrays]) -> dict[Literal["rgb", "hsi"], BandTotals]:
    found: dict[Literal["rgb", "hsi"], BandTotals] = {
        "rgb": sum_totals((BandTotals.of(each.rgb, each.mask) for each in samples), 3)
    }
    cubes = [
        BandTotals.of(each.hsi, each.hsi_mask)
        for each in samples
        if each.hsi is not None and each.hsi_mask is not None
    ]
    if cubes:
        found["hsi"] = sum_totals(cubes, len(cubes[0].sums))
    return found


def result_path(folder: Path, name: str) -> Path:
    """Return where a finished shard's result is noted while the dataset is being made."""
    return folder / "done" / f"{name}.json"


def save_result(folder: Path, name: str, result: ShardResult) -> None:
    """Note that a shard is finished; the note appears whole or not at all."""
    path = result_path(folder, name)
    path.parent.mkdir(exist_ok=True)
    files.write(path, json.dumps(to_plain(result)))


def load_result(folder: Path, name: str) -> ShardResult | None:
    """Read the note of a finished shard; None where there is none."""
    try:
        return from_plain(ShardResult, parse_json(result_path(folder, name).read_bytes()))
    except (OSError, ValueError):
        return None
