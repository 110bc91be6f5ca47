"""A village on its plan: plots with houses and gardens, a farm, woods along the river."""

import math
from dataclasses import dataclass

import numpy as np

from simulator.buildings import Place, Roof, build, park_car, slab
from simulator.canvas import Canvas, blank
from simulator.ground import cut_river, lay_fields, lay_meadow, pave_roads, slope_angle
from simulator.light import skylight, sunlight
from simulator.plan import Plan, draw_plan
from simulator.plants import broadleaf, conifer, hedge
from simulator.truth import Truth

COVERS = ("red_tile", "red_tile", "red_tile", "brown_tile", "brown_tile", "metal", "concrete")

MARGIN_M = 16.0
"""Ground simulated beyond the shape asked for, so that shadows reach in from outside."""


def simulate(
    seed: int,
    shape_yx: tuple[int, int] = (1536, 2048),
    gsd: float = 0.1,
    centre_xy: tuple[float, float] = (0.0, 0.0),
) -> Truth:
    """Simulate a part of a village.

    Args:
        seed: Decides the village; the same seed gives the same village, whatever part is asked for
            in outline (its fine texture differs from part to part).
        shape_yx: Rows and columns of the part.
        gsd: Pixel size in metres.
        centre_xy: Metres east and south of the village's middle where the part's middle lies.

    Returns:
        The ground and its light on the grid of the part.
    """
    plan = draw_plan(np.random.default_rng([seed, 0]))
    rng = np.random.default_rng([seed, 1])
    margin = 4 * math.ceil(MARGIN_M / gsd / 4)
    canvas = blank((shape_yx[0] + 2 * margin, shape_yx[1] + 2 * margin), gsd, centre_xy)
    lay_meadow(canvas, rng)
    lay_fields(canvas, rng, plan)
    cut_river(canvas, rng, plan)
    pave_roads(canvas, rng, plan)
    settle(canvas, np.random.default_rng([seed, 2]), plan)
    plant(canvas, np.random.default_rng([seed, 3]), plan)
    inner = (slice(margin, -margin), slice(margin, -margin))
    light = sunlight(canvas.height, gsd, plan.sun_azimuth, plan.sun_elevation)
    return Truth(
        abundance=np.ascontiguousarray(canvas.abundance[:, inner[0], inner[1]]),
        albedo=np.clip(canvas.albedo[inner], 0.3, 2.0),
        height=canvas.height[inner].copy(),
        direct=light[inner].copy(),
        sky=skylight(canvas.height, gsd)[inner].copy(),
        gsd=gsd,
    )


def settle(canvas: Canvas, rng: np.random.Generator, plan: Plan) -> None:
    """Settle the plots on both sides of the main road, the side road, and one farm."""
    for side in (-1.0, 1.0):
        u = plan.village_u[0] + float(rng.uniform(4.0, 10.0))
        while u < plan.village_u[1]:
            width = float(rng.uniform(15.0, 21.0))
            crossing = side == plan.side_v and abs(u + width / 2 - plan.side_u) < width / 2 + 5.0
            if crossing:
                u = plan.side_u + 5.5
                continue
            own = np.random.default_rng(rng.integers(2**32))
            front = float(plan.road_at(np.float32(u + width / 2))) + side * 5.0
            _settle_plot(canvas, own, _Plot(plan, (u + width / 2, front), width, side))
            u += width
    _build_farm(canvas, np.random.default_rng(rng.integers(2**32)), plan)


@dataclass(frozen=True)
class _Plot:
    """A plot at the main road."""

    plan: Plan
    """The village."""

    front: tuple[float, float]
    """Middle of the edge at the road, village coordinates in metres."""

    width: float
    """Metres along the road."""

    side: float
    """-1 or 1: the side of the road."""

    def at(self, along: float, deep: float, turn: float = 0.0) -> Place:
        """Return the place so many metres along the road and deep into the plot."""
        u, v = self.front
        angle = slope_angle(self.plan, u) + turn
        return (*to_xy(self.plan, u + along, v + self.side * deep), angle)


def _settle_plot(canvas: Canvas, rng: np.random.Generator, plot: _Plot) -> None:
    """Build a house with drive, shed, hedges, trees and car."""
    length, wide = float(rng.uniform(8.5, 12.5)), float(rng.uniform(7.0, 9.0))
    deep = float(rng.uniform(7.5, 12.0))
    cover = COVERS[int(rng.integers(len(COVERS)))]
    turn = math.pi / 2 if rng.random() < 0.35 else 0.0
    shift = float(rng.uniform(-1.5, 0.5))
    drive = plot.width / 2 - 2.4
    paving = str(rng.choice(["concrete", "gravel", "asphalt"]))
    slab(canvas, rng, plot.at(drive, deep / 2 + 1.0), (3.0, deep + 4.0), paving)
    terrace = plot.at(shift, deep + wide / 2 + 1.8)
    slab(canvas, rng, terrace, (length * 0.7, 3.0), "concrete")
    build(canvas, rng, _house(rng, plot.at(shift, deep, turn), (length, wide), cover))
    if rng.random() < 0.45:
        behind = deep + 4.5 * (1 if turn == 0 else 0.3)
        wing = plot.at(shift + length * 0.22, behind, turn + math.pi / 2)
        build(canvas, rng, Roof(wing, 8.0, 5.5, 3.0, 0.0 if cover == "concrete" else 0.6, cover))
    if rng.random() < 0.7:
        roofing = str(rng.choice(["metal", "bitumen", "brown_tile"]))
        build(canvas, rng, Roof(plot.at(drive - 0.4, deep + 8.0), 3.2, 5.0, 2.3, 0.12, roofing))
    if rng.random() < 0.65:
        park_car(canvas, rng, plot.at(drive, float(rng.uniform(2.0, 5.5)), math.pi / 2))
    _garden(canvas, rng, plot, deep)
    _hedge_and_trees(canvas, rng, plot)


def _house(rng: np.random.Generator, place: Place, size: tuple[float, float], cover: str) -> Roof:
    """Draw the roof of a house: flat if of concrete, else pitched, and sometimes hipped."""
    eave = float(rng.uniform(3.0, 5.2))
    if cover == "concrete":
        return Roof(place, *size, eave, 0.0, cover)
    pitch = float(rng.uniform(0.5, 0.85))
    return Roof(place, *size, eave, pitch, cover, hipped=rng.random() < 0.3)


def _garden(canvas: Canvas, rng: np.random.Generator, plot: _Plot, deep: float) -> None:
    """Lay a vegetable bed and a pool, each on some plots; the house stands `deep` in the plot."""
    if rng.random() < 0.5:
        bed = plot.at(-plot.width / 4, 29.0)
        slab(canvas, rng, bed, (float(rng.uniform(4, 7)), 5.0), "moist_soil")
    if rng.random() < 0.18:
        slab(canvas, rng, plot.at(0.0, deep + 11.0), (7.4, 4.4), "concrete")
        slab(canvas, rng, plot.at(0.0, deep + 11.0), (6.4, 3.4), "pool")


def _hedge_and_trees(canvas: Canvas, rng: np.random.Generator, plot: _Plot) -> None:
    at, width = plot.at, plot.width
    if rng.random() < 0.75:
        hedge(canvas, rng, at(-width / 2, 17.0, math.pi / 2), 33.0)
    if rng.random() < 0.6:
        hedge(canvas, rng, at(0.0, 35.5), width - 1.0)
    if rng.random() < 0.4:
        hedge(canvas, rng, at(-2.0, 1.2), width - 7.0)
    for _ in range(int(rng.integers(2, 7))):
        x, y, _ = at(float(rng.uniform(-0.45, 0.45)) * width, float(rng.uniform(3.0, 34.0)))
        if not canvas.is_taken(x, y):
            _tree(canvas, rng, x, y, float(rng.uniform(1.2, 3.6)))


def _build_farm(canvas: Canvas, rng: np.random.Generator, plan: Plan) -> None:
    """Build a farm at the side road: a concrete yard, a big metal barn, a store, a silo."""
    u, v = plan.side_u + 19.0, plan.side_v * 62.0

    def at(along: float, deep: float, turn: float = 0.0) -> Place:
        return (*to_xy(plan, u + along, v + plan.side_v * deep), plan.angle + turn)

    slab(canvas, rng, at(-4.0, 2.0), (32.0, 26.0), "concrete")
    build(canvas, rng, Roof(at(2.0, 6.0), 26.0, 13.0, 5.0, 0.28, "metal"))
    build(canvas, rng, Roof(at(-9.0, -6.5, math.pi / 2), 10.0, 7.0, 3.6, 0.0, "concrete"))
    build(canvas, rng, Roof(at(7.0, -7.0), 11.0, 6.0, 3.5, 0.6, "red_tile"))
    for along in (-16.5, -13.5):
        park_car(canvas, rng, at(along, 4.0, math.pi / 2))


def plant(canvas: Canvas, rng: np.random.Generator, plan: Plan) -> None:
    """Plant the river's trees, an avenue, a copse, and single trees at field edges."""
    for _ in range(260):
        v = float(rng.uniform(-300.0, 300.0))
        bank = 1.0 if rng.random() < 0.5 else -1.0
        away = plan.river_width / 2 + float(rng.uniform(1.5, 7.5))
        u = float(plan.river_at(np.float32(v))) + bank * away
        _stand(canvas, rng, plan, u, v, float(rng.uniform(1.4, 4.4)))
    copse_u, copse_v = plan.side_u + float(rng.uniform(40, 70)), -plan.side_v * 75.0
    for _ in range(170):
        u, v = rng.normal((copse_u, copse_v), (13.0, 11.0))
        _stand(canvas, rng, plan, float(u), float(v), float(rng.uniform(1.8, 4.0)))
    for u in np.arange(-300.0, plan.river_u - 20.0, 9.5):
        side = float(plan.road_at(np.float32(u))) + 6.2
        _stand(canvas, rng, plan, float(u), side, float(rng.uniform(2.4, 3.2)))
    for _ in range(60):
        u, v = rng.uniform(-250.0, 250.0, 2)
        edge = 44.5 if v > 0 else -44.5
        if u > plan.river_u + 15.0:
            _stand(canvas, rng, plan, float(u), edge, float(rng.uniform(0.9, 2.6)))


def _stand(
    canvas: Canvas, rng: np.random.Generator, plan: Plan, u: float, v: float, radius: float
) -> None:
    own = np.random.default_rng(rng.integers(2**32))
    x, y = to_xy(plan, u, v)
    if not canvas.is_taken(x, y):
        _tree(canvas, own, x, y, radius)


def _tree(canvas: Canvas, rng: np.random.Generator, x: float, y: float, radius: float) -> None:
    if rng.random() < 0.18:
        conifer(canvas, rng, x, y, min(radius, 2.6))
    else:
        broadleaf(canvas, rng, x, y, radius)


def to_xy(plan: Plan, u: float, v: float) -> tuple[float, float]:
    """Return metres east and south of village coordinates."""
    cosine, sine = math.cos(plan.angle), math.sin(plan.angle)
    return cosine * u - sine * v, sine * u + cosine * v
