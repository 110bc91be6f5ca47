"""`--aoi` and `--bounds-crs`, in upscale and prepare."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.warp

import displaced_pairs as pairs
from support.command import specgan
from support.tiny_networks import tiny_weights

# LR columns 5 to 9 and rows 3 to 6 of the small scenes, less a corner.
LEFT, TOP, SIDE = 726491.0, 4699078.4, 3.2


def corner(col: float, row: float) -> str:
    return f"{LEFT + col * SIDE} {TOP - row * SIDE}"


TRIANGLE = (
    f"POLYGON (({corner(5.5, 3.5)}, {corner(9.5, 3.5)}, {corner(5.5, 6.5)}, {corner(5.5, 3.5)}))"
)


def upscale(scene: Path, *words: object, name: str = "out.tif") -> Path:
    out = scene.with_name(name)
    done = specgan("upscale", scene, "-x", 4, "-o", out, "--weights", tiny_weights(), *words)
    assert done.code == 0, done.stderr
    return out


@pytest.mark.parametrize("name", ["uint8_scene", "nodata_scene", "alpha_scene", "float32_scene"])
def test_an_area_is_a_part_of_the_whole_with_nodata_outside(
    name: str, request: pytest.FixtureRequest
) -> None:
    scene = request.getfixturevalue(name)
    with (
        rasterio.open(upscale(scene, name="whole.tif")) as whole,
        rasterio.open(upscale(scene, "--aoi", TRIANGLE, "--tile", 2)) as part,
    ):
        assert part.shape == (16, 20)
        assert part.crs == whole.crs
        assert part.transform @ (0, 0) == pytest.approx((LEFT + 5 * SIDE, TOP - 3 * SIDE))
        valid = part.dataset_mask() > 0
        if part.nodata is not None and np.isnan(part.nodata):
            valid = np.isfinite(part.read(1))
        assert valid[:4, :4].all()
        assert not valid[-4:, -8:].any()
        expected = whole.read((1, 2, 3))[:, 12:28, 20:40]
        difference = part.read((1, 2, 3)).astype(float) - expected
        assert np.abs(difference[:, valid]).max() <= 1
        assert part.tags()["SPECGAN_AOI"].startswith("POLYGON")


def test_wkt_may_be_longer_than_a_files_name(uint8_scene: Path) -> None:
    detour = ", ".join(f"{corner(5.5 + step / 10, 3.5)}" for step in range(1, 40))
    long = TRIANGLE.replace(", ", f", {detour}, ", 1)
    assert len(long) > 500
    with (
        rasterio.open(upscale(uint8_scene, "--aoi", TRIANGLE, name="short.tif")) as short,
        rasterio.open(upscale(uint8_scene, "--aoi", long)) as out,
    ):
        assert (out.read() == short.read()).all()


@pytest.mark.parametrize("command", ["upscale", "prepare"])
def test_an_area_is_not_replaced(command: str, uint8_scene: Path, tmp_path: Path) -> None:
    area = tmp_path / "area.png"
    area.write_text(TRIANGLE)
    words = ("-x", 4, "--preview", area) if command == "upscale" else ("--hsi", uint8_scene)
    more = () if command == "upscale" else ("--quicklook", area)
    done = specgan(
        command, uint8_scene, *words, *more, "-o", tmp_path / "o.tif", "--aoi", area, "--overwrite"
    )
    assert done.code == 1
    assert f"{area}: is an input" in done.stderr
    assert area.read_text() == TRIANGLE


def test_bounds_in_lon_lat_name_the_same_part(uint8_scene: Path) -> None:
    bounds = (LEFT + 5.2 * SIDE, TOP - 6.8 * SIDE, LEFT + 9.8 * SIDE, TOP - 3.2 * SIDE)
    lonlat = rasterio.warp.transform_bounds("EPSG:32618", "EPSG:4326", *bounds)
    words = ("--bounds", ",".join(map(repr, lonlat)), "--bounds-crs", "EPSG:4326")
    with rasterio.open(upscale(uint8_scene, *words)) as out:
        assert out.shape == (16, 20)


def test_the_estimate_leaves_tiles_outside_out(uint8_scene: Path, tmp_path: Path) -> None:
    words = ("upscale", uint8_scene, "-x", 4, "-o", tmp_path / "o.tif", "--tile", 2, "--json")
    more = ("--weights", tiny_weights(), "--dry-run", "--aoi", TRIANGLE)
    document = specgan(*words, *more).json()
    assert document["plan"]["tile_count"] == 6
    assert document["tiles_inside"] == 5


def test_what_is_no_area_is_one_line(uint8_scene: Path, tmp_path: Path) -> None:
    done = specgan("upscale", uint8_scene, "-o", tmp_path / "o.tif", "--aoi", "POINT (1 1)")
    assert done.code == 1
    assert "holds no polygon" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--bounds", "0,0,1,1", "--aoi", "x"), "give --bounds or --aoi, not both"),
        (("--bounds-crs", "EPSG:4326"), "goes with --bounds"),
    ],
)
def test_options_that_do_not_fit_together(
    words: tuple[str, ...], message: str, uint8_scene: Path, tmp_path: Path
) -> None:
    done = specgan("upscale", uint8_scene, "-o", tmp_path / "o.tif", *words)
    assert done.code == 2
    assert message in done.stderr


def test_an_unknown_crs_is_one_line(uint8_scene: Path, tmp_path: Path) -> None:
    words = ("--bounds", "0,0,1,1", "--bounds-crs", "EPSG:1")
    done = specgan("upscale", uint8_scene, "-o", tmp_path / "o.tif", *words)
    assert done.code == 1
    assert "unknown CRS 'EPSG:1'" in done.stderr


def test_prepare_writes_the_area_alone(tmp_path: Path) -> None:
    ground = np.rint(pairs.texture(120))
    scene = pairs.write_scene(tmp_path / "scene.tif", ground, pairs.scene_transform())
    cube = pairs.write_cube(tmp_path / "cube.tif", pairs.cube_of(ground), pairs.scene_transform())
    x, y = pairs.scene_transform() @ (20.5, 30.5)
    x1, y1 = pairs.scene_transform() @ (39.5, 49.5)
    aoi = f"POLYGON (({x} {y}, {x1} {y}, {x} {y1}, {x} {y}))"
    for name, words in (("whole.tif", ()), ("part.tif", ("--aoi", aoi))):
        done = specgan("prepare", scene, "--hsi", cube, "-o", tmp_path / name, "--no-align", *words)
        assert done.code == 0, done.stderr
    with (
        rasterio.open(tmp_path / "whole.tif") as whole,
        rasterio.open(tmp_path / "part.tif") as part,
    ):
        assert part.shape == (20, 20)
        values = part.read(24)
        assert values[19, 19] == part.nodata
        assert (values[:5, :5] == whole.read(24)[30:35, 20:25]).all()
