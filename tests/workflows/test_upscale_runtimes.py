"""The laws in ONNX Runtime as in torch, what chooses between them, and the graphs that are kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from specgan_cli.inference.predictors import runtime
from specgan_cli.inference.predictors.runtime import settle_runtime
from specgan_cli.inference.predictors.weights import read_weights
from specgan_cli.inference.request import ComputeOptions
from support.command import Result, specgan
from support.rasters import write_cube
from support.tiny_networks import tiny_published, tiny_weights

MakeRaster = Callable[..., Path]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of graphs, of this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "specgan" / "graphs"


def run(scene: Path, *words: object, name: str = "out.tif", scale: int = 4) -> Result:
    given = ("-o", scene.with_name(name), "--weights", tiny_weights(), "--overwrite", "--no-align")
    return specgan("upscale", scene, "-x", scale, *given, *words)


def upscale(scene: Path, *words: object, name: str = "out.tif", scale: int = 4) -> Path:
    """Upscale in ONNX Runtime, unless the words say otherwise."""
    done = run(scene, "--runtime", "onnx", *words, name=name, scale=scale)
    assert done.code == 0, done.stderr
    return scene.with_name(name)


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        values: np.ndarray = dataset.read((1, 2, 3)).astype(np.float64)
        return values


def block_means(values: np.ndarray, factor: int) -> np.ndarray:
    bands, rows, cols = values.shape
    parts = values.reshape(bands, rows // factor, factor, cols // factor, factor)
    means: np.ndarray = parts.mean((2, 4))
    return means


def guided(scene: Path, guide: str) -> list[object]:
    if guide == "alone":
        return []
    with rasterio.open(scene) as dataset:
        left = dataset.transform.c
    return ["--hsi", write_cube(scene.with_name("cube.tif"), left=left, noise=True)]


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("guide", ["alone", "guided"])
@pytest.mark.parametrize("scale", [2, 8])
def test_both_runtimes_agree_to_one_grey_level(uint8_scene: Path, guide: str, scale: int) -> None:
    words = ("--seed", 3, *guided(uint8_scene, guide))
    ours = read(upscale(uint8_scene, *words, scale=scale))
    theirs = read(upscale(uint8_scene, *words, "--runtime", "torch", name="t.tif", scale=scale))
    assert np.abs(ours - theirs).max() <= 1


@pytest.mark.usefixtures("cache")
def test_a_cube_finer_than_the_scene_guides_as_in_torch(make_raster: MakeRaster) -> None:
    values = np.random.default_rng(0).integers(20, 200, (3, 5, 5)).astype("uint8")
    scene = make_raster(values, transform=Affine(12.8, 0, 726491.0, 0, -12.8, 4699080.0))
    words = guided(scene, "guided")
    ours = read(upscale(scene, *words))
    theirs = read(upscale(scene, *words, "--runtime", "torch", name="torch.tif"))
    alone = read(upscale(scene, name="alone.tif"))
    assert np.abs(ours - theirs).max() <= 1
    assert np.abs(ours - alone).max() > 1


@pytest.mark.usefixtures("cache")
def test_tiles_do_not_show(nodata_scene: Path) -> None:
    whole = read(upscale(nodata_scene, "--tile", 128, name="whole.tif"))
    tiled = read(upscale(nodata_scene, "--tile", 5, "--batch", 3))
    assert np.abs(whole - tiled).max() <= 1


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("name", ["uint8_scene", "uint16_scene", "float32_scene"])
def test_block_means_are_the_input(name: str, request: pytest.FixtureRequest) -> None:
    scene = request.getfixturevalue(name)
    error = np.abs(block_means(read(upscale(scene)), 4) - read(scene)).max()
    assert error <= (1e-6 * 255 if name == "float32_scene" else 0.5)


@pytest.mark.usefixtures("cache")
def test_half_the_scale_is_the_mean(uint8_scene: Path) -> None:
    small = read(upscale(uint8_scene, name="small.tif", scale=4))
    large = read(upscale(uint8_scene, scale=8))
    assert np.abs(block_means(large, 2) - small).max() <= 1


@pytest.mark.usefixtures("cache")
def test_missing_pixels_stay_missing(nodata_scene: Path) -> None:
    with rasterio.open(upscale(nodata_scene)) as out, rasterio.open(nodata_scene) as source:
        expected = np.kron(source.dataset_mask(), np.ones((4, 4), "uint8"))
        assert np.array_equal(out.dataset_mask(), expected)


@pytest.mark.usefixtures("cache")
def test_the_same_bytes_with_a_new_graph_and_with_the_kept_one(uint8_scene: Path) -> None:
    first = upscale(uint8_scene).read_bytes()
    assert upscale(uint8_scene).read_bytes() == first


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(("chosen", "name"), [("onnx", "onnxruntime "), ("torch", "torch ")])
def test_tags_and_report_say_the_runtime(uint8_scene: Path, chosen: str, name: str) -> None:
    document = run(uint8_scene, "--runtime", chosen, "--json").json()
    assert document["runtime"].startswith(name)
    with rasterio.open(uint8_scene.with_name("out.tif")) as dataset:
        assert dataset.tags()["SPECGAN_RUNTIME"] == document["runtime"]


def test_a_graph_is_made_once_for_each_kind(uint8_scene: Path, cache: Path) -> None:
    upscale(uint8_scene)
    (graph,) = cache.iterdir()
    made = graph.stat().st_mtime_ns
    upscale(uint8_scene, "--seed", 5)
    assert [path.stat().st_mtime_ns for path in cache.iterdir()] == [made]
    upscale(uint8_scene, "--fidelity", 1)
    assert len(list(cache.iterdir())) == 2


def test_a_damaged_graph_is_made_again(uint8_scene: Path, cache: Path) -> None:
    first = upscale(uint8_scene).read_bytes()
    (graph,) = cache.iterdir()
    graph.write_bytes(graph.read_bytes()[:1000])
    assert upscale(uint8_scene).read_bytes() == first
    assert graph.stat().st_size > 1000


def test_a_cache_that_cannot_be_written_is_done_without(
    uint8_scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"  # root may write to any folder, but not make one in a file
    blocked.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    upscale(uint8_scene)
    assert blocked.stat().st_size == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--device", "cuda"), "--runtime onnx computes on the CPU, not on cuda"),
        (("--dtype", "float64"), "--runtime onnx computes in float32, not in float64"),
        (("--weights", "PUBLISHED", "-x", 32), "published weights run in torch alone"),
    ],
)
def test_what_onnx_runtime_cannot_do_is_refused(
    uint8_scene: Path, words: tuple[object, ...], message: str
) -> None:
    given = [tiny_published(32) if word == "PUBLISHED" else word for word in words]
    done = run(uint8_scene, "--runtime", "onnx", *given)
    assert done.code == 1
    assert message in done.stderr


def test_a_missing_package_is_named(uint8_scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "PACKAGES", ("onnx", "not_installed"))
    done = run(uint8_scene, "--runtime", "onnx")
    assert done.code == 1
    assert "onnxruntime" in done.stderr and "pip install" in done.stderr
    assert run(uint8_scene).code == 0


@pytest.mark.parametrize(
    ("given", "pixels", "expected"),
    [
        ({}, runtime.WORTH_PIXELS, "onnx"),
        ({}, runtime.WORTH_PIXELS - 1, "torch"),
        ({"scale": 4}, 10**9, "torch"),
        ({"dtype": "float64"}, 10**9, "torch"),
        ({"runtime": "torch"}, 10**9, "torch"),
        ({"runtime": "onnx"}, 1, "onnx"),
    ],
)
def test_auto_takes_what_is_worth_it(given: dict[str, Any], pixels: int, expected: str) -> None:
    compute = ComputeOptions(weights=str(tiny_weights()), **{"device": "cpu", **given})
    assert settle_runtime(compute, read_weights(compute), pixels).runtime == expected
