"""Scenes behind a URL are read by ranges, and errors tell no secrets."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import rasterio

from specgan_cli.errors import RasterError
from specgan_cli.raster.grid import Window
from specgan_cli.raster.scene import Scene


@pytest.fixture
def server(make_raster: Callable[..., Path]) -> Iterator[str]:
    """Address of a server of `scene.tif`, with a user's name and password in it."""
    path = make_raster(shape_yx=(60, 50), tiled=True, blockxsize=16, blockysize=16)
    script = Path(__file__).parents[1] / "support" / "range_server.py"
    with subprocess.Popen(
        [sys.executable, str(script), str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield f"http://user:secret@127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()


def test_a_remote_scene_is_read_by_windows(server: str, make_raster: Callable[..., Path]) -> None:
    local = make_raster(name="local.tif", shape_yx=(60, 50))
    with Scene.open(f"{server}/scene.tif?token=secret") as scene, rasterio.open(local) as dataset:
        values, valid = scene.read(Window(20, 10, 30, 40))
        assert (values == dataset.read()[:, 20:50, 10:50]).all()
        assert valid.all()
        assert "secret" not in scene.name


def test_a_remote_file_that_is_not_there_is_refused_without_secrets(server: str) -> None:
    with pytest.raises(RasterError, match=r"other\.tif: cannot be opened") as caught:
        Scene.open(f"{server}/other.tif?token=secret")
    assert "secret" not in str(caught.value)
