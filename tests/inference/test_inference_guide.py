"""The cube as the network sees it: the same whatever the window, mirrored at its edges."""

from pathlib import Path

import numpy as np
import pytest

from specgan.bands import CANONICAL_BANDS
from specgan_cli.cubes.cube import Cube
from specgan_cli.inference.guide import Guide, resolved_grids
from specgan_cli.raster.grid import Window
from specgan_cli.raster.scene import Scene
from specgan_cli.resampling.cube_on_grid import FINEST
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
    (whole,), (whole_mask,) = guide.read(Window(0, 0, 40, 50))
    (part,), (part_mask,) = guide.read(Window(5, 7, 30, 33))
    assert np.array_equal(part, whole[:, 5:35, 7:40])
    assert np.array_equal(part_mask, whole_mask[:, 5:35, 7:40])


def test_beyond_the_edge_the_cube_is_mirrored(guide: Guide) -> None:
    (inner,), (mask,) = guide.read(Window(0, 0, 4, 4))
    (outer,), (outer_mask,) = guide.read(Window(-3, -3, 7, 7))
    assert np.array_equal(outer, np.pad(inner, [(0, 0), (3, 0), (3, 0)], mode="symmetric"))
    assert np.array_equal(outer_mask, np.pad(mask, [(0, 0), (3, 0), (3, 0)], mode="symmetric"))


def test_what_the_cube_does_not_cover_is_zero_and_masked(guide: Guide) -> None:
    (values,), (mask,) = guide.read(Window(25, 25, 10, 10))
    assert not values.any()
    assert not mask.any()


def test_covered_ground_is_standardised(guide: Guide) -> None:
    (values,), (mask,) = guide.read(Window(5, 5, 10, 10))
    assert mask.any(axis=0).all()
    # Reflectance is even between 0.05 and 0.4, and standardised by 0.2 and 0.1.
    assert abs(values[mask > 0].mean() - 0.225 / 0.1 + 0.2 / 0.1) < 0.1


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


def test_a_fine_cube_is_read_on_the_grids_that_it_resolves(make_raster, tmp_path: Path) -> None:
    # The cube's pixels have 3.2 m; the scene's are made 8 and 12.8 m here.
    cube_path = write_cube(tmp_path / "cube.tif", left=726490.0)
    with Scene.open(make_raster(shape_yx=(40, 50))) as scene, Cube.open(cube_path) as cube:
        for coarser, grids in ((1, 1), (4, 3), (16, 3)):
            grid = scene.grid.coarsen(coarser)
            assert len(resolved_grids(grid, cube.grid.gsd, FINEST)) == grids
        guide = Guide(cube, scene.grid.coarsen(4), header(tiny_network()), octaves=5)
        images, masks = guide.read(Window(0, 0, 4, 3))
    assert [image.shape for image in images] == [(48, 4, 3), (48, 8, 6), (48, 16, 12)]
    assert guide.bytes_per_pixel == sum(each.nbytes for each in (*images, *masks)) / (4 * 3)
    for coarse, fine, known in zip(images, images[1:], masks[1:], strict=False):
        means = fine.reshape(48, coarse.shape[1], 2, coarse.shape[2], 2).mean((2, 4))
        whole = known.reshape(48, coarse.shape[1], 2, coarse.shape[2], 2).all((2, 4))
        assert whole.any()
        np.testing.assert_allclose(means[whole], coarse[whole], atol=0.02)


def test_bands_that_the_cube_does_not_measure_are_unknown(make_raster, tmp_path: Path) -> None:
    camera = write_cube(
        tmp_path / "camera.tif", left=726490.0, nm=[480.0, 560.0, 660.0, 830.0], noise=True
    )
    with Scene.open(make_raster(shape_yx=(40, 50))) as scene, Cube.open(camera) as cube:
        (values,), (mask,) = Guide(cube, scene.grid, header(tiny_network())).read(
            Window(5, 5, 4, 4)
        )
    centres = np.asarray(CANONICAL_BANDS.wavelengths_nm)
    assert mask[(centres > 815) & (centres < 845)].all()
    assert not mask[centres < 400].any()
    assert not mask[centres > 950].any()
    assert not values[mask == 0].any()
