"""How a cube lies on a scene, as a value."""

from __future__ import annotations

import math
from dataclasses import dataclass

from specgan_cli.resampling.field import DisplacementField

__all__ = ["UNALIGNED", "Alignment"]


@dataclass(frozen=True)
class Alignment:
    """A cube's displacement: add it to the cube's ground positions to lie on the scene."""

    shift_xy: tuple[float, float] = (0.0, 0.0)
    """Global displacement to the east and to the north, metres."""
    shift_crs: tuple[float, float] = (0.0, 0.0)
    """The same displacement (x, y) in units of the scene's CRS."""
    field: DisplacementField | None = None
    """Smooth displacement on top of the global one, or None where it would not help."""
    reliability: float = 0.0
    """Probability-like figure, 0 to 1, that scene and cube show the same ground at this shift."""
    correlation: float = 0.0
    """Correlation of the scene with the aligned cube, 0 to 1."""
    correlation_before: float = 0.0
    """Correlation of the scene with the cube where its georeference puts it, 0 to 1."""
    uncertainty: float = math.nan
    """Standard error of the global displacement per axis, metres; NaN when it was not estimated.

    It counts what scene and cube show differently, not errors that they share.
    """
    overlap: float = 0.0
    """Share of the scene that the cube covers, 0 to 1."""
    pixels: int = 0
    """Coarse pixels that were compared."""
    estimated: bool = False
    """Whether the displacement was measured (false: the georeference is trusted)."""


UNALIGNED = Alignment()
"""The cube lies where its georeference puts it."""
