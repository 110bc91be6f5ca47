"""Building the networks that a configuration asks for."""

import dataclasses
from pathlib import Path
from typing import Any

import torch

from specgan import checkpoints
from specgan.objectives.perceptual import Backbone
from specgan.scene.config import PRESETS, SceneConfig
from specgan.scene.network import SceneNetwork
from specgan_cli.errors import DAMAGE, TrainingError, reason
from specgan_cli.training.checkpoint import newest_state
from specgan_cli.training.config.schema import TrainConfig
from specgan_cli.training.processes import DistributedContext
from specgan_cli.training.recipes.base import Recipe
from specgan_cli.training.recipes.published import make_published_recipe
from specgan_cli.training.recipes.scene import SceneRecipe
from specgan_cli.training.run_folder import RunFolder


def make_recipe(
    config: TrainConfig,
    init: str | None,
    bands: int,
    backbone: Backbone | None,
    dist: DistributedContext,
) -> Recipe:
    """Build networks and optimisers, from `init` where it is given.

    Args:
        config: The run's configuration.
        init: What to begin from: a run folder (generator and discriminators of its newest
            checkpoint), a shipped name (with its discriminator heads, where the backbone is
            theirs) or a weights file (the generator alone).
        bands: Bands of the dataset's cubes.
        backbone: Perceptual backbone on this process's device, or None.
        dist: The processes of the run.

    Raises:
        TrainingError: `init` holds a network of another kind or size.
    """
    state = run_state(init)
    weights = None if state else init
    recipe: Recipe
    if config.recipe == "published":
        recipe = make_published_recipe(config, weights, backbone, dist)
    else:
        recipe = _make_scene_recipe(config, weights, bands, backbone, dist)
    if state:
        try:
            recipe.warm_start(state["recipe"])
        except (KeyError, RuntimeError) as error:
            raise TrainingError(
                f"--init {init} is a run of another recipe, size or discriminator; give the same, "
                f"or its weights file ({reason(error)[:100]})"
            ) from error
    return recipe


def run_state(init: str | None) -> dict[str, Any] | None:
    """Return the newest checkpoint of a run folder to begin from, or None for anything else.

    Args:
        init: A run folder, or other weights, or None.

    Raises:
        TrainingError: The folder holds no checkpoint that can be read.
    """
    if init is None or not Path(init).is_dir():
        return None
    state = newest_state(RunFolder(Path(init)).checkpoints)
    if state is None:
        raise TrainingError(f"--init {init} is a folder without checkpoints; give a run folder")
    return state


def _make_scene_recipe(
    config: TrainConfig,
    init: str | None,
    bands: int,
    backbone: Backbone | None,
    dist: DistributedContext,
) -> SceneRecipe:
    wanted = scene_config(config, bands=bands)
    try:
        network = SceneNetwork(**dataclasses.asdict(wanted)).to(dist.device)
    except DAMAGE as error:  # sizes that torch cannot take, or this machine cannot hold
        raise TrainingError(
            f"network.options: no network can be built of them ({reason(error)[:200]}); give "
            "smaller sizes"
        ) from error
    if init:
        found = checkpoints.load(init)
        if not isinstance(found, SceneNetwork) or found.config != wanted:
            raise TrainingError(
                f"--init {init} holds {_described(found, wanted)}; give the same size and options, "
                "or --finetune, which takes those of the weights"
            )
        network.load_state_dict(found.state_dict())
    recipe = SceneRecipe(config=config, network=network, backbone=backbone, dist=dist)
    if init and recipe.adversary is not None:
        recipe.adversary.adopt_shipped(init)
    return recipe


def scene_config(config: TrainConfig, bands: int) -> SceneConfig:
    """Return the numbers of the scene network: the preset, its options and the bands.

    Raises:
        TrainingError: An option is unknown, or a number that makes no network.
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
    try:
        return dataclasses.replace(PRESETS[config.network.size], bands=bands, **options)
    except ValueError as error:
        raise TrainingError(f"network.options.{error}") from error


def _described(network: torch.nn.Module, wanted: SceneConfig) -> str:
    """Say in which numbers a network is not the one that is wanted."""
    if not isinstance(network, SceneNetwork):
        return "the published network, and the recipe trains the scene network"
    theirs, asked = dataclasses.asdict(network.config), dataclasses.asdict(wanted)
    parts = [f"{key} {theirs[key]} where {asked[key]} is asked" for key in asked]
    return "a network of " + ", ".join(
        part for key, part in zip(asked, parts, strict=True) if theirs[key] != asked[key]
    )
