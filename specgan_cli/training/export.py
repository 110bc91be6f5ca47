"""Writing the generator's weights with a header that says what they are."""

from collections.abc import Callable
from datetime import UTC, datetime

import torch

from specgan import checkpoints
from specgan.header import Header
from specgan.serde import to_plain
from specgan_cli.training.config.schema import TrainConfig
from specgan_cli.training.data.crop import SampleReader
from specgan_cli.training.recipes.base import Recipe
from specgan_cli.training.run_folder import RunFolder
from specgan_cli.training.validation import ValidationResult

Export = Callable[[str, ValidationResult | None], None]
"""Writes weights under a name, "weights" or "best", with the newest result."""


def exporter(
    config: TrainConfig,
    backbone: str | None,
    reader: SampleReader,
    recipe: Recipe,
    folder: RunFolder,
) -> Export:
    """Return the function that writes a run's weights, in half precision.

    Args:
        config: The run's configuration.
        backbone: Name of the perceptual weights' file, or None.
        reader: The data.
        recipe: The networks.
        folder: Where to.
    """

    def export(name: str, result: ValidationResult | None) -> None:
        path = folder.best if name == "best" else folder.weights
        header = make_header(config, backbone, reader, recipe, result)
        checkpoints.save(path, recipe.generator(), header, dtype=torch.float16)

    return export


def make_header(
    config: TrainConfig,
    backbone: str | None,
    reader: SampleReader,
    recipe: Recipe,
    result: ValidationResult | None,
) -> Header:
    """Say what the weights of a run are.

    Args:
        config: The run's configuration.
        backbone: Name of the perceptual weights' file, or None.
        reader: The data.
        recipe: The networks.
        result: The newest validation, or None.
    """
    dataset, standardization = reader.dataset, reader.standardization
    statistics = dataset.statistics
    chips = dataset.split("train")
    return Header(
        architecture=recipe.architecture,
        config=recipe.network_config(),
        scale=2 ** recipe.last_octave(recipe.steps),
        bands=dataset.bands,
        hsi_mean=standardization.mean,
        hsi_std=standardization.std,
        rgb_scaling={"low": statistics.rgb_low, "high": statistics.rgb_high},
        degradation=to_plain(dataset.degradation),
        training={
            "recipe": config.recipe,
            "chips": len(chips),
            "sources": len({chip.source for chip in chips}),
            "licence": config.licence,
            "seed": config.seed,
            "perceptual": backbone,
        },
        metrics=dict(result.values) if result else {},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
