"""A killed `specgan upscale` leaves the output path alone, and resumes to the same bytes."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import rasterio

from specgan_cli.cli.main import Terminated
from specgan_cli.inference.engine import Engine
from specgan_cli.inference.output import sinks
from support.command import specgan
from support.rasters import as_vrt
from support.tiny_networks import tiny_weights

# One process imports everything once and forks the runs, which kill themselves at a system call
# drawn beforehand, a write half done: how fast the machine is does not matter.
KILLER = """
    import os, random, signal, sys
    from pathlib import Path
    import torch
    from specgan_cli.inference import engine
    from specgan_cli.inference.output import sinks
    from specgan_cli.pictures import preview
    from specgan_cli.cli.main import main

    torch.set_num_threads(1)
    sinks.COMMIT_SECONDS = 0.0
    out, kills, words = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]

    def die_at(last):
        left = [last]

        def deadly(name, call):
            def instead(*args, **more):
                left[0] -= 1
                if left[0] == 0:
                    if name == "write":
                        call(args[0], args[1][: len(args[1]) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **more)
            return instead

        for name in ("write", "ftruncate", "fsync", "replace", "rename", "unlink"):
            setattr(os, name, deadly(name, getattr(os, name)))

    def run(last, *more):
        child = os.fork()
        if not child:
            die_at(last)
            try:
                main([*words, "-o", str(out), *more])
            except SystemExit as end:
                os._exit(end.code or 0)
        return os.waitpid(child, 0)[1]

    assert run(0) == 0
    expected = out.read_bytes()
    out.unlink()
    random.seed(4)
    killed = resumed = finished = 0
    while killed < kills:
        status = run(random.randint(1, 40), "--resume")
        assert status in (0, signal.SIGKILL), status
        if status:
            killed += 1
            journal = out.with_name(f".{out.name}.journal")
            resumed += journal.exists() and len(journal.read_text().splitlines()) > 1
        if out.exists():
            assert out.read_bytes() == expected, "another file"
            out.unlink()
            finished += 1
    assert run(0, "--resume") == 0
    assert out.read_bytes() == expected, "another file in the end"
    left = [path.name for path in out.parent.iterdir() if path.name.startswith(".")]
    assert not left, left
    print(resumed, finished)
"""


@pytest.mark.slow
def test_thirty_kills_never_leave_a_partial_file(make_raster, tmp_path: Path) -> None:
    scene = make_raster(shape_yx=(48, 16), nodata=3)
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-c", textwrap.dedent(KILLER), tmp_path / "out" / "out.tif", "30"]
    words = ["upscale", scene, "-x", "8", "--tile", "16", "--weights", tiny_weights()]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [str(word) for word in (*command, *words)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    resumed, finished = map(int, done.stdout.split())
    assert resumed >= 5, "too few of the kills left anything to resume from"
    assert finished >= 1, "no run that was killed came to its end"


class Interrupted:
    """Raises what a signal raises at the n-th batch, and counts the batches before it."""

    def __init__(self, at: int, kind: type[BaseException]) -> None:
        self.at = at
        self.kind = kind
        self.count = 0
        self.predict = Engine.predict

    def __call__(self, engine: Engine, tiles: list) -> list:
        """Stand in for `Engine.predict`."""
        self.count += 1
        if self.count == self.at:
            raise self.kind
        return self.predict(engine, tiles)


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch):
    """Return a function that runs a command that is interrupted at a batch."""
    monkeypatch.setattr(sinks, "COMMIT_SECONDS", 0.0)

    def run(at: int, *words: object, code: int = 130) -> str:
        interrupted = Interrupted(at, {130: KeyboardInterrupt, 143: Terminated}[code])
        with monkeypatch.context() as patch:
            patch.setattr(Engine, "predict", lambda engine, tiles: interrupted(engine, tiles))
            done = specgan(*words)
        assert done.code == code
        return done.stderr

    return run


@pytest.mark.parametrize("code", [130, 143])
def test_a_stopped_run_goes_on_where_it_stopped(
    code: int, make_raster, tmp_path: Path, interrupt
) -> None:
    scene = make_raster(shape_yx=(64, 16))
    words = ("upscale", scene, "-x", 8, "--tile", 16, "--weights", tiny_weights(), "--json")
    specgan(*words, "-o", tmp_path / "whole.tif")
    shown = interrupt(4, *words, "-o", tmp_path / "out.tif", code=code)
    assert "repeat the command with --resume" in shown
    assert not (tmp_path / "out.tif").exists()
    done = specgan(*words, "-o", tmp_path / "out.tif", "--resume")
    assert json.loads(done.stdout)["resumed_tiles"] > 0
    assert (tmp_path / "out.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()


def test_resume_refuses_another_job(make_raster, tmp_path: Path, interrupt) -> None:
    scene = make_raster(shape_yx=(64, 16))
    words = ("upscale", scene, "-x", 8, "--tile", 16, "--weights", tiny_weights())
    interrupt(4, *words, "-o", tmp_path / "out.tif")
    done = specgan(*words, "-o", tmp_path / "out.tif", "--resume", "--seed", 3)
    assert done.code == 1
    assert "--resume" in done.stderr


def test_resume_notices_that_a_source_has_changed(make_raster, tmp_path: Path, interrupt) -> None:
    scene = make_raster(shape_yx=(64, 16))
    words = ("upscale", as_vrt(tmp_path / "s.vrt", scene), "-x", 8, "--tile", 16)
    words = (*words, "--weights", tiny_weights(), "-o", tmp_path / "out.tif")
    interrupt(4, *words)
    os.utime(scene, (0, 0))
    done = specgan(*words, "--resume")
    assert done.code == 1
    assert "other inputs" in done.stderr


def test_a_run_without_resume_starts_again(make_raster, tmp_path: Path, interrupt) -> None:
    scene = make_raster(shape_yx=(64, 16))
    words = ("upscale", scene, "-x", 8, "--tile", 16, "--weights", tiny_weights(), "--json")
    interrupt(4, *words, "-o", tmp_path / "out.tif")
    done = specgan(*words, "-o", tmp_path / "out.tif")
    assert "discarded" in done.stderr
    assert json.loads(done.stdout)["resumed_tiles"] == 0


def test_resume_without_anything_left_starts(uint8_scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    words = ("upscale", uint8_scene, "-x", 2, "-o", out, "--weights", tiny_weights(), "--resume")
    assert specgan(*words).code == 0
    with rasterio.open(out) as dataset:
        assert np.any(dataset.read())


def test_a_second_run_of_one_output_is_refused(uint8_scene: Path, tmp_path: Path) -> None:
    from specgan_cli.geotiff.description import Description
    from specgan_cli.geotiff.writer import RasterWriter
    from specgan_cli.raster.grid import Grid

    out = tmp_path / "out.tif"
    with rasterio.open(uint8_scene) as scene:
        grid = Grid(scene.crs, scene.transform, scene.shape)
    with RasterWriter(out, Description(grid)) as writer:
        assert writer.commit()
        done = specgan("upscale", uint8_scene, "-x", 2, "-o", out, "--weights", tiny_weights())
    assert done.code == 1
    assert "another process" in done.stderr
    assert "discarded" not in done.stderr
