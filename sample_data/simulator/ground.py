"""Fields, meadows, the river and the roads."""

import math

import numpy as np

from simulator.canvas import Array, Canvas, fractal, noise
from simulator.plan import Plan
from simulator.shapes import turned


def lay_meadow(canvas: Canvas, rng: np.random.Generator) -> None:
    """Cover everything with grass: lush and dry patches, tufts, bare spots."""
    whole, shape = canvas.whole(), canvas.height.shape
    patches = fractal(rng, shape, [180.0, 70.0, 25.0, 6.0])
    tufts = noise(rng, shape, 2.5)
    dry = np.clip(0.22 + 0.16 * patches + 0.06 * tufts, 0.02, 0.8)
    bare = np.clip(0.10 * noise(rng, shape, 30.0) - 0.10 + 0.03 * tufts, 0.0, 0.6)
    canvas.paint(
        whole, {"lawn": 1.0 - dry, "dry_grass": dry, "dry_soil": bare}, np.ones(shape, np.float32)
    )
    canvas.albedo[...] = 1.0 + 0.08 * patches + 0.05 * tufts
    canvas.height[...] = np.maximum(0.035 * tufts, 0.0)


def lay_fields(canvas: Canvas, rng: np.random.Generator, plan: Plan) -> None:
    """Lay the strips of farmland beyond the village, each with its own crop and direction."""
    x, y = canvas.axes(canvas.whole())
    u, v = turned(x, y, (0.0, 0.0, plan.angle))
    for field in plan.fields:
        inside = np.minimum(
            np.minimum(u - field.u_range[0], field.u_range[1] - u),
            np.minimum(v - field.v_range[0], field.v_range[1] - v),
        )
        if not (inside > 0).any():
            continue
        rows, columns = (np.flatnonzero((inside > -0.5).any(axis=axis)) for axis in (1, 0))
        window = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        ragged = inside[window] + 0.25 * noise(rng, inside[window].shape, 9.0)
        alpha = canvas.cover(-ragged)
        _, across = turned(*canvas.axes(window), (0.0, 0.0, plan.angle + field.row_angle))
        _sow(canvas, rng, window, field.kind, across, alpha)


def _sow(
    canvas: Canvas,
    rng: np.random.Generator,
    window: tuple[slice, slice],
    kind: str,
    across: Array,
    alpha: Array,
) -> None:
    """Paint one field of a kind; `across` counts metres across its rows."""
    shape = (alpha.shape[0], alpha.shape[1])
    patches = fractal(rng, shape, [150.0, 50.0, 14.0])
    clods = noise(rng, shape, 2.2)
    wander = 0.10 * noise(rng, shape, 60.0)
    wheels = np.abs(np.abs(np.mod(across + 6.0, 15.0) - 7.5) - 0.9) < 0.22
    brightness = np.float32(rng.uniform(0.85, 1.15))
    texture = brightness * (1.0 + 0.07 * patches + 0.06 * clods)
    if kind == "ploughed":
        furrow = 0.5 + 0.5 * np.cos(2 * np.pi * (across + wander) / 1.1)
        damp = np.clip(0.62 + 0.20 * patches - 0.30 * furrow, 0.05, 1.0)
        materials = {"moist_soil": damp, "dry_soil": 1.0 - damp, "dry_grass": 0.04}
        height = 0.16 * furrow + 0.05 * clods
    elif kind == "bare":
        damp = np.clip(0.30 + 0.25 * patches, 0.0, 1.0)
        harrow = 0.5 + 0.5 * np.cos(2 * np.pi * (across + wander) / 0.45)
        weeds = np.clip(0.06 * noise(rng, shape, 20.0), 0.0, 0.2)
        materials = {"dry_soil": 1.0 - damp, "moist_soil": damp + 0.25 * wheels, "lawn": weeds}
        height = 0.025 * harrow + 0.03 * clods - 0.06 * wheels
    elif kind == "crop":
        row = 0.5 + 0.5 * np.cos(2 * np.pi * (across + 0.4 * wander) / 0.75)
        leaf = np.clip((0.25 + 0.85 * row + 0.12 * patches) * ~wheels, 0.03, 1.0)
        materials = {"crop": leaf, "moist_soil": 1.0 - leaf * 0.97}
        height = 0.32 * row * ~wheels + 0.05 * clods
    elif kind == "stubble":
        row = 0.5 + 0.5 * np.cos(2 * np.pi * (across + wander) / 0.5)
        swath = np.abs(np.mod(across, 6.0) - 3.0) < 0.7
        straw = np.clip(0.40 + 0.30 * row + 0.35 * swath + 0.1 * patches, 0.0, 1.0)
        materials = {"dry_grass": straw, "dry_soil": 1.0 - straw, "lawn": 0.05}
        height = 0.06 * row + 0.16 * swath * (1 + 0.4 * clods) + 0.02 * clods
    else:
        swath = np.floor((across + wander) / 2.8) % 2
        dry = np.clip(0.18 + 0.14 * patches + 0.10 * swath, 0.0, 1.0)
        materials = {"lawn": 1.0 - dry, "dry_grass": dry}
        texture = texture * (1.0 + 0.10 * swath)
        height = 0.03 * np.maximum(clods, 0.0)
    canvas.paint(window, materials, alpha)
    canvas.shade(window, texture, alpha)
    canvas.lift(window, height, alpha)


def cut_river(canvas: Canvas, rng: np.random.Generator, plan: Plan) -> None:
    """Cut the river with its sunken bed, gravel banks and a fringe of tall dry grass."""
    whole, shape = canvas.whole(), canvas.height.shape
    u, v = turned(*canvas.axes(whole), (0.0, 0.0, plan.angle))
    distance = np.abs(u - plan.river_at(v)) - plan.river_width / 2
    distance += 0.7 * noise(rng, shape, 45.0) + 0.18 * noise(rng, shape, 9.0)
    pebbles = noise(rng, shape, 1.6)
    fringe = canvas.cover(distance - 4.2 - 0.6 * pebbles)
    canvas.paint(whole, {"lawn": 0.6, "dry_grass": 0.4}, 0.6 * fringe)
    canvas.lift(whole, 0.12 * np.maximum(pebbles, 0) + 0.1, fringe)
    wide = 1.5 + 1.0 * noise(rng, shape, 90.0)
    bank = canvas.cover(distance - np.maximum(wide, 0.4))
    canvas.paint(whole, {"gravel": 0.75, "moist_soil": 0.25 + 0.1 * np.clip(pebbles, -2, 2)}, bank)
    canvas.shade(whole, 1.0 + 0.12 * pebbles, bank)
    canvas.lift(whole, np.clip(0.32 * distance, -0.9, 0.0) + 0.03 * pebbles, bank)
    water = canvas.cover(distance)
    shallow = np.minimum(np.exp(np.minimum(distance, 0.0) / 1.6) * 0.7, 0.6)
    flow = fractal(rng, shape, [60.0, 18.0])
    canvas.paint(whole, {"water": 1.0 - shallow, "moist_soil": shallow}, water)
    canvas.shade(whole, 1.0 + 0.09 * flow + 0.03 * noise(rng, shape, 2.0), water)
    canvas.lift(whole, -0.9, water)
    canvas.take(whole, canvas.cover(distance - 0.5))


def pave_roads(canvas: Canvas, rng: np.random.Generator, plan: Plan) -> None:
    """Pave the main road with markings, kerbs and a bridge, the side road, and the field track."""
    whole, shape = canvas.whole(), canvas.height.shape
    u, v = turned(*canvas.axes(whole), (0.0, 0.0, plan.angle))
    wear = fractal(rng, shape, [40.0, 8.0]) * 0.06 + 0.05 * noise(rng, shape, 1.0)
    track_offset = u - plan.track_u - 1.2 * np.sin(v / 17.0)
    _track(canvas, rng, track_offset)
    side = u - plan.side_u - 0.9 * np.sin(v / 23.0)
    main = v - plan.road_at(u)

    walk = np.where(u > plan.village_u[0], 4.9, 3.6)
    stretch = canvas.cover(main) if plan.side_v < 0 else canvas.cover(-main)
    _strip(canvas, np.abs(side) - 3.0, "concrete", wear, stretch)
    _strip(canvas, np.abs(side) - 2.5, "asphalt", wear, stretch)
    _bridge(canvas, u, main, plan, wear)
    material = {"concrete": np.where(walk > 4, 1.0, 0.0), "gravel": np.where(walk > 4, 0.0, 1.0)}
    pavement = canvas.cover(np.abs(main) - walk)
    canvas.paint(whole, material, pavement)
    canvas.shade(whole, 0.95 + wear - 0.1 * (np.mod(u, 1.5) < 0.1), pavement)
    canvas.lift(whole, 0.10, pavement)
    canvas.take(whole, canvas.cover(np.abs(main) - walk - 0.4))
    _strip(canvas, np.abs(main) - 3.2, "asphalt", wear, np.ones(shape, np.float32))
    dash = (np.mod(u, 6.0) < 3.0) & (np.abs(side) > 6.0)
    line = canvas.cover(np.abs(main) - 0.08) * dash
    edge = canvas.cover(np.abs(np.abs(main) - 2.95) - 0.06) * (np.abs(side) > 3.2)
    worn = np.clip(0.85 + 2.0 * wear, 0.3, 1.0)
    canvas.paint(whole, {"paint": 1.0}, np.maximum(line, edge) * worn)
    stripes = (np.mod(main, 1.0) < 0.5) & (np.abs(main) < 2.8)
    crossing = canvas.cover(np.abs(u - plan.crossing_u) - 1.5) * stripes
    canvas.paint(whole, {"paint": 1.0}, crossing * worn)


def _strip(canvas: Canvas, distance: Array, material: str, wear: Array, limit: Array) -> None:
    whole = canvas.whole()
    alpha = canvas.cover(distance) * limit
    canvas.paint(whole, {material: 1.0, "gravel": 0.06}, alpha)
    canvas.shade(whole, 1.0 + wear, alpha)
    canvas.lift(whole, 0.0, alpha)
    canvas.take(whole, canvas.cover(distance - 0.5) * limit)


def _track(canvas: Canvas, rng: np.random.Generator, offset: Array) -> None:
    """Wear two wheel ruts with a grassy middle into the ground."""
    whole = canvas.whole()
    rut = canvas.cover(np.abs(np.abs(offset) - 0.8) - 0.32 - 0.08 * noise(rng, offset.shape, 6.0))
    verge = canvas.cover(np.abs(offset) - 1.7)
    canvas.paint(whole, {"lawn": 0.5, "dry_grass": 0.4, "dry_soil": 0.2}, verge)
    canvas.paint(whole, {"dry_soil": 0.7, "gravel": 0.4}, 0.9 * rut)
    canvas.lift(whole, -0.05, rut)
    canvas.take(whole, verge)


def _bridge(canvas: Canvas, u: Array, main: Array, plan: Plan, wear: Array) -> None:
    """Span the river with a concrete deck and two parapets."""
    whole = canvas.whole()
    reach = np.abs(u - plan.river_at(main)) - plan.river_width / 2 - 2.5
    deck = canvas.cover(np.maximum(np.abs(main) - 5.2, reach))
    canvas.paint(whole, {"concrete": 1.0}, deck)
    canvas.shade(whole, 1.0 + wear, deck)
    canvas.lift(whole, 0.1, deck)
    rail = canvas.cover(np.maximum(np.abs(np.abs(main) - 5.2) - 0.2, reach))
    canvas.paint(whole, {"concrete": 1.0}, rail)
    canvas.shade(whole, 1.15, rail)
    canvas.lift(whole, 1.1, rail)


def slope_angle(plan: Plan, u: float) -> float:
    """Return the direction of the main road at `u`, in radians from east to south."""
    step = 0.5
    rise = float(plan.road_at(np.float32(u + step)) - plan.road_at(np.float32(u - step)))
    return plan.angle + math.atan2(rise, 2 * step)
