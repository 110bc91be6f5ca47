"""What is said beside the results: on stderr, and with `--log-file` in a file; as text or JSON.

Records of the product's own course carry an `event` (start, plan, aligned, progress, done, failed)
and its `facts`.  Those that a command has shown already are `shown`, and not written twice.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from specgan_cli.redaction import redact_words

NOTICE = 25
"""Level of what a user hears without -v and not with -q: progress, and one closing line."""

EVENTS = logging.getLogger("specgan")


_LOG_LINE = re.compile(rb'({"time": ")?\d{4}-\d\d-\d\dT')
"""How each line of a log file begins."""


def tell(level: int, event: str, text: str, *, shown: bool = False, **facts: Any) -> None:
    """Log a step of a command's course.

    Args:
        level: A level of `logging`, or `NOTICE`.
        event: Its name.
        text: One line for people.
        shown: Whether the user sees it already.
        facts: JSON values for machines.
    """
    EVENTS.log(level, text, extra={"event": event, "facts": facts, "shown": shown})


class _Text(logging.Formatter):
    """Lines for people; with the date in files, and where a line tells progress."""

    def __init__(self, *, dated: bool) -> None:
        super().__init__()
        self._dated = dated

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line."""
        word = "" if record.levelno == NOTICE else f"{record.levelname}: "
        line = f"specgan: {word}{redact_words(record.getMessage())}"
        dated = self._dated or getattr(record, "event", "") == "progress"
        return f"{_time(record)} {line}" if dated else line


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a JSON object."""
        content = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "message"),
            "text": redact_words(record.getMessage()),
        }
        return json.dumps(content | getattr(record, "facts", {}), default=str)


class _Once(logging.Filter):
    """Drops a warning that was said before, such as one of a file that is opened again."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is new, or no warning."""
        if record.levelno != logging.WARNING:
            return True
        text = record.getMessage()
        new = text not in self._said
        self._said.add(text)
        return new


class _File(logging.FileHandler):
    """A log file; one that takes no more, as on a full disk, is said once and stops nothing."""

    _failed = False

    def handleError(self, record: logging.LogRecord) -> None:
        """Say that the file cannot be written."""
        if not self._failed:
            self._failed = True
            reason = getattr(sys.exception(), "strerror", None) or sys.exception()
            line = f"specgan: WARNING: --log-file {self.baseFilename}: cannot be written: {reason}"
            print(line, file=sys.stderr)

    def close(self) -> None:
        """Close, whatever the disk says of the rest."""
        with suppress(OSError):
            super().close()


@contextmanager
def passing_over_undecodable() -> Iterator[None]:
    """Let messages of GDAL that are not UTF-8 be lost without a traceback.

    rasterio logs them in a callback, whose errors it prints; those of GDAL it raises all the same.
    """
    ignored, uncaught = sys.unraisablehook, sys.excepthook

    def pass_over(found: "sys.UnraisableHookArgs") -> None:
        if found.exc_type is not UnicodeDecodeError:
            ignored(found)

    def pass_over_printed(kind: type[BaseException], *rest: Any) -> None:
        if kind is not UnicodeDecodeError:
            uncaught(kind, *rest)

    sys.unraisablehook, sys.excepthook = pass_over, pass_over_printed
    try:
        yield
    finally:
        sys.unraisablehook, sys.excepthook = ignored, uncaught


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="seconds")


def set_up_logging(state: Mapping[str, Any]) -> None:
    """Send log records where the user wants them.

    Args:
        state: The values of `watching_options` by name.
    """
    logging.addLevelName(NOTICE, "NOTICE")
    as_json = state.get("log_format") == "json"
    verbose = state.get("verbose", 0)
    level = {0: logging.INFO if as_json else NOTICE, 1: logging.INFO}.get(verbose, logging.DEBUG)
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setLevel(logging.ERROR if state.get("quiet") else level)
    handlers: list[logging.Handler] = [stderr]
    if not as_json:
        stderr.addFilter(lambda record: not getattr(record, "shown", False))
    if state.get("log_file"):
        file = _File(state["log_file"], encoding="utf-8")
        file.setLevel(min(level, logging.INFO))
        handlers.append(file)
    for handler in handlers:
        handler.addFilter(_Once())
        handler.setFormatter(_Json() if as_json else _Text(dated=handler is not stderr))
    lowest = min(handler.level for handler in handlers)
    logging.basicConfig(level=lowest, handlers=handlers, force=True)
    logging.captureWarnings(True)
    logging.getLogger("rasterio").setLevel(logging.DEBUG if verbose > 1 else logging.CRITICAL)
    if verbose <= 1:
        # GDAL writes to stderr whatever it says outside of rasterio's environments.
        os.environ.setdefault("CPL_LOG", os.devnull)


def _watch(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Keep an option that stands before or after the subcommand."""
    state, name = ctx.find_root().ensure_object(dict), str(param.name)
    if name == "log_file" and value is not None:
        _check_log(value)
    if name == "verbose":
        value += state.get(name, 0)
    state[name] = value or state.get(name, value)
    if ctx.parent is not None and value:
        set_up_logging(state)


def _check_log(path: Path) -> None:
    """Raise unless a file can be appended to, and is new, empty or a log: no scene, no weights."""
    try:
        # A pipe that nobody reads is an error then, and nothing to wait for.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o666))
        if path.is_file() and path.stat().st_size:
            with path.open("rb") as file:
                if not _LOG_LINE.match(file.read(64)):
                    raise click.UsageError(
                        f"--log-file {path}: exists and is no log of specgan; name another file"
                    )
    except OSError as error:
        raise click.UsageError(f"--log-file {path}: cannot be written: {error.strerror}") from error


def watching_options() -> list[click.Option]:
    """Return the options on what is said, which every command takes too."""
    common: dict[str, Any] = {"expose_value": False, "callback": _watch}
    return [
        click.Option(["-v", "--verbose"], count=True, help="Say more on stderr.", **common),
        click.Option(
            ["-q", "--quiet"], is_flag=True, help="Say nothing but errors on stderr.", **common
        ),
        click.Option(["--debug"], is_flag=True, help="Show the traceback of an error.", **common),
        click.Option(
            ["--log-file"],
            type=click.Path(path_type=Path, dir_okay=False),
            help="Append what is said to this file, with dates.",
            **common,
        ),
        click.Option(
            ["--log-format"],
            type=click.Choice(["text", "json"]),
            help="What is said, as text or as one JSON object a line.",
            **common,
        ),
    ]
