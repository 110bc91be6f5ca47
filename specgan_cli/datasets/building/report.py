"""What a dataset holds, or would hold, in numbers and words."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from specgan_cli.datasets.building.build import ShardPlan
from specgan_cli.datasets.building.source import SourceImage
from specgan_cli.datasets.manifest import HSI_KINDS, SPLITS, Manifest, Rejected

FAILURES = ("unreadable", "unusable cube")
"""Reasons to leave out what the user may have meant to be in."""


@dataclass(frozen=True)
class DatasetSummary:
    """What was made, or would be."""

    output: str
    """Dataset folder."""
    dry_run: bool
    """Whether nothing was written."""
    chips: dict[str, int]
    """Chips per split."""
    pairs: dict[str, int]
    """Chips per kind of cube."""
    shards: int
    """Shards."""
    bytes: int
    """Bytes of pixels; at most, for a dry run."""
    rejected: dict[str, int]
    """What was left out, per reason."""
    unreadable: tuple[str, ...] = ()
    """Images and cubes that could not be read or used, each with its reason."""
    statistics: dict[str, Any] = field(default_factory=dict)
    """Statistics of the training split."""

    def lines(self) -> Iterator[str]:
        """Say it in words, line by line."""
        verb = "would hold" if self.dry_run else "holds"
        counts = ", ".join(f"{count} {split}" for split, count in self.chips.items())
        yield f"{self.output} {verb} {sum(self.chips.values())} chips ({counts or 'none'})"
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.pairs.items())
        yield f"cubes: {kinds}; {self.shards} shards, {self.bytes / 1e6:.1f} MB"
        for reason, count in self.rejected.items():
            yield f"left out: {count} {reason}"


def plan_report(
    output: Path,
    plans: Sequence[ShardPlan],
    sources: Sequence[SourceImage],
    rejected: Sequence[Rejected],
) -> DatasetSummary:
    """Say what a plan would give.

    Args:
        output: The folder that would be made.
        plans: Its shards.
        sources: The sources of their chips.
        rejected: What is left out.
    """
    chips = [(plan.split, sources[chip.source]) for plan in plans for chip in plan.chips]
    return DatasetSummary(
        output=str(output),
        dry_run=True,
        chips=_counts([split for split, _ in chips], SPLITS),
        pairs=_counts([source.pair.hsi_kind for _, source in chips], HSI_KINDS),
        shards=len(plans),
        bytes=sum(plan.nbytes for plan in plans),
        rejected=_reasons(rejected),
        unreadable=_unreadable(rejected),
    )


def final_report(output: Path, manifest: Manifest) -> DatasetSummary:
    """Say what a dataset holds."""
    return DatasetSummary(
        output=str(output),
        dry_run=False,
        chips=_counts([chip.split for chip in manifest.chips], SPLITS),
        pairs=_counts([chip.hsi_kind for chip in manifest.chips], HSI_KINDS),
        shards=len(manifest.shards),
        bytes=sum(entry.bytes for shard in manifest.shards for entry in shard.files.values()),
        rejected=_reasons(manifest.rejected),
        unreadable=_unreadable(manifest.rejected),
        statistics=asdict(manifest.statistics),
    )


def _counts(values: Sequence[str], order: Sequence[str]) -> dict[str, int]:
    counted = Counter(values)
    return {name: counted[name] for name in order if counted[name]}


def _reasons(rejected: Sequence[Rejected]) -> dict[str, int]:
    return dict(sorted(Counter(entry.reason.split(":")[0] for entry in rejected).items()))


def _unreadable(rejected: Sequence[Rejected]) -> tuple[str, ...]:
    found = [entry for entry in rejected if entry.reason.split(":")[0] in FAILURES]
    return tuple(f"{entry.source}: {entry.reason}" for entry in found)


def nothing_left(rejected: Sequence[Rejected]) -> str:
    """Say why no chip was left."""
    reasons = ", ".join(f"{count} {reason}" for reason, count in _reasons(rejected).items())
    first = f"; {rejected[0].source}: {rejected[0].reason}" if rejected else ""
    return f"no chip is left: {reasons or 'there was none'}{first}"
