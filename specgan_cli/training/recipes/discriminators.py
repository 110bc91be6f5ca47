"""The discriminator heads of the scene recipe, with their optimiser and the backbone they read."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from specgan import checkpoints, files
from specgan.objectives.feature_heads import (
    FeatureHeads,
    discriminator_hinge,
    generator_hinge,
    power,
)
from specgan.objectives.perceptual import Backbone, feature_distance
from specgan_cli.training.config.schema import StageConfig, TrainConfig
from specgan_cli.training.processes import DistributedContext
from specgan_cli.training.recipes.base import check_finite
from specgan_cli.training.recipes.losses import Finest, Term

Features = list[Tensor]

SHIPPED = checkpoints.WEIGHTS / "heads"
"""Where the heads lie that trained shipped weights, under the name of those."""

logger = logging.getLogger(__name__)


class FeatureAdversary:
    """One head a stage of the backbone; all are updated together, on detached features.

    Args:
        config: The run's configuration.
        backbone: The frozen backbone, on this process's device.
        dist: The processes of the run.
    """

    def __init__(self, config: TrainConfig, backbone: Backbone, dist: DistributedContext) -> None:
        self.config = config
        self.dist = dist
        self.backbone = backbone
        self.heads = FeatureHeads(channels=backbone.channels).to(dist.device)
        dist.broadcast(self.heads)
        self.optimiser = torch.optim.Adam(self.heads.parameters(), lr=1e-4, betas=(0.0, 0.99))
        self._seen: list[tuple[int, Features, Features, Features]] = []

    def terms(self, finest: Finest, stage: StageConfig, weight: float) -> dict[str, Term]:
        """Weigh the generator's perceptual distance and adversarial loss, the heads frozen.

        Args:
            finest: The last octave of a micro-batch.
            stage: The perceptual weight.
            weight: The adversarial weight at this step.
        """
        made: Features = self.backbone(finest.for_backbone(finest.output))
        with torch.no_grad():
            true: Features = self.backbone(finest.for_backbone(finest.truth))
        name = f"x{2**finest.octave}"
        far = feature_distance(self.backbone, made, true).mean()
        terms = {f"perceptual/{name}": Term(far, stage.perceptual)}
        if weight:
            with torch.no_grad():
                given: Features = self.backbone(finest.for_backbone(finest.given))
            self.heads.requires_grad_(False)
            self.heads.measure(self.dist.average_tensors([power(f) for f in true]))
            logits = self.heads(made, given, finest.octave)
            terms[f"gan/{name}"] = Term(generator_hinge(logits), weight)
            self._seen.append((finest.octave, [f.detach() for f in made], true, given))
        return terms

    def update(self, step: int, rate: float) -> dict[str, float]:
        """Make one step on what `terms` has seen since the last, and return the losses.

        Args:
            step: Step of the run, for messages.
            rate: Learning rate.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.heads.requires_grad_(True)
        self.optimiser.zero_grad(set_to_none=True)
        losses: dict[str, float] = {}
        seen, self._seen = self._seen, []
        for octave, made, true, given in seen:
            with self.dist.precision(self.config.precision):
                loss = discriminator_hinge(
                    self.heads(true, given, octave), self.heads(made, given, octave)
                )
            (loss / len(seen)).backward()  # type: ignore[no-untyped-call]  # torch's own stub
            name = f"discriminator/x{2**octave}"
            losses[name] = losses.get(name, 0.0) + float(loss.detach()) / len(seen)
        check_finite(step, losses, rate)
        self.dist.average_gradients(self.heads.parameters())
        self.optimiser.step()
        return losses

    def state(self) -> dict[str, Any]:
        """Return what later steps depend on."""
        return {
            "discriminators": self.heads.state_dict(),
            "discriminator_optimiser": self.optimiser.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state that `state` returned."""
        self.warm_start(state)
        self.optimiser.load_state_dict(state["discriminator_optimiser"])

    def warm_start(self, state: Mapping[str, Any]) -> None:
        """Take over another run's heads, but not their optimiser."""
        self.heads.load_state_dict(state["discriminators"])

    def adopt_shipped(self, name: str) -> None:
        """Begin with the heads that trained shipped weights, where they are for this backbone.

        Args:
            name: Of the weights; other weights have no heads, and the new ones stay.
        """
        path = SHIPPED / f"{name}{checkpoints.SUFFIX}"
        if not path.is_file():
            return
        found, own = load_file(path), self.heads.state_dict()
        if {key: value.shape for key, value in found.items()} != {
            key: value.shape for key, value in own.items()
        }:
            logger.warning(
                "the heads of %s are for another backbone than %s; new ones are trained",
                name,
                self.backbone.name,
            )
            return
        self.heads.load_state_dict(found)
        self.dist.broadcast(self.heads)


def ship_heads(state: Mapping[str, Any], path: Path) -> None:
    """Write the heads of a run in half precision.

    Args:
        state: What `FeatureAdversary.state` returned.
        path: The file, `SHIPPED`/NAME.safetensors.
    """
    path.parent.mkdir(exist_ok=True)
    heads: Mapping[str, Tensor] = state["discriminators"]
    files.write(path, save({key: value.half().contiguous() for key, value in heads.items()}))
