"""The devices that the networks run on."""

import os
import re
from typing import TYPE_CHECKING

from specgan_cli.errors import SpecganError

if TYPE_CHECKING:
    import torch


def check_devices(text: str) -> list[str]:
    """Return the words of `--device`, in which no GPU has been looked for yet.

    Best called before torch is imported.

    Raises:
        SpecganError: An unknown word, or one that stands there twice.
    """
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if text != "auto" and not re.fullmatch(r"cpu|mps|cuda(:\d+)?", word):
            raise SpecganError(f"unknown device {word!r}; give auto, cpu, cuda, cuda:N or mps")
    if len({"cuda:0" if word == "cuda" else word for word in words}) != len(words):
        raise SpecganError(f"--device {text} names a device twice; give each once")
    if "mps" in words:
        # Read when torch is imported: what Apple's GPUs lack is then computed on the CPU.
        os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    return words


def parse_devices(text: str) -> "list[torch.device]":
    """Turn `--device` into devices that are there.

    Args:
        text: auto (the first CUDA GPU, otherwise the CPU), cpu, cuda, cuda:N, mps (an Apple GPU),
            or several GPUs with commas between them.

    Raises:
        SpecganError: An unknown device, or a GPU that this machine does not have.
    """
    import torch

    words = check_devices(text)
    if text == "auto":
        return [torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")]
    return [_device(torch.device(word)) for word in words]


def parse_device(text: str) -> "torch.device":
    """Turn `--device` into the one device of a command that computes on one.

    Raises:
        SpecganError: As `parse_devices`, or there are several.
    """
    devices = parse_devices(text)
    if len(devices) > 1:
        raise SpecganError(f"--device {text} names several devices; this command takes one")
    return devices[0]


def _device(device: "torch.device") -> "torch.device":
    import torch

    if device.type == "cpu":
        return device
    if device.type == "mps":
        if not torch.backends.mps.is_available():
            raise SpecganError("device mps is not here (no Apple GPU); use --device cpu or auto")
        return device
    count = torch.cuda.device_count()
    index = device.index or 0
    if index >= count:
        there = f"cuda:0 to cuda:{count - 1}" if count else "none"
        raise SpecganError(f"device {device} is not here (GPUs: {there}); use --device cpu or auto")
    return torch.device("cuda", index)
