"""Errors of the networks, and the root of every expected error.

Drawn as a tree::

    SpecganError             exit code 1
    |-- ShapeError           also a ValueError: a tensor has the wrong shape, type or range
    |-- WeightsError         a weights file cannot be used
    `-- (specgan_cli.errors) the command line's own
"""

from typing import ClassVar


class SpecganError(Exception):
    """An expected failure, whose message says what, where and what to do next."""

    exit_code: ClassVar[int] = 1


class ShapeError(SpecganError, ValueError):
    """A tensor has another shape, type or range than the network takes."""


class WeightsError(SpecganError):
    """A weights file is missing, damaged, foreign or of another kind."""
