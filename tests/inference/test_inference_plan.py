"""Plans, devices and crops."""

import pytest

from specgan.scene.config import SCALES
from specgan_cli.errors import MismatchError
from specgan_cli.inference.output.writer import SMALLEST_BLOCK, fitting_block
from specgan_cli.inference.plan import SMALLEST_TILE, TILES, Costs, make_plan
from specgan_cli.raster.area import select
from specgan_cli.raster.grid import Grid, Window

COSTS = Costs(fixed_bytes=10**8, bytes_per_lr_pixel=1e4, bytes_per_hr_pixel=1e3, halo=29)
CROP = Window(100, 50, 70, 130)


def plan(scale: int = 32, limit: int = 10**12, **more: int):
    return make_plan(CROP, scale=scale, dtype="uint16", costs=COSTS, limit=limit, **more)


def test_a_plan_covers_the_crop_once() -> None:
    tiles = plan(tile=32).tiles
    assert sum(tile.height * tile.width for tile in tiles) == 70 * 130
    assert tiles[0] == Window(100, 50, 32, 32)
    assert tiles[-1] == Window(164, 178, 6, 2)
    assert len(tiles) == plan(tile=32).tile_count == 15


def test_a_plan_tells_the_size() -> None:
    assert plan().shape_yx == (70 * 32, 130 * 32)
    assert plan().output_bytes == 70 * 130 * 32**2 * 3 * 2


def test_a_small_crop_takes_the_memory_of_a_tile_of_its_size() -> None:
    assert plan(tile=4096).memory_bytes == plan(tile=130).memory_bytes
    tile = (70 + 2 * 29) * (130 + 2 * 29) * 1e4 + 70 * 130 * 32**2 * 1e3
    assert plan(tile=130).memory_bytes == 10**8 + tile


@pytest.mark.parametrize("scale", SCALES)
def test_the_usual_tile_is_made_of_whole_blocks(scale: int) -> None:
    assert TILES[scale] * scale % 512 == 0


def test_less_memory_means_smaller_tiles() -> None:
    limits = [10**12, 10**9, 4 * 10**8, 1]
    sides = [plan(limit=limit).tile for limit in limits]
    assert sides == sorted(sides, reverse=True)
    assert sides[0] == TILES[32]
    assert sides[-1] == SMALLEST_TILE


def test_a_given_tile_is_taken() -> None:
    assert plan(limit=1, tile=77).tile == 77


@pytest.mark.parametrize(("tile", "block"), [(32, 512), (24, 256), (12, 128), (5, 512)])
def test_blocks_divide_tiles_where_that_is_sensible(tile: int, block: int) -> None:
    assert fitting_block(plan(tile=tile)) == block
    assert block >= SMALLEST_BLOCK


def grid() -> Grid:
    from affine import Affine
    from rasterio.crs import CRS

    return Grid(CRS.from_epsg(32618), Affine(10, 0, 1000, 0, -10, 2000), (40, 60))


def test_bounds_are_widened_to_whole_pixels() -> None:
    window = select(grid(), bounds=(1005, 1975, 1019, 1990))[0]
    assert window == Window(1, 0, 2, 2)


def test_a_window_is_cut_at_the_edge() -> None:
    window = select(grid(), window=(55, 30, 20, 20))[0]
    assert window == Window(30, 55, 10, 5)


def test_a_window_elsewhere_is_refused() -> None:
    with pytest.raises(MismatchError, match="60 columns and 40 rows"):
        select(grid(), window=(60, 0, 5, 5))
