"""Options and parameter types that several commands share, in the words of rio and gdal."""

from collections.abc import Callable, Sequence
from typing import Any

import click

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


def add(decorators: Sequence[Decorator], command: Command) -> Command:
    """Add options to a command, in the order in which its help shall show them."""
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


overwrite: Decorator = click.option(
    "--overwrite", is_flag=True, help="Replace an output that exists already."
)
json_output: Decorator = click.option(
    "--json", "as_json", is_flag=True, help="Write one JSON document to stdout and nothing else."
)
dry_run: Decorator = click.option(
    "--dry-run", is_flag=True, help="Say what would be done, and do nothing."
)
device: Decorator = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="auto, cpu, cuda or cuda:N.",
)
jobs: Decorator = click.option(
    "-j",
    "--jobs",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Worker processes or threads.",
)
