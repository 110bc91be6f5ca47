"""The judges that a run asks for, and notes on those that it lacks or that had nothing to say."""

import math

import torch

from specgan.objectives.perceptual import SMALLEST_SIDE
from specgan_cli.evaluation.perceptual import aerial
from specgan_cli.evaluation.perceptual.judges import Judges
from specgan_cli.evaluation.report import summary
from specgan_cli.evaluation.request import EvaluateRequest
from specgan_cli.evaluation.runner import Evaluation


def load_judges(
    request: EvaluateRequest,
    context: summary.Context,
    limits: tuple[float, float],
    device: torch.device,
) -> Judges:
    """Load the judges that are asked for, and note which they are, or how to get them.

    Args:
        request: Names the files of their weights.
        context: Takes the notes.
        limits: File values of black and white.
        device: Where they run.

    Raises:
        WeightsError: A file is missing or of another layout.
    """
    low, high = limits
    judges = Judges.load(request.perceptual, request.aerial, low=low, high=high, device=device)
    if judges.perceptual is not None and request.perceptual is not None:
        name = f"{judges.perceptual.backbone.name} ({request.perceptual.name})"
        context.judges["perceptual"] = name
    else:
        context.notes.append(
            "No perceptual distance: name a file of perceptual weights with --perceptual, such as "
            "vgg_shift_tolerant.pth of the PyPI package stlpips-pytorch"
        )
    if request.aerial is not None:
        context.judges["aerial"] = f"geoembed ({request.aerial.name})"
    else:
        context.notes.append(
            "No second judge: name geoembed/weights/v3.npz of the PyPI package geoembed with "
            "--aerial"
        )
    return judges


def note_unmeasured(context: summary.Context, evaluation: Evaluation, judges: Judges) -> None:
    """Note the judges that no image was large enough for."""
    sides = {"perceptual": SMALLEST_SIDE, "aerial": aerial.SMALLEST_SIDE}
    for name, side in sides.items():
        if getattr(judges, name) is None or name not in evaluation.names:
            continue
        if all(math.isnan(row.values[name]) for row in evaluation.rows):
            context.notes.append(
                f"No figures for {name}: it wants three bands and sides of {side} pixels or more"
            )
