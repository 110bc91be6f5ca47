"""The scene recipe: octave by octave, L1, perceptual and adversarial, with averaged weights."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from specgan.header import Architecture
from specgan.objectives.perceptual import Trunk
from specgan.scene.network import SceneNetwork
from specgan_cli.datasets.manifest import Statistics
from specgan_cli.training.config.schema import StageConfig, TrainConfig
from specgan_cli.training.data.batch import Batch, SamplingSpec
from specgan_cli.training.data.crop import Standardization
from specgan_cli.training.processes import DistributedContext
from specgan_cli.training.recipes.base import StepSpec, check_finite
from specgan_cli.training.recipes.discriminators import Adversary
from specgan_cli.training.recipes.ema import WeightAverage
from specgan_cli.training.recipes.feature_penalty import Magnitudes
from specgan_cli.training.recipes.octave_losses import (
    Level,
    Term,
    content_terms,
    gather,
    levels_of,
    total,
)
from specgan_cli.training.recipes.schedule import (
    Position,
    first_step,
    gan_weight,
    position,
    rate_share,
)


class SceneRecipe:
    """The generator's losses and optimiser, its average, and its adversary.

    Args:
        config: The run's configuration.
        network: The generator, on this process's device.
        trunk: Perceptual trunk on the same device; None for none.
        dist: The processes of the run.
    """

    architecture: Architecture = "scene"

    def __init__(
        self,
        *,
        config: TrainConfig,
        network: SceneNetwork,
        trunk: Trunk | None,
        dist: DistributedContext,
    ) -> None:
        self.config = config
        self.stages = config.stages
        self.steps = first_step(self.stages, len(self.stages))
        self.first = first_step(self.stages, config.start_stage - 1)
        self.network = network
        self.trunk = trunk
        self.dist = dist
        self.adversary = Adversary(config, dist)
        dist.broadcast(network)
        self.average = WeightAverage(network, config.optimiser.ema)
        betas = config.optimiser.betas
        self.optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, betas=betas)
        self.magnitudes = Magnitudes(network)
        self.octaves = torch.compile(network.octaves) if config.compile else network.octaves

    def standardization(self, statistics: Statistics) -> Standardization:
        """Return the scaling that gives the training cubes mean 0 and standard deviation 1."""
        return Standardization(statistics.hsi_mean, statistics.hsi_std)

    def step_spec(self, step: int) -> StepSpec:
        """Say how the samples of a step are drawn."""
        place = position(self.stages, step)
        stage = place.stage
        usable = [
            (factor, weight)
            for factor, weight in zip(stage.factors, stage.factor_weights, strict=True)
            if factor >= 2 ** stage.octaves[0] and weight > 0
        ]
        spec = SamplingSpec(
            crop=stage.crop,
            batch=stage.batch,
            factors=tuple(factor for factor, _ in usable),
            weights=tuple(weight for _, weight in usable),
            last=stage.octaves[1],
            halo=self.network.halo if stage.context == "halo" else 0,
            noise=stage.teacher_noise if stage.teacher else 0.0,
        )
        return StepSpec(stage=place.index + 1, sampling=spec, micro=stage.accumulate)

    def update(self, step: int, batches: Sequence[Batch]) -> dict[str, float]:
        """Make one step: the generator, then its discriminators on the same images."""
        place = position(self.stages, step)
        rate = place.stage.lr * rate_share(place)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        weight = gan_weight(place)
        self.network.train()
        self.optimiser.zero_grad(set_to_none=True)
        losses: dict[str, float] = {}
        made = []
        for batch in batches:
            levels = self._generate(batch, place.stage)
            with self.dist.precision():
                terms = content_terms(levels, place.stage, self.trunk)
                terms["magnitude"] = Term(self.magnitudes.take(), place.stage.magnitude)
                if weight:
                    terms |= self.adversary.terms(levels, weight, self._matching(place))
            loss = total(terms) / len(batches)
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own stub
            made.append([level.detached() for level in levels])
            gather(losses, terms, len(batches))
        check_finite(step, losses, rate)
        parameters = list(self.network.parameters())
        self.dist.average_gradients(parameters)
        losses["gradient"] = self._clip(parameters)
        check_finite(step, {"gradient": losses["gradient"] / 1e6}, rate)
        self.optimiser.step()
        self.average.update(self.network, step - self.first)
        if weight:
            discriminator_rate = place.stage.discriminator_lr * rate_share(place)
            losses |= self.adversary.update(step, place, made, discriminator_rate)
        return losses

    def predict(self, batch: Batch, octaves: int) -> list[Tensor]:
        """Compute the averaged generator's octaves of a whole chip, without gradients."""
        network = cast(SceneNetwork, self.average.network)
        with torch.no_grad():
            return network.octaves(
                batch.lr_rgb,
                batch.hsi,
                batch.hsi_mask,
                gsd=batch.gsd,
                scale=2**octaves,
                seed=batch.seed,
            )

    def state(self) -> dict[str, Any]:
        """Return everything that later steps depend on."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            **self.adversary.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state that `state` returned."""
        self.network.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.adversary.restore(state)

    def warm_start(self, state: Mapping[str, Any]) -> None:
        """Take over another run's averaged generator and its discriminators."""
        self.network.load_state_dict(state["average"])
        self.average.network.load_state_dict(state["average"])
        self.adversary.warm_start(state)

    def network_config(self) -> dict[str, Any]:
        """Return the numbers of the scene network."""
        return dataclasses.asdict(self.network.config)

    def generator(self) -> nn.Module:
        """Return the averaged generator."""
        return self.average.network

    def last_octave(self, step: int) -> int:
        """Return the finest octave that the stage of a step trains."""
        return position(self.stages, step).stage.octaves[1]

    def smallest_crop(self) -> int | None:
        """Return None: the scene network takes any size."""
        return None

    def _matching(self, place: Position) -> float:
        """Return the weight of feature matching, which stands in for a missing trunk."""
        stage = place.stage
        if stage.feature_matching or self.trunk is not None:
            return stage.feature_matching
        return stage.perceptual

    def _generate(self, batch: Batch, stage: StageConfig) -> list[Level]:
        coarse = None
        if stage.teacher:
            coarse = [t + n for t, n in zip(batch.truths, batch.noises, strict=False)]
            coarse = coarse or list(batch.truths[:-1])
        with self.dist.precision():
            outputs = self.octaves(
                batch.lr_rgb,
                batch.hsi,
                batch.hsi_mask,
                gsd=batch.gsd,
                scale=2 ** len(batch.truths),
                origin_yx=batch.origin_yx,
                seed=batch.seed,
                padded=batch.halo > 0,
                local=stage.context == "local",
                coarse=coarse,
            )
        return levels_of(batch, [output.float() for output in outputs], coarse, stage)

    def _clip(self, parameters: list[nn.Parameter]) -> float:
        limit = self.config.optimiser.clip or float("inf")
        return float(nn.utils.clip_grad_norm_(parameters, limit))
