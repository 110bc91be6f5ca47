"""Run methods over the chips of a dataset and measure every output, in bounded memory."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from specgan_cli.evaluation.bootstrap import Interval, mean_interval
from specgan_cli.evaluation.chips import EvalChip, set_of
from specgan_cli.evaluation.image_pair import Tile, Units
from specgan_cli.evaluation.methods import Method, can_run
from specgan_cli.evaluation.metrics.catalogue import POOLED_ONLY, RATIOS
from specgan_cli.evaluation.metrics.grid_artifacts import Steps
from specgan_cli.evaluation.metrics.suite import Suite
from specgan_cli.evaluation.perceptual.features import (
    Distribution,
    Features,
    frechet_distance,
)
from specgan_cli.evaluation.perceptual.judges import NO_JUDGES, Judges, Seen
from specgan_cli.measures import block_means
from specgan_cli.types import F64

REFERENCE = "reference"
"""Name of the reference among methods, for observers."""

FeatureCallback = Callable[[EvalChip, str, Features], None]
"""Called with a chip, a method's name (or REFERENCE) and what the backbone sees."""


@dataclass(frozen=True)
class Row:
    """The figures of one chip and one method."""

    chip: str
    """Name of the chip."""
    group: str
    """Chips of one group share ground."""
    set: str
    """Set that the chip is reported under."""
    method: str
    """Name of the method."""
    label: str | None
    """Class of the chip, where known."""
    values: dict[str, float]
    """By metric; NaN where one could not be measured."""


@dataclass
class Pool:
    """What is measured over all chips of a set together."""

    suite: Suite
    """Merged accumulators of the images."""
    sr: Distribution = field(default_factory=Distribution)
    """Features of the outputs."""
    reference: Distribution = field(default_factory=Distribution)
    """Features of the same chips' references."""
    steps: dict[int, Steps] = field(default_factory=dict)
    """Per octave factor: 2 x 2 steps of the outputs."""
    reference_steps: dict[int, Steps] = field(default_factory=dict)
    """Per octave factor: 2 x 2 steps of the reference averaged to the same grid."""


@dataclass
class Evaluation:
    """All figures of a run."""

    units: Units
    """Units and factor."""
    names: tuple[str, ...]
    """Metrics, in the catalogue's order."""
    methods: tuple[str, ...]
    """Method names, in the order given."""
    rows: list[Row] = field(default_factory=list)
    """One a chip and method."""
    pools: dict[tuple[str, str], Pool] = field(default_factory=dict)
    """By set and method."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Chips that a method could not take, by method."""
    whole: bool = False
    """Whether the rows are blocks of one raster, so that its figures are those of the whole."""
    extra: dict[tuple[str, str, str], float] = field(default_factory=dict)
    """Pooled figures that were measured elsewhere, by set, method and metric."""

    @property
    def sets(self) -> tuple[str, ...]:
        """The sets, in order of appearance."""
        return tuple(dict.fromkeys(row.set for row in self.rows))

    def of(self, method: str, set_: str | None = None) -> list[Row]:
        """Return the rows of a method, of one set or of all."""
        return [row for row in self.rows if row.method == method and set_ in (None, row.set)]

    def mean(self, metric: str, method: str, set_: str | None = None) -> Interval:
        """Return the mean over chips of a metric with its bootstrap interval over groups.

        A ratio to the reference's value is the ratio of both means, where both were measured.
        """
        if metric in POOLED_ONLY:
            return _alone(self.pooled(metric, method, set_))
        if self.whole and not math.isnan(figure := self._suite_figure(metric, method, set_)):
            return _alone(figure)
        rows = self.of(method, set_)
        groups = [row.group for row in rows]
        if metric in RATIOS and all(name in self.names for name in RATIOS[metric]):
            values, weights = (
                [row.values.get(name, math.nan) for row in rows] for name in RATIOS[metric]
            )
            return mean_interval(values, groups, weights)
        return mean_interval([row.values.get(metric, math.nan) for row in rows], groups)

    def difference(self, metric: str, method: str, base: str, set_: str | None = None) -> Interval:
        """Return the mean over chips of method minus base, paired, with its interval.

        Args:
            metric: Name of the metric.
            method: Name of a method.
            base: Name of the method that it is compared with.
            set_: A set of chips; None for all.
        """
        first = {row.chip: row for row in self.of(method, set_)}
        second = {row.chip: row for row in self.of(base, set_)}
        both = [name for name in first if name in second]
        nan = math.nan
        values = [
            first[name].values.get(metric, nan) - second[name].values.get(metric, nan)
            for name in both
        ]
        return mean_interval(values, [first[name].group for name in both])

    def pooled(self, metric: str, method: str, set_: str | None = None) -> float:
        """Return a figure of all chips together; NaN where there is none."""
        if set_ is not None and (set_, method, metric) in self.extra:
            return self.extra[set_, method, metric]
        if metric == "spectrum_pooled":
            return self._suite_figure(metric, method, set_)
        if metric != "frechet_distance":
            return math.nan
        sr, reference = Distribution(), Distribution()
        for (name, which), pool in self.pools.items():
            if which == method and set_ in (None, name):
                sr.merge(pool.sr)
                reference.merge(pool.reference)
        return frechet_distance(sr, reference)

    def _suite_figure(self, metric: str, method: str, set_: str | None) -> float:
        total = Suite(self.units, self.names)
        for (name, which), pool in self.pools.items():
            if which == method and set_ in (None, name):
                total.merge(pool.suite)
        return total.results().get(metric, math.nan)


def run(
    chips: Iterable[EvalChip],
    methods: Sequence[Method],
    names: tuple[str, ...],
    units: Units,
    *,
    judges: Judges = NO_JUDGES,
    observe: FeatureCallback | None = None,
) -> Evaluation:
    """Measure every method on every chip; chips are read one at a time.

    Args:
        chips: The inputs and references.
        methods: What makes the outputs.
        names: Metrics, from `catalogue.check_names`.
        units: Units and factor of the chips.
        judges: For the perceptual metrics; without one they are NaN.
        observe: Called with the features of every output, and in the reference (REFERENCE).
    """
    result = Evaluation(units, names, tuple(method.name for method in methods))
    for chip in chips:
        record = chip.record
        subject = Subject(record.id, record.group, set_of(record), record.label)
        seen = judges.reference(chip.compare(chip.hr_reference))
        told = None if observe is None else partial(observe, chip)
        if told is not None and seen.perceptual is not None:
            told(REFERENCE, seen.perceptual)
        for method in methods:
            if not method.applies(chip):
                continue
            octaves = can_run(method, chip)
            if octaves is None:
                result.skipped[method.name] = result.skipped.get(method.name, 0) + 1
                continue
            tile = chip.compare(octaves[-1])
            _add_steps(add(result, subject, method.name, tile, judges, seen, told), chip, octaves)
    return result


@dataclass(frozen=True)
class Subject:
    """What a row of figures is about."""

    name: str
    """Name of the chip, or of the block of a raster."""
    group: str
    """Chips of one group share ground."""
    set: str
    """Set that it is reported under."""
    label: str | None = None
    """Class, where known."""


def add(
    result: Evaluation,
    subject: Subject,
    method: str,
    tile: Tile,
    judges: Judges,
    seen: Seen,
    observe: Callable[[str, Features], None] | None = None,
) -> Pool:
    """Add one output to the figures, as a row and to its pool; return the pool.

    Args:
        result: Figures so far.
        subject: What the output shows.
        method: Name of what made it.
        tile: The output beside the reference.
        judges: For the perceptual metrics.
        seen: What they see of the same tile's reference.
        observe: Called with the method's name and the features of the output.
    """
    suite = Suite(result.units, result.names)
    pool = result.pools.setdefault((subject.set, method), Pool(Suite(result.units, result.names)))
    suite.update(tile)
    pool.suite.merge(suite)
    values = suite.results()
    if seen:
        output = judges.output(tile)
        values |= judges.distances(output, seen)
        if output.perceptual is not None and seen.perceptual is not None:
            pool.sr.add(output.perceptual.positions)
            pool.reference.add(seen.perceptual.positions)
            if observe is not None:
                observe(method, output.perceptual)
    kept = {name: values.get(name, math.nan) for name in result.names if name not in POOLED_ONLY}
    result.rows.append(Row(subject.name, subject.group, subject.set, method, subject.label, kept))
    return pool


def _add_steps(pool: Pool, chip: EvalChip, octaves: list[F64]) -> None:
    """Add the 2 x 2 steps of every octave, beside those of the reference on the same grid."""
    for image in octaves:
        factor = image.shape[1] // chip.lr.shape[1]
        reference, valid = block_means(chip.hr_reference, chip.hr_valid, chip.scale // factor)
        pool.steps.setdefault(factor, Steps(2)).add(image, valid)
        pool.reference_steps.setdefault(factor, Steps(2)).add(reference, valid)


def _alone(value: float) -> Interval:
    return Interval(value, math.nan, math.nan, 0 if math.isnan(value) else 1, 1)


def with_progress(chips: Iterable[EvalChip], advance: Callable[[], None]) -> Iterator[EvalChip]:
    """Yield the chips and call `advance` after each one was measured."""
    for chip in chips:
        yield chip
        advance()
