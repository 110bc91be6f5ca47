"""Published weights on whole scenes: blended tiles, exact means, and a word of warning."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from specgan_cli.inference.predictors.published import partition
from support.command import Result, specgan
from support.rasters import write_cube
from support.tiny_networks import tiny_published, tiny_weights


@pytest.fixture
def small_scene(make_raster) -> Path:
    """5 x 6 pixels with a missing corner."""
    values = (np.arange(90).reshape(3, 5, 6) * 2 + 20).astype("uint8")
    values[:, 0, :2] = 0
    return make_raster(values, nodata=0)


def upscale(scene: Path, *words: object, scale: int = 32, name: str = "out.tif") -> Result:
    cube = write_cube(scene.with_name("cube.tif"), left=726490.0)
    base = ("upscale", scene, "--hsi", cube, "--no-align", "-x", scale)
    weights = ("--weights", tiny_published(scale))
    return specgan(*base, "-o", scene.with_name(name), *weights, *words)


@pytest.mark.parametrize("scale", [16, 32])
def test_published_weights_keep_block_means(small_scene: Path, scale: int) -> None:
    done = upscale(small_scene, scale=scale)
    assert done.code == 0, done.stderr
    with rasterio.open(small_scene) as scene, rasterio.open(scene_out(small_scene)) as out:
        values, valid = scene.read(), scene.dataset_mask() > 0
        result = out.read().astype(float)
        assert out.shape == (5 * scale, 6 * scale)
    means = result.reshape(3, 5, scale, 6, scale).mean((2, 4))
    assert np.abs(means - values)[:, valid].max() <= 0.5


def scene_out(scene: Path) -> Path:
    return scene.with_name("out.tif")


def test_published_weights_warn_once_of_their_tiles(small_scene: Path) -> None:
    assert upscale(small_scene).stderr.count("published weights see 8 x 8 pixels") == 1


def test_published_tiles_lie_on_the_scene_and_not_on_the_run(small_scene: Path) -> None:
    upscale(small_scene, "--tile", 32)
    upscale(small_scene, "--tile", 4, name="other.tif")
    with rasterio.open(scene_out(small_scene)) as one:
        first = one.read().astype(float)
    with rasterio.open(small_scene.with_name("other.tif")) as other:
        assert np.abs(first - other.read()).max() <= 1


def test_published_weights_need_a_cube(small_scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    done = specgan("upscale", small_scene, "-o", out, "--weights", tiny_published(32))
    assert done.code == 3
    assert "--hsi" in done.stderr


def test_published_weights_serve_one_scale(small_scene: Path, tmp_path: Path) -> None:
    words = ("upscale", small_scene, "-x", 8, "-o", tmp_path / "out.tif")
    done = specgan(*words, "--weights", tiny_published(32))
    assert done.code == 1
    assert "they serve 32" in done.stderr


def test_published_weights_have_no_spread(small_scene: Path, tmp_path: Path) -> None:
    done = upscale(small_scene, "--uncertainty", tmp_path / "spread.tif")
    assert done.code == 3
    assert "--uncertainty" in done.stderr


def test_scene_weights_use_the_cube(small_scene: Path) -> None:
    cube = write_cube(small_scene.with_name("cube.tif"), left=726490.0)
    images = []
    for words in ((), ("--hsi", cube, "--no-align")):
        base = ("upscale", small_scene, "-x", 2, "-o", scene_out(small_scene), "--overwrite")
        assert specgan(*base, "--weights", tiny_weights(), *words).code == 0
        with rasterio.open(scene_out(small_scene)) as out:
            images.append(out.read())
    assert not np.array_equal(*images)


@pytest.mark.parametrize("size", [8, 256])
def test_partition_adds_up_to_one(size: int) -> None:
    window = partition(size, torch.device("cpu"))
    half = size // 2
    quarters = [window[r : r + half, c : c + half] for r in (0, half) for c in (0, half)]
    assert torch.allclose(sum(quarters), torch.ones(half, half), atol=1e-6)
