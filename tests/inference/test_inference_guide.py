"""The cube as the network sees it: the same whatever the window, its edge repeated."""

from pathlib import Path

import numpy as np
import pytest

from specgan_cli.cubes.cube import Cube
from specgan_cli.inference.guide import Guide
from specgan_cli.raster.grid import Window
from specgan_cli.raster.scene import Scene
from support.rasters import write_cube
from support.tiny_networks import header, tiny_network


@pytest.fixture
def guide(make_raster, tmp_path: Path):
    """A guide over a scene of 40 x 50 pixels, of which the cube covers 20 x 20."""
    cube_path = write_cube(tmp_path / "cube.tif", left=726490.0, noise=True)
    with (
        Scene.open(make_raster(shape_yx=(40, 50))) as scene,
        Cube.open(cube_path) as cube,
    ):
        yield Guide(cube, scene.grid, header(tiny_network()))


def test_windows_agree_where_they_overlap(guide: Guide) -> None:
    whole, whole_mask = guide.read(Window(0, 0, 40, 50))
    part, part_mask = guide.read(Window(5, 7, 30, 33))
    assert np.array_equal(part, whole[:, 5:35, 7:40])
    assert np.array_equal(part_mask, whole_mask[:, 5:35, 7:40])


def test_beyond_the_edge_the_edge_pixel_is_repeated(guide: Guide) -> None:
    inner, mask = guide.read(Window(0, 0, 4, 4))
    outer, outer_mask = guide.read(Window(-3, -3, 7, 7))
    assert np.array_equal(outer, np.pad(inner, [(0, 0), (3, 0), (3, 0)], mode="edge"))
    assert np.array_equal(outer_mask, np.pad(mask, [(0, 0), (3, 0), (3, 0)], mode="edge"))


def test_what_the_cube_does_not_cover_is_zero_and_masked(guide: Guide) -> None:
    values, mask = guide.read(Window(25, 25, 10, 10))
    assert not values.any()
    assert not mask.any()


def test_covered_ground_is_standardised(guide: Guide) -> None:
    values, mask = guide.read(Window(5, 5, 10, 10))
    assert mask.all()
    # Reflectance is even between 0.05 and 0.4, and standardised by 0.2 and 0.1.
    assert abs(values.mean() - 0.225 / 0.1 + 0.2 / 0.1) < 0.1


def test_squares_are_read_once(guide: Guide, monkeypatch: pytest.MonkeyPatch) -> None:
    from specgan_cli.inference import guide as module

    reads: list[Window] = []
    read = module.cube_on_grid

    def counted(*arguments: object):
        reads.append(arguments[-1])
        return read(*arguments)

    monkeypatch.setattr(module, "cube_on_grid", counted)
    guide.read(Window(0, 0, 30, 30))
    guide.read(Window(1, 1, 30, 30))
    assert reads == [Window(0, 0, 32, 32)]
