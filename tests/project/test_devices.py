"""Every command that computes takes the same devices, and refuses others in the same words."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from specgan import checkpoints
from specgan_cli.devices import parse_device, parse_devices
from specgan_cli.errors import SpecganError
from specgan_cli.inference.engine import Engine
from support.command import specgan
from support.tiny_networks import tiny_weights

SAMPLE = Path(__file__).parents[2] / "sample_data"


def test_auto_is_a_device_that_is_here() -> None:
    (device,) = parse_devices("auto")
    assert device.type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("text", ["gpu", "cuda:99", "cpu,cpu", "mps:0", ""])
def test_unknown_devices_are_refused(text: str) -> None:
    with pytest.raises(SpecganError):
        parse_devices(text)


def test_a_command_that_takes_one_device_refuses_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert len(parse_devices("cuda:0,cuda:1")) == 2
    with pytest.raises(SpecganError, match="several devices"):
        parse_device("cuda:0,cuda:1")


@pytest.mark.parametrize("device", ["metal", "meta", "toaster"])
@pytest.mark.parametrize("command", ["train", "upscale", "evaluate"])
def test_commands_refuse_unknown_devices_in_one_line(
    tmp_path: Path, tiny_dataset: Path, command: str, device: str
) -> None:
    words = {
        "train": ("train", tiny_dataset, "-o", tmp_path / "run"),
        "upscale": ("upscale", SAMPLE / "scene.tif", "-o", tmp_path / "out.tif"),
        "evaluate": ("evaluate", tiny_dataset),
    }
    result = specgan(*words[command], "--device", device)
    assert (result.code, result.stdout) == (1, "")
    expected = f"unknown device '{device}'; give auto, cpu, cuda, cuda:N or mps"
    assert result.stderr == f"specgan: error: {expected}\n"
    assert not list(tmp_path.iterdir())


def test_an_apple_gpu_is_taken_where_it_is_and_refused_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PYTORCH_ENABLE_MPS_FALLBACK", raising=False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(SpecganError, match="no Apple GPU"):
        parse_devices("mps")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert parse_devices("mps") == [torch.device("mps")]
    assert os.environ["PYTORCH_ENABLE_MPS_FALLBACK"] == "1"


def test_double_precision_is_refused_on_an_apple_gpu(tmp_path: Path) -> None:
    words = ("upscale", SAMPLE / "scene.tif", "-o", tmp_path / "out.tif")
    done = specgan(*words, "--device", "mps", "--dtype", "float64")
    assert done.code == 1
    assert "--dtype float64 is not on Apple GPUs" in done.stderr


class DoubleSeen(TorchDispatchMode):
    """Notes operations whose result is in double precision."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the operation and look at what it gave."""
        result = func(*args, **(kwargs or {}))
        results = result if isinstance(result, tuple | list) else [result]
        if any(isinstance(r, torch.Tensor) and r.dtype == torch.float64 for r in results):
            self.seen.append(str(func))
        return result


def test_the_network_computes_nothing_in_double_precision() -> None:
    """Apple's GPUs have none; constants are made on the CPU, once."""
    network = checkpoints.load(tiny_weights())
    rgb = torch.zeros(1, 3, 8, 8)
    network.octaves(rgb, gsd=3.2, scale=32, seed=0)  # type: ignore[operator]  # a scene network
    with torch.inference_mode(), DoubleSeen() as mode:
        network.octaves(rgb, gsd=3.2, scale=32, seed=0)  # type: ignore[operator]  # the same
    assert mode.seen == []


def test_an_image_leaves_an_apple_gpu_before_it_is_made_whole() -> None:
    here = torch.zeros(1, 3, 4, 4)

    class There:
        def cpu(self) -> torch.Tensor:
            return here

    class Model:
        halo = 0

        def finest(self, *rest: object) -> There:
            return There()

    one = SimpleNamespace(at_once=1)
    engine = Engine(Model(), one, torch.device("mps"))  # type: ignore[arg-type]  # stand-ins
    assert engine.finest([]) is here
