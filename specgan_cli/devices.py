"""The devices that the networks run on, and the memory there is."""

import os
from pathlib import Path

import torch

from specgan_cli.errors import SpecganError

_CGROUP = Path("/sys/fs/cgroup")


def parse_devices(text: str) -> list[torch.device]:
    """Turn `--device` into devices that are there.

    Args:
        text: auto (the first GPU, else the CPU), cpu, cuda, cuda:N, or several GPUs with commas
            between them.

    Raises:
        SpecganError: An unknown device, or a GPU that this machine does not have.
    """
    if text == "auto":
        return [torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")]
    devices = [_device(word.strip()) for word in text.split(",")]
    if len(set(devices)) != len(devices):
        raise SpecganError(f"--device {text} names a device twice; give each once")
    return devices


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


def free_memory() -> int:
    """Return the bytes of main memory that this process may still take."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) * 1024
    limit, used = _CGROUP / "memory.max", _CGROUP / "memory.current"
    words = _lines(limit)[:1] + _lines(used)[:1]
    if len(words) == 2 and all(word.strip().isdigit() for word in words):
        free = min(free, int(words[0]) - int(words[1]))
    return max(free, 0)


def device_memory(device: torch.device) -> int:
    """Return the bytes that are free on a device; main memory for the CPU."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return free_memory()


def peak_memory() -> int:
    """Return the largest resident size of this process so far, in bytes."""
    for line in _lines(Path("/proc/self/status")):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
