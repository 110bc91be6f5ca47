"""What came out of an evaluation: as JSON, as text, as files, and against thresholds."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from specgan import files
from specgan_cli.errors import OutputError, writing
from specgan_cli.evaluation.baselines import BASELINES
from specgan_cli.evaluation.metrics.catalogue import METRICS, better
from specgan_cli.evaluation.report import page, panels, summary
from specgan_cli.evaluation.request import REPORT_FILES
from specgan_cli.evaluation.runner import Evaluation


@dataclass
class EvaluateResult:
    """What came out."""

    evaluation: Evaluation
    """All figures."""
    context: summary.Context
    """Names and notes."""
    failures: list[str] = field(default_factory=list)
    """Thresholds that were missed, in words."""

    def to_json(self) -> dict[str, Any]:
        """Return the report's JSON document, the missed thresholds included."""
        return {**summary.build(self.evaluation, self.context), "failures": self.failures}

    def to_text(self) -> str:
        """Return the summary for a terminal, with the notes below it."""
        lines = [summary.text(self.evaluation, self.evaluation.methods)]
        lines += [f"note: {note}" for note in self.context.notes]
        return "\n".join(lines).rstrip()


def thresholds(evaluation: Evaluation, wanted: Sequence[tuple[str, float]]) -> list[str]:
    """Return the thresholds that a measured method misses, in words; an unmeasured one misses."""
    judged = [
        name for name in evaluation.methods if name not in BASELINES and ", " not in name
    ] or list(evaluation.methods[:1])
    missed = []
    for name, limit in wanted:
        for method in judged:
            value = evaluation.mean(name, method).mean
            if value == limit or better(name, value, limit):
                continue
            side = "over" if METRICS[name].better == "lower" else "under"
            if value != value:
                missed.append(f"{name} of {method} could not be measured")
            else:
                missed.append(f"{name} of {method} is {value:.4g}, {side} {limit:g}")
    return missed


def write(
    outcome: EvaluateResult,
    folder: Path,
    drawn: Sequence[panels.Strip],
    places: dict[str, tuple[float, float]],
) -> None:
    """Write report.json, chips.csv and index.html.

    Args:
        outcome: All figures.
        folder: Where to; made if its parent is there.
        drawn: Pictures of some chips.
        places: Longitude and latitude of chips, by name, where they are known.

    Raises:
        OutputError: The folder cannot be written.
    """
    text = json.dumps(outcome.to_json(), indent=1, allow_nan=False) + "\n"
    html = page.render(outcome.evaluation, outcome.context, drawn, places)
    contents = (summary.table(outcome.evaluation), html, text)
    new = not folder.exists()
    try:
        with writing(folder), files.together():
            folder.mkdir(exist_ok=True)
            for name, content in zip(REPORT_FILES, contents, strict=True):
                files.write(folder / name, content)
    except OutputError:
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        raise
