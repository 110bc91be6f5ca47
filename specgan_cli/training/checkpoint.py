"""Checkpoints: written beside their place and renamed, the last few kept, read without pickle."""

import io
import logging
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from specgan import files
from specgan_cli.errors import TrainingError

KEPT = 3
"""Checkpoints that are kept."""

_PREFIX = "step-"
_SUFFIX = ".pt"

logger = logging.getLogger(__name__)


def save_checkpoint(folder: Path, step: int, state: Mapping[str, Any]) -> Path:
    """Write a checkpoint and delete all but the newest few, and what a kill left half written.

    Args:
        folder: Where checkpoints lie.
        step: Steps made.
        state: Tensors and plain types.

    Returns:
        The file.

    Raises:
        TrainingError: The disk is full or not writable; earlier checkpoints are intact.
    """
    path = folder / f"{_PREFIX}{step:09d}{_SUFFIX}"
    content = io.BytesIO()
    torch.save(dict(state), content)
    write_file(path, content.getbuffer())
    for old in checkpoints(folder)[:-KEPT]:
        old.unlink(missing_ok=True)
    files.sweep(folder)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """List the complete checkpoints of a folder, oldest first."""
    return sorted(folder.glob(f"{_PREFIX}*{_SUFFIX}"))


def newest_state(folder: Path) -> dict[str, Any] | None:
    """Read the newest checkpoint that can be read.

    Args:
        folder: Where checkpoints lie.

    Returns:
        Its state on the CPU, or None where there is no checkpoint.

    Raises:
        TrainingError: There are checkpoints and none can be read.
    """
    paths = checkpoints(folder)
    for path in reversed(paths):
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            return state
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            logger.warning("%s cannot be read (%s); trying the one before", path, error)
    if paths:
        raise TrainingError(f"no checkpoint in {folder} can be read; start a new run")
    return None


def write_file(path: Path, content: bytes | memoryview | str) -> None:
    """Write a file that appears complete or not at all.

    Args:
        path: The file; replaced when it exists.
        content: What it shall hold.

    Raises:
        TrainingError: It cannot be written; what was there is intact.
    """
    try:
        files.write(path, content)
    except OSError as error:
        raise TrainingError(
            f"cannot write {path}: {error.strerror}; what was written before is intact: make room "
            "and go on with --resume"
        ) from error
