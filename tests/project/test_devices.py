"""Every command that computes takes the same devices, and refuses others in the same words."""

from pathlib import Path

import pytest
import torch

from specgan_cli.devices import parse_device, parse_devices
from specgan_cli.errors import SpecganError
from support.command import specgan

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


@pytest.mark.parametrize("device", ["mps", "meta", "toaster"])
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
    expected = f"unknown device '{device}'; give auto, cpu, cuda or cuda:N"
    assert result.stderr == f"specgan: error: {expected}\n"
    assert not list(tmp_path.iterdir())
