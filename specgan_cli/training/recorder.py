"""Telling what happens in a run: JSON lines, TensorBoard, pictures, and whoever listens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specgan_cli import png
from specgan_cli.training.events import Events
from specgan_cli.training.run_folder import RunFolder

Listener = Callable[[Mapping[str, Any]], None]


@dataclass
class Recorder:
    """Writes in the process that leads, and is silent in the others."""

    folder: RunFolder
    """Where files go."""

    listener: Listener
    """Hears every line of the metrics."""

    leads: bool
    """Whether this process writes."""

    _events: Events | None = None

    def open(self, step: int) -> None:
        """Begin at a step: lines beyond it, of a session that was killed, are dropped.

        Args:
            step: Steps that the newest checkpoint has made.
        """
        if self.leads:
            self.folder.forget_after(step)
            self._events = Events(self.folder.path / "tensorboard", step)

    def tell(self, step: int, stage: int, values: Mapping[str, float]) -> None:
        """Write one line of numbers, rounded to six digits."""
        if not self.leads:
            return
        rounded = {name: float(f"{value:.6g}") for name, value in values.items()}
        record = {"step": step, "stage": stage, **rounded}
        self.folder.log(record)
        if self._events is not None:
            self._events.scalars(record)
        self.listener(record)

    def show(self, step: int, picture: NDArray[np.uint8]) -> None:
        """Write a sample picture (H x W x 3, uint8)."""
        if not self.leads:
            return
        png.write(self.folder.samples / f"step-{step:09d}.png", picture)
        if self._events is not None:
            self._events.picture(picture, step)

    def close(self) -> None:
        """Close what is open."""
        if self._events is not None:
            self._events.close()
