"""Charts as inline SVG that follow the page's colours: histograms, spectra and a chip map."""

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from markupsafe import Markup

WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 40

Points = Sequence[tuple[float, float]]


def _frame(title: str, x_label: str, y_label: str, body: str) -> Markup:
    middle_x, middle_y = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>"
        f'<path class="axis" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>{body}'
        f'<text class="label" x="{middle_x}" y="{HEIGHT - 6}" text-anchor="middle">'
        f"{escape(x_label)}</text>"
        f'<text class="label" transform="translate(11 {middle_y}) rotate(-90)" '
        f'text-anchor="middle">{escape(y_label)}</text></svg>'
    )


def _place(value: float, low: float, high: float, start: float, stop: float) -> float:
    return start + (value - low) / (high - low or 1.0) * (stop - start)


def _x(value: float, low: float, high: float) -> float:
    return _place(value, low, high, LEFT, WIDTH - RIGHT)


def _y(value: float, low: float, high: float) -> float:
    return _place(value, low, high, HEIGHT - BOTTOM, TOP)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return round numbers between two ends: steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return [low]
    raw = span / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * unit for unit in (1, 2, 5, 10) if power * unit >= raw)
    first = math.ceil(low / step)
    return [step * k for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _x_tick(x: float, text: str) -> str:
    y = HEIGHT - BOTTOM
    return (
        f'<path class="axis" d="M{x:.1f} {y}v4"/>'
        f'<text class="tick" x="{x:.1f}" y="{y + 15}" text-anchor="middle">{escape(text)}</text>'
    )


def _y_tick(y: float, text: str) -> str:
    return (
        f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        f'<text class="tick" x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{escape(text)}</text>'
    )


def histogram(
    title: str, unit: str, series: Mapping[str, Sequence[float]], bins: int = 20
) -> Markup:
    """Draw how many chips have which value, one outline a method.

    Args:
        title: Name of the metric.
        unit: Its unit.
        series: Finite values by method.
        bins: Equal steps between the smallest and the largest value.
    """
    values = np.concatenate([np.asarray(part, float) for part in series.values()] or [np.zeros(0)])
    if not values.size:
        return Markup()
    low, high = float(values.min()), float(values.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, bins + 1)
    counts = {name: np.histogram(part, edges)[0] for name, part in series.items()}
    top = max(int(count.max()) for count in counts.values()) or 1
    body = [_y_tick(_y(tick, 0, top), f"{tick:g}") for tick in ticks(0, top, 4)]
    body += [_x_tick(_x(tick, low, high), f"{tick:.4g}") for tick in ticks(low, high)]
    for index, (name, count) in enumerate(counts.items()):
        path = f"M{LEFT} {HEIGHT - BOTTOM}"
        for bar, start, stop in zip(count, edges, edges[1:], strict=False):
            y = _y(float(bar), 0, top)
            path += f"L{_x(start, low, high):.1f} {y:.1f}L{_x(stop, low, high):.1f} {y:.1f}"
        path += f"L{WIDTH - RIGHT} {HEIGHT - BOTTOM}"
        body.append(f'<path class="line s{index}" d="{path}"><title>{escape(name)}</title></path>')
    return _frame(title, f"{title}, {unit}" if unit else title, "chips", "".join(body))


def spectra(title: str, series: Mapping[str, Points]) -> Markup:
    """Draw mean log10 power over wavelength in metres, longest wavelength on the left.

    Args:
        title: What the spectra are of.
        series: By name: (wavelength in metres, log10 power).
    """
    points = [point for part in series.values() for point in part]
    if not points:
        return Markup()
    logs = [math.log2(wavelength) for wavelength, _ in points]
    longest, shortest = max(logs), min(logs)
    low, high = min(power for _, power in points), max(power for _, power in points)
    body = [_y_tick(_y(tick, low, high), f"{tick:g}") for tick in ticks(low, high)]
    for octave in range(math.ceil(shortest), math.floor(longest) + 1):
        body.append(_x_tick(_x(-octave, -longest, -shortest), f"{2.0**octave:.3g}"))
    for index, (name, part) in enumerate(series.items()):
        path = "M" + "L".join(
            f"{_x(-math.log2(w), -longest, -shortest):.1f} {_y(power, low, high):.1f}"
            for w, power in part
        )
        body.append(f'<path class="line s{index}" d="{path}"><title>{escape(name)}</title></path>')
    return _frame(title, "wavelength, m", "log10 power", "".join(body))


def chip_map(
    places: Mapping[str, tuple[float, float]], values: Mapping[str, float], better: str, title: str
) -> Markup:
    """Draw chips at their longitude and latitude, shaded from the worst value to the best.

    Args:
        places: Longitude and latitude in degrees by chip.
        values: The shading value by chip; chips without one are hollow.
        better: "higher" or "lower".
        title: What the shading is.
    """
    if not places:
        return Markup()
    known = [values[name] for name in places if math.isfinite(values.get(name, math.nan))]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    west, east = _widened([lon for lon, _ in places.values()])
    south, north = _widened([lat for _, lat in places.values()])
    body = [_x_tick(_x(tick, west, east), f"{tick:.6g}") for tick in ticks(west, east, 4)]
    body += [_y_tick(_y(tick, south, north), f"{tick:.6g}") for tick in ticks(south, north, 4)]
    for name, (lon, lat) in sorted(places.items()):
        value = values.get(name, math.nan)
        share = (value - low) / (high - low or 1.0) if math.isfinite(value) else 0.0
        share = share if better == "higher" else 1 - share
        text = f"{name}: {value:.4g}" if math.isfinite(value) else f"{name}: no value"
        fill = f"{0.15 + 0.85 * share:.2f}" if math.isfinite(value) else "0"
        body.append(
            f'<circle class="chip" data-chip="{escape(name)}" cx="{_x(lon, west, east):.1f}" '
            f'cy="{_y(lat, south, north):.1f}" r="4.5" fill-opacity="{fill}">'
            f"<title>{escape(text)}</title></circle>"
        )
    return _frame(title, "longitude, degrees", "latitude, degrees", "".join(body))


def _widened(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = (high - low) * 0.08 or 1e-3
    return low - margin, high + margin
