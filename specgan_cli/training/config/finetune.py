"""Fine-tuning: the configuration that fits weights which are there already."""

import dataclasses
from pathlib import Path
from typing import Any

from specgan import checkpoints
from specgan.scene.config import PRESETS
from specgan_cli.errors import TrainingError
from specgan_cli.training.config.load import differences
from specgan_cli.training.config.schema import (
    ADVERSARIAL,
    DEFAULT_STAGES,
    NetworkConfig,
    TrainConfig,
)

STAGE = dataclasses.replace(
    ADVERSARIAL,
    steps=160,
    pixels=16384,
    lr=3e-4,
    warmup=30,
    l1=6.0,
    perceptual=0.25,
    gan=0.0125,
    gan_ramp=60,
)
"""As the second stage of the shipped weights, but short, at half its rate, with a quarter of what
makes texture, and with six times the weight of differences in place: with less of it, PSNR falls
and only roughness grows at x16 and x32.  The heads, which are new unless shipped weights or a run
folder bring them, learn before they are heard."""

PLAIN_STAGE = dataclasses.replace(
    STAGE, steps=1000, pixels=65536, warmup=100, l1=1.0, perceptual=0.0, gan=0.0, lattice=0.0
)
"""Without a backbone: differences in place alone, which makes texture fade."""


def finetuned(config: TrainConfig, source: str) -> TrainConfig:
    """Return a configuration whose network is that of weights, and whose stage refines them.

    Stages that the configuration has itself stay.

    Args:
        config: The run's configuration.
        source: A shipped name, a weights file, or a run folder.

    Raises:
        WeightsError: No such weights.
        TrainingError: They are of another network than the configuration asks for.
    """
    path = Path(source) / "weights.safetensors" if Path(source).is_dir() else source
    header = checkpoints.read_header(path)
    if config.recipe != "scene" or header.architecture != "scene":
        raise TrainingError(
            f"--finetune {source}: is for scene networks, and these weights hold a "
            f"{header.architecture} network for the recipe {config.recipe}; give --init instead"
        )
    options = {key: value for key, value in header.config.items() if key != "bands"}
    if config.network != NetworkConfig():
        _check_same(source, options, config.network)
    network = dataclasses.replace(config.network, options=options)
    stages = (STAGE,) if config.stages == DEFAULT_STAGES else config.stages
    return dataclasses.replace(config, network=network, stages=stages)


def _check_same(source: str, theirs: dict[str, Any], asked: NetworkConfig) -> None:
    wanted = dataclasses.asdict(PRESETS[asked.size]) | asked.options
    del wanted["bands"]
    found = differences(_listed(theirs), _listed(wanted))
    if found:
        raise TrainingError(
            f"--finetune {source}: these weights are of another size than the configuration asks "
            f"for ({'; '.join(found)}); leave [network] and --size out, since weights bring theirs"
        )


def _listed(values: dict[str, Any]) -> dict[str, str]:
    """Return values as text, so that a tuple is the list that JSON makes of it."""
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
    return {key: str(value) for key, value in plain.items()}
