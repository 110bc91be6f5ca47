"""Overviews are exact means of 2 x 2 blocks of valid pixels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from rasterio.crs import CRS

from specgan_cli.geotiff.overviews import count_levels, halve
from specgan_cli.raster.grid import Grid
from support.rasters import NORTH_UP, UTM
from support.writers import raster_writer

DTYPES = ["uint8", "uint16", "int16", "int32", "uint32"]


@given(st.data(), st.sampled_from(DTYPES), st.integers(1, 7), st.integers(1, 7))
def test_integer_means_are_the_nearest_whole_numbers(
    data: st.DataObject, dtype: str, rows: int, cols: int
) -> None:
    values = data.draw(arrays.arrays(dtype, (2, rows, cols)))
    valid = data.draw(arrays.arrays(bool, (rows, cols)))
    means, some = halve(values, valid)
    for row in range(means.shape[1]):
        for col in range(means.shape[2]):
            where = np.s_[2 * row : 2 * row + 2, 2 * col : 2 * col + 2]
            assert some[row, col] == valid[where].any()
            for band in range(2):
                kept = [int(value) for value in values[band][where][valid[where]]]
                expected = round(sum(kept) / len(kept)) if kept else 0
                assert int(means[band, row, col]) == expected


@given(arrays.arrays(np.float32, (1, 4, 6), elements=st.floats(-1e3, 1e3, width=32)))
def test_float_means_are_means(values: np.ndarray) -> None:
    means, _ = halve(values, np.ones((4, 6), bool))
    expected = values.astype(np.float64).reshape(1, 2, 2, 3, 2).mean(axis=(2, 4))
    assert np.allclose(means, expected, rtol=1e-6, atol=1e-6)


@given(arrays.arrays(np.uint8, (1, 6, 6)), arrays.arrays(bool, (6, 6)), st.integers(0, 255))
def test_missing_pixels_take_no_part(values: np.ndarray, valid: np.ndarray, other: int) -> None:
    changed = np.where(valid, values, np.uint8(other))
    assert (halve(changed, valid)[0] == halve(values, valid)[0]).all()


def test_not_a_number_takes_no_part() -> None:
    values = np.array([[[1, np.nan], [3, np.nan]]], np.float32)
    assert halve(values, np.isfinite(values[0]))[0].tolist() == [[[2]]]


@pytest.mark.parametrize(
    ("shape_yx", "levels"), [((256, 256), 0), ((257, 3), 1), ((2048, 1536), 3), ((513, 9), 2)]
)
def test_overviews_go_down_to_256_pixels(shape_yx: tuple[int, int], levels: int) -> None:
    assert count_levels(shape_yx) == levels


def pyramid(seed: int, coarsest_yx: tuple[int, int], levels: int) -> list[np.ndarray]:
    """Return images from fine to coarse whose 2 x 2 sums are exactly 4 times the coarser one."""
    rng = np.random.default_rng(seed)
    images = [rng.integers(60, 195, (3, *coarsest_yx))]
    for _ in range(levels):
        coarse = images[0]
        one, two = (rng.integers(-9, 10, coarse.shape) for _ in range(2))
        fine = np.empty((3, 2 * coarse.shape[1], 2 * coarse.shape[2]), int)
        fine[:, ::2, ::2], fine[:, 1::2, 1::2] = coarse + one, coarse - one
        fine[:, ::2, 1::2], fine[:, 1::2, ::2] = coarse + two, coarse - two
        images.insert(0, fine)
    return [image.astype(np.uint8) for image in images]


@pytest.mark.parametrize("kind", ["none", "nodata", "alpha", "mask"])
@pytest.mark.parametrize("of", ["GTiff", "COG"])
def test_overviews_of_a_coherent_result_are_the_smaller_results(
    tmp_path: Path, kind: Any, of: Any
) -> None:
    """As upscaling makes them: each level's block sums match, holes are whole input pixels."""
    images = pyramid(0, (11, 13), levels=5)
    coarse_hole = np.ones((11, 13), bool)
    if kind != "none":
        coarse_hole[:4, 5:] = False
    holes = [np.kron(coarse_hole, np.ones((2**k, 2**k), bool)) for k in (5, 4, 3, 2, 1, 0)]
    grid = Grid(CRS.from_user_input(UTM), NORTH_UP, images[0].shape[1:])
    path = tmp_path / "out.tif"
    nodata = 0 if kind == "nodata" else None
    with raster_writer(
        path, grid, mask=kind, nodata=nodata, of=of, overviews=5, block=64
    ) as writer:
        writer.write(images[0], grid.full_window, holes[0])
    for level in range(1, 6):
        with rasterio.open(path, overview_level=level - 1) as dataset:
            assert (dataset.read()[:3] == images[level])[:, holes[level]].all()
            assert ((dataset.dataset_mask() > 0) == holes[level]).all()


@pytest.mark.parametrize("shape_yx", [(301, 517), (1, 600), (600, 1), (37, 1030)])
def test_overviews_of_odd_sizes_reach_every_pixel(
    tmp_path: Path, shape_yx: tuple[int, int]
) -> None:
    values = np.random.default_rng(1).integers(0, 256, (3, *shape_yx)).astype(np.uint8)
    grid = Grid(CRS.from_user_input(UTM), NORTH_UP, shape_yx)
    with raster_writer(tmp_path / "out.tif", grid, overviews=True, block=64) as writer:
        writer.write(values, grid.full_window)
    expected, valid = values, np.ones(shape_yx, bool)
    for level in range(count_levels(shape_yx)):
        expected, valid = halve(expected, valid)
        with rasterio.open(writer.path, overview_level=level) as dataset:
            assert (dataset.read() == expected).all()
