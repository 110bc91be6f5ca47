"""Training a network on a prepared dataset."""

from specgan_cli.devices import parse_device
from specgan_cli.training.processes import join_processes
from specgan_cli.training.recorder import Listener
from specgan_cli.training.session import Outcome, Session, run_session
from specgan_cli.training.signals import stop_requests


def train(session: Session, device: str, listener: Listener = lambda record: None) -> Outcome:
    """Train until the recipe, a limit or a signal ends it; resumable in each case.

    Args:
        session: What to train, on what, and how.
        device: auto, cpu, cuda or cuda:N; `torchrun` chooses the card of each process.
        listener: Hears every line of the metrics, in the main process.

    Returns:
        Exit code, steps made, newest validation, and the weights.

    Raises:
        SpecganError: The inputs are not usable, or training cannot go on.
    """
    with join_processes(parse_device(device)) as dist, stop_requests() as request:
        return run_session(session, dist, request, listener)


def verdict(outcome: Outcome) -> str | None:
    """Say in one line how the newest validation compares with bicubic interpolation."""
    result = outcome.result
    if result is None:
        return None
    ours, theirs = result.value("l1"), result.baseline("l1")
    if ours is None or theirs is None:
        return None
    word = "below" if ours < theirs else "NOT below"
    return (
        f"validation L1 at x{2**result.octave}: {ours:.5f}, {word} bicubic's {theirs:.5f} "
        f"({100 * (ours / theirs - 1):+.1f} %)"
    )
