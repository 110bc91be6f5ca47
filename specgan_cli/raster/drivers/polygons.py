"""Polygons as GeoJSON, GeoPackage and WKT give them; rasterio reads no vectors."""

import json
import os
import re
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from specgan.serde import from_plain, parse_json
from specgan_cli.errors import RasterError

Ring = Sequence[tuple[float, float]]
Polygon = Sequence[Ring]
"""Outer ring and holes, x before y."""

_LONLAT = "OGC:CRS84"
_RINGS = tuple[tuple[tuple[float, ...], ...], ...]
"""Coordinates of a polygon in GeoJSON."""
_SQLITE = b"SQLite format 3\0"
_WKT = re.compile(
    r"(?is)\s*(?:SRID=(\d+);)?\s*(MULTI)?(POLYGON|POINT|LINESTRING|GEOMETRYCOLLECTION)"
    r"\s*[ZM]*\s*(\(.*\)|EMPTY)\s*"
)


def read_polygons(text: str) -> tuple[list[Polygon], str | None]:
    """Read the polygons of a file, or of WKT.

    Args:
        text: A GeoJSON file, a GeoPackage (`FILE:LAYER` where several layers have polygons),
            WKT, or a file of it.

    Returns:
        The polygons, none for what holds other shapes, and their CRS as far as they say it.

    Raises:
        OSError: It is neither WKT nor a file that can be read.
        RasterError: It is a file of another format, or names no layer.
        sqlite3.Error: The GeoPackage is damaged.
        Exception: ValueError, LookupError, TypeError, RecursionError or struct.error, for
            what is damaged; of GeoJSON it names the entry.
    """
    if wkt := _WKT.fullmatch(text):
        return _of_wkt(wkt)
    name, layer = file_and_layer(text)
    path = Path(name)
    content = path.read_bytes()
    if content[:16] == _SQLITE:
        return _geopackage(path, layer)
    if wkt := _WKT.fullmatch(content.decode("utf-8-sig", "replace")):
        return _of_wkt(wkt)
    if content.lstrip()[:1] in (b"{", b"\xef") and content:
        return _geojson(parse_json(content))
    raise RasterError(
        f"--aoi {path} is neither GeoJSON, a GeoPackage nor WKT; "
        f"ogr2ogr {path.with_suffix('.gpkg').name} {path.name} makes one of it"
    )


def file_and_layer(text: str) -> tuple[str, str | None]:
    """Tell `FILE:LAYER` from a path that holds a colon, and from WKT, which is no file.

    Args:
        text: As for `read_polygons`.

    Returns:
        The file, or the text where it names none; and the layer, if one is named.
    """
    name, colon, layer = text.rpartition(":")
    if colon and not os.path.exists(text) and os.path.isfile(name):
        return name, layer
    return text, None


def area_file(text: str | None) -> str | None:
    """Return the file of polygons that `--aoi` names, or its text where it names none."""
    return None if text is None else file_and_layer(text)[0]


def _geojson(document: Any) -> tuple[list[Polygon], str]:
    """Return polygons and CRS; lon/lat unless the document has the `crs` of old."""
    polygons = list(_geojson_polygons(document, ""))
    old = from_plain(dict[str, Any], document.get("crs") or {}, "crs")
    named = from_plain(dict[str, Any], old.get("properties", {}), "crs.properties")
    return polygons, from_plain(str, named.get("name", _LONLAT), "crs.properties.name")


def _geojson_polygons(node: Any, where: str) -> Iterator[Polygon]:
    """Yield the polygons at a place of the document, which messages name."""
    node, within = from_plain(dict[str, Any], node, where), f"{where}." if where else ""
    for key in ("features", "geometries"):
        children = from_plain(tuple[Any, ...], node.get(key) or (), f"{within}{key}")
        for number, child in enumerate(children):
            yield from _geojson_polygons(child, f"{within}{key}.{number}")
    kind = from_plain(str, node.get("type"), f"{within}type")
    if kind == "Feature" and node.get("geometry"):
        yield from _geojson_polygons(node["geometry"], f"{within}geometry")
    name = f"{within}coordinates"
    if kind == "Polygon":
        yield _rings(from_plain(_RINGS, node.get("coordinates"), name), name)
    if kind == "MultiPolygon":
        each = from_plain(tuple[_RINGS, ...], node.get("coordinates"), name)
        yield from (_rings(rings, f"{name}.{number}") for number, rings in enumerate(each))


def _rings(values: Sequence[Sequence[Sequence[float]]], where: str) -> Polygon:
    for number, ring in enumerate(values):
        short = next((place for place, point in enumerate(ring) if len(point) < 2), None)
        if short is not None:
            raise ValueError(f"{where}.{number}.{short}: a point should have two numbers")
    return [[(point[0], point[1]) for point in ring] for ring in values]


def _of_wkt(match: re.Match[str]) -> tuple[list[Polygon], str | None]:
    crs = f"EPSG:{match[1]}" if match[1] else None
    if match[3].upper() != "POLYGON" or match[4].upper() == "EMPTY":
        return [], crs
    return _wkt(match[4], bool(match[2])), crs


def _wkt(text: str, multi: bool) -> list[Polygon]:
    """Turn the brackets and numbers of WKT into lists."""
    points = re.sub(
        r"([^(),\s]+)\s+([^(),\s]+)[^(),]*", lambda m: f"[{float(m[1])!r},{float(m[2])!r}]", text
    )
    try:
        nested = json.loads(points.replace("(", "[").replace(")", "]"))
    except json.JSONDecodeError:
        raise ValueError("its brackets, commas and numbers do not fit together") from None
    return [
        [[(x, y) for x, y in ring] for ring in each] for each in (nested if multi else [nested])
    ]


def _geopackage(path: Path, layer: str | None) -> tuple[list[Polygon], str]:
    """Return the polygons of a layer, or of the only one that has any, and its CRS."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        tables = connection.execute(
            "SELECT table_name, column_name, c.srs_id, organization, organization_coordsys_id, "
            "definition FROM gpkg_geometry_columns c JOIN gpkg_spatial_ref_sys USING (srs_id)"
        ).fetchall()
        found = {}
        for table, column, srs_id, organization, code, wkt in tables:
            rows = connection.execute(f'SELECT "{column}" FROM "{table}"')
            if polygons := [p for (blob,) in rows if blob for p in _geopackage_blob(blob)]:
                known = organization.upper() == "EPSG" and srs_id > 0
                found[table] = polygons, f"EPSG:{code}" if known else wkt
    finally:
        connection.close()
    names = ", ".join(sorted(found)) or "none"
    if layer is not None and layer not in found:
        raise RasterError(f"--aoi {path}: no layer {layer} with polygons; there are: {names}")
    if layer is None and len(found) > 1:
        raise RasterError(
            f"--aoi {path}: several layers have polygons ({names}); "
            f"name one, as in --aoi {path}:{min(found)}"
        )
    return found.get(layer or next(iter(found), ""), ([], _LONLAT))


def _geopackage_blob(blob: bytes) -> list[Polygon]:
    envelope = (0, 32, 48, 48, 64)[blob[3] >> 1 & 7]
    return _wkb(blob, 8 + envelope)[0]


def _wkb(blob: bytes, at: int) -> tuple[list[Polygon], int]:
    """Return the polygons of a (multi)polygon that begins at a byte, and where it ends."""
    order = "<" if blob[at] else ">"
    kind, count = struct.unpack_from(f"{order}II", blob, at + 1)
    at += 9
    extra = (
        {0: 0, 1: 1, 2: 1, 3: 2}[kind // 1000] if kind < 4000 else (kind >> 31) + (kind >> 30 & 1)
    )
    kind = kind % 1000 if kind < 4000 else kind & 0xFF
    polygons: list[Polygon] = []
    if kind == 6:
        for _ in range(count):
            part, at = _wkb(blob, at)
            polygons += part
        return polygons, at
    if kind != 3:
        return [], at
    rings: list[Ring] = []
    for _ in range(count):
        (length,) = struct.unpack_from(f"{order}I", blob, at)
        step = 2 + extra
        values = struct.unpack_from(f"{order}{length * step}d", blob, at + 4)
        rings.append(list(zip(values[::step], values[1::step], strict=True)))
        at += 4 + 8 * length * step
    return [rings], at
