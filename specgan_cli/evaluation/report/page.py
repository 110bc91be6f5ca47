"""The report as one HTML page that needs no network."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from specgan_cli.evaluation.baselines import BASELINES
from specgan_cli.evaluation.metrics.catalogue import METRICS, better
from specgan_cli.evaluation.report import charts
from specgan_cli.evaluation.report.panels import Strip
from specgan_cli.evaluation.report.summary import ALL, Context, ablation, curves, shown
from specgan_cli.evaluation.runner import Evaluation, Row

CHARTED = (
    *("psnr", "ssim", "perceptual", "aerial", "line_share", "flat_roughness", "edge_contrast"),
    *("specks", "lattice", "spectrum", "edge_strength", "hallucination"),
)
"""Metrics with a histogram."""

CHARTED_METHODS = 5
"""Methods that charts show: the style sheet has six line colours, one of them the reference's."""

Places = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Cell:
    """One cell of a table."""

    text: str
    """What it shows."""
    value: str | None = None
    """The number that it sorts by, "" for none; None to sort by the text."""
    spread: str = ""
    """An interval, in small print."""
    best: bool = False
    """Whether it is the best of its row."""


@dataclass(frozen=True)
class SortedTable:
    """A table that sorts."""

    name: str
    """Its identifier in the page."""
    header: Sequence[str]
    """Titles of the columns."""
    rows: Sequence[Sequence[Cell]]
    """Its rows."""


@dataclass(frozen=True)
class Section:
    """A table below a title."""

    title: str
    """What it shows."""
    table: SortedTable
    """The table."""


def render(
    evaluation: Evaluation, context: Context, strips: Sequence[Strip], places: Places
) -> str:
    """Return the page.

    Args:
        evaluation: The figures.
        context: Names, command and notes.
        strips: Pictures of chosen chips.
        places: Longitude and latitude by chip, where known.
    """
    methods = _whole_methods(evaluation)
    environment = Environment(
        loader=PackageLoader("specgan_cli.evaluation", "report"),
        autoescape=True,
        undefined=StrictUndefined,
    )
    sets = evaluation.sets if len(evaluation.sets) > 1 else ()
    return environment.get_template("report.html").render(
        context=context,
        scale=evaluation.units.scale,
        count=len({row.chip for row in evaluation.rows}),
        style=_asset("report.css"),
        script=_asset("report.js"),
        summary=_summary(evaluation, None),
        strips=strips,
        of_interest=_ranked(evaluation),
        ablations=list(_ablations(evaluation)),
        charted=methods[:CHARTED_METHODS],
        histograms=list(_histograms(evaluation, methods[:CHARTED_METHODS])),
        spectra=list(_spectra(evaluation, methods[:CHARTED_METHODS])),
        sets=[_summary(evaluation, set_) for set_ in sets],
        map=_map(evaluation, places),
        chips=_chips(evaluation),
    )


def _asset(name: str) -> Markup:
    folder = resources.files("specgan_cli.evaluation.report")
    return Markup(folder.joinpath(name).read_text(encoding="utf-8"))


def _whole_methods(evaluation: Evaluation, set_: str | None = None) -> list[str]:
    """Return the methods without the variants of the ablation, which has its own tables."""
    return [name for name in evaluation.methods if ", " not in name and evaluation.of(name, set_)]


def _number(value: float) -> str:
    return "" if math.isnan(value) else repr(value).replace("inf", "Infinity")


def _summary(evaluation: Evaluation, set_: str | None) -> Section:
    methods = _whole_methods(evaluation, set_)
    rows = [row for name in evaluation.names if (row := _figures(evaluation, name, methods, set_))]
    count = len({row.chip for row in evaluation.rows if set_ in (None, row.set)})
    identifier = "summary" if set_ is None else f"summary-{set_}"
    return Section(
        f"{set_ or ALL}, {count} chips", SortedTable(identifier, ["metric", *methods], rows)
    )


def _figures(
    evaluation: Evaluation, name: str, methods: Sequence[str], set_: str | None
) -> list[Cell]:
    """Return the row of a metric; an empty one where nothing was measured."""
    intervals = [evaluation.mean(name, method, set_) for method in methods]
    known = [interval.mean for interval in intervals if not math.isnan(interval.mean)]
    if not known:
        return []
    info = METRICS[name]
    cells = [Cell(f"{info.title}, {info.unit}" if info.unit else info.title)]
    for interval in intervals:
        best = not name.endswith("_reference") and all(
            value == interval.mean or better(name, interval.mean, value) for value in known
        )
        text, _, spread = shown(interval).partition(" ")
        best = best and not math.isnan(interval.mean)
        cells.append(Cell(text, _number(interval.mean), spread, best))
    return cells


def _ablations(evaluation: Evaluation) -> Iterator[Section]:
    for method, sets in ablation(evaluation).items():
        for set_, variants in sets.items():
            rows = [
                [Cell(METRICS[name].title), *(_change(entry[name]) for entry in variants.values())]
                for name in next(iter(variants.values()))
            ]
            header = ["change against the whole cube", *variants]
            yield Section(f"{method}, {set_}", SortedTable("ablation", header, rows))


def _change(entry: dict[str, Any]) -> Cell:
    if entry["mean"] is None:
        return Cell("-", "")
    text, value = f"{entry['mean']:+.4g}", _number(float(entry["mean"]))
    if entry["low"] is None:
        return Cell(text, value)
    sure = "" if entry["excludes_zero"] else " (may be 0)"
    return Cell(text, value, f"[{entry['low']:+.3g}, {entry['high']:+.3g}]{sure}")


def _histograms(evaluation: Evaluation, methods: Sequence[str]) -> Iterator[Markup]:
    for name in CHARTED:
        if name not in evaluation.names:
            continue
        series = {
            method: [v for row in evaluation.of(method) if math.isfinite(v := row.values[name])]
            for method in methods
        }
        info = METRICS[name]
        yield charts.histogram(info.title, info.unit, series)


def _spectra(evaluation: Evaluation, methods: Sequence[str]) -> Iterator[Markup]:
    for set_, by_name in curves(evaluation).items():
        drawn = {name: by_name[name] for name in ("reference", *methods) if name in by_name}
        yield charts.spectra(f"Power spectrum, {set_}", drawn)


def _map(evaluation: Evaluation, places: Places) -> dict[str, Any] | None:
    name = "perceptual" if _measured(evaluation, "perceptual") else "psnr"
    if not places or not _measured(evaluation, name):
        return None
    method = _ranked(evaluation)
    values = {row.chip: row.values[name] for row in evaluation.of(method)}
    title = f"{METRICS[name].title} of {method}, stronger is better"
    chart = charts.chip_map(places, values, METRICS[name].better, title)
    return {"title": title, "known": len(places), "all": len(values), "chart": chart}


def _measured(evaluation: Evaluation, name: str) -> bool:
    return any(math.isfinite(row.values.get(name, math.nan)) for row in evaluation.rows)


def _ranked(evaluation: Evaluation) -> str:
    """Return the method of interest: the first that is no interpolation."""
    others = [name for name in evaluation.methods if name not in BASELINES]
    return (others or list(evaluation.methods))[0]


def _chips(evaluation: Evaluation) -> SortedTable:
    names = [name for name in evaluation.names if name in evaluation.rows[0].values]
    rows = [_chip(row, names) for row in evaluation.rows]
    return SortedTable("chips", ["chip", "set", "label", "method", *names], rows)


def _chip(row: Row, names: Sequence[str]) -> list[Cell]:
    lead = [Cell(text) for text in (row.chip, row.set, row.label or "", row.method)]
    values = [row.values[name] for name in names]
    return lead + [Cell("-" if math.isnan(v) else f"{v:.4g}", _number(v)) for v in values]
