"""Means of losses, steps per second, waiting share and memory between two lines of metrics."""

import time
from collections.abc import Mapping
from typing import Any

import torch

from specgan_cli.memory import peak_memory
from specgan_cli.training.data.loader import Loader


class Meter:
    """Gathers what happens between two lines of the metrics.

    Args:
        device: Whose peak memory is reported.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._losses: dict[str, list[float]] = {}
        self._steps = 0
        self._start = time.perf_counter()

    def add(self, losses: Mapping[str, float]) -> None:
        """Count one step and its losses."""
        self._steps += 1
        for name, value in losses.items():
            self._losses.setdefault(name, []).append(value)

    def flush(self, loader: Loader[Any, Any]) -> dict[str, float]:
        """Return the means since the last call and begin anew.

        Args:
            loader: Whose waiting time is reported and set to 0.

        Returns:
            Losses by name, "steps_per_s", "waiting" (share of the time that the device waited for
            data) and "peak_mib" (process on the CPU, tensors on a GPU).
        """
        seconds = max(time.perf_counter() - self._start, 1e-9)
        values = {name: sum(parts) / len(parts) for name, parts in self._losses.items()}
        if self._steps:
            values["steps_per_s"] = self._steps / seconds
            values["waiting"] = min(1.0, loader.waited / seconds)
        values["peak_mib"] = peak_mib(self.device)
        self.restart(loader)
        return values

    def restart(self, loader: Loader[Any, Any]) -> None:
        """Begin anew, so that validation and saving do not count as training time."""
        self._losses, self._steps = {}, 0
        loader.waited = 0.0
        self._start = time.perf_counter()


def peak_mib(device: torch.device) -> float:
    """Return the peak memory in MiB: of tensors on a GPU, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return peak_memory() / 2**20
