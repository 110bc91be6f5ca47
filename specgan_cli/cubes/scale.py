"""What stored values are as reflectance: by the file, by the user, or by their size."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from specgan.bands import Bands
from specgan_cli.cubes.layout import CubeLayout
from specgan_cli.errors import RasterError
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.missing import spread_windows
from specgan_cli.types import F32, F64, Mask

__all__ = ["gains_of"]

logger = logging.getLogger(__name__)

_BELIEVED = (0.003, 3.0)
"""Reflectance between which the brightest hundredth of a cube lies; snow and glint are above 1."""


class ScaledCube(Protocol):
    """What is asked of a cube whose scale is looked for; see `Cube`."""

    grid: Grid
    bands: Bands
    bad: Mask
    gains: F64
    offsets: F64
    layout: CubeLayout

    @property
    def name(self) -> str:
        """Name for messages."""

    def read(self, window: Window, indices: Sequence[int] | None = None) -> tuple[F32, Mask]:
        """Return values times gains plus offsets, and where they are measured."""


def gains_of(cube: ScaledCube, scale: float | None) -> F64:
    """Return the reflectance of one stored unit, of every band.

    A scale that the file declares is checked against the values; a declared factor of 1 for whole
    numbers above 2 is a writer's default, and taken for none.

    Args:
        cube: The open cube; with a given scale its offsets become 0.
        scale: The stored value of reflectance 1, by the user; None for what the file says.

    Raises:
        RasterError: The scale is no positive number, or there is none and the values tell none.
    """
    count, stored = len(cube.bands), cube.layout.gains
    if scale is not None:
        if not scale > 0:
            raise RasterError(f"--hsi-scale: {scale} cannot be the stored value of reflectance 1")
        cube.offsets = np.zeros(count)
        return np.full(count, 1.0 / scale)
    whole = not np.issubdtype(np.dtype(cube.layout.dtype), np.inexact)
    if stored is None or (whole and not any(cube.offsets) and set(stored) == {1.0}):
        return np.full(count, 1.0 / _guess(cube))
    gains = cube.gains = np.asarray(stored)
    brightest = _brightest(cube)
    if brightest is not None and not _BELIEVED[0] <= brightest <= _BELIEVED[1]:
        logger.warning(
            "%s: by its scale its brightest values are reflectance %.3g; if that is wrong, give "
            "the stored value of reflectance 1 with --hsi-scale",
            cube.name,
            brightest,
        )
    return gains


def _brightest(cube: ScaledCube) -> float | None:
    """Return the brightest hundredth in the visible and near infrared; None where none is seen."""
    window = next(spread_windows(cube.grid.full_window))
    usable = [i for i in cube.bands.between(400.0, 1300.0) if not cube.bad[i]]
    if not usable:
        return None
    values, valid = cube.read(window, usable[:: max(len(usable) // 12, 1)])
    return float(np.percentile(values[:, valid], 99)) if valid.any() else None


def _guess(cube: ScaledCube) -> float:
    """The usual scale that brings the brightest visible and near-infrared values near 1."""
    dtype, high = cube.layout.dtype, _brightest(cube)
    if high is None:
        return 10000.0 if dtype.startswith(("int", "uint")) else 1.0
    usual = (255.0,) if dtype == "uint8" else (1.0, 100.0, 10000.0)
    guess = next((scale for scale in usual if high <= 2 * scale), None)
    if guess is None:
        raise RasterError(
            f"{cube.name}: values up to {high:.0f} and no scale; give the stored value of "
            "reflectance 1 with --hsi-scale"
        )
    logger.warning("%s: names no scale; %g is taken for reflectance 1", cube.name, guess)
    return guess
