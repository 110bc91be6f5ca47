"""Which stage a step belongs to, and what its learning rate is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from specgan_cli.training.config.schema import StageConfig


@dataclass(frozen=True)
class Position:
    """Where a step lies in the stages."""

    index: int
    """Stage, from 0."""

    step: int
    """Step within the stage, from 0."""

    stage: StageConfig
    """The stage."""


def first_step(stages: Sequence[StageConfig], index: int) -> int:
    """Return the run's step at which stage `index` (from 0) begins."""
    return sum(stage.steps for stage in stages[:index])


def position(stages: Sequence[StageConfig], step: int) -> Position:
    """Find a step's stage; steps past the end belong to the last stage.

    Args:
        stages: The stages in order.
        step: Step of the run, from 0.

    Raises:
        ValueError: There is no stage.
    """
    for index, stage in enumerate(stages):
        if step < stage.steps or index == len(stages) - 1:
            return Position(index, step, stage)
        step -= stage.steps
    raise ValueError("a schedule needs at least one stage")


def rate_share(place: Position) -> float:
    """Return the learning rate at a step as a share of the stage's peak.

    Linear growth over `warmup` steps, then half a cosine down to `lr_end`.
    """
    stage = place.stage
    growth = min(1.0, (place.step + 1) / max(1, stage.warmup))
    return growth * cosine(1.0, stage.lr_end, place.step / stage.steps)


def cosine(start: float, end: float, done: float) -> float:
    """Return a rate on half a cosine from `start` (done = 0) to `end` (done = 1 and more)."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def gan_weight(place: Position) -> float:
    """Return the adversarial weight at a step: it grows linearly over `gan_ramp` steps."""
    return place.stage.gan * min(1.0, (place.step + 1) / max(1, place.stage.gan_ramp))
