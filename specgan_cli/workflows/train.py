"""Training a network on a prepared dataset."""

import logging
from pathlib import Path

import torch

from specgan_cli.errors import TrainingError
from specgan_cli.training.processes import team
from specgan_cli.training.recorder import Listener
from specgan_cli.training.session import Outcome, Session, run_session
from specgan_cli.training.signals import stop_requests

logger = logging.getLogger(__name__)


def train(session: Session, device: str, listener: Listener = lambda record: None) -> Outcome:
    """Train until the recipe, a limit or a signal ends it; resumable in each case.

    Args:
        session: What to train, on what, and how.
        device: auto, cpu, cuda or cuda:N; `torchrun` chooses the card of each process.
        listener: Hears every line of the metrics, in the process that leads.

    Returns:
        Exit code, steps made, newest validation, and the weights.

    Raises:
        SpecganError: The inputs are not usable, or training cannot go on.
    """
    with team(choose_device(device)) as members, stop_requests() as request:
        return run_session(session, members, request, listener)


def choose_device(name: str) -> torch.device:
    """Return the device of a name; "auto" is CUDA where there is one.

    Raises:
        TrainingError: The name is unknown, or there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise TrainingError(f"--device {name}: give auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise TrainingError(f"--device {name}: this torch finds no CUDA device; give cpu")
    return device


def verdict(outcome: Outcome) -> str | None:
    """Say in one line how the newest validation compares with bicubic interpolation."""
    report = outcome.report
    if report is None:
        return None
    ours, theirs = report.value("l1"), report.baseline("l1")
    if ours is None or theirs is None:
        return None
    word = "below" if ours < theirs else "NOT below"
    return (
        f"validation L1 at x{2**report.octave}: {ours:.5f}, {word} bicubic's {theirs:.5f} "
        f"({100 * (ours / theirs - 1):+.1f} %)"
    )


def weights_of(path: Path) -> str:
    """Return how to use the weights of a run, as a command."""
    return f"specgan upscale SCENE.tif --weights {path} -o OUT.tif"
