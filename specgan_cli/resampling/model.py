"""How a cube lies on a scene, as a value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

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

    def to_json(self) -> dict[str, Any]:
        """A document that `from_json` reads; not-a-number becomes null."""
        document = {
            name: getattr(self, name) for name in self.__dataclass_fields__ if name != "field"
        }
        document["uncertainty"] = None if math.isnan(self.uncertainty) else self.uncertainty
        document["field"] = None if self.field is None else self.field.to_json()
        return json.loads(json.dumps(document))  # type: ignore[no-any-return]  # a dict again

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Alignment:
        """The alignment that `to_json` described."""
        values = {name: document[name] for name in cls.__dataclass_fields__ if name in document}
        for name in ("shift_xy", "shift_crs"):
            values[name] = tuple(float(value) for value in document[name])
        if values.get("uncertainty") is None:
            values["uncertainty"] = math.nan
        if values.get("field") is not None:
            values["field"] = DisplacementField.from_json(document["field"])
        return cls(**values)

    def without_field(self) -> Alignment:
        """The global displacement alone."""
        return replace(self, field=None)


UNALIGNED = Alignment()
"""The cube lies where its georeference puts it."""
