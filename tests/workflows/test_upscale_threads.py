"""Tiles that are computed at once, a thread each: the same bytes, no more threads than given."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import rasterio
import torch

from specgan_cli.inference import engine
from specgan_cli.inference.predictors.runtime import GRAPH_RUNTIMES
from support.command import specgan
from support.rasters import write_cube
from support.tiny_networks import tiny_published, tiny_weights

THREADS = 2


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """Give torch back what it had."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of two threads."""
    monkeypatch.setenv("OMP_NUM_THREADS", str(THREADS))
    torch.set_num_threads(THREADS)


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The threads that torch uses in each tile; the first two tiles wait for each other."""
    counts: list[int] = []
    calls = itertools.count()
    both = threading.Barrier(2, timeout=60)
    finish = engine.finish_tile

    def watched(*arguments: object) -> object:
        if next(calls) < THREADS:
            both.wait()
        counts.append(torch.get_num_threads())
        return finish(*arguments)  # type: ignore[arg-type]  # what was given to it

    monkeypatch.setattr(engine, "finish_tile", watched)
    return counts


def words(scene: Path, runtime: str, *more: object) -> list[object]:
    out = scene.with_name("out.tif")
    given = ["upscale", scene, "-o", out, "-x", 4, "--tile", 8, "--runtime", runtime]
    return [*given, "--weights", tiny_weights(), "--overwrite", *more]


def output(scene: Path, runtime: str) -> bytes:
    done = specgan(*words(scene, runtime))
    assert done.code == 0, done.stderr
    return scene.with_name("out.tif").read_bytes()


@pytest.mark.parametrize("runtime", ["torch", "onnx", "openvino"])
def test_two_tiles_at_once_write_the_bytes_of_one_after_the_other(
    uint8_scene: Path,
    runtime: str,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    if runtime in GRAPH_RUNTIMES:
        pytest.importorskip(GRAPH_RUNTIMES[runtime].package)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone = output(uint8_scene, runtime)
    request.getfixturevalue("given")
    counts = request.getfixturevalue("used")
    assert output(uint8_scene, runtime) == alone
    assert set(counts) == {1}
    assert torch.get_num_threads() == THREADS


@pytest.mark.usefixtures("given")
def test_memory_bounds_the_tiles_at_once(uint8_scene: Path) -> None:
    plans = [
        specgan(*words(uint8_scene, "torch", *more, "--dry-run", "--json")).json()["plan"]
        for more in ((), ("--max-memory", "1M"))
    ]
    assert [plan["at_once"] for plan in plans] == [2, 1]
    assert plans[0]["memory_bytes"] > plans[1]["memory_bytes"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            ("--max-memory", "1M", "--tile", "auto"),
            "of 1.05 MB cannot be kept: the smallest tile takes about 4",
        ),
        (("--max-memory", "1M", "--tile", 8), "leave --tile and --batch out"),
        (("--max-memory", "8G"), ""),
    ],
)
def test_a_bound_on_memory_that_cannot_be_kept_is_said(
    uint8_scene: Path, more: tuple[object, ...], told: str
) -> None:
    done = specgan(*words(uint8_scene, "torch", *more, "--dry-run"))
    assert (done.code, told in done.stderr) == (0, True), done.stderr
    assert ("cannot be kept" in done.stderr) == bool(told)


@pytest.mark.usefixtures("given")
def test_published_weights_compute_one_tile_at_a_time(uint8_scene: Path) -> None:
    with rasterio.open(uint8_scene) as dataset:
        left = dataset.transform.c
    cube = write_cube(uint8_scene.with_name("cube.tif"), left=left)
    given = ("--weights", tiny_published(32), "--hsi", cube, "--no-align", "-x", 32)
    done = specgan(*words(uint8_scene, "torch", *given, "--dry-run", "--json"))
    assert done.code == 0, done.stderr
    assert done.json()["plan"]["at_once"] == 1
