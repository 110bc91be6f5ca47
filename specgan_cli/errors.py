"""Errors of the command line; `main` turns each into one line and an exit code.

Drawn as a tree::

    SpecganError             exit code 1, from specgan.errors
    |-- RasterError          also an OSError: a raster cannot be read or used
    |-- OutputError          also an OSError: an output cannot be written
    |-- DatasetError         a training dataset is missing, damaged or of another kind
    |-- TrainingError        training cannot start or go on
    |-- MissingExtraError    an optional package is not installed
    `-- MismatchError        exit code 3: the inputs do not fit together
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from specgan.errors import ShapeError, SpecganError, WeightsError

__all__ = [
    "DatasetError",
    "MismatchError",
    "MissingExtraError",
    "OutputError",
    "RasterError",
    "ShapeError",
    "SpecganError",
    "TrainingError",
    "WeightsError",
    "explain",
    "parsing",
    "reason",
    "writing",
]


class RasterError(SpecganError, OSError):
    """A raster cannot be read, or is not what the command needs."""


class OutputError(SpecganError, OSError):
    """An output cannot be written: it exists, its folder is missing, the disk is full."""


class DatasetError(SpecganError):
    """A training dataset is missing, damaged or of another version."""


class TrainingError(SpecganError):
    """Training cannot start, or cannot go on."""


class MissingExtraError(SpecganError):
    """A feature needs an optional package that is not installed."""


class MismatchError(SpecganError):
    """The inputs do not fit together: no overlap, no reliable alignment."""

    exit_code: ClassVar[int] = 3


DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What parsers raise over damaged files."""


def reason(error: BaseException) -> str:
    """Return in one line what an error says beside the file's name, which the message has."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split()) or type(error).__name__


@contextmanager
def parsing(path: str | Path, kind: type[SpecganError], advice: str) -> Iterator[None]:
    """Turn what a parser raises over a damaged file into one line that names it.

    Args:
        path: The file.
        kind: The error to raise.
        advice: What to do.

    Raises:
        SpecganError: The file is damaged.
    """
    try:
        yield
    except SpecganError:
        raise
    except DAMAGE as error:
        lacks = "lacks " if isinstance(error, LookupError) else ""
        raise kind(f"{path} is damaged ({lacks}{reason(error)}); {advice}") from error


DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a disk, a quota or a file system that takes no more."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into one line that names the output.

    Raises:
        OutputError: If the disk is full, or the file cannot be written for another reason.
    """
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        advice = "choose another output"
        if error.errno in DISK_FULL:
            advice = "free some space, or choose another disk or a smaller scale"
        raise OutputError(f"{path}: cannot be written: {reason(error)}; {advice}") from error


def explain(error: Exception) -> tuple[str, int]:
    """Return what to say of an error, and the exit code; what nobody foresaw asks for a report."""
    if isinstance(error, SpecganError):
        return str(error), error.exit_code
    if isinstance(error, ValueError) and "null byte" in str(error):
        return "a name in the list or the configuration holds a null character; correct it", 1
    if isinstance(error, MemoryError):
        return f"out of memory: {error or 'use a smaller --tile or --batch'}", 1
    if isinstance(error, OSError) and error.errno is not None:
        where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return f"{where}{error.strerror or error}", 1
    return (
        f"unexpected {type(error).__name__}: {error}; please report this, with what the same "
        "command says under `specgan --debug`"
    ), 1
