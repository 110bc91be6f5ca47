"""Laws of the trainer as processes: bare machines, sudden deaths, several at once."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from specgan_cli.training.checkpoint import newest_state
from support.datasets import make_training_dataset
from support.training_configs import STAGES, make_backbone

ROOT = Path(__file__).parents[2]

BARE = """
import sys
BANNED = {"rasterio", "scipy", "pyproj", "affine", "dask", "h5py", "tensorboard", "torchmetrics"}
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BANNED:
            raise ModuleNotFoundError(f"no {name} on a bare machine", name=name)
sys.meta_path.insert(0, Wall())
from specgan_cli.cli.main import main
main(sys.argv[1:])
"""

# One process imports torch once; each of its children trains until it is killed.
KILLER = """
import contextlib, os, random, signal, sys, time
from dataclasses import replace
from pathlib import Path
from specgan_cli.training import session, checkpoint
from specgan_cli.training.config.load import load_config
from specgan_cli.training.loop import Limits
from specgan_cli.training.checkpoint import newest_state
from specgan_cli.workflows.train import train
with contextlib.suppress(ImportError):
    import torch.utils.tensorboard
dataset, folder, config = (Path(word) for word in sys.argv[1:4])
loaded = load_config(config, ("data.workers=1", "checkpoint_every=1", "validation.every=0",
                              "stages=[{scales=[4], scale_weights=[1], steps=400, side=8,"
                              " least=1, pixels=64}]"))
wanted = session.Session(dataset, folder, loaded, resume=True)
random.seed(4)
for kill in range(20):
    child = os.fork()
    if not child:
        try:
            train(wanted, "cpu")
        finally:
            os._exit(1)
    # Half of the blows fall at the beginning, half on a child that writes.
    before = sorted(folder.glob("checkpoints/*"))
    patience = time.monotonic() + 30
    while kill % 2 and sorted(folder.glob("checkpoints/*")) == before:
        assert time.monotonic() < patience, "the child makes no checkpoint"
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.3))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    state = newest_state(folder / "checkpoints")
    print(state["step"] if state else 0, flush=True)
last = state["step"] + 1
assert train(replace(wanted, limits=Limits(last)), "cpu").step == last
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processes")
    make_training_dataset(folder / "ds")
    make_backbone(folder / "backbone.pth")
    (folder / "config.toml").write_text(STAGES)
    return folder


def start(words: Sequence[str], **variables: str) -> subprocess.Popen[str]:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "models")]),
        "OMP_NUM_THREADS": "1",
        **variables,
    }
    return subprocess.Popen(
        [sys.executable, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    try:
        output, errors = process.communicate(timeout=240)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return output


@pytest.mark.slow
def test_a_bare_machine_can_train(place: Path) -> None:
    words = ["train", str(place / "ds"), "-o", str(place / "bare"), "--max-steps", "1"]
    words += ["--config", str(place / "config.toml"), "--json", "--set", "validation.every=1"]
    words += ["--perceptual", str(place / "backbone.pth")]
    document = json.loads(finish(start(["-c", BARE, *words])))
    assert document["step"] == 1
    assert "x2/psnr" in document["validation"]


@pytest.mark.slow
def test_twenty_sudden_deaths_leave_a_run_that_resumes(place: Path) -> None:
    folder = place / "killed"
    words = [str(place / "ds"), str(folder), str(place / "config.toml")]
    steps = [int(word) for word in finish(start(["-c", KILLER, *words])).split()]
    assert len(steps) == 20
    assert steps == sorted(steps)
    assert steps[-1] >= 5
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    made = [json.loads(line)["step"] for line in lines[:-1]]
    assert made == sorted(set(made)), "a step was logged twice"


@pytest.mark.slow
def test_two_processes_equal_one_with_the_double_batch(place: Path) -> None:
    base = ["-m", "specgan_cli", "train", str(place / "ds"), "--config", str(place / "config.toml")]
    base += ["--device", "cpu", "--max-steps", "5", "--set", "validation.every=0", "-o"]
    base[-1:-1] = ["--perceptual", str(place / "backbone.pth")]
    pixels = (256, 1024, 2048)
    doubled = [word for i in (0, 1, 2) for word in ("--set", f"stages.{i}.pixels={pixels[i]}")]
    alone = start([*base, str(place / "one"), *doubled])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    pair = [start([*base, str(place / "two")], RANK=rank, **shared) for rank in ("0", "1")]
    for process in [alone, *pair]:
        finish(process)
    states = [newest_state(place / name / "checkpoints") for name in ("one", "two")]
    assert states[0]["step"] == states[1]["step"] == 5
    for part in ("network", "average", "discriminators"):
        one, two = (state["recipe"][part] for state in states)
        for key, value in one.items():
            # Adam turns rounding in gradients near zero into 1e-5; unshared gradients make 3e-4.
            torch.testing.assert_close(two[key], value, rtol=0, atol=4e-5, msg=f"{part} {key}")
