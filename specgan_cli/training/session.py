"""Assembling a session: dataset, networks, recipe, folder and loop."""

import dataclasses
import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from specgan import checkpoints
from specgan.header import Bands, Header
from specgan.perceptual import Trunk, load_trunk
from specgan.scene import PRESETS, SceneConfig, SceneNetwork
from specgan_cli.errors import DatasetError, TrainingError
from specgan_cli.raster.dataset import Dataset
from specgan_cli.training.config import TrainConfig
from specgan_cli.training.loop import Limits, Listener, Loop
from specgan_cli.training.processes import Team
from specgan_cli.training.recipe import Recipe
from specgan_cli.training.recipe_scene import SceneRecipe
from specgan_cli.training.run_folder import RunFolder
from specgan_cli.training.sampler import make_sampler
from specgan_cli.training.signals import StopRequest
from specgan_cli.training.validation import Report, Validator, choose_chips

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Session:
    """What the user asks of one call of the trainer."""

    dataset: Path
    """Prepared dataset."""

    folder: Path
    """Run folder."""

    config: TrainConfig
    """Resolved configuration."""

    perceptual: Path | None = None
    """Weights of a perceptual trunk."""

    init: str | None = None
    """Weights to begin from: a shipped name or a file."""

    resume: bool = False
    """Whether an existing folder is continued."""

    limits: Limits = field(default_factory=Limits)
    """When the session ends early."""


@dataclass(frozen=True)
class Outcome:
    """What a session came to."""

    code: int
    """Exit code: 0, or that of a signal."""

    step: int
    """Steps made so far."""

    steps: int
    """Steps of the whole recipe."""

    report: Report | None
    """The newest validation of this session."""

    weights: Path
    """The averaged weights."""


def run_session(
    session: Session, team: Team, request: StopRequest, listener: Listener = lambda record: None
) -> Outcome:
    """Train until the recipe, a limit or a signal ends it.

    Args:
        session: What to do.
        team: The processes of the run.
        request: Set by signals.
        listener: Hears every line of the metrics.

    Raises:
        SpecganError: The inputs are not usable, or training cannot go on.
    """
    config = session.config
    dataset = open_dataset(session.dataset, config)
    torch.manual_seed(config.seed)
    trunk = load_trunk(session.perceptual).to(team.device) if session.perceptual else None
    recipe = make_recipe(session, dataset, trunk, team)
    folder = RunFolder(session.folder)
    identity = identity_of(session, dataset)
    if team.leads:
        folder.open(identity, resume=session.resume)
        facts = {"device": str(team.device), "world": team.world, "dataset": str(session.dataset)}
        folder.record_surroundings(facts)
    loop = Loop(
        config=config,
        recipe=recipe,
        sampler=make_sampler(dataset, dataset.split("train"), config.data, config.seed),
        validator=make_validator(config, dataset, recipe, trunk, team),
        folder=folder,
        team=team,
        export=_exporter(session, dataset, recipe, folder, team),
        listener=listener,
        limits=session.limits,
    )
    if loop.resume():
        logger.info("resumed %s at step %d", folder.path, loop.step)
    code = loop.run(request)
    return Outcome(code, loop.step, recipe.steps, loop.report, folder.weights)


def open_dataset(path: Path, config: TrainConfig) -> Dataset:
    """Open a dataset and check that it can train the recipe.

    Raises:
        DatasetError: It has no training chip, or another scale than the recipe needs.
    """
    dataset = Dataset.open(path)
    if not dataset.split("train"):
        raise DatasetError(f"{path} has no chip in its train split; prepare one with other splits")
    needed = config.network.scale if config.recipe == "published" else 32
    if dataset.scale < needed:
        raise DatasetError(
            f"{path} was prepared for scale {dataset.scale}, and the recipe needs {needed}; "
            f"prepare it with --scale {needed}"
        )
    return dataset


def identity_of(session: Session, dataset: Dataset) -> dict[str, Any]:
    """Return what must not change between the sessions of a run, as plain values."""
    manifest = (session.dataset / "dataset.json").read_bytes()
    trunk = session.perceptual.name if session.perceptual else None
    return session.config.to_dict() | {
        "dataset_sha256": hashlib.sha256(manifest).hexdigest(),
        "perceptual": trunk,
        "init": session.init and checkpoints.sha256(session.init),
    }


def make_recipe(session: Session, dataset: Dataset, trunk: Trunk | None, team: Team) -> Recipe:
    """Build networks and optimisers, from `init` where it is given.

    Raises:
        TrainingError: `init` holds a network of another kind or size.
    """
    config = session.config
    if config.recipe == "published":
        from specgan_cli.training.recipe_published import make_published_recipe

        return make_published_recipe(config, session.init, trunk, team)
    wanted = scene_config(config, bands=len(dataset.bands))
    network = SceneNetwork(**dataclasses.asdict(wanted)).to(team.device)
    if session.init:
        found = checkpoints.load(session.init)
        if not isinstance(found, SceneNetwork) or found.config != wanted:
            raise TrainingError(
                f"--init {session.init} holds {_described(found)}, and the configuration asks for "
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


def make_validator(
    config: TrainConfig, dataset: Dataset, recipe: Recipe, trunk: Trunk | None, team: Team
) -> Validator | None:
    """Choose the validation chips; None without any, and in processes that do not lead."""
    if not team.leads:
        return None
    crop = recipe.smallest_crop()
    factor = config.network.scale if crop else 32
    settings = config.validation
    chips = choose_chips(dataset.split("val"), settings.chips, factor, crop)
    if not chips:
        logger.warning("%s has no chip in its val split: nothing is validated", dataset.path)
        return None
    return Validator(
        dataset=dataset,
        chips=chips,
        crop=crop or settings.crop,
        trunk=trunk,
        device=team.device,
        samples=settings.samples,
        factor=factor,
    )


def _described(network: torch.nn.Module) -> str:
    return str(getattr(network, "config", type(network).__name__))


def _exporter(
    session: Session, dataset: Dataset, recipe: Recipe, folder: RunFolder, team: Team
) -> Callable[[str, Report | None], None]:
    def export(name: str, report: Report | None) -> None:
        path = folder.best if name == "best" else folder.weights
        header = make_header(session, dataset, recipe, report)
        checkpoints.save(path, recipe.generator(), header, dtype=torch.float16)

    return export


def make_header(
    session: Session, dataset: Dataset, recipe: Recipe, report: Report | None
) -> Header:
    """Say what the weights of a run are.

    Args:
        session: The run.
        dataset: Its data.
        recipe: Its recipe.
        report: Its newest validation, or None.
    """
    config, statistics = session.config, dataset.statistics
    network: Any = recipe.generator()
    keywords: Mapping[str, Any] = (
        dataclasses.asdict(network.config)
        if dataclasses.is_dataclass(network.config) and not isinstance(network.config, type)
        else network.config
    )
    sources = sorted({chip.source for chip in dataset.split("train")})
    return Header(
        architecture=recipe.architecture,
        config=dict(keywords),
        scale=int(network.scale),
        bands=Bands(dataset.bands.wavelengths_nm, dataset.bands.fwhm_nm),
        hsi_mean=statistics.hsi_mean,
        hsi_std=statistics.hsi_std,
        rgb_scaling={"low": statistics.rgb_low, "high": statistics.rgb_high},
        degradation=dataset.degradation.to_json(),
        training={
            "recipe": config.recipe,
            "data": {"chips": len(dataset.split("train")), "sources": len(sources)},
            "licence": config.licence,
            "seed": config.seed,
            "perceptual": session.perceptual.name if session.perceptual else None,
        },
        metrics=dict(report.values) if report else {},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
