"""The octave discriminators of the scene recipe, with their optimiser."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from specgan.objectives.augment import CHANGES
from specgan.objectives.discriminator import OctaveDiscriminator
from specgan_cli.training.config.schema import TrainConfig
from specgan_cli.training.processes import DistributedContext
from specgan_cli.training.recipes.base import check_finite
from specgan_cli.training.recipes.octave_losses import (
    Level,
    Term,
    adversarial_terms,
    discriminator_terms,
    gather,
    total,
)
from specgan_cli.training.recipes.schedule import Position


class Adversary:
    """One discriminator an octave; all are updated together, on detached images.

    Args:
        config: The run's configuration.
        dist: The processes of the run.
    """

    def __init__(self, config: TrainConfig, dist: DistributedContext) -> None:
        self.dist = dist
        self.discriminators = nn.ModuleList(
            OctaveDiscriminator(channels=config.discriminator.channels, depth=depth)
            for depth in config.discriminator.depths
        ).to(dist.device)
        dist.broadcast(self.discriminators)
        self.optimiser = torch.optim.Adam(
            self.discriminators.parameters(), lr=1e-4, betas=config.optimiser.betas
        )
        self.changes = tuple(c for c in CHANGES if c in config.discriminator.augment)

    def terms(self, levels: Sequence[Level], weight: float, matching: float) -> dict[str, Term]:
        """Compute the generator's adversarial losses, the discriminators frozen.

        Args:
            levels: The stage's octaves.
            weight: The adversarial weight at this step.
            matching: The weight of feature matching.
        """
        self.discriminators.requires_grad_(False)
        return adversarial_terms(levels, weight, matching, self.discriminators, self.changes)

    def update(
        self, step: int, place: Position, made: Sequence[Sequence[Level]], rate: float
    ) -> dict[str, float]:
        """Make one step and return the losses.

        Args:
            step: Step of the run, which decides whether R1 is due.
            place: Where it lies in the stages.
            made: The detached octaves of each micro-batch.
            rate: Learning rate.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.discriminators.requires_grad_(True)
        self.optimiser.zero_grad(set_to_none=True)
        losses: dict[str, float] = {}
        penalise = place.stage.r1 > 0 and step % place.stage.r1_every == 0
        for levels in made:
            with self.dist.precision():
                terms = discriminator_terms(
                    levels, place.stage, self.discriminators, self.changes, penalise=penalise
                )
            loss = total(terms) / len(made)
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own stub
            gather(losses, terms, len(made))
        check_finite(step, losses, rate)
        self.dist.average_gradients(self.discriminators.parameters())
        self.optimiser.step()
        return losses

    def state(self) -> dict[str, Any]:
        """Return what later steps depend on."""
        return {
            "discriminators": self.discriminators.state_dict(),
            "discriminator_optimiser": self.optimiser.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state that `state` returned."""
        self.warm_start(state)
        self.optimiser.load_state_dict(state["discriminator_optimiser"])

    def warm_start(self, state: Mapping[str, Any]) -> None:
        """Take over another run's discriminators, but not their optimiser."""
        self.discriminators.load_state_dict(state["discriminators"])
