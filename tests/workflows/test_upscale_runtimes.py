"""The laws in every runtime, what chooses between them, and the graphs that are kept."""

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from specgan_cli.inference.predictors import runtime
from specgan_cli.inference.predictors.runtime import GRAPH_RUNTIMES, GraphRuntime, settle_runtime
from specgan_cli.inference.predictors.weights import read_weights
from specgan_cli.inference.request import ComputeOptions
from support.command import Result, specgan
from support.rasters import write_cube
from support.tiny_networks import tiny_published, tiny_weights

MakeRaster = Callable[..., Path]

BFLOAT16 = "openvino --dtype bfloat16"


def needs(words: str) -> pytest.MarkDecorator:
    """Skip where a runtime is not installed, or the processor lacks its type."""
    installed = GRAPH_RUNTIMES[words.split()[0]].installed
    able = installed and ("bfloat16" not in words or runtime.computes_bfloat16())
    return pytest.mark.skipif(not able, reason=f"--runtime {words} does not run here")


def in_each(*all_words: str) -> pytest.MarkDecorator:
    """Run a test in each of these runtimes that is here, as `chosen`."""
    given = [pytest.param(words, marks=needs(words)) for words in all_words]
    return pytest.mark.parametrize("chosen", given)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of graphs, of this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "specgan" / "graphs"


def run(scene: Path, *words: object, name: str = "out.tif", scale: int = 4) -> Result:
    given = ("-o", scene.with_name(name), "--weights", tiny_weights(), "--overwrite", "--no-align")
    return specgan("upscale", scene, "-x", scale, *given, *words)


def upscale(
    scene: Path, chosen: str, *words: object, name: str = "out.tif", scale: int = 4
) -> Path:
    """Upscale in a runtime, after whose name further words may stand."""
    done = run(scene, "--runtime", *chosen.split(), *words, name=name, scale=scale)
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
@in_each("onnx", "openvino")
@pytest.mark.parametrize("guide", ["alone", "guided"])
@pytest.mark.parametrize("scale", [2, 8])
def test_all_agree_to_one_grey_level(
    uint8_scene: Path, chosen: str, guide: str, scale: int
) -> None:
    words = ("--seed", 3, *guided(uint8_scene, guide))
    ours = read(upscale(uint8_scene, chosen, *words, scale=scale))
    theirs = read(upscale(uint8_scene, "torch", *words, name="torch.tif", scale=scale))
    assert np.abs(ours - theirs).max() <= 1


@pytest.mark.usefixtures("cache")
@in_each(BFLOAT16)
def test_bfloat16_agrees_to_a_quarter_of_a_grey_level_in_the_mean(
    float32_scene: Path, chosen: str
) -> None:
    ours, theirs = (
        read(upscale(float32_scene, words, name=f"{words[:5]}.tif", scale=32))
        for words in (chosen, "torch")
    )
    assert 0 < np.abs(ours - theirs).mean() <= 0.25


@pytest.mark.usefixtures("cache")
@in_each("onnx", "openvino")
def test_a_cube_finer_than_the_scene_guides_as_in_torch(
    make_raster: MakeRaster, chosen: str
) -> None:
    values = np.random.default_rng(0).integers(20, 200, (3, 5, 5)).astype("uint8")
    scene = make_raster(values, transform=Affine(12.8, 0, 726491.0, 0, -12.8, 4699080.0))
    words = guided(scene, "guided")
    ours = read(upscale(scene, chosen, *words))
    theirs = read(upscale(scene, "torch", *words, name="torch.tif"))
    alone = read(upscale(scene, chosen, name="alone.tif"))
    assert np.abs(ours - theirs).max() <= 1
    assert np.abs(ours - alone).max() > 1


@pytest.mark.usefixtures("cache")
@in_each("onnx", "openvino", BFLOAT16)
def test_tiles_do_not_show(nodata_scene: Path, chosen: str) -> None:
    whole = read(upscale(nodata_scene, chosen, "--tile", 128, name="whole.tif"))
    tiled = read(upscale(nodata_scene, chosen, "--tile", 5, "--batch", 3))
    assert np.abs(whole - tiled).max() <= 1


@pytest.mark.usefixtures("cache")
@in_each("onnx", "openvino", BFLOAT16)
@pytest.mark.parametrize("name", ["uint8_scene", "uint16_scene", "float32_scene"])
def test_block_means_are_the_input(name: str, chosen: str, request: pytest.FixtureRequest) -> None:
    scene = request.getfixturevalue(name)
    error = np.abs(block_means(read(upscale(scene, chosen)), 4) - read(scene)).max()
    assert error <= (1e-6 * 255 if name == "float32_scene" else 0.5)


@pytest.mark.usefixtures("cache")
@in_each("onnx", "openvino", BFLOAT16)
def test_half_the_scale_is_the_mean(uint8_scene: Path, chosen: str) -> None:
    small = read(upscale(uint8_scene, chosen, name="small.tif", scale=4))
    large = read(upscale(uint8_scene, chosen, scale=8))
    assert np.abs(block_means(large, 2) - small).max() <= 1


@pytest.mark.usefixtures("cache")
@in_each("onnx", "openvino")
def test_missing_pixels_stay_missing(nodata_scene: Path, chosen: str) -> None:
    out = upscale(nodata_scene, chosen)
    with rasterio.open(out) as result, rasterio.open(nodata_scene) as source:
        expected = np.kron(source.dataset_mask(), np.ones((4, 4), "uint8"))
        assert np.array_equal(result.dataset_mask(), expected)


@pytest.mark.usefixtures("cache")
@in_each("onnx", "openvino", BFLOAT16)
def test_the_same_bytes_with_a_new_graph_and_with_the_kept_one(
    uint8_scene: Path, chosen: str
) -> None:
    first = upscale(uint8_scene, chosen).read_bytes()
    assert upscale(uint8_scene, chosen).read_bytes() == first


@pytest.mark.usefixtures("cache")
@in_each("onnx", "openvino", BFLOAT16)
def test_tags_and_report_say_the_runtime(uint8_scene: Path, chosen: str) -> None:
    document = run(uint8_scene, "--runtime", *chosen.split(), "--json").json()
    package = GRAPH_RUNTIMES[chosen.split()[0]].package
    end = " in bfloat16" if "bfloat16" in chosen else ""
    assert document["runtime"] == f"{package} {importlib.metadata.version(package)}{end}"
    with rasterio.open(uint8_scene.with_name("out.tif")) as dataset:
        assert dataset.tags()["SPECGAN_RUNTIME"] == document["runtime"]


@in_each("onnx", "openvino")
def test_a_graph_is_made_once_for_each_kind(uint8_scene: Path, chosen: str, cache: Path) -> None:
    upscale(uint8_scene, chosen)
    (graph,) = cache.iterdir()
    made = graph.stat().st_mtime_ns
    upscale(uint8_scene, chosen, "--seed", 5)
    assert [path.stat().st_mtime_ns for path in cache.iterdir()] == [made]
    upscale(uint8_scene, chosen, "--fidelity", 1)
    assert len(list(cache.iterdir())) == 2


@needs("openvino")
def test_all_runtimes_share_the_graphs(uint8_scene: Path, cache: Path) -> None:
    for chosen in ("onnx", "openvino"):
        upscale(uint8_scene, chosen)
    assert len(list(cache.iterdir())) == 1


@in_each("onnx", "openvino")
def test_a_damaged_graph_is_made_again(uint8_scene: Path, chosen: str, cache: Path) -> None:
    first = upscale(uint8_scene, chosen).read_bytes()
    (graph,) = cache.iterdir()
    graph.write_bytes(graph.read_bytes()[:1000])
    assert upscale(uint8_scene, chosen).read_bytes() == first
    assert graph.stat().st_size > 1000


@in_each("onnx", "openvino")
def test_a_cache_that_cannot_be_written_is_done_without(
    uint8_scene: Path, chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"  # root may write to any folder, but not make one in a file
    blocked.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    upscale(uint8_scene, chosen)
    assert blocked.stat().st_size == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("onnx", "--device", "cuda"), "--runtime onnx computes on the CPU, not on cuda"),
        (("onnx", "--dtype", "bfloat16"), "--runtime onnx computes in float32, not in bfloat16"),
        (("onnx", "--weights", "PUBLISHED", "-x", 32), "published weights run in torch alone"),
        (("openvino", "--device", "cuda"), "--runtime openvino computes on the CPU, not on cuda"),
        (
            ("openvino", "--dtype", "float16"),
            "--runtime openvino computes in float32 or bfloat16, not in float16",
        ),
    ],
)
def test_what_a_runtime_cannot_do_is_refused(
    uint8_scene: Path,
    words: tuple[object, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(GraphRuntime, "installed", True)
    given = [tiny_published(32) if word == "PUBLISHED" else word for word in words]
    done = run(uint8_scene, "--runtime", *given)
    assert done.code == 1
    assert message in done.stderr


def test_a_processor_without_bfloat16_is_told_so(
    uint8_scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GraphRuntime, "installed", True)
    monkeypatch.setattr(runtime, "computes_bfloat16", lambda: False)
    done = run(uint8_scene, "--runtime", "openvino", "--dtype", "bfloat16")
    assert done.code == 1
    assert "--dtype bfloat16: this processor does not compute in it" in done.stderr


@pytest.mark.parametrize("name", list(GRAPH_RUNTIMES))
def test_a_missing_package_is_named(
    uint8_scene: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GraphRuntime, "installed", False)
    done = run(uint8_scene, "--runtime", name)
    assert done.code == 1
    assert f"the packages onnx and {GRAPH_RUNTIMES[name].package}; pip install" in done.stderr
    assert run(uint8_scene).code == 0


@pytest.mark.parametrize(
    ("given", "pixels", "there", "expected"),
    [
        ({}, runtime.WORTH_PIXELS, "onnx openvino", "onnx"),
        ({}, runtime.WORTH_PIXELS, "openvino", "openvino"),
        ({}, runtime.WORTH_PIXELS, "", "torch"),
        ({}, runtime.WORTH_PIXELS - 1, "onnx openvino", "torch"),
        ({"scale": 4}, 10**9, "onnx openvino", "torch"),
        ({"dtype": "float64"}, 10**9, "onnx openvino", "torch"),
        ({"dtype": "bfloat16"}, 10**9, "onnx openvino bfloat16", "openvino"),
        ({"dtype": "bfloat16"}, 10**9, "onnx openvino", "torch"),
        ({"dtype": "bfloat16"}, 10**9, "onnx", "torch"),
        ({"runtime": "torch"}, 10**9, "onnx openvino", "torch"),
        ({"runtime": "onnx"}, 1, "onnx openvino", "onnx"),
    ],
)
def test_auto_takes_what_is_worth_it(
    given: dict[str, Any],
    pixels: int,
    there: str,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = there.split()
    packages = {GRAPH_RUNTIMES[word].package for word in words if word in GRAPH_RUNTIMES}
    installed = property(lambda graphs: graphs.package in packages)
    monkeypatch.setattr(GraphRuntime, "installed", installed)
    monkeypatch.setattr(runtime, "computes_bfloat16", lambda: "bfloat16" in words)
    compute = ComputeOptions(weights=str(tiny_weights()), **{"device": "cpu", **given})
    assert settle_runtime(compute, read_weights(compute), pixels).runtime == expected
