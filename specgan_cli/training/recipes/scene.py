"""The scene recipe: differences in place, then perceptual and adversarial; weights averaged."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from specgan.header import Architecture
from specgan.objectives.perceptual import Backbone
from specgan.scene.network import SceneNetwork
from specgan_cli.datasets.manifest import Statistics
from specgan_cli.errors import TrainingError
from specgan_cli.training.config.schema import Method, StageConfig, TrainConfig
from specgan_cli.training.data.batch import Batch, Kind, SamplingSpec
from specgan_cli.training.data.crop import Standardization
from specgan_cli.training.processes import DistributedContext
from specgan_cli.training.recipes.base import StepSpec, check_finite
from specgan_cli.training.recipes.discriminators import FeatureAdversary
from specgan_cli.training.recipes.ema import WeightAverage
from specgan_cli.training.recipes.losses import finest_of, gather, pixel_terms, total
from specgan_cli.training.recipes.muon import Muon
from specgan_cli.training.recipes.schedule import first_step, gan_weight, position, rate_share

LARGEST = 32
"""Pixels of the stored truth an LR pixel, at most."""


class SceneRecipe:
    """The generator's losses and optimisers, its average, and its adversary.

    Args:
        config: The run's configuration.
        network: The generator, on this process's device.
        backbone: Perceptual backbone on the same device; None for none.
        dist: The processes of the run.
    """

    architecture: Architecture = "scene"

    def __init__(
        self,
        *,
        config: TrainConfig,
        network: SceneNetwork,
        backbone: Backbone | None,
        dist: DistributedContext,
    ) -> None:
        self.config = config
        self.stages = config.stages
        self.steps = first_step(self.stages, len(self.stages))
        self.first = first_step(self.stages, config.start_stage - 1)
        self.network = network
        self.dist = dist
        self.adversary = FeatureAdversary(config, backbone, dist) if backbone is not None else None
        if backbone is None and any(s.perceptual or s.gan for s in self.stages):
            raise TrainingError(
                "a stage has a perceptual or adversarial loss, which needs a backbone; give "
                "--perceptual FILE, or stages without"
            )
        dist.broadcast(network)
        self.average = WeightAverage(network, config.optimiser.ema)
        self.optimisers = self._make_optimisers()
        self.octaves = torch.compile(network.octaves) if config.compile else network.octaves

    def _make_optimisers(self) -> dict[Method, torch.optim.Optimizer]:
        """Make the optimisers that the stages use."""
        o, parameters = self.config.optimiser, list(self.network.parameters())
        wanted = {stage.method for stage in self.stages}
        made: dict[Method, torch.optim.Optimizer] = {}
        if "muon" in wanted:
            made["muon"] = Muon(
                parameters, momentum=o.momentum, weight_decay=o.weight_decay, betas=(0.9, 0.99)
            )
        if "adam" in wanted:
            made["adam"] = torch.optim.Adam(parameters, lr=1e-4, betas=o.betas)
        return made

    def standardization(self, statistics: Statistics) -> Standardization:
        """Return (reflectance - 0.5) / 0.5 for all data: runs can begin from others' weights."""
        bands = len(statistics.hsi_mean)
        return Standardization(mean=(0.5,) * bands, std=(0.5,) * bands)

    def step_spec(self, step: int) -> StepSpec:
        """Say how the samples of a step are drawn."""
        place = position(self.stages, step)
        stage = place.stage
        halo = self.network.halo if stage.context == "halo" else 0
        spec = SamplingSpec(kinds=kinds_of(stage), halo=halo)
        return StepSpec(stage=place.index + 1, sampling=spec, micro=stage.accumulate)

    def update(self, step: int, batches: Sequence[Batch]) -> dict[str, float]:
        """Make one step: the generator, then the discriminator heads on the same images."""
        place = position(self.stages, step)
        stage, rate = place.stage, place.stage.lr * rate_share(place)
        optimiser = self.optimisers[stage.method]
        for group in optimiser.param_groups:
            group["lr"] = rate
        if stage.noise:
            self.network.wake_noise()
        weight = gan_weight(place)
        self.network.train()
        optimiser.zero_grad(set_to_none=True)
        losses: dict[str, float] = {}
        for batch in batches:
            outputs = self._generate(batch, stage)
            finest = finest_of(batch, outputs[-1])
            with self.dist.precision(self.config.precision):
                terms = pixel_terms(outputs, batch, finest, stage)
                if self.adversary is not None and (stage.perceptual or weight):
                    terms |= self.adversary.terms(finest, stage, weight)
            loss = total(terms) / len(batches)
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own stub
            gather(losses, terms, len(batches))
        check_finite(step, losses, rate)
        parameters = list(self.network.parameters())
        self.dist.average_gradients(parameters)
        losses["gradient"] = self._clip(parameters)
        check_finite(step, {"gradient": losses["gradient"] / 1e6}, rate)
        optimiser.step()
        self.average.update(self.network, step - self.first)
        if self.adversary is not None and weight:
            losses |= self.adversary.update(step, stage.discriminator_lr * rate_share(place))
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
            "optimisers": {name: o.state_dict() for name, o in self.optimisers.items()},
            **(self.adversary.state() if self.adversary else {}),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state that `state` returned."""
        self.network.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        if self.adversary is not None:
            self.adversary.restore(state)

    def warm_start(self, state: Mapping[str, Any]) -> None:
        """Take over another run's averaged generator and, where both have them, its heads."""
        self.network.load_state_dict(state["average"])
        self.average.network.load_state_dict(state["average"])
        if self.adversary is not None and "discriminators" in state:
            self.adversary.warm_start(state)

    def network_config(self) -> dict[str, Any]:
        """Return the numbers of the scene network."""
        return dataclasses.asdict(self.network.config)

    def generator(self) -> nn.Module:
        """Return the averaged generator."""
        return self.average.network

    def last_octave(self, step: int) -> int:
        """Return the finest octave that the stage of a step trains."""
        return max(position(self.stages, step).stage.scales).bit_length() - 1

    def smallest_crop(self) -> int | None:
        """Return None: the scene network takes any size."""
        return None

    def _generate(self, batch: Batch, stage: StageConfig) -> list[Tensor]:
        with self.dist.precision(self.config.precision):
            outputs = self.octaves(
                batch.lr_rgb,
                batch.hsi,
                batch.hsi_mask,
                gsd=batch.gsd,
                scale=2 ** len(batch.truths),
                origin_yx=batch.origin_yx,
                seed=batch.seed if stage.noise else None,
                padded=batch.halo > 0,
                local=stage.context == "local",
            )
        return [output.float() for output in outputs]

    def _clip(self, parameters: list[nn.Parameter]) -> float:
        limit = self.config.optimiser.clip or float("inf")
        return float(nn.utils.clip_grad_norm_(parameters, limit))


def kinds_of(stage: StageConfig) -> tuple[Kind, ...]:
    """List the batches of a stage: each scale, from the stored truth and from coarser ones."""
    kinds = []
    for scale, weight in zip(stage.scales, stage.scale_weights, strict=True):
        crop = max(stage.least, stage.side // scale)
        batch = max(1, round(stage.pixels / (crop * scale) ** 2))
        coarser = [f for f in (2 * scale, 4 * scale) if f <= LARGEST] if stage.coarser else []
        shares = [(scale, 1 - stage.coarser if coarser else 1.0)]
        shares += [(factor, stage.coarser / len(coarser)) for factor in coarser]
        kinds += [
            Kind(factor, scale.bit_length() - 1, crop, batch, weight * share)
            for factor, share in shares
            if weight * share
        ]
    return tuple(kinds)
