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
