"""Make a training dataset from pairs of images and cubes."""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from specgan import files
from specgan._version import __version__
from specgan.serde import from_plain, parse_json, to_plain
from specgan_cli.datasets.building.build import (
    DatasetOptions,
    ShardPlan,
    ShardResult,
    ShardWork,
    align_source,
    inspect_pair,
    load_result,
    make_shard,
)
from specgan_cli.datasets.building.chip_statistics import training_statistics
from specgan_cli.datasets.building.folder import CONTACT_SHEET, DatasetFolder
from specgan_cli.datasets.building.pairs import ImagePair
from specgan_cli.datasets.building.plan import SHARD_BYTES, choose_storage, plan_chips, plan_shards
from specgan_cli.datasets.building.report import (
    DatasetSummary,
    final_report,
    nothing_left,
    plan_report,
)
from specgan_cli.datasets.building.source import SourceImage, Storage
from specgan_cli.datasets.dataset import Dataset
from specgan_cli.datasets.manifest import Manifest, Rejected
from specgan_cli.errors import DatasetError, parsing
from specgan_cli.pictures.contact_sheet import contact_sheet
from specgan_cli.resampling.model import Alignment
from specgan_cli.workers import Workers

Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, what is done and what there is to do."""

__all__ = ["DatasetOptions", "DatasetSummary", "prepare_dataset"]


def prepare_dataset(
    pairs: Sequence[ImagePair],
    output: str | Path,
    options: DatasetOptions | None = None,
    *,
    jobs: int = 1,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> DatasetSummary:
    """Make a dataset; a run that was stopped goes on where it stopped.

    Args:
        pairs: Images, with or without cubes.
        output: Folder to make; it holds what it held before, or the complete dataset.
        options: How chips are made.
        jobs: Worker processes; the bytes do not depend on it.
        overwrite: Replace a dataset that is there already.
        dry_run: Plan from the headers only.
        progress: Called as the work goes on.
        shard_bytes: Most bytes of pixels in one shard, unless a single chip is larger.

    Raises:
        DatasetError: The pairs do not make a dataset.
        OutputError: The folder exists, another run writes it, or the disk is full.
    """
    chosen = options or DatasetOptions()
    tell = progress or (lambda stage, done, total: None)
    folder = DatasetFolder(Path(output), overwrite)
    if not dry_run:
        folder.check()
    with Workers(jobs) as workers:
        sources, rejected = _inspect(pairs, chosen, workers, tell)
        storage = choose_storage(sources, chosen.rgb_range)
        chips, left_out = plan_chips(sources, chosen)
        plans = plan_shards(chips, sources, storage, shard_bytes)
        rejected += left_out
        if dry_run:
            return plan_report(folder.path, plans, sources, rejected)
        with folder.opened(_fingerprint(plans, sources, chosen, storage)) as partial:
            folder.check_space(sum(plan.nbytes for plan in plans))
            alignments, misaligned = _align(partial, sources, chosen, workers, tell)
            run = Run(partial, sources, alignments, chosen, storage)
            results = _make_shards(run, plans, workers, tell)
            manifest = _manifest(run, results, [*rejected, *misaligned])
            _finish(folder, manifest)
    return final_report(folder.path, manifest)


@dataclass(frozen=True)
class Run:
    """What every shard of a dataset needs."""

    partial: Path
    """Temporary folder."""
    sources: Sequence[SourceImage]
    """Sources, in the order of the pairs."""
    alignments: dict[int, Alignment | None]
    """Displacement of each cube that may be used, by the index of its source."""
    options: DatasetOptions
    """How chips are made."""
    storage: Storage
    """How RGB values are stored."""

    def work(self, plan: ShardPlan) -> ShardWork:
        """Return all that a worker needs for one shard; chips of rejected cubes are left out."""
        fit = [
            (chip, name)
            for chip, name in zip(plan.chips, plan.names, strict=True)
            if self.sources[chip.source].hsi_factor is None or chip.source in self.alignments
        ]
        plan = replace(plan, chips=tuple(c for c, _ in fit), names=tuple(n for _, n in fit))
        needed = {chip.source: self.sources[chip.source] for chip, _ in fit}
        shifts = {index: self.alignments.get(index) for index in needed}
        return ShardWork(self.partial, plan, needed, shifts, self.options, self.storage)


def _inspect(
    pairs: Sequence[ImagePair], options: DatasetOptions, workers: Workers, tell: Progress
) -> tuple[list[SourceImage], list[Rejected]]:
    found: dict[int, SourceImage | Rejected] = {}
    for index, result in workers.run(inspect_pair, [(pair, options) for pair in pairs]):
        found[index] = result
        tell("reading headers", len(found), len(pairs))
    ordered = [found[index] for index in range(len(pairs))]
    rejected = [each for each in ordered if isinstance(each, Rejected)]
    sources = [each for each in ordered if isinstance(each, SourceImage)]
    if not sources:
        raise DatasetError(nothing_left(rejected))
    return sources, rejected


def _align(
    partial: Path,
    sources: Sequence[SourceImage],
    options: DatasetOptions,
    workers: Workers,
    tell: Progress,
) -> tuple[dict[int, Alignment | None], list[Rejected]]:
    """Measure every cube's displacement, once: a restart reads the note."""
    note = partial / "alignments.json"
    if note.exists():
        with parsing(note, DatasetError, "remove it, and cubes are aligned again"):
            kept = parse_json(note.read_bytes())
            return {
                int(index): entry and from_plain(Alignment, entry)
                for index, entry in kept["alignments"].items()
            }, [from_plain(Rejected, entry) for entry in kept["rejected"]]
    indices = [index for index, source in enumerate(sources) if source.hsi_factor is not None]
    found: dict[int, Alignment | Rejected | None] = {}
    work = [(sources[index], options) for index in indices]
    for place, result in workers.run(align_source, work):
        found[indices[place]] = result
        tell("aligning cubes", len(found), len(indices))
    good = {i: each for i, each in sorted(found.items()) if not isinstance(each, Rejected)}
    bad = [each for _, each in sorted(found.items()) if isinstance(each, Rejected)]
    files.write(note, json.dumps(to_plain({"alignments": good, "rejected": bad})))
    return good, bad


def _make_shards(
    run: Run, plans: Sequence[ShardPlan], workers: Workers, tell: Progress
) -> list[ShardResult]:
    """Write the shards that are not there yet; return the results of all, in order."""
    noted = {plan.name: load_result(run.partial, plan.name) for plan in plans}
    work = [run.work(plan) for plan in plans if noted[plan.name] is None]
    results = {name: result for name, result in noted.items() if result is not None}
    done = len(plans) - len(work)
    for place, result in workers.run(make_shard, work):
        results[work[place].plan.name] = result
        done += 1
        tell("writing shards", done, len(plans))
    return [results[plan.name] for plan in plans]


def _manifest(run: Run, results: Sequence[ShardResult], rejected: Sequence[Rejected]) -> Manifest:
    """Write the table of contents.

    Raises:
        DatasetError: No chip is left.
    """
    shards = [result.shard for result in results if result.shard is not None]
    chips = [chip for result in results for chip in result.chips]
    everything = (*rejected, *(entry for result in results for entry in result.rejected))
    if not chips:
        shutil.rmtree(run.partial, ignore_errors=True)  # nothing in it helps the next run
        raise DatasetError(nothing_left(everything))
    return Manifest(
        scale=run.options.scale,
        degradation=run.options.degradation,
        statistics=training_statistics(run.partial, results, run.storage),
        shards=tuple(sorted(shards, key=lambda shard: shard.name)),
        chips=tuple(sorted(chips, key=lambda chip: (chip.shard, chip.index))),
        rejected=everything,
        options=_options_document(run),
    )


def _finish(folder: DatasetFolder, manifest: Manifest) -> None:
    manifest.write(folder.partial)
    contact_sheet(Dataset.open(folder.partial), folder.partial / CONTACT_SHEET)
    folder.finish()


def _options_document(run: Run) -> dict[str, Any]:
    document = asdict(run.options) | {"version": __version__}
    document.pop("degradation")
    document["cubes"].pop("origin")  # which only the form for one scene takes
    looked_for = document.pop("alignment")
    document |= {name: looked_for[name] for name in ("align", "max_shift")}
    document["alignments"] = {
        run.sources[index].pair.rgb: _alignment_document(alignment)
        for index, alignment in run.alignments.items()
        if alignment is not None
    }
    return document


def _alignment_document(alignment: Alignment) -> dict[str, Any]:
    document = to_plain(alignment)
    return {name: document[name] for name in ("shift_xy", "reliability", "correlation", "overlap")}


def _fingerprint(
    plans: Sequence[ShardPlan],
    sources: Sequence[SourceImage],
    options: DatasetOptions,
    storage: Storage,
) -> str:
    """Name a run by all that its shards depend on: plan, options, and the state of its inputs."""
    named = [
        source.pair.path(name)
        for source in sources
        for name in (source.pair.rgb, source.pair.hsi, source.pair.wavelengths)
        if name
    ]
    table = options.cubes.wavelengths
    named += [Path(table)] if isinstance(table, str | Path) else []
    states = [(str(path), path.stat()) for path in named if path.is_file()]
    dated = [(path, state.st_size, state.st_mtime_ns) for path, state in states]
    document = (
        [asdict(plan) for plan in plans],
        asdict(options),
        asdict(storage),
        [(source.dtype, source.gsd, source.hsi_factor, str(source.pair)) for source in sources],
        dated,
        __version__,
    )
    text = json.dumps(document, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
