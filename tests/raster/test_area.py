"""Areas of interest: what files and WKT hold, and which pixels they touch."""

import json
import re
import sqlite3
import struct
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from specgan_cli.errors import MismatchError, RasterError
from specgan_cli.raster.area import Area, read_area, select
from specgan_cli.raster.drivers.polygons import file_and_layer
from specgan_cli.raster.grid import Grid, Window

TRIANGLE = [[1000.0, 2000.0], [1030.0, 2000.0], [1000.0, 1970.0], [1000.0, 2000.0]]
GRID = Grid(CRS.from_epsg(32618), Affine(10, 0, 1000, 0, -10, 2000), (6, 8))


def polygon(*rings: list[list[float]]) -> dict[str, object]:
    return {"type": "Polygon", "coordinates": list(rings)}


def geopackage(path: Path, wkb: bytes, epsg: int) -> Path:
    """Write what a GeoPackage needs for one polygon."""
    blob = b"GP\x00\x01" + struct.pack("<i", epsg) + wkb
    with sqlite3.connect(path) as database:
        database.executescript(
            "CREATE TABLE gpkg_spatial_ref_sys (srs_id, organization, organization_coordsys_id,"
            " definition); CREATE TABLE gpkg_geometry_columns (table_name, column_name, srs_id);"
            "CREATE TABLE fields (fid, geom)"
        )
        database.execute("INSERT INTO gpkg_spatial_ref_sys VALUES (?, 'EPSG', ?, '')", (epsg, epsg))
        database.execute("INSERT INTO gpkg_geometry_columns VALUES ('fields', 'geom', ?)", (epsg,))
        database.execute("INSERT INTO fields VALUES (1, ?)", (blob,))
    database.close()
    return path


def wkb_polygon(ring: list[list[float]]) -> bytes:
    head = struct.pack("<BIII", 1, 3, 1, len(ring))
    return head + b"".join(struct.pack("<dd", *point) for point in ring)


def points(area: Area) -> list[list[float]]:
    return [list(point) for point in area.polygons[0][0]]


def test_every_form_of_one_polygon_is_the_same(tmp_path: Path) -> None:
    old = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32618"}}
    collection = {
        "type": "FeatureCollection",
        "crs": old,
        "features": [{"type": "Feature", "properties": {}, "geometry": polygon(TRIANGLE)}],
    }
    geojson = tmp_path / "a.geojson"
    geojson.write_text(json.dumps(collection))
    words = ", ".join(f"{x} {y}" for x, y in TRIANGLE)
    gpkg = geopackage(tmp_path / "a.gpkg", wkb_polygon(TRIANGLE), 32618)
    for text in (str(geojson), str(gpkg), f"SRID=32618;POLYGON (({words}))"):
        area = read_area(text)
        assert points(area) == TRIANGLE
        assert area.crs == CRS.from_epsg(32618)


def test_geojson_is_lon_lat_and_wkt_is_the_scenes(tmp_path: Path) -> None:
    geojson = tmp_path / "a.json"
    geojson.write_text(json.dumps(polygon([[0, 0], [1, 0], [1, 1], [0, 0]])))
    crs = read_area(str(geojson)).crs
    assert crs is not None
    assert crs.is_geographic
    wkt = "MULTIPOLYGON Z (((0 0 5, 1 0 5, 1 1 5, 0 0 5)), ((2 2 5, 3 2 5, 3 3 5, 2 2 5)))"
    assert read_area(wkt).crs is None
    assert [len(each[0]) for each in read_area(wkt).polygons] == [4, 4]
    assert read_area(wkt, "EPSG:4326").crs == CRS.from_epsg(4326)


def test_wkt_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.wkt").write_text(
        "\ufeffSRID=32618;POLYGON ((1000 2000, 1030 2000, 1000 1970,\n1000 2000))\n"
    )
    area = read_area(str(tmp_path / "a.wkt"))
    assert points(area) == TRIANGLE
    assert area.crs == CRS.from_epsg(32618)


def test_a_second_crs_beside_that_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.geojson").write_text(json.dumps(polygon(TRIANGLE)))
    for text in (str(tmp_path / "a.geojson"), "SRID=32618;POLYGON ((0 0, 1 0, 1 1, 0 0))"):
        with pytest.raises(RasterError, match="has a CRS of its own; leave --bounds-crs out"):
            read_area(text, "EPSG:4326")


def test_degrees_in_a_projected_scene_are_noticed() -> None:
    hint = "if these are degrees, say so with --bounds-crs EPSG:4326"
    with pytest.raises(MismatchError, match=hint):
        select(GRID, bounds=(-75.1, 10.0, -75.0, 10.1))
    with pytest.raises(MismatchError, match=hint):
        select(GRID, aoi="POLYGON ((10 20, 11 20, 11 21, 10 20))")
    with pytest.raises(MismatchError) as raised:
        select(GRID, bounds=(-75.1, 10.0, -75.0, 10.1), crs="EPSG:4326")
    assert "degrees" not in str(raised.value)


def test_a_pixel_that_is_touched_belongs_to_the_area() -> None:
    window, area = select(GRID, aoi="POLYGON ((1012 1988, 1031 1988, 1012 1969, 1012 1988))")
    assert window == Window(1, 1, 3, 3)
    assert area is not None
    expected = [[1, 1, 1], [1, 1, 0], [1, 0, 0]]
    assert area.mask(GRID.window(window)).astype(int).tolist() == expected


def test_holes_are_outside() -> None:
    outer, hole = "0 0, 80 0, 80 -60, 0 -60, 0 0", "20 -20, 60 -20, 60 -40, 20 -40, 20 -20"
    grid = Grid(None, Affine(10, 0, 0, 0, -10, 0), (6, 8))
    _, area = select(grid, aoi=f"POLYGON (({outer}), ({hole}))")
    assert area is not None
    assert not area.mask(grid)[3, 4]
    assert area.mask(grid)[0].all()


def test_bounds_in_another_crs_cover_the_ground_that_they_name() -> None:
    import rasterio.warp

    grid = Grid(CRS.from_epsg(32618), Affine(10, 0, 500000, 0, -10, 4000000), (100, 100))
    lonlat = rasterio.warp.transform_bounds(
        grid.crs, "EPSG:4326", 500200, 3999500, 500400, 3999700, densify_pts=50
    )
    window, area = select(grid, bounds=lonlat, crs="EPSG:4326")
    assert area is None
    inner = Window(30, 20, 20, 20)
    assert window.intersection(inner) == inner
    assert window.height <= 22
    assert window.width <= 22


def test_rotated_grids_mask_the_pixels_that_lie_there() -> None:
    grid = Grid(None, Affine.rotation(30) @ Affine.scale(1, -1), (20, 20))
    x, y = grid.transform @ (10.5, 6.5)
    ring = ", ".join(f"{x + dx} {y + dy}" for dx, dy in ((-1, -1), (1, -1), (1, 1), (-1, -1)))
    window, area = select(grid, aoi=f"POLYGON (({ring}))")
    assert area is not None
    inside = np.argwhere(area.mask(grid.window(window))) + np.array((window.row, window.col))
    assert [6, 10] in inside.tolist()
    assert len(inside) < 12


@pytest.mark.parametrize(
    ("aoi", "message"),
    [
        ("", "is empty; give polygons"),
        ("POINT (1 2)", "holds no polygon"),
        ("POLYGON EMPTY", "holds no polygon"),
        ("POLYGON ((1 2, 3 4,, 1 2))", "do not fit together"),
        ("POLYGON ((1 2, 3", "neither WKT nor a file"),
        ("POLYGON ((1 2, 3 4))", "holds no polygon"),
        ("POLYGON ((1 2, 3 x, 5 6, 1 2))", "give polygons as GeoJSON"),
    ],
)
def test_what_is_no_polygon_is_refused(aoi: str, message: str) -> None:
    with pytest.raises(RasterError, match=message):
        read_area(aoi)


DEEP = '{"features": [' * 5000
RINGS = '{"type": "Polygon", "coordinates": [[[0, 0], [1, 0], %s, [0, 0]]]}'
COLLECTION = '{"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": %s}]}'


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (RINGS % "[1]", "coordinates.0.2: a point should have two numbers"),
        (RINGS % '[1, "x"]', "coordinates.0.2.1: 'x' should be float"),
        (RINGS % "3", "coordinates.0.2: 3 should be a list"),
        (COLLECTION % '{"type": 5}', "features.0.geometry.type: 5 should be str"),
        (COLLECTION % RINGS % "[1]", "features.0.geometry.coordinates.0.2: a point"),
        ('{"type": "FeatureCollection", "features": 7}', "features: 7 should be a list"),
        ('{"type": "MultiPolygon", "coordinates": [[5]]}', "coordinates.0.0: 5 should be a list"),
        ('{"type": "Polygon", "coordinates": [], "crs": "x"}', "crs: 'x' should be a table"),
    ],
)
def test_messages_name_the_wrong_entry_of_geojson(content: str, where: str, tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(content)
    with pytest.raises(RasterError, match=re.escape(where)):
        read_area(str(path))


@pytest.mark.parametrize("latitude", [1e9, -1e300, 90.5])
def test_an_area_off_the_globe_is_refused(latitude: float, tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    ring = [[0, latitude], [1, latitude], [1, 0], [0, latitude]]
    path.write_text(json.dumps(polygon(ring)))
    with pytest.raises(MismatchError):
        select(GRID, aoi=str(path))


@pytest.mark.parametrize(
    "content", ["", "{}", '{"type": "Point"}', "[]", '{"type": "Polygon"}', DEEP, "[" * 100000]
)
def test_what_is_no_geojson_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(content)
    with pytest.raises(RasterError, match=r"a\.geojson"):
        read_area(str(path))


def test_damaged_geopackages_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    path.write_bytes(b"SQLite format 3\0" + b"x" * 500)
    with pytest.raises(RasterError, match="damaged GeoPackage"):
        read_area(str(path))
    cut = geopackage(tmp_path / "b.gpkg", wkb_polygon(TRIANGLE)[:-20], 32618)
    with pytest.raises(RasterError, match=r"b\.gpkg"):
        read_area(str(cut))


@pytest.mark.parametrize("name", ["field.shp", "field.kml"])
def test_another_format_is_refused_with_the_line_that_converts(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"\0\0\x27\x0a" + bytes(96) if name.endswith("shp") else b"<kml></kml>")
    with pytest.raises(RasterError, match=f"neither GeoJSON.*ogr2ogr field.gpkg {name}"):
        read_area(str(path))


def test_a_layer_is_named_where_several_have_polygons(tmp_path: Path) -> None:
    path = geopackage(tmp_path / "a.gpkg", wkb_polygon(TRIANGLE), 32618)
    other = [[x + 10, y] for x, y in TRIANGLE]
    with sqlite3.connect(path) as database:
        blob = b"GP\x00\x01" + struct.pack("<i", 32618) + wkb_polygon(other)
        database.execute("CREATE TABLE roofs (fid, geom)")
        database.execute("INSERT INTO gpkg_geometry_columns VALUES ('roofs', 'geom', 32618)")
        database.execute("INSERT INTO roofs VALUES (1, ?)", (blob,))
    database.close()
    assert points(read_area(f"{path}:fields")) == TRIANGLE
    assert points(read_area(f"{path}:roofs")) == other
    assert file_and_layer(f"{path}:fields") == (str(path), "fields")
    assert file_and_layer(str(path)) == (str(path), None)
    with pytest.raises(RasterError, match=r"\(fields, roofs\); name one, as in .*a.gpkg:fields"):
        read_area(str(path))
    with pytest.raises(RasterError, match="no layer trees with polygons; there are: fields, roofs"):
        read_area(f"{path}:trees")


def test_a_url_is_no_area_and_keeps_its_secrets() -> None:
    with pytest.raises(RasterError, match=r"--aoi http://host/a\.gpkg: neither WKT nor a file"):
        read_area("http://me:hunter2@host/a.gpkg?sig=hunter2")


def test_an_area_elsewhere_is_refused() -> None:
    with pytest.raises(
        MismatchError, match=r"bounds 0,0,1,1\) lies outside the scene, which has bounds 1000,1940"
    ):
        select(GRID, aoi="POLYGON ((0 0, 1 0, 1 1, 0 0))")


@pytest.mark.parametrize(
    "coordinates",
    ["[]", "[[]]", "[[[0,0],[1,0],[1,NaN],[0,0]]]", "[[[0,0],[1,0],[1,1e999],[0,0]]]"],
)
def test_polygons_of_nothing_are_refused(coordinates: str, tmp_path: Path) -> None:
    path = tmp_path / "area.geojson"
    path.write_text(f'{{"type": "Polygon", "coordinates": {coordinates}}}')
    with pytest.raises(RasterError, match="holds"):
        read_area(str(path))
