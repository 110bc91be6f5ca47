"""The plan of a village: where river, roads and fields run, drawn at random."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

EXTENT_M = 420.0
"""Fields are laid out to this distance from the middle; beyond it is meadow."""


@dataclass(frozen=True)
class Field:
    """One rectangular field in the village's own coordinates."""

    kind: str
    """ploughed, bare, crop, stubble or meadow."""

    u_range: tuple[float, float]
    """Metres along the main road."""

    v_range: tuple[float, float]
    """Metres across it."""

    row_angle: float
    """Direction of its rows, radians."""


@dataclass(frozen=True)
class Plan:
    """Lines of one village: u runs along the main road, v across it, in metres."""

    angle: float
    """Direction of the main road, radians from east to south."""

    sun_azimuth: float
    """Degrees clockwise from north."""

    sun_elevation: float
    """Degrees above the horizon."""

    river_u: float
    """Middle of the river."""

    river_width: float
    """Width of the water."""

    meander: tuple[float, float, float]
    """Amplitude (m), wavelength (m) and phase of the river's bends."""

    bend: tuple[float, float, float]
    """The same of the main road."""

    side_u: float
    """Middle of the side road."""

    side_v: float
    """Side of the main road that the side road leaves to: -1 or 1."""

    track_u: float
    """Middle of the field track, on the other bank."""

    crossing_u: float
    """Pedestrian crossing."""

    village_u: tuple[float, float]
    """Stretch of the main road with houses."""

    fields: tuple[Field, ...]
    """Farmland."""

    def river_at(self, v: Array) -> Array:
        """Return u of the river's middle."""
        amplitude, length, phase = self.meander
        return self.river_u + amplitude * np.sin(2 * math.pi * v / length + phase)

    def road_at(self, u: Array) -> Array:
        """Return v of the main road's middle."""
        amplitude, length, phase = self.bend
        return amplitude * np.sin(2 * math.pi * u / length + phase)


def draw_plan(rng: np.random.Generator) -> Plan:
    """Draw the plan of a village."""
    river = float(rng.uniform(-72.0, -58.0))
    side = float(rng.uniform(8.0, 30.0))
    village = (river + 15.0, float(rng.uniform(98.0, 130.0)))
    kinds = ("ploughed", "crop", "meadow", "bare", "stubble")
    return Plan(
        angle=float(rng.uniform(-0.35, 0.35)),
        sun_azimuth=float(rng.uniform(125.0, 225.0)),
        sun_elevation=float(rng.uniform(38.0, 55.0)),
        river_u=river,
        river_width=float(rng.uniform(9.0, 15.0)),
        meander=(
            float(rng.uniform(4.0, 8.0)),
            float(rng.uniform(90.0, 150.0)),
            float(rng.uniform(0.0, 6.28)),
        ),
        bend=(
            float(rng.uniform(1.0, 4.0)),
            float(rng.uniform(160.0, 260.0)),
            float(rng.uniform(0.0, 6.28)),
        ),
        side_u=side,
        side_v=1.0 if rng.random() < 0.5 else -1.0,
        track_u=river - float(rng.uniform(15.0, 19.0)),
        crossing_u=side - float(rng.uniform(9.0, 14.0)),
        village_u=village,
        fields=_draw_fields(rng, river, kinds),
    )


def _draw_fields(
    rng: np.random.Generator, river: float, kinds: tuple[str, ...]
) -> tuple[Field, ...]:
    """Draw strips beyond the river and beyond the gardens on both sides of the road."""
    fields: list[Field] = []
    blocks = [
        (-EXTENT_M, river - 21.0, -EXTENT_M, -7.0),
        (-EXTENT_M, river - 21.0, 7.0, EXTENT_M),
        (river + 17.0, EXTENT_M, -EXTENT_M, -47.0),
        (river + 17.0, EXTENT_M, 47.0, EXTENT_M),
    ]
    for left, right, top, bottom in blocks:
        order = [kinds[index] for index in rng.permutation(len(kinds))]
        across = float(rng.uniform(-0.12, 0.12)) + (math.pi / 2 if rng.random() < 0.5 else 0.0)
        start, turn = left, 0
        while start < right:
            end = min(start + float(rng.uniform(24.0, 46.0)), right)
            if right - end < 12.0:
                end = right
            kind = order[turn % len(order)]
            fields.append(Field(kind, (start + 0.5, end - 0.5), (top, bottom), across))
            start, turn = end, turn + 1
    return tuple(fields)
