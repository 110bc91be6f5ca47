"""Telling what happens in a run: JSON lines, TensorBoard, pictures, and whoever listens."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specgan_cli import png
from specgan_cli.errors import writing
from specgan_cli.training.run_folder import RunFolder

Listener = Callable[[Mapping[str, Any]], None]


class Events:
    """Writes numbers and pictures for TensorBoard; does nothing where it is not installed.

    Args:
        folder: Where the event files go.
        step: Steps made so far: what an earlier session wrote beyond them is marked as void.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._folder = folder
        self._hook = threading.excepthook
        with writing(folder):
            self._writer = _open(folder, step)
        if self._writer is not None:
            threading.excepthook = self._pass_over

    def scalars(self, record: Mapping[str, Any]) -> None:
        """Write the numbers of one line of the metrics."""
        if self._writer is not None:
            with writing(self._folder):
                for name, value in record.items():
                    if name != "step" and isinstance(value, int | float):
                        self._writer.add_scalar(name, value, record["step"])

    def picture(self, image: NDArray[np.uint8], step: int) -> None:
        """Write a picture (H x W x 3, uint8)."""
        if self._writer is not None:
            with writing(self._folder):
                self._writer.add_image("samples", image, step, dataformats="HWC")

    def close(self) -> None:
        """Flush and close the event file."""
        if self._writer is not None:
            threading.excepthook = self._hook
            with writing(self._folder):
                self._writer.close()

    def _pass_over(self, failed: threading.ExceptHookArgs) -> None:
        """Say nothing of TensorBoard's thread: the next number raises what ended it."""
        if not type(failed.thread).__module__.startswith("tensorboard"):
            self._hook(failed)


def _open(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)


@dataclass
class Recorder:
    """Writes in the main process, and is silent in the others."""

    folder: RunFolder
    """Where files go."""

    listener: Listener
    """Hears every line of the metrics."""

    is_main: bool
    """Whether this process writes."""

    _events: Events | None = None

    def open(self, step: int) -> None:
        """Begin at a step: lines beyond it, of a session that was killed, are dropped.

        Args:
            step: Steps that the newest checkpoint has made.
        """
        if self.is_main:
            self.folder.truncate_after(step)
            self._events = Events(self.folder.path / "tensorboard", step)

    def record(self, step: int, stage: int, values: Mapping[str, float]) -> None:
        """Write one line of numbers, rounded to six digits."""
        if not self.is_main:
            return
        rounded = {name: float(f"{value:.6g}") for name, value in values.items()}
        record = {"step": step, "stage": stage, **rounded}
        self.folder.log(record)
        if self._events is not None:
            self._events.scalars(record)
        self.listener(record)

    def show(self, step: int, picture: NDArray[np.uint8]) -> None:
        """Write a sample picture (H x W x 3, uint8)."""
        if not self.is_main:
            return
        png.write(self.folder.samples / f"step-{step:09d}.png", picture)
        if self._events is not None:
            self._events.picture(picture, step)

    def close(self) -> None:
        """Close what is open."""
        if self._events is not None:
            self._events.close()
