"""What a dry run says of the time."""

from pathlib import Path

import pytest
import rasterio

from specgan_cli.inference.estimate import extrapolate
from specgan_cli.inference.plan import RunPlan
from specgan_cli.raster.grid import Window
from specgan_cli.wording import between
from support.command import specgan
from support.rasters import write_cube
from support.tiny_networks import tiny_weights

HALO, SCALE = 3, 4
PER_LR, PER_HR = 2e-3, 5e-5
"""Seconds of an LR pixel of a tile with its halo, and of an output pixel."""


def seconds(height: int, width: int) -> float:
    """Return what a tile takes under the model of the time."""
    padded = (height + 2 * HALO) * (width + 2 * HALO)
    return PER_LR * padded + PER_HR * height * width * SCALE**2


def plan(height: int, width: int, tile: int) -> RunPlan:
    shape = (height * SCALE, width * SCALE)
    return RunPlan(SCALE, Window(0, 0, height, width), tile, 1, shape, 0, 0)


def timed(*sides: int) -> dict[Window, float]:
    return {Window(0, 0, side, side): seconds(side, side) for side in sides}


def test_two_tiles_tell_the_time_of_all() -> None:
    found = extrapolate(plan(32, 48, 16), HALO, timed(1, 8))
    assert found == pytest.approx(6 * seconds(16, 16))


def test_one_tile_smaller_than_usual_is_not_taken_for_a_whole_one() -> None:
    found = extrapolate(plan(6, 10, 16), HALO, timed(1, 6))
    assert found == pytest.approx(seconds(6, 10))


def test_a_scene_of_one_pixel_takes_what_its_tile_takes() -> None:
    assert extrapolate(plan(1, 1, 16), HALO, timed(1)) == pytest.approx(seconds(1, 1))


def test_a_dry_run_gives_a_range(uint8_scene: Path, tmp_path: Path) -> None:
    words = ("-x", 2, "-o", tmp_path / "out.tif", "--weights", tiny_weights(), "--dry-run")
    document = specgan("upscale", uint8_scene, *words, "--json").json()
    low, high = document["seconds_range"]
    assert 0 <= low <= document["seconds"] <= high


def test_a_cube_takes_memory(uint8_scene: Path, tmp_path: Path) -> None:
    with rasterio.open(uint8_scene) as scene:
        cube = write_cube(tmp_path / "cube.tif", left=scene.transform.c, noise=True)
    words = ("-x", 2, "-o", tmp_path / "out.tif", "--weights", tiny_weights(), "--dry-run")
    alone, guided = (
        specgan("upscale", uint8_scene, *words, *more, "--json").json()["plan"]["memory_bytes"]
        for more in ((), ("--hsi", cube, "--no-align"))
    )
    assert guided > alone + 10**8


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (9.2, 17.4, "9 to 17 s"),
        (100.0, 200.0, "100 s to 3 min"),
        (1.0, 1.2, "about 1 s"),
        (130.0, 400.0, "2 to 7 min"),
    ],
)
def test_ranges_are_read_as_one_speaks(low: float, high: float, text: str) -> None:
    assert between((low, high)) == text
