"""Areas of interest: polygons from GeoJSON, GeoPackage or WKT, and the pixels that they touch."""

import itertools
import math
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import rasterio.features
import rasterio.warp
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError

from specgan import files
from specgan_cli.errors import DAMAGE, MismatchError, RasterError
from specgan_cli.raster.drivers.polygons import Polygon, Ring, read_polygons
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.longitudes import shifts_onto, turn_of, unwrapped
from specgan_cli.redaction import redact
from specgan_cli.types import Mask

PIECES = 21
"""Parts of an edge before it goes into another CRS, where it is no straight line."""


@dataclass(frozen=True)
class Area:
    """Polygons on the ground."""

    name: str
    """What the user gave, for messages."""

    polygons: tuple[Polygon, ...]
    """Each one its outer ring and its holes, x before y."""

    crs: CRS | None
    """Their CRS; None for that of the scene."""

    def on(self, grid: Grid) -> "Area":
        """Return the area in a grid's CRS.

        Raises:
            MismatchError: It does not lie where the CRS is defined.
        """
        if self.crs is None or self.crs == grid.crs:
            return Area(self.name, _in_turn(self.polygons, grid), grid.crs)
        if grid.crs is None:
            raise MismatchError(f"{self.name}: has a CRS, and the scene has none")
        moved = [[_moved(ring, self.crs, grid.crs) for ring in each] for each in self.polygons]
        if any(abs(value) == float("inf") for value in itertools.chain(*_points(moved))):
            raise MismatchError(f"{self.name}: cannot be brought into the scene's CRS; check its")
        turn = turn_of(grid.crs, grid.bounds[::2])
        whole = moved if turn is None else [_rejoined(each, turn) for each in moved]
        return Area(self.name, _in_turn(whole, grid), grid.crs)

    @property
    def extent(self) -> str:
        """Return left,bottom,right,top, for messages."""
        xs, ys = zip(*_points(self.polygons), strict=True)
        return ",".join(f"{value:.10g}" for value in (min(xs), min(ys), max(xs), max(ys)))

    def window(self, grid: Grid) -> Window:
        """Return the whole pixels around the area, which must be in the grid's CRS."""
        return grid.window_around(_points(self.polygons))

    def mask(self, grid: Grid) -> Mask:
        """Return H x W: true where a pixel touches the area, which must be in the grid's CRS."""
        shapes = [{"type": "Polygon", "coordinates": polygon} for polygon in self.polygons]
        touched = rasterio.features.rasterize(
            shapes, out_shape=grid.shape_yx, transform=grid.transform, all_touched=True
        )
        mask: Mask = touched > 0
        return mask


def box_area(bounds: tuple[float, float, float, float], crs: CRS | None) -> Area:
    """Return a rectangle as an area.

    Args:
        bounds: left, bottom, right, top; of longitudes, left may be greater than right, for a
            rectangle across the antimeridian.
        crs: Their CRS.
    """
    left, bottom, right, top = bounds
    if left > right and (turn := turn_of(crs, (left, right))) is not None:
        right += turn
    ring = ((left, bottom), (right, bottom), (right, top), (left, top), (left, bottom))
    return Area(f"--bounds {','.join(f'{x:.10g}' for x in bounds)}", ((ring,),), crs)


def read_area(text: str, crs: str | None = None) -> Area:
    """Read the polygons of a file, or of WKT.

    Args:
        text: Path of a GeoJSON file or a GeoPackage (`FILE:LAYER` where several have polygons), or
            WKT (with `SRID=4326;` before it, if so), or a file of it.
        crs: CRS of WKT; None for that of the scene.

    Raises:
        RasterError: There is no polygon in it, or `crs` is given beside a CRS of its own.
    """
    if not text.strip():
        raise RasterError("--aoi is empty; give polygons as GeoJSON, GeoPackage or WKT")
    name = f"--aoi {text[:57] + '...' if '(' in text and len(text) > 60 else redact(text)}"
    files.check_regular(text)
    try:
        polygons, found = read_polygons(text)
    except RasterError:  # is an OSError, and says all
        raise
    except OSError as error:
        raise RasterError(f"{name}: neither WKT nor a file: {error.strerror}") from error
    except (*DAMAGE, struct.error) as error:
        raise RasterError(
            f"{name}: {error}; give polygons as GeoJSON, GeoPackage or WKT"
        ) from error
    except sqlite3.Error as error:
        raise RasterError(f"{name}: is a damaged GeoPackage: {error}") from error
    if not all(polygons) or not polygons or min(len(ring) for p in polygons for ring in p) < 4:
        raise RasterError(f"{name}: holds no polygon; give one, of closed rings")
    if found and crs:
        raise RasterError(f"{name}: has a CRS of its own; leave --bounds-crs out")
    if not all(map(math.isfinite, itertools.chain(*_points(polygons)))):
        raise RasterError(f"{name}: holds coordinates that are no numbers; give finite ones")
    return Area(name, tuple(polygons), parse_crs(found or crs))


def parse_crs(text: str | None) -> CRS | None:
    """Return a CRS that the user names.

    Raises:
        RasterError: It is unknown.
    """
    if text is None:
        return None
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise RasterError(f"unknown CRS {text!r}; give one such as EPSG:4326") from error


def select(
    grid: Grid,
    *,
    aoi: str | None = None,
    bounds: tuple[float, float, float, float] | None = None,
    crs: str | None = None,
    window: tuple[int, int, int, int] | None = None,
) -> tuple[Window, Area | None]:
    """Return the part of a grid that a user asks for; all of it when nothing is asked.

    Areas and bounds are widened to whole pixels and cut at the grid's edges, so that the result is
    a part of the whole's own result.

    Args:
        grid: The whole grid.
        aoi: As for `read_area`; outside it the result is missing.
        bounds: left, bottom, right, top.
        crs: CRS of the bounds, and of WKT; None for the grid's.
        window: column, row, width, height in pixels.

    Returns:
        The pixels, and the area in the grid's CRS, if there is one.

    Raises:
        RasterError: The area or its CRS cannot be read.
        MismatchError: The part lies outside the grid.
    """
    area = None if aoi is None else read_area(aoi, crs).on(grid)
    rows, cols = grid.shape_yx
    there = "bounds " + ",".join(f"{x:.10g}" for x in grid.bounds)
    if window is not None:
        col, row, width, height = window
        wanted, asked = Window(row, col, height, width), f"--window {','.join(map(str, window))}"
        there = f"{cols} columns and {rows} rows"
    elif bounds is not None:
        box = box_area(bounds, parse_crs(crs) or grid.crs)
        wanted, asked = box.on(grid).window(grid), box.name
        there += _if_degrees(box, grid)
    elif area is not None:
        wanted, asked = area.window(grid), f"{area.name} (bounds {area.extent})"
        there += _if_degrees(area, grid)
    else:
        return grid.full_window, None
    part = wanted.intersection(grid.full_window)
    if part is None or (area is not None and not area.mask(grid.window(part)).any()):
        raise MismatchError(f"{asked} lies outside the scene, which has {there}")
    return part, area


def _if_degrees(area: Area, grid: Grid) -> str:
    """Return advice for coordinates that look like degrees where the scene's are none."""
    small = all(abs(x) <= 180 and abs(y) <= 90 for x, y in _points(area.polygons))
    if not small or grid.crs is None or grid.crs.is_geographic or area.crs not in (None, grid.crs):
        return ""
    return "; if these are degrees, say so with --bounds-crs EPSG:4326"


def _rejoined(polygon: Polygon, turn: float) -> Polygon:
    """Return a polygon whose rings go on across the antimeridian, holes within the outer ring."""
    rings: list[Ring] = []
    for ring in polygon:
        xs, ys = zip(*ring, strict=True)
        lon = unwrapped(xs, turn)
        if rings:
            middle = sum(x for x, _ in rings[0]) / len(rings[0])
            away = turn * round((middle - sum(lon) / len(lon)) / turn)
            lon = [x + away for x in lon]
        rings.append(list(zip(lon, ys, strict=True)))
    return rings


def _in_turn(polygons: Sequence[Polygon], grid: Grid) -> tuple[Polygon, ...]:
    """Return polygons with the longitudes that the grid has, which may be beyond 180."""
    turn = turn_of(grid.crs, grid.bounds[::2])
    if turn is None:
        return tuple(polygons)
    found: list[Polygon] = []
    for polygon in polygons:
        xs = [x for x, _ in polygon[0]]
        for away in shifts_onto((min(xs), max(xs)), grid.bounds[::2], turn):
            found.append([[(x + away, y) for x, y in ring] for ring in polygon])
    return tuple(found)


def _points(polygons: Sequence[Polygon]) -> Iterator[tuple[float, float]]:
    return (point for polygon in polygons for ring in polygon for point in ring)


def _moved(ring: Ring, source: CRS, target: CRS) -> Ring:
    """Cut the edges of a ring into pieces, and transform them."""
    fine = [
        (x0 + (x1 - x0) * i / PIECES, y0 + (y1 - y0) * i / PIECES)
        for (x0, y0), (x1, y1) in itertools.pairwise(ring)
        for i in range(PIECES)
    ]
    xs, ys = zip(*fine, ring[-1], strict=True)
    try:
        moved = rasterio.warp.transform(source, target, xs, ys)
    except (RasterioError, CPLE_BaseError):
        return [(float("inf"), float("inf"))]
    return list(zip(moved[0], moved[1], strict=True))
