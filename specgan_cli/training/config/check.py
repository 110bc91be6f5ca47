"""Checks of a training configuration's values against each other."""

from typing import Any

from specgan.scene.config import SCALES
from specgan.serde import short
from specgan_cli.errors import TrainingError
from specgan_cli.training.config.schema import StageConfig, TrainConfig

METRICS = ("l1", "psnr", "ssim", "lr_psnr", "perceptual")

MOST = 1e9
"""The largest number in a configuration, but for the seed."""

SEEDS = 2**63
"""Seeds are below this."""


def check(config: TrainConfig) -> None:
    """Check a configuration.

    Args:
        config: The configuration.

    Raises:
        TrainingError: A value is out of range; the message names its key and what is allowed.
    """
    if not 0 <= config.seed < SEEDS:
        raise TrainingError(f"seed: {config.seed} should be a whole number from 0, below 2**63")
    _in_range("", {key: value for key, value in config.to_dict().items() if key != "seed"})
    _positive("checkpoint_every", config.checkpoint_every)
    _positive("log_every", config.log_every)
    _positive("data.workers", config.data.workers)
    _share("data.hsi_dropout", config.data.hsi_dropout)
    _share("data.hsi_holes", config.data.hsi_holes)
    _share("data.hsi_bands", config.data.hsi_bands)
    _share("data.hsi_coarse", config.data.hsi_coarse)
    if not config.data.sources or min(s.weight for s in config.data.sources) < 0:
        raise TrainingError("data.sources: give at least one group, with weights of 0 or more")
    if not sum(source.weight for source in config.data.sources) > 0:
        raise TrainingError("data.sources: one weight at least must be above 0")
    _check_decays(config)
    if config.validation.best not in METRICS:
        known = ", ".join(METRICS)
        raise TrainingError(f"validation.best: {config.validation.best!r} is none of {known}")
    if config.validation.every < 0 or config.validation.chips < 1 or config.validation.crop < 1:
        raise TrainingError("validation: every must be 0 or more, chips and crop at least 1")
    if config.recipe == "published":
        _check_published(config)
    else:
        _check_stages(config)


def _in_range(name: str, value: Any) -> None:
    """Check every number of a configuration; none of them has a use below 0 or beyond `MOST`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _in_range(f"{name}.{key}" if name else key, inner)
    elif isinstance(value, list | tuple):
        for position, inner in enumerate(value):
            _in_range(f"{name}.{position}", inner)
    elif isinstance(value, int | float) and not 0 <= value <= MOST:
        raise TrainingError(f"{name}: {short(value)} should be between 0 and {MOST:.0e}")


def _check_decays(config: TrainConfig) -> None:
    """Check what averages decay by: 1 would never let go, and less than 0 is none."""
    optimiser = config.optimiser
    decays = {"optimiser.ema": optimiser.ema, "optimiser.momentum": optimiser.momentum}
    for name, betas in (("optimiser", optimiser.betas), ("published", config.published.betas)):
        decays |= {f"{name}.betas.{position}": beta for position, beta in enumerate(betas)}
    for name, value in decays.items():
        if not 0 <= value < 1:
            raise TrainingError(f"{name}: {value} should be in [0, 1)")


def _check_published(config: TrainConfig) -> None:
    if config.network.scale not in (16, 32):
        raise TrainingError(
            f"network.scale: {config.network.scale}; the published network exists for 16 and 32"
        )
    _positive("published.batch", config.published.batch)
    if config.published.batch > 4 and config.published.batch % 4:
        raise TrainingError(
            f"published.batch: {config.published.batch}; the discriminator compares groups of 4: "
            "give at most 4, or a multiple of 4"
        )
    if config.published.steps is not None:
        _positive("published.steps", config.published.steps)


def _check_stages(config: TrainConfig) -> None:
    if not 1 <= config.start_stage <= len(config.stages):
        raise TrainingError(
            f"start_stage: {config.start_stage}; the configuration has stages 1 to "
            f"{len(config.stages)}"
        )
    for index, stage in enumerate(config.stages):
        _check_stage(f"stages.{index}", stage)


def _check_stage(name: str, stage: StageConfig) -> None:
    for key in ("steps", "side", "least", "pixels", "accumulate"):
        _positive(f"{name}.{key}", getattr(stage, key))
    for key in ("lr", "discriminator_lr"):
        if not getattr(stage, key) > 0:
            raise TrainingError(f"{name}.{key}: {getattr(stage, key)} should be above 0")
    _share(f"{name}.coarser", stage.coarser)
    if len(stage.scales) != len(stage.scale_weights):
        raise TrainingError(f"{name}.scale_weights: give one number for each of scales")
    if not set(stage.scales) <= set(SCALES) or not sum(stage.scale_weights) > 0:
        raise TrainingError(
            f"{name}.scales: {list(stage.scales)}; give numbers out of 2, 4, 8, 16, 32, one at "
            "least with a weight above 0"
        )
    if not any((stage.l1, stage.rms, stage.perceptual, stage.gan)):
        raise TrainingError(
            f"{name}: all losses have weight 0; give l1, rms, perceptual or gan one"
        )


def _positive(name: str, value: int) -> None:
    if value < 1:
        raise TrainingError(f"{name}: {value} should be at least 1")


def _share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise TrainingError(f"{name}: {value} should be between 0 and 1")
