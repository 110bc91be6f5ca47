"""What the loop asks of a recipe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from specgan.header import Architecture
from specgan_cli.datasets.manifest import Statistics
from specgan_cli.errors import TrainingError
from specgan_cli.training.data.batch import Batch, SamplingSpec
from specgan_cli.training.data.crop import Standardization

LIMIT = 1e4
"""A loss beyond this has diverged: images lie in [-1, 1], so sound losses are near 1."""


@dataclass(frozen=True)
class StepSpec:
    """What a step of a recipe needs before it is made."""

    stage: int
    """Stage of the recipe, from 1."""

    sampling: SamplingSpec
    """How its samples are drawn."""

    micro: int
    """Micro-batches."""


class Recipe(Protocol):
    """Networks, losses and optimisers, without files and clocks."""

    architecture: Architecture
    """Name of the generator for the weights' header: "scene" or "published"."""

    steps: int
    """Steps of the whole recipe."""

    first: int
    """The step that the run begins with, from 0."""

    def standardization(self, statistics: Statistics) -> Standardization:
        """Say how cubes are scaled for the generator."""
        ...

    def step_spec(self, step: int) -> StepSpec:
        """Say how the samples of a step are drawn."""
        ...

    def update(self, step: int, batches: Sequence[Batch]) -> dict[str, float]:
        """Make one step and return its losses by name."""
        ...

    def predict(self, batch: Batch, octaves: int) -> list[Tensor]:
        """Compute the averaged generator's octaves of a whole chip, without gradients."""
        ...

    def state(self) -> dict[str, Any]:
        """Return everything that later steps depend on: tensors and plain types."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state that `state` returned."""
        ...

    def warm_start(self, state: Mapping[str, Any]) -> None:
        """Take over the networks of another run's state, but not its optimisers."""
        ...

    def network_config(self) -> dict[str, Any]:
        """Return the keywords that rebuild the generator."""
        ...

    def generator(self) -> nn.Module:
        """Return the generator whose weights are exported."""
        ...

    def last_octave(self, step: int) -> int:
        """Return the finest octave that the stage of a step trains."""
        ...

    def smallest_crop(self) -> int | None:
        """Return the only LR side that the generator takes; None for any."""
        ...


def check_finite(step: int, losses: Mapping[str, float], rate: float) -> None:
    """Stop a run whose losses have left all bounds, before its weights are spoilt.

    Args:
        step: The step, from 0.
        losses: Losses by name.
        rate: Learning rate of the step, for the advice.

    Raises:
        TrainingError: A loss is not a number or beyond `LIMIT`.
    """
    for name, value in losses.items():
        if not abs(value) <= LIMIT:
            raise TrainingError(
                f"training diverged at step {step + 1}: {name} is {value:.4g} at learning rate "
                f"{rate:.2g}; the last checkpoint is intact: continue from it by --init with half "
                "the learning rate, a longer warmup or a smaller gan weight"
            )
