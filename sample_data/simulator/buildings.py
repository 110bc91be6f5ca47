"""Houses, barns, sheds, chimneys, cars and pools."""

import math
from dataclasses import dataclass

import numpy as np

from simulator.canvas import Array, Canvas, Window, noise
from simulator.shapes import box, turned

Place = tuple[float, float, float]

CAR_COLOURS = ("paint", "paint", "metal", "bitumen", "blue_paint", "red_paint", "asphalt")


@dataclass(frozen=True)
class Roof:
    """Shape and cover of one roof."""

    place: Place
    """Centre in metres east and south, and the direction of the ridge in radians."""

    length: float
    """Metres along the ridge."""

    width: float
    """Metres across the ridge."""

    eave: float
    """Height of the eave in metres."""

    pitch: float
    """Rise over run; 0 is a flat roof."""

    cover: str
    """Material."""

    hipped: bool = False
    """Whether the ends slope too."""


def build(canvas: Canvas, rng: np.random.Generator, roof: Roof) -> None:
    """Build a roof: its relief, its cover with rows, seams or gravel, and what stands on it."""
    window = canvas.around(roof.place[0], roof.place[1], 0.6 * (roof.length + roof.width))
    if window is None:
        return
    along, across = turned(*canvas.axes(window), roof.place)
    distance = box(along, across, roof.length, roof.width)
    alpha = canvas.cover(distance)
    if roof.pitch == 0:
        height = np.where(distance > -0.35, roof.eave + 0.45, roof.eave)
    else:
        reach = roof.width / 2 - np.abs(across)
        if roof.hipped:
            reach = np.minimum(reach, roof.length / 2 - np.abs(along))
        height = roof.eave + roof.pitch * np.maximum(reach, 0.0)
    relief, albedo = _cover_texture(rng, roof, along, across)
    # Where two wings meet, the higher roof is seen.
    seen = alpha * (height > canvas.height[window])
    canvas.paint(window, _mixture(rng, roof.cover, along.shape), seen)
    canvas.shade(window, albedo, seen)
    canvas.lift(window, height + relief, seen)
    canvas.take(window, canvas.cover(distance - 0.8))
    _furnish(canvas, rng, roof, window, along, across)


def _mixture(
    rng: np.random.Generator, cover: str, shape: tuple[int, ...]
) -> dict[str, float | Array]:
    """Return the materials of a roof: weathering, moss and dirt in patches."""
    patches = np.clip(0.5 + 0.5 * noise(rng, (shape[0], shape[1]), 12.0), 0.0, 1.0)
    if cover in ("red_tile", "brown_tile"):
        other = "brown_tile" if cover == "red_tile" else "bitumen"
        tiles = np.clip(0.3 + 0.25 * noise(rng, (shape[0], shape[1]), 2.5), 0.0, 1.0)
        age = np.float32(rng.uniform(0.2, 0.9))
        return {cover: 1.0 - age * tiles, other: age * tiles, "dry_grass": 0.07 * patches}
    if cover == "metal":
        return {"metal": 1.0, "brown_tile": np.float32(rng.uniform(0, 0.25)) * patches**3}
    return {cover: 1.0, "gravel": 0.35 * patches, "bitumen": 0.12 * (1.0 - patches)}


def _cover_texture(
    rng: np.random.Generator, roof: Roof, along: Array, across: Array
) -> tuple[Array, Array]:
    """Return relief in metres and albedo of tile rows, standing seams or gravel."""
    grain = noise(rng, (along.shape[0], along.shape[1]), 1.0)
    brightness = np.float32(rng.uniform(0.85, 1.15))
    if roof.cover in ("red_tile", "brown_tile"):
        row = np.mod(np.abs(across) / 0.38, 1.0)
        return (0.05 * row).astype(np.float32), brightness * (
            0.90 + 0.16 * row + 0.07 * grain
        ).astype(np.float32)
    if roof.cover == "metal":
        seam = np.mod(along / 0.62, 1.0) < 0.18
        sheet = np.floor(along / 0.62)
        shade = 1.0 + 0.05 * np.sin(12.9898 * sheet) + 0.02 * grain
        return np.where(seam, 0.045, 0.0).astype(np.float32), (brightness * shade).astype(
            np.float32
        )
    joint = (np.mod(along, 2.4) < 0.1) | (np.mod(across, 2.4) < 0.1)
    albedo = brightness * np.where(joint, 0.86, 1.0) * (1.0 + 0.06 * grain)
    return (0.012 * grain).astype(np.float32), albedo.astype(np.float32)


def _furnish(
    canvas: Canvas,
    rng: np.random.Generator,
    roof: Roof,
    window: Window,
    along: Array,
    across: Array,
) -> None:
    """Put chimneys and solar panels on pitched roofs, air handlers on flat ones."""
    if roof.length < 6.0:
        return
    if roof.pitch == 0:
        for _ in range(int(rng.integers(2, 5))):
            at = rng.uniform(-0.35, 0.35, 2) * (roof.length, roof.width)
            size = rng.uniform(1.0, 2.4, 2)
            _block(
                canvas,
                window,
                box(along - at[0], across - at[1], *size),
                "metal",
                roof.eave + rng.uniform(0.6, 1.3),
            )
        return
    if roof.cover == "metal":
        return
    at = rng.uniform(-0.35, 0.35) * roof.length
    ridge = roof.eave + roof.pitch * roof.width / 2
    _block(canvas, window, box(along - at, across - 0.5, 0.7, 0.6), "brown_tile", ridge + 0.9)
    if rng.random() < 0.35 and not roof.hipped:
        _panels(canvas, rng, roof, window, along, across)


def _block(canvas: Canvas, window: Window, distance: Array, material: str, height: float) -> None:
    alpha = canvas.cover(distance)
    canvas.paint(window, {material: 1.0}, alpha)
    canvas.shade(window, 1.0, alpha)
    canvas.lift(window, height, alpha)


def _panels(
    canvas: Canvas,
    rng: np.random.Generator,
    roof: Roof,
    window: Window,
    along: Array,
    across: Array,
) -> None:
    """Lay a field of solar panels on one side of a roof."""
    side = 1.0 if rng.random() < 0.5 else -1.0
    slope = side * across
    field = box(along, slope - roof.width / 4, 0.62 * roof.length, 0.36 * roof.width)
    gap = (np.mod(along, 1.05) < 0.1) | (np.mod(slope, 1.6) < 0.1)
    alpha = canvas.cover(field)
    canvas.paint(
        window, {"solar": np.where(gap, 0.0, 1.0), "metal": np.where(gap, 1.0, 0.0)}, alpha
    )
    canvas.shade(window, 1.0, alpha)


def park_car(canvas: Canvas, rng: np.random.Generator, place: Place) -> None:
    """Park a car of a random colour."""
    window = canvas.around(place[0], place[1], 3.5)
    if window is None:
        return
    along, across = turned(*canvas.axes(window), place)
    body = canvas.cover(box(along, across, 4.3, 1.75) - 0.1)
    cabin = canvas.cover(box(along + 0.25, across, 2.3, 1.45))
    roof = canvas.cover(box(along + 0.3, across, 1.35, 1.3))
    colour = CAR_COLOURS[int(rng.integers(len(CAR_COLOURS)))]
    for part, material, height in (
        (body, colour, 0.85),
        (cabin, "bitumen", 1.25),
        (roof, colour, 1.45),
    ):
        canvas.paint(window, {material: 1.0}, part)
        canvas.shade(window, 1.0, part)
        canvas.lift(window, height, part)


def slab(
    canvas: Canvas, rng: np.random.Generator, place: Place, size: tuple[float, float], material: str
) -> None:
    """Lay a level rectangle of one material: a yard, a drive, a vegetable bed, a pool."""
    window = canvas.around(place[0], place[1], 0.5 * math.hypot(*size) + 1)
    if window is None:
        return
    along, across = turned(*canvas.axes(window), place)
    alpha = canvas.cover(box(along, across, *size))
    canvas.paint(window, {material: 1.0}, alpha)
    canvas.shade(window, 1.0 + 0.06 * noise(rng, along.shape, 1.0), alpha)
    canvas.take(window, alpha)
    if material == "moist_soil":
        canvas.lift(window, 0.12 * np.abs(np.sin(np.pi * across / 0.9)), alpha)
