"""The figures of an evaluation as JSON and CSV."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from specgan._version import __version__
from specgan_cli.evaluation.bootstrap import Interval
from specgan_cli.evaluation.metrics.catalogue import METRICS
from specgan_cli.evaluation.runner import Evaluation

FORMAT = "specgan-report/1"
ALL = "all"
"""Name of all sets together."""


@dataclass
class Context:
    """What a reader must know beside the figures."""

    source: str
    """Dataset or rasters that were measured."""
    command: str = ""
    """The command line."""
    weights: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each weights file by method."""
    judges: dict[str, str] = field(default_factory=dict)
    """Network and file of each perceptual judge, by the name of its metric."""
    notes: list[str] = field(default_factory=list)
    """Assumptions and what is missing, in words."""


def build(evaluation: Evaluation, context: Context) -> dict[str, Any]:
    """Return the whole evaluation as a JSON document.

    Numbers that JSON does not know are strings ("inf") or null (not measured).
    """
    sets: list[str | None] = [None]
    sets += evaluation.sets if len(evaluation.sets) > 1 else []
    return {
        "format": FORMAT,
        "version": __version__,
        "source": context.source,
        "command": context.command,
        "scale": evaluation.units.scale,
        "range": [evaluation.units.low, evaluation.units.high],
        "weights": context.weights,
        "judges": context.judges,
        "notes": context.notes,
        "metrics": {name: vars(METRICS[name]) for name in evaluation.names},
        "methods": list(evaluation.methods),
        "skipped": evaluation.skipped,
        "summary": {
            set_ or ALL: {
                method: {
                    name: plain(evaluation.mean(name, method, set_).to_json())
                    for name in evaluation.names
                }
                for method in evaluation.methods
                if evaluation.of(method, set_)
            }
            for set_ in sets
        },
        "ablation": ablation(evaluation),
        "grid_steps": grid_steps(evaluation),
        "spectra": curves(evaluation),
        "chips": [
            {
                "chip": row.chip,
                "set": row.set,
                "group": row.group,
                "label": row.label,
                "method": row.method,
                **plain(row.values),
            }
            for row in evaluation.rows
        ],
    }


def ablation(evaluation: Evaluation) -> dict[str, Any]:
    """Return, for every network with variants, the paired differences variant minus whole cube."""
    found: dict[str, Any] = {}
    for method in evaluation.methods:
        base, _, variant = method.rpartition(", ")
        if base not in evaluation.methods:
            continue
        for set_ in evaluation.sets:
            if evaluation.of(method, set_):
                found.setdefault(base, {}).setdefault(set_, {})[variant] = {
                    name: _difference(evaluation.difference(name, method, base, set_))
                    for name in evaluation.names
                    if name in evaluation.rows[0].values
                }
    return found


def _difference(interval: Interval) -> dict[str, Any]:
    return {**plain(interval.to_json()), "excludes_zero": interval.excludes_zero}


def grid_steps(evaluation: Evaluation) -> dict[str, Any]:
    """Return the 2 x 2 step ratios of every octave, of outputs and of the reference."""
    return {
        set_: {
            method: {
                f"x{factor}": plain(
                    {"sr": steps.ratio(), "reference": pool.reference_steps[factor].ratio()}
                )
                for factor, steps in pool.steps.items()
            }
            for (name, method), pool in evaluation.pools.items()
            if name == set_
        }
        for set_ in evaluation.sets
    }


def curves(evaluation: Evaluation) -> dict[str, Any]:
    """Return the mean power spectra by set and method, the reference among the methods."""
    found: dict[str, Any] = {}
    for (set_, method), pool in evaluation.pools.items():
        if pool.suite.spectrum is None:
            continue
        points = pool.suite.spectrum.curves()
        by_name = found.setdefault(set_, {})
        by_name.setdefault("reference", [[p["wavelength_m"], p["reference"]] for p in points])
        by_name[method] = [[p["wavelength_m"], p["sr"]] for p in points]
    return found


def plain(values: Mapping[str, float]) -> dict[str, Any]:
    """Replace what JSON does not know: infinities by "inf" and "-inf", NaN by null."""
    return {key: _plain(value) for key, value in values.items()}


def _plain(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def table(evaluation: Evaluation) -> str:
    """Return chips.csv: one line a chip and method."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = [name for name in evaluation.names if name in evaluation.rows[0].values]
    writer.writerow(["chip", "set", "group", "label", "method", *names])
    for row in evaluation.rows:
        figures = [_cell(row.values[name]) for name in names]
        writer.writerow([row.chip, row.set, row.group, row.label or "", row.method, *figures])
    return stream.getvalue()


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.9g}"


def text(evaluation: Evaluation, methods: Sequence[str]) -> str:
    """Return the summary as a table for a terminal, one block a set."""
    sets: list[str | None] = [None] if len(evaluation.sets) < 2 else [*evaluation.sets]
    lines = []
    for set_ in sets:
        count = max(len(evaluation.of(method, set_)) for method in methods)
        lines.append(f"{set_ or evaluation.sets[0]}, x{evaluation.units.scale}, {count} chips")
        rows = [["", *methods]]
        for name in evaluation.names:
            cells = [shown(evaluation.mean(name, method, set_)) for method in methods]
            if set(cells) == {"-"}:
                continue
            info = METRICS[name]
            rows.append([f"{name} ({info.unit})" if info.unit else name, *cells])
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            lines.append("  ".join(cells).rstrip())
        lines.append("")
    return "\n".join(lines)


def shown(interval: Interval) -> str:
    """Return a mean with its interval, in as few digits as tell them apart."""
    if math.isnan(interval.mean):
        return "-"
    digits = 4 if abs(interval.mean) < 1 else 3 if abs(interval.mean) < 10 else 2
    text_ = f"{interval.mean:.{digits}f}"
    if math.isnan(interval.low):
        return text_
    return f"{text_} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"
