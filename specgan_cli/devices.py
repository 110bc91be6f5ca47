"""The devices that the networks run on."""

import torch

from specgan_cli.errors import SpecganError


def parse_devices(text: str) -> list[torch.device]:
    """Turn `--device` into devices that are there.

    Args:
        text: auto (the first GPU, otherwise the CPU), cpu, cuda, cuda:N, or several GPUs with
            commas between them.

    Raises:
        SpecganError: An unknown device, or a GPU that this machine does not have.
    """
    if text == "auto":
        return [torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")]
    devices = [_device(word.strip()) for word in text.split(",")]
    if len(set(devices)) != len(devices):
        raise SpecganError(f"--device {text} names a device twice; give each once")
    return devices


def parse_device(text: str) -> torch.device:
    """Turn `--device` into the one device of a command that computes on one.

    Raises:
        SpecganError: As `parse_devices`, or there are several.
    """
    devices = parse_devices(text)
    if len(devices) > 1:
        raise SpecganError(f"--device {text} names several devices; this command takes one")
    return devices[0]


def _device(word: str) -> torch.device:
    try:
        device = torch.device(word)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise SpecganError(f"unknown device {word!r}; give auto, cpu, cuda or cuda:N")
    if device.type == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count()
    index = device.index or 0
    if index >= count:
        there = f"cuda:0 to cuda:{count - 1}" if count else "none"
        raise SpecganError(f"device {word} is not here (GPUs: {there}); use --device cpu or auto")
    return torch.device("cuda", index)
