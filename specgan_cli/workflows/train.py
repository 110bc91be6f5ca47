"""Training a network on a prepared dataset."""

import logging
import math
from dataclasses import replace
from pathlib import Path

import torch

from specgan.scene.config import SCALES
from specgan_cli.devices import parse_device
from specgan_cli.training.processes import join_processes
from specgan_cli.training.recorder import Listener
from specgan_cli.training.session import Outcome, Session, run_session
from specgan_cli.training.signals import stop_requests
from specgan_cli.training.validation import ImageMeasure
from specgan_cli.types import F64, Mask

logger = logging.getLogger(__name__)

STRUCTURE = tuple(
    f"{name}{of}"
    for name in ("line_share", "flat_roughness", "edge_contrast", "specks")
    for of in ("", "_reference")
)
"""Measured on every chip; ratios of single small chips are wild, those of their means are not."""


def train(
    session: Session,
    device: str,
    listener: Listener = lambda record: None,
    *,
    aerial: Path | None = None,
) -> Outcome:
    """Train until the recipe, a limit or a signal ends it; resumable in each case.

    Args:
        session: What to train, on what, and how.
        device: auto, cpu, cuda, cuda:N or mps; `torchrun` chooses the card of each process.
        listener: Hears every line of the metrics, in the main process.
        aerial: Weights of a second judge, which validation asks too.

    Returns:
        Exit code, steps made, newest validation, and the weights.

    Raises:
        SpecganError: The inputs are not usable, or training cannot go on.
    """
    with join_processes(parse_device(device)) as dist, stop_requests() as request:
        measures = validation_measures(aerial, dist.device)
        return run_session(replace(session, measures=measures), dist, request, listener)


def validation_measures(aerial: Path | None, device: torch.device) -> tuple[ImageMeasure, ...]:
    """Return what `evaluate` measures of structure, and the second judge, for validation.

    On a machine without scipy, as those that only train may be, structure is left out.

    Args:
        aerial: Weights of the second judge, or None.
        device: Where it computes.

    Raises:
        WeightsError: The judge's file is missing or of another layout.
    """
    found: list[ImageMeasure] = []
    try:
        import scipy.ndimage  # noqa: F401
    except ImportError:
        logger.warning("no scipy here: validation leaves out lines and roughness")
    else:
        found.append(structure)
    if aerial is not None:
        found.append(second_judge(aerial, device))
    return tuple(found)


def structure(hr_sr: F64, hr_reference: F64, hr_valid: Mask) -> dict[str, float]:
    """Measure straight lines, flat ground and edges, of the output and of the truth.

    Args:
        hr_sr: Output, 3 x H x W in [-1, 1].
        hr_reference: Truth of the same shape.
        hr_valid: H x W.
    """
    from specgan_cli.evaluation.image_pair import Units, whole
    from specgan_cli.evaluation.metrics.suite import Suite

    suite = Suite(Units(-1.0, 1.0, 1), STRUCTURE)
    suite.update(whole(hr_sr, hr_reference, hr_valid))
    return suite.results()


def second_judge(path: Path, device: torch.device) -> ImageMeasure:
    """Return the measure `aerial`, the distance that `evaluate --aerial` gives."""
    from specgan_cli.evaluation.perceptual.aerial import AerialModel

    judge = AerialModel.load(path, -1.0, 1.0, device)

    def measure(hr_sr: F64, hr_reference: F64, hr_valid: Mask) -> dict[str, float]:
        features = judge.features(hr_sr), judge.features(hr_reference)
        if features[0] is None or features[1] is None:
            return {"aerial": math.nan}
        return {"aerial": judge.distance(features[0], features[1])}

    return measure


COMPARED = ("l1", "psnr", "ssim", "perceptual", "aerial")
"""What the lines on fine-tuning show, where it was measured."""


def comparison(outcome: Outcome) -> list[str]:
    """Return a line for each octave: validation before and after fine-tuning, and bicubic's.

    Empty where nothing was validated since the run began, as when a session was ended early.
    """
    after = outcome.validation
    lines = []
    for scale in SCALES:
        parts = [
            f"{name} {outcome.before[key]:.5g} -> {after[key]:.5g} (bicubic {after[bicubic]:.5g})"
            for name in COMPARED
            if (key := f"x{scale}/{name}") in outcome.before
            and key in after
            and (bicubic := f"x{scale}/bicubic/{name}") in after
        ]
        label = f"validation at x{scale}, before -> after {outcome.validated} steps"
        lines += [f"{label}: {', '.join(parts)}"] if parts and after != outcome.before else []
    return lines


def verdict(outcome: Outcome) -> str | None:
    """Say in one line how the run's newest validation compares with bicubic interpolation."""
    values = outcome.validation
    scale = max((scale for scale in SCALES if f"x{scale}/l1" in values), default=None)
    if scale is None or f"x{scale}/bicubic/l1" not in values:
        return None
    ours, theirs = values[f"x{scale}/l1"], values[f"x{scale}/bicubic/l1"]
    word = "below" if ours < theirs else "NOT below"
    return (
        f"validation L1 at x{scale} after {outcome.validated} steps: {ours:.5f}, {word} bicubic's "
        f"{theirs:.5f} ({100 * (ours / theirs - 1):+.1f} %)"
    )
