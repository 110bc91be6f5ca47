"""What commands show: progress on stderr; summaries, tables and JSON on stdout."""

import json
import logging
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from specgan.serde import to_plain
from specgan_cli.cli.logs import NOTICE, tell
from specgan_cli.wording import duration

if TYPE_CHECKING:
    from tqdm import tqdm


def is_quiet() -> bool:
    """Return whether the user gave -q."""
    return bool((click.get_current_context().find_root().obj or {}).get("quiet"))


def say(text: str) -> None:
    """Write a summary to stdout, unless -q asked for none."""
    if text and not is_quiet():
        click.echo(text)
        tell(logging.INFO, "done", text, shown=True)


def write_json(document: Any) -> None:
    """Write a document to stdout: dataclasses and plain values; not-a-number becomes null."""
    click.echo(json.dumps(to_plain(document), indent=2, allow_nan=False, default=str))


def write_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write rows to stdout: in columns on a terminal, with tabs between the cells elsewhere."""
    if not sys.stdout.isatty():
        click.echo("\n".join("\t".join(row) for row in rows))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)


PROGRESS_SECONDS = 60.0
"""Between two lines of progress off a terminal, and in a log file."""


class Progress:
    """A bar on stderr that starts again with every stage; off a terminal, a line every minute."""

    def __init__(self, unit: str = "it", every: float = PROGRESS_SECONDS) -> None:
        self._unit = unit
        self._every = every
        self._hidden = is_quiet() or not sys.stderr.isatty()
        self._stage: str | None = None
        self._bar: tqdm[Any] | None = None
        self._begun, self._done = (0.0, 0), 0
        self._told = 0.0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, stage: str, done: int, total: int | None, note: str = "") -> None:
        """Draw where a stage is.

        Args:
            stage: Its name; a new one begins a new bar.
            done: What is done.
            total: What there is to do; None where nobody knows.
            note: Shown behind the bar.
        """
        now = time.monotonic()
        if stage != self._stage or done < self._done:  # the same stage of the next scene
            self.__exit__()
            self._stage, self._bar = stage, None
            self._begun, self._told = (now, done), now
        elif now - self._told >= self._every:
            self._told = now
            self._tell(now, done, total, note)
        self._done = done
        if not self._hidden:
            self._draw(done, total, note)

    def _tell(self, now: float, done: int, total: int | None, note: str) -> None:
        """Log where a stage is, and how long it will still take."""
        start, before = self._begun
        left = "" if total is None else f" of {total} ({done / max(total, 1):.0%})"
        if total is not None and done > before:
            seconds = (now - start) * (total - done) / (done - before)
            left += f", about {duration(seconds)} left"
        text = " ".join(f"{self._stage}: {done}{left} {note}".split())
        facts = {"stage": self._stage, "done": done, "total": total}
        tell(NOTICE, "progress", text, shown=not self._hidden, **facts)

    def _draw(self, done: int, total: int | None, note: str) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                desc=self._stage,
                unit=self._unit,
                initial=done,
                total=total,
                file=sys.stderr,
                dynamic_ncols=True,
                leave=False,
            )
        self._bar.total = total
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(done - self._bar.n)
