"""What commands show: progress on stderr; summaries, tables and JSON on stdout."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from specgan.serde import to_plain

if TYPE_CHECKING:
    from tqdm import tqdm


def is_quiet() -> bool:
    """Return whether the user gave -q."""
    return bool((click.get_current_context().find_root().obj or {}).get("quiet"))


def say(text: str) -> None:
    """Write a summary to stdout, unless -q asked for none."""
    if text and not is_quiet():
        click.echo(text)


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


class Progress:
    """A bar on stderr that starts again with every stage; nothing off a terminal, or with -q."""

    def __init__(self, unit: str = "it") -> None:
        self._unit = unit
        self._hidden = is_quiet() or not sys.stderr.isatty()
        self._stage: str | None = None
        self._bar: tqdm[Any] | None = None

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
        if self._hidden:
            return
        if self._bar is None or stage != self._stage:
            from tqdm import tqdm

            self.__exit__()
            self._stage = stage
            self._bar = tqdm(
                desc=stage,
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
