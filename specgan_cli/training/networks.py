"""Building the networks that a configuration asks for."""

import dataclasses
from typing import Any

import torch

from specgan import checkpoints
from specgan.perceptual import Trunk
from specgan.scene import SceneNetwork
from specgan.scene_config import PRESETS, SceneConfig
from specgan_cli.errors import TrainingError
from specgan_cli.training.config import TrainConfig
from specgan_cli.training.processes import Team
from specgan_cli.training.recipe import Recipe
from specgan_cli.training.recipe_published import make_published_recipe
from specgan_cli.training.recipe_scene import SceneRecipe


def make_recipe(
    config: TrainConfig, init: str | None, bands: int, trunk: Trunk | None, team: Team
) -> Recipe:
    """Build networks and optimisers, from `init` where it is given.

    Args:
        config: The run's configuration.
        init: Weights to begin from: a shipped name or a file.
        bands: Bands of the dataset's cubes.
        trunk: Perceptual trunk on the team's device, or None.
        team: The processes of the run.

    Args:
        config: The run's configuration.
        init: Weights to begin from: a shipped name or a file.
        bands: Bands of the dataset's cubes.
        trunk: Perceptual trunk on the team's device, or None.
        team: The processes of the run.

    Raises:
        TrainingError: `init` holds a network of another kind or size.
    """
    if config.recipe == "published":
        return make_published_recipe(config, init, trunk, team)
    wanted = scene_config(config, bands=bands)
    network = SceneNetwork(**dataclasses.asdict(wanted)).to(team.device)
    if init:
        found = checkpoints.load(init)
        if not isinstance(found, SceneNetwork) or found.config != wanted:
            raise TrainingError(
                f"--init {init} holds {_described(found)}, and the configuration asks for "
                f"{wanted}; give the same size and options"
            )
        network.load_state_dict(found.state_dict())
    return SceneRecipe(config=config, network=network, trunk=trunk, team=team)


def scene_config(config: TrainConfig, bands: int) -> SceneConfig:
    """Return the numbers of the scene network: the preset, its options and the bands.

    Raises:
        TrainingError: An option is unknown.
    """
    options: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in config.network.options.items()
    }
    known = {entry.name for entry in dataclasses.fields(SceneConfig)} - {"bands"}
    if not options.keys() <= known:
        wrong = ", ".join(sorted(options.keys() - known))
        raise TrainingError(
            f"network.options: unknown {wrong}; known are {', '.join(sorted(known))}"
        )
    return dataclasses.replace(PRESETS[config.network.size], bands=bands, **options)


def _described(network: torch.nn.Module) -> str:
    return str(getattr(network, "config", type(network).__name__))
