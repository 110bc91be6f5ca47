"""Scenes from stdin, and results to stdout: spooled, since rasters are not read in one go."""

import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from specgan_cli.errors import OutputError, writing
from specgan_cli.redaction import SPOOLED

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STREAM = "-"
"""What stands for stdin as a scene, and for stdout as an output."""


class _Stdout(io.FileIO):
    """A stdout whose errors name it; those of the system name files alone."""

    def write(self, content: "ReadableBuffer", /) -> int:
        """Write bytes."""
        try:
            return super().write(content)
        except OSError as error:
            error.filename = "standard output"
            raise


def name_stdout() -> None:
    """Let errors of stdout name it where it is a file or a pipe; a terminal is never full."""
    stdout = sys.stdout
    if isinstance(stdout, io.TextIOWrapper) and stdout is sys.__stdout__ and not stdout.isatty():
        buffer = io.BufferedWriter(_Stdout(stdout.fileno(), "w", closefd=False))
        sys.stdout = io.TextIOWrapper(buffer, stdout.encoding, stdout.errors)


def check_streams(given: dict[str, Any]) -> None:
    """Raise unless what is asked of stdin and stdout can be.

    Raises:
        click.UsageError: As said.
    """
    reads, writes = STREAM in given["scenes"], str(given["output"]) == STREAM
    if reads and given["output"] is None:
        raise click.UsageError("- is one scene; give -o OUT, or -o - for stdout")
    if reads and sys.stdin.isatty():
        raise click.UsageError("- reads a raster from stdin, which is a terminal; pipe one in")
    if writes and sys.stdout.isatty() and not given["dry_run"]:
        raise click.UsageError("-o - writes a raster to stdout, which is a terminal; pipe it on")
    if writes and given["as_json"] and not given["dry_run"]:
        raise click.UsageError("--json and -o - both write to stdout; give -o OUT")
    for option in ("resume", "skip_existing", "dask"):
        if given[option] and (reads or writes):
            word = option.replace("_", "-")
            raise click.UsageError(f"--{word} wants files; give them in place of -")


@contextmanager
def streamed(given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Put a file in the place of stdin and of stdout; the latter is passed on at the end.

    Yields:
        The options, with a scene and an output that are files.

    Raises:
        OutputError: No room for what comes in, or nobody reads what goes out.
    """
    reads, writes = STREAM in given["scenes"], str(given["output"]) == STREAM
    if not (reads or writes):
        yield given
        return
    with tempfile.TemporaryDirectory(prefix=SPOOLED) as name:
        folder = Path(name)
        if reads:
            with writing(folder), (folder / "scene").open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
            given = {**given, "scenes": (str(folder / "scene"),)}
        output = folder / "out.tif"
        yield {**given, "output": output} if writes else given
        if output.exists():
            _pass_on(output)


def _pass_on(path: Path) -> None:
    try:
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise OutputError("-: stdout was closed before all was written") from error
