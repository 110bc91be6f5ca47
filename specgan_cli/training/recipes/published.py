"""The published recipe: losses, weights, optimisers and order of updates as the paper's code.

Source: YapengMeng/SpecGAN, an mmedit fork: GLEAN on SRGAN's `train_step`.  Per step: one forward
of the generator; its update with the discriminator frozen; then the discriminator's real and fake
losses, backward one after the other, accumulated into one update, with the image made before the
generator's update.  No R1, averaged weights or clipping.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from specgan import checkpoints
from specgan.errors import WeightsError
from specgan.header import Architecture
from specgan.objectives.perceptual import Backbone
from specgan.published.discriminator import PublishedDiscriminator
from specgan.published.network import PublishedNetwork
from specgan_cli.datasets.manifest import Statistics
from specgan_cli.errors import DAMAGE, TrainingError, reason
from specgan_cli.training.config.schema import PublishedConfig, TrainConfig
from specgan_cli.training.data.batch import Batch, Kind, SamplingSpec
from specgan_cli.training.data.crop import Standardization
from specgan_cli.training.processes import DistributedContext
from specgan_cli.training.recipes.base import StepSpec, check_finite
from specgan_cli.training.recipes.schedule import cosine

CONV4_3 = "features.21"
"""The convolution whose output, before its ReLU, the perceptual loss compares."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

FLIPS = 6
"""Rows and columns turned over at random; no transposition."""


class PublishedRecipe:
    """Networks, losses and optimisers of the published recipe.

    Args:
        config: The recipe's numbers.
        options: The sizes that the generator was built with, where they are not the published.
        network: The generator, on this process's device.
        discriminator: The discriminator, there too.
        backbone: Torchvision's VGG16 there too; None leaves the perceptual term out.
        dist: The processes of the run.
    """

    architecture: Architecture = "published"
    first = 0

    def __init__(
        self,
        *,
        config: PublishedConfig,
        options: Mapping[str, Any],
        network: PublishedNetwork,
        discriminator: PublishedDiscriminator,
        backbone: Backbone | None,
        dist: DistributedContext,
    ) -> None:
        self.config = config
        self.options = dict(options)
        self.network = network
        self.discriminator = discriminator
        self.backbone = backbone
        self.dist = dist
        dist.broadcast(network)
        dist.broadcast(discriminator)
        self.steps = config.steps or (1_000_000 if network.scale == 32 else 500_000)
        self.lr_end = config.lr_end or (1e-7 if network.scale == 32 else 1e-8)
        self.optimiser = torch.optim.Adam(network.parameters(), config.lr, config.betas)
        self.discriminator_optimiser = torch.optim.Adam(
            discriminator.parameters(), config.lr, config.betas
        )

    def standardization(self, statistics: Statistics) -> Standardization:
        """Return the published scaling, (reflectance - 0.5) / 2, whatever the statistics."""
        bands = len(statistics.hsi_mean)
        return Standardization(mean=(0.5,) * bands, std=(2.0,) * bands)

    def step_spec(self, step: int) -> StepSpec:
        """Say how the samples of a step are drawn: whole tiles of the published size."""
        scale = self.network.scale
        kind = Kind(
            factor=scale,
            octaves=scale.bit_length() - 1,
            crop=self.network.in_size,
            batch=self.config.batch,
            weight=1.0,
        )
        spec = SamplingSpec(
            kinds=(kind,),
            exact=True,
            whole_cubes=True,
            turns=FLIPS,
        )
        return StepSpec(stage=1, sampling=spec, micro=1)

    def update(self, step: int, batches: Sequence[Batch]) -> dict[str, float]:
        """Make one step: generator, then discriminator, on the same image."""
        (batch,) = batches
        rate = self._set_rate(step)
        truth = batch.truths[-1]
        self.network.train()
        output: Tensor = self.network(batch.lr_rgb, batch.hsi[0], batch.hsi_mask[0][:, :1])
        self.discriminator.requires_grad_(False)
        terms = self.generator_terms(output, truth)
        losses = {name: float(term.detach()) for name, term in terms.items()}
        check_finite(step, losses, rate)
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        self.dist.average_gradients(self.network.parameters())
        self.optimiser.step()
        self.discriminator.requires_grad_(True)
        losses |= self._update_discriminator(output.detach(), truth)
        check_finite(step, losses, rate)
        return losses

    def generator_terms(self, output: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """Weigh mean squared error, VGG16 conv4_3 error and adversarial loss.

        Args:
            output: N x 3 x 256 x 256 in [-1, 1].
            truth: The same shape.
        """
        terms = {"mse": self.config.pixel * functional.mse_loss(output, truth)}
        if self.backbone is not None and self.config.perceptual:
            made = self.backbone.before_relu(imagenet_normalised(output), CONV4_3)
            with torch.no_grad():
                wanted = self.backbone.before_relu(imagenet_normalised(truth), CONV4_3)
            terms["perceptual"] = self.config.perceptual * functional.mse_loss(made, wanted)
        logits = self.discriminator(output)
        real = torch.ones_like(logits)
        adversarial = functional.binary_cross_entropy_with_logits(logits, real)
        terms["gan"] = self.config.gan * adversarial
        return terms

    def predict(self, batch: Batch, octaves: int) -> list[Tensor]:
        """Compute the generator's output of a tile, without gradients."""
        with torch.no_grad():
            return [self.network(batch.lr_rgb, batch.hsi[0], batch.hsi_mask[0][:, :1])]

    def state(self) -> dict[str, Any]:
        """Return everything that later steps depend on."""
        return {
            "network": self.network.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "discriminator_optimiser": self.discriminator_optimiser.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state that `state` returned."""
        self.network.load_state_dict(state["network"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.discriminator_optimiser.load_state_dict(state["discriminator_optimiser"])

    def warm_start(self, state: Mapping[str, Any]) -> None:
        """Take over another run's generator and discriminator."""
        self.network.load_state_dict(state["network"])
        self.discriminator.load_state_dict(state["discriminator"])

    def network_config(self) -> dict[str, Any]:
        """Return scale and sizes of the generator."""
        return {"scale": self.network.scale, **self.options}

    def generator(self) -> nn.Module:
        """Return the generator: the published recipe averages no weights."""
        return self.network

    def last_octave(self, step: int) -> int:
        """Return the octave of the only output."""
        return self.network.scale.bit_length() - 1

    def smallest_crop(self) -> int | None:
        """Return the side of the only tile that the network takes, in LR pixels."""
        return self.network.in_size

    def _update_discriminator(self, fake: Tensor, truth: Tensor) -> dict[str, float]:
        self.discriminator_optimiser.zero_grad(set_to_none=True)
        losses = {}
        for name, images, target in (("real", truth, 1.0), ("fake", fake, 0.0)):
            logits = self.discriminator(images)
            wanted = torch.full_like(logits, target)
            loss = functional.binary_cross_entropy_with_logits(logits, wanted)
            loss.backward()  # type: ignore[no-untyped-call]
            losses[f"discriminator/{name}"] = float(loss.detach())
        self.dist.average_gradients(self.discriminator.parameters())
        self.discriminator_optimiser.step()
        return losses

    def _set_rate(self, step: int) -> float:
        rate = cosine(self.config.lr, self.lr_end, step / self.steps)
        for optimiser in (self.optimiser, self.discriminator_optimiser):
            for group in optimiser.param_groups:
                group["lr"] = rate
        return rate


def make_published_recipe(
    config: TrainConfig, init: str | None, backbone: Backbone | None, dist: DistributedContext
) -> PublishedRecipe:
    """Build the published networks, from `init` where it is given.

    Args:
        config: The run's configuration; `network.options` go to the generator, and `features`
            to the discriminator too.
        init: Weights of the generator.
        backbone: Torchvision's VGG16, or None.
        dist: The processes of the run.

    Raises:
        TrainingError: The backbone is another network, or `init` one of another kind or scale.
    """
    if backbone is not None and backbone.name != "vgg16":
        raise TrainingError(
            f"--perceptual: the published recipe compares conv4_3 of torchvision's VGG16; this "
            f"file holds the backbone {backbone.name!r}: give a vgg16 state dict, or train without"
        )
    options = config.network.options
    try:
        network = PublishedNetwork(scale=config.network.scale, **options)
    except DAMAGE as error:  # sizes that make no network, or one that this machine cannot hold
        raise TrainingError(f"network.options: {reason(error)[:200]}") from error
    if init:
        found = checkpoints.load(init)
        try:
            network.load_state_dict(found.state_dict())
        except RuntimeError as error:
            raise WeightsError(
                f"--init {init} holds another network than published x{network.scale}; give "
                "weights of that scale and size"
            ) from error
    discriminator = PublishedDiscriminator(features=options.get("features", 512))
    return PublishedRecipe(
        config=config.published,
        options=options,
        network=network.to(dist.device),
        discriminator=discriminator.to(dist.device),
        backbone=backbone,
        dist=dist,
    )


def imagenet_normalised(images: Tensor) -> Tensor:
    """Normalise as the published code does: images in [-1, 1] as though they were in [0, 1]."""
    mean = images.new_tensor(IMAGENET_MEAN)[None, :, None, None]
    return (images - mean) / images.new_tensor(IMAGENET_STD)[None, :, None, None]
