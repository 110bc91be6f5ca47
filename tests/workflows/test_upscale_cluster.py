"""`specgan upscale --dask`: the same file as one machine makes, also when a worker dies."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio

from specgan_cli.inference.cluster.connection import worker_memory
from specgan_cli.inference.job import open_job
from specgan_cli.inference.plan import plan_job
from specgan_cli.inference.predictors.networks import load_networks
from specgan_cli.inference.predictors.weights import read_weights
from specgan_cli.inference.request import (
    ComputeOptions,
    InputOptions,
    OutputOptions,
    UpscaleRequest,
)
from support.command import specgan
from support.tiny_networks import tiny_weights

pytest.importorskip("distributed")

pytestmark = [
    # Dask's own processes and sockets, closed in its own time.
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes on this machine."""
    import distributed

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster


def kill_a_worker(cluster: object, parts: Path) -> None:
    """Wait for the first part, then kill one worker with SIGKILL."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list(parts.glob("*.tif")):
        time.sleep(0.02)
    os.kill(cluster.workers[0].pid, signal.SIGKILL)


def test_a_cluster_makes_the_same_file_though_a_worker_dies(
    make_raster, tmp_path: Path, cluster
) -> None:
    scene = make_raster(shape_yx=(64, 16), nodata=5)
    words = ("upscale", scene, "-x", 4, "--tile", 4, "--weights", tiny_weights())
    specgan(*words, "-o", tmp_path / "one.tif")
    killer = threading.Thread(target=kill_a_worker, args=(cluster, tmp_path / "many.tif.parts"))
    killer.start()
    address = cluster.scheduler_address
    done = specgan(*words, "-o", tmp_path / "many.tif", "--dask", address)
    killer.join()
    assert done.code == 0, done.stderr
    assert (tmp_path / "many.tif").read_bytes() == (tmp_path / "one.tif").read_bytes()
    assert not (tmp_path / "many.tif.parts").exists()


def test_one_worker_makes_the_same_file(mask_scene: Path, tmp_path: Path) -> None:
    words = ("upscale", mask_scene, "-x", 4, "--tile", 4, "--weights", tiny_weights())
    specgan(*words, "-o", tmp_path / "one.tif")
    done = specgan(*words, "-o", tmp_path / "many.tif", "--dask", "local:1")
    assert done.code == 0, done.stderr
    assert (tmp_path / "many.tif").read_bytes() == (tmp_path / "one.tif").read_bytes()


def test_a_worker_makes_the_same_file_of_further_bands(make_raster, tmp_path: Path) -> None:
    scene = make_raster(count=5, dtype="uint16")
    words = ("upscale", scene, "-x", 4, "--tile", 4, "--weights", tiny_weights())
    words = (*words, "--bands", "1,2,3", "--also", "nir=4,5")
    specgan(*words, "-o", tmp_path / "one.tif")
    done = specgan(*words, "-o", tmp_path / "many.tif", "--dask", "local:1")
    assert done.code == 0, done.stderr
    assert (tmp_path / "many.tif").read_bytes() == (tmp_path / "one.tif").read_bytes()


def test_a_cluster_can_leave_parts_under_a_vrt(mask_scene: Path, tmp_path: Path, cluster) -> None:
    words = ("upscale", mask_scene, "-x", 4, "--tile", 5, "--weights", tiny_weights())
    specgan(*words, "-o", tmp_path / "one.tif")
    vrt = tmp_path / "many.vrt"
    done = specgan(*words, "-o", vrt, "-f", "VRT", "--dask", cluster.scheduler_address)
    assert done.code == 0, done.stderr
    with rasterio.open(tmp_path / "one.tif") as one, rasterio.open(vrt) as many:
        assert np.array_equal(one.read(), many.read())
        assert np.array_equal(one.dataset_mask(), many.dataset_mask())
        assert one.transform == many.transform
        assert one.crs == many.crs
        assert one.tags()["SPECGAN_SCALE"] == many.tags()["SPECGAN_SCALE"]


def test_foreign_files_and_the_parts_of_another_output_stay(
    mask_scene: Path, tmp_path: Path, cluster
) -> None:
    words = ("upscale", mask_scene, "-x", 4, "--tile", 8, "--weights", tiny_weights())
    words = (*words, "--dask", cluster.scheduler_address, "--overwrite")
    vrt, tif, mine = (tmp_path / name for name in ("o.vrt", "o.tif", "o.tif.parts/mine.tif"))
    mine.parent.mkdir()
    mine.write_text("mine")
    assert specgan(*words, "-o", vrt, "-f", "VRT").code == 0
    with rasterio.open(vrt) as dataset:
        before = dataset.read()
    assert specgan(*words, "-o", tif).code == 0
    assert mine.read_text() == "mine"
    assert [path.name for path in mine.parent.iterdir()] == ["mine.tif"]
    assert specgan(*words, "-o", vrt, "-f", "VRT", "--seed", 1).code == 0
    with rasterio.open(vrt) as dataset:
        assert not np.array_equal(dataset.read(), before)
        shown = set(map(Path, dataset.files)) - {vrt}
    assert set(vrt.with_name("o.vrt.parts").iterdir()) == shown


def test_a_vrt_is_what_it_was_when_its_next_run_fails(
    mask_scene: Path, tmp_path: Path, cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("upscale", mask_scene, "-x", 4, "--tile", 8, "--weights", tiny_weights(), "-f", "VRT")
    words = (*words, "--dask", cluster.scheduler_address, "--overwrite", "-o", tmp_path / "o.vrt")
    assert specgan(*words).code == 0
    with rasterio.open(tmp_path / "o.vrt") as dataset:
        before = dataset.read()
    monkeypatch.setattr("specgan.checkpoints.sha256", lambda _, fidelity: "0" * 64)
    done = specgan(*words, "--seed", 1)
    assert done.code == 1
    assert "--resume goes on" in done.stderr
    with rasterio.open(tmp_path / "o.vrt") as dataset:
        assert np.array_equal(dataset.read(), before)


def test_what_is_lossy_is_lost_once(uint8_scene: Path, tmp_path: Path, cluster) -> None:
    words = ("upscale", uint8_scene, "-x", 4, "--tile", 4, "--weights", tiny_weights())
    words = (*words, "--co", "COMPRESS=JPEG", "--lossy")
    specgan(*words, "-o", tmp_path / "one.tif")
    done = specgan(*words, "-o", tmp_path / "many.tif", "--dask", cluster.scheduler_address)
    assert done.code == 0, done.stderr
    assert (tmp_path / "many.tif").read_bytes() == (tmp_path / "one.tif").read_bytes()


def test_what_cannot_be_written_is_refused_before_it_is_computed(
    uint8_scene: Path, tmp_path: Path, cluster
) -> None:
    words = ("upscale", uint8_scene, "-x", 2, "-o", tmp_path / "o.tif", "--weights", tiny_weights())
    done = specgan(*words, "--co", "NO=1", "--dask", cluster.scheduler_address)
    assert done.code == 1
    assert "creation option NO" in done.stderr
    assert list(tmp_path.iterdir()) == [uint8_scene]


def test_workers_that_cannot_start_are_one_line(
    uint8_scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))  # no Python starts there
    words = ("upscale", uint8_scene, "-x", 2, "-o", tmp_path / "o.tif", "--weights", tiny_weights())
    done = specgan(*words, "--dask", "local:1")
    assert done.code == 1
    assert "workers cannot start" in done.stderr
    assert list(tmp_path.iterdir()) == [uint8_scene]


def test_an_unreachable_scheduler_is_one_line(
    uint8_scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specgan_cli.inference.cluster.connection.CONNECT_SECONDS", 1)
    words = ("upscale", uint8_scene, "-x", 2, "-o", tmp_path / "o.tif", "--weights", tiny_weights())
    done = specgan(*words, "--dask", "tcp://127.0.0.1:9")
    assert done.code == 1
    assert "no scheduler answers" in done.stderr
    assert not (tmp_path / "o.tif").exists()


def test_a_worker_with_other_weights_is_refused(
    uint8_scene: Path, tmp_path: Path, cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specgan.checkpoints.sha256", lambda _, fidelity: "0" * 64)
    words = ("upscale", uint8_scene, "-x", 2, "-o", tmp_path / "o.tif", "--weights", tiny_weights())
    done = specgan(*words, "--dask", cluster.scheduler_address)
    assert done.code == 1
    assert "other weights" in done.stderr


def dask(*words: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"distributed.cli.dask_{words[0]}", *map(str, words[1:])]
    return subprocess.Popen([*command, "--no-dashboard"], stderr=subprocess.DEVNULL)


def kill_the_scheduler(scheduler: subprocess.Popen[bytes], parts: Path, told: list[float]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list(parts.glob("*.tif")):
        time.sleep(0.02)
    scheduler.kill()
    told.append(time.monotonic())


def test_a_dead_scheduler_is_one_line_and_what_was_made_is_kept(
    make_raster, tmp_path: Path
) -> None:
    scene = make_raster(shape_yx=(128, 16), nodata=5)
    words = ("upscale", scene, "-x", 4, "--tile", 4, "--weights", tiny_weights())
    specgan(*words, "-o", tmp_path / "one.tif")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    told: list[float] = []
    with (
        dask("scheduler", "--port", port) as scheduler,
        dask("worker", address, "--nthreads", 1, "--no-nanny", "--death-timeout", 30) as worker,
    ):
        wait_for(port)
        parts = tmp_path / "many.tif.parts"
        killer = threading.Thread(target=kill_the_scheduler, args=(scheduler, parts, told))
        killer.start()
        done = specgan(*words, "-o", tmp_path / "many.tif", "--dask", address)
        killer.join()
        worker.kill()
    assert done.code == 1
    assert f"the scheduler {address} is gone" in done.stderr
    assert "Traceback" not in done.stderr
    assert "ERROR" not in done.stderr
    loud = logging.getLogger("distributed.client")
    assert not loud.isEnabledFor(logging.ERROR)
    kept = sorted(parts.glob("*.tif"))
    assert 0 < len(kept) < 32
    done = specgan(*words, "-o", tmp_path / "many.tif", "--dask", "local:1", "--resume")
    assert done.code == 0, done.stderr
    assert (tmp_path / "many.tif").read_bytes() == (tmp_path / "one.tif").read_bytes()


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)


def test_tasks_keep_to_the_memory_of_the_smallest_worker(cluster) -> None:
    import distributed

    with distributed.Client(cluster) as client:
        limits = [worker["memory_limit"] for worker in cluster.scheduler_info["workers"].values()]
        assert worker_memory(client) == min(limits) // 2


def test_a_tile_fits_a_worker_though_this_machine_has_more(uint8_scene: Path) -> None:
    compute = ComputeOptions(weights=str(tiny_weights()), scale=32)
    output = OutputOptions(Path("out.tif"))
    request = UpscaleRequest(InputOptions(str(uint8_scene)), compute, output)
    with open_job(request, read_weights(compute)) as job:
        networks = load_networks(compute)
        roomy, tight = plan_job(job, networks), plan_job(job, networks, 400_000_000)
    assert tight.tile < roomy.tile
