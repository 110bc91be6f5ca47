"""Writing the generator's weights with a header that says what they are."""

from collections.abc import Callable
from datetime import UTC, datetime

import torch

from specgan import checkpoints
from specgan.header import Header
from specgan.serde import to_plain
from specgan_cli.training.config.schema import TrainConfig
from specgan_cli.training.data.crop import Cutter
from specgan_cli.training.recipes.base import Recipe
from specgan_cli.training.run_folder import RunFolder
from specgan_cli.training.validation import Report

Export = Callable[[str, Report | None], None]
"""Writes weights under a name, "weights" or "best", with the newest report."""


def exporter(
    config: TrainConfig, trunk: str | None, cutter: Cutter, recipe: Recipe, folder: RunFolder
) -> Export:
    """Return the function that writes a run's weights, in half precision.

    Args:
        config: The run's configuration.
        trunk: Name of the perceptual weights' file, or None.
        cutter: The data.
        recipe: The networks.
        folder: Where to.
    """

    def export(name: str, report: Report | None) -> None:
        path = folder.best if name == "best" else folder.weights
        header = make_header(config, trunk, cutter, recipe, report)
        checkpoints.save(path, recipe.generator(), header, dtype=torch.float16)

    return export


def make_header(
    config: TrainConfig, trunk: str | None, cutter: Cutter, recipe: Recipe, report: Report | None
) -> Header:
    """Say what the weights of a run are.

    Args:
        config: The run's configuration.
        trunk: Name of the perceptual weights' file, or None.
        cutter: The data.
        recipe: The networks.
        report: The newest validation, or None.
    """
    dataset, standard = cutter.dataset, cutter.standard
    statistics = dataset.statistics
    chips = dataset.split("train")
    return Header(
        architecture=recipe.architecture,
        config=recipe.keywords(),
        scale=2 ** recipe.last_octave(recipe.steps),
        bands=dataset.bands,
        hsi_mean=standard.mean,
        hsi_std=standard.std,
        rgb_scaling={"low": statistics.rgb_low, "high": statistics.rgb_high},
        degradation=to_plain(dataset.degradation),
        training={
            "recipe": config.recipe,
            "chips": len(chips),
            "sources": len({chip.source for chip in chips}),
            "licence": config.licence,
            "seed": config.seed,
            "perceptual": trunk,
        },
        metrics=dict(report.values) if report else {},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
