"""The report as one HTML page that needs no network."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

from specgan_cli.evaluation.metrics.catalogue import METRICS, better
from specgan_cli.evaluation.report import charts
from specgan_cli.evaluation.report.panels import Strip
from specgan_cli.evaluation.report.summary import ALL, Context, ablation, curves, shown
from specgan_cli.evaluation.runner import Evaluation

CHARTED = ("psnr", "ssim", "perceptual", "spectrum", "edge_strength", "hallucination")
"""Metrics with a histogram."""

Places = Mapping[str, tuple[float, float]]


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
    parts = [
        _head(evaluation, context),
        _summary(evaluation, None),
        _pictures(strips),
        _ablation(evaluation),
        _charts(evaluation),
        *(_summary(evaluation, set_) for set_ in _sets(evaluation)),
        _map(evaluation, places),
        _chips(evaluation),
    ]
    style, script = (_asset(name) for name in ("report.css", "report.js"))
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>specgan evaluation: {escape(context.source)}</title>"
        f"<style>{style}</style></head><body>{''.join(parts)}<script>{script}</script>"
        "</body></html>\n"
    )


def _asset(name: str) -> str:
    return (
        resources.files("specgan_cli.evaluation.report").joinpath(name).read_text(encoding="utf-8")
    )


def _sets(evaluation: Evaluation) -> tuple[str, ...]:
    return evaluation.sets if len(evaluation.sets) > 1 else ()


def _whole_methods(evaluation: Evaluation, set_: str | None = None) -> list[str]:
    """Return the methods without the variants of the ablation, which has its own tables."""
    return [name for name in evaluation.methods if ", " not in name and evaluation.of(name, set_)]


def _head(evaluation: Evaluation, context: Context) -> str:
    chips = len({row.chip for row in evaluation.rows})
    trunk = context.perceptual or "none: no perceptual figures"
    notes = "".join(f"<p>{escape(note)}</p>" for note in context.notes)
    weights = "".join(
        f"<br>{escape(name)}: <code>{escape(digest)}</code>"
        for name, digest in context.weights.items()
    )
    return (
        f"<h1>{escape(context.source)} at x{evaluation.units.scale}</h1>"
        f'<p class="quiet">{chips} chips; perceptual trunk: {escape(trunk)}{weights}</p>'
        f'<p class="quiet"><code>{escape(context.command)}</code></p>{notes}'
    )


def _cell(value: float, content: str, best: bool = False) -> str:
    number = "" if math.isnan(value) else repr(value).replace("inf", "Infinity")
    mark = ' class="best"' if best else ""
    return f'<td{mark} data-value="{number}">{content}</td>'


def _table(header: Sequence[str], rows: Sequence[str], name: str) -> str:
    heads = "".join(
        f'<th scope="col"><button type="button">{escape(text)}</button></th>' for text in header
    )
    return (
        f'<table id="{name}"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def _summary(evaluation: Evaluation, set_: str | None) -> str:
    methods = _whole_methods(evaluation, set_)
    rows = []
    for name in evaluation.names:
        info = METRICS[name]
        intervals = [evaluation.mean(name, method, set_) for method in methods]
        known = [interval.mean for interval in intervals if not math.isnan(interval.mean)]
        if not known:
            continue
        cells = []
        for interval in intervals:
            best = not name.endswith("_truth") and all(
                value == interval.mean or better(name, interval.mean, value) for value in known
            )
            text, _, spread = shown(interval).partition(" ")
            content = f"{text} <small>{escape(spread)}</small>" if spread else text
            cells.append(_cell(interval.mean, content, best and not math.isnan(interval.mean)))
        title = f"{info.title}, {info.unit}" if info.unit else info.title
        rows.append(f"<tr><td>{escape(title)}</td>{''.join(cells)}</tr>")
    name = set_ or ALL
    count = len({row.chip for row in evaluation.rows if set_ in (None, row.set)})
    identifier = "summary" if set_ is None else f"summary-{escape(name)}"
    return (
        f"<h2>Figures: {escape(name)}, {count} chips</h2>"
        '<p class="quiet">Mean over chips with 95 % bootstrap interval over groups of neighbouring '
        "chips; the best of each row is marked.</p>"
        f'<div class="scroll">{_table(["metric", *methods], rows, identifier)}</div>'
    )


def _ablation(evaluation: Evaluation) -> str:
    found: dict[str, Any] = ablation(evaluation)
    parts = []
    for method, sets in found.items():
        for set_, variants in sets.items():
            rows = []
            for name in next(iter(variants.values())):
                cells = [
                    _cell(
                        entry[name]["mean"] if entry[name]["mean"] is not None else math.nan,
                        _change(entry[name]),
                    )
                    for entry in variants.values()
                ]
                rows.append(f"<tr><td>{escape(METRICS[name].title)}</td>{''.join(cells)}</tr>")
            table = _table(["change against the whole cube", *variants], rows, "ablation")
            parts.append(
                f'<h3>{escape(method)}, {escape(set_)}</h3><div class="scroll">{table}</div>'
            )
    return f"<h2>What the cube adds</h2>{''.join(parts)}" if parts else ""


def _change(entry: dict[str, Any]) -> str:
    if entry["mean"] is None:
        return "-"
    text = f"{entry['mean']:+.4g}"
    if entry["low"] is None:
        return text
    sure = "" if entry["excludes_zero"] else " (may be 0)"
    return f"{text} <small>[{entry['low']:+.3g}, {entry['high']:+.3g}]{sure}</small>"


def _charts(evaluation: Evaluation) -> str:
    methods = _whole_methods(evaluation)[:5]
    drawn = []
    for name in CHARTED:
        if name not in evaluation.names:
            continue
        series = {
            method: [v for row in evaluation.of(method) if math.isfinite(v := row.values[name])]
            for method in methods
        }
        info = METRICS[name]
        drawn.append(charts.histogram(info.title, info.unit, series))
    spectra = []
    for set_, by_name in curves(evaluation).items():
        shown_names = {name: by_name[name] for name in ("reference", *methods) if name in by_name}
        spectra.append(charts.spectra(f"Power spectrum, {set_}", shown_names))
    parts = ["<h2>Distributions</h2>", charts.legend(methods), _grid(drawn)]
    if spectra:
        parts += ["<h2>Detail by wavelength</h2>", charts.legend(["reference", *methods])]
        parts.append(_grid(spectra))
    return "".join(parts)


def _grid(charts: Sequence[str]) -> str:
    return f'<div class="charts">{"".join(charts)}</div>'


def _map(evaluation: Evaluation, places: Places) -> str:
    if not places:
        return ""
    name = "perceptual" if _measured(evaluation, "perceptual") else "psnr"
    method = _ranked(evaluation)
    if not _measured(evaluation, name):
        return ""
    values = {row.chip: row.values[name] for row in evaluation.of(method)}
    title = f"{METRICS[name].title} of {method}, stronger is better"
    chart = charts.chip_map(places, values, METRICS[name].better, title)
    return (
        f'<h2>Where the chips lie</h2><p class="quiet">{escape(title)}. '
        f"{len(places)} of {len(values)} chips have a place.</p>{_grid([chart])}"
    )


def _measured(evaluation: Evaluation, name: str) -> bool:
    return any(math.isfinite(row.values.get(name, math.nan)) for row in evaluation.rows)


def _ranked(evaluation: Evaluation) -> str:
    """Return the method of interest: the first that is no interpolation."""
    others = [name for name in evaluation.methods if name not in ("bicubic", "nearest")]
    return (others or list(evaluation.methods))[0]


def _pictures(strips: Sequence[Strip]) -> str:
    if not strips:
        return ""
    parts = [
        "<h2>Best, median and worst chips</h2>"
        '<p class="quiet">Point at a picture: the magnifier moves over all of its row.  '
        "With the keyboard: focus a row and use the arrow keys.</p>"
    ]
    for strip in strips:
        figures = "".join(
            f'<figure><div class="view"><img alt="{escape(panel.title)}" src="{panel.uri}">'
            f'<div class="lens"></div></div><figcaption>{escape(panel.title)}'
            f"{'<br>' + escape(panel.note) if panel.note else ''}</figcaption></figure>"
            for panel in strip.panels
        )
        name = escape(f"{strip.chip}: {strip.rank}")
        parts.append(
            f'<h3>{name}</h3><div class="strip" tabindex="0" role="group" '
            f'aria-label="{name}">{figures}</div>'
        )
    return "".join(parts)


def _chips(evaluation: Evaluation) -> str:
    names = [name for name in evaluation.names if name in evaluation.rows[0].values]
    rows = []
    for row in evaluation.rows:
        cells = [
            _cell(
                row.values[name], "-" if math.isnan(row.values[name]) else f"{row.values[name]:.4g}"
            )
            for name in names
        ]
        lead = "".join(
            f"<td>{escape(text)}</td>" for text in (row.chip, row.set, row.label or "", row.method)
        )
        rows.append(f"<tr>{lead}{''.join(cells)}</tr>")
    table = _table(["chip", "set", "label", "method", *names], rows, "chips")
    return f'<h2>Every chip</h2><div class="tall">{table}</div>'


def _short(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4g}"
