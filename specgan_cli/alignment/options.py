"""How the displacement of a cube is looked for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["THRESHOLD", "AlignOptions"]

THRESHOLD = 0.999
"""Least reliability that is accepted."""


@dataclass(frozen=True)
class AlignOptions:
    """How the displacement of a cube is looked for."""

    align: bool = True
    """Whether to measure the displacement; false trusts the georeference."""
    local: bool = True
    """Whether to look for a smooth local displacement too, where the global one is sure."""
    max_shift: float | None = None
    """Largest displacement to look for, metres; by default a fifth of the overlap, between 4 and
    40 pixels of the coarser image."""
    threshold: float = THRESHOLD
    """Least reliability that is accepted, 0 to 1; 0 accepts everything."""
