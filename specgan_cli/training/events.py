"""TensorBoard events beside the JSON lines, where the extra `train` is installed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Events:
    """Writes numbers and pictures for TensorBoard; does nothing where it is not installed.

    Args:
        folder: Where the event files go.
        step: Steps made so far: what an earlier session wrote beyond them is marked as void.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._writer = _open(folder, step)

    def scalars(self, record: Mapping[str, Any]) -> None:
        """Write the numbers of one line of the metrics."""
        if self._writer is not None:
            for name, value in record.items():
                if name != "step" and isinstance(value, int | float):
                    self._writer.add_scalar(name, value, record["step"])

    def picture(self, image: NDArray[np.uint8], step: int) -> None:
        """Write a picture (H x W x 3, uint8)."""
        if self._writer is not None:
            self._writer.add_image("samples", image, step, dataformats="HWC")

    def close(self) -> None:
        """Flush and close the event file."""
        if self._writer is not None:
            self._writer.close()


def _open(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)
