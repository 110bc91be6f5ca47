"""Assembling a session: dataset, networks, recipe, folder and loop."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from specgan import checkpoints, files
from specgan.bands import CANONICAL_BANDS
from specgan.objectives.perceptual import Backbone, load_backbone
from specgan_cli.datasets.dataset import Dataset
from specgan_cli.datasets.manifest import MANIFEST
from specgan_cli.datasets.shards import shard_path
from specgan_cli.errors import DatasetError
from specgan_cli.training.checkpoint import checkpoints as saved_checkpoints
from specgan_cli.training.config.finetune import PLAIN_STAGE
from specgan_cli.training.config.finetune import STAGE as FINETUNE_STAGE
from specgan_cli.training.config.schema import DEFAULT_STAGES, TrainConfig
from specgan_cli.training.data.crop import SampleReader
from specgan_cli.training.data.sampler import make_sampler
from specgan_cli.training.export import exporter
from specgan_cli.training.loop import Limits, Loop
from specgan_cli.training.processes import DistributedContext
from specgan_cli.training.recipes.base import Recipe
from specgan_cli.training.recipes.networks import make_recipe
from specgan_cli.training.recorder import Listener, Recorder
from specgan_cli.training.run_folder import RunFolder
from specgan_cli.training.signals import StopRequest
from specgan_cli.training.validation import ImageMeasure, Validator, choose_chips

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
    """Weights of a perceptual backbone."""

    init: str | None = None
    """What to begin from: a run folder, a shipped name or a weights file."""

    finetune: bool = False
    """Whether what it begins from is measured first, to be compared with what it becomes."""

    resume: bool = False
    """Whether an existing folder is continued."""

    limits: Limits = field(default_factory=Limits)
    """When the session ends early."""

    measures: tuple[ImageMeasure, ...] = ()
    """What validation measures besides differences and the perceptual distance."""


@dataclass(frozen=True)
class Outcome:
    """What a session came to."""

    code: int
    """Exit code: 0, or that of a signal."""

    step: int
    """Steps made so far."""

    steps: int
    """Steps of the whole recipe."""

    weights: Path
    """The averaged weights."""

    validated: int | None = None
    """Steps that the run had made at its newest validation; None before there is one."""

    validation: Mapping[str, float] = field(default_factory=dict)
    """The run's newest validation."""

    before: Mapping[str, float] = field(default_factory=dict)
    """The validation before the first step, where fine-tuning asked for it."""

    is_main: bool = True
    """Whether this process is the one that writes and speaks."""


def run_session(
    session: Session,
    dist: DistributedContext,
    request: StopRequest,
    listener: Listener = lambda record: None,
) -> Outcome:
    """Train until the recipe, a limit or a signal ends it.

    Args:
        session: What to do.
        dist: The processes of the run.
        request: Set by signals.
        listener: Hears every line of the metrics.

    Raises:
        SpecganError: The inputs are not usable, or training cannot go on.
    """
    config = fitting(session)
    _tell_of_missing_judge(session)
    dataset = open_dataset(session.dataset, config)
    if dist.is_main and not session.resume:
        verify(dataset)
    torch.manual_seed(config.seed)
    backbone = load_backbone(session.perceptual).to(dist.device) if session.perceptual else None
    recipe = make_recipe(config, session.init, len(dataset.bands), backbone, dist)
    folder = RunFolder(session.folder)
    identity = identity_of(session)
    if dist.is_main:
        folder.open(identity, resume=session.resume)
        facts = {"device": str(dist.device), "world": dist.world, "dataset": str(session.dataset)}
        folder.record_environment(facts)
    reader = SampleReader(dataset, recipe.standardization(dataset.statistics))
    loop = Loop(
        config=config,
        recipe=recipe,
        sampler=make_sampler(reader, dataset.split("train"), config.data, config.seed),
        validator=make_validator(session, config, reader, recipe, backbone, dist),
        folder=folder,
        dist=dist,
        export=exporter(config, identity["perceptual"], reader, recipe, folder),
        recorder=Recorder(folder, listener, dist.is_main),
        limits=session.limits,
        validates_first=session.finetune,
    )
    if loop.resume():
        logger.info("resumed %s at step %d", folder.path, loop.step)
    return outcome_of(loop.run(request), loop)


def outcome_of(code: int, loop: Loop) -> Outcome:
    """Return what became of a session that ended with an exit code.

    Args:
        code: The exit code.
        loop: The loop that ended.
    """
    known = loop.folder.validations() if loop.dist.is_main else {}
    newest = max(known, default=None)
    return Outcome(
        code=code,
        step=loop.step,
        steps=loop.recipe.steps,
        weights=loop.folder.weights,
        validated=newest,
        validation={} if newest is None else known[newest],
        before=known.get(loop.recipe.first, {}) if loop.validates_first else {},
        is_main=loop.dist.is_main,
    )


def fitting(session: Session) -> TrainConfig:
    """Return the configuration; the default plan without a backbone is its first stage alone."""
    config = session.config
    if session.perceptual is None and config.stages == DEFAULT_STAGES:
        return replace(config, stages=DEFAULT_STAGES[:1])
    if session.perceptual is None and config.stages == (FINETUNE_STAGE,):
        return replace(config, stages=(PLAIN_STAGE,))
    return config


def _tell_of_missing_judge(session: Session) -> None:
    """Say what `fitting` left out because no backbone is named."""
    if session.perceptual is None and session.config.stages == DEFAULT_STAGES:
        logger.info("no --perceptual: the stage for texture, which needs a backbone, is left out")
    if session.perceptual is None and session.config.stages == (FINETUNE_STAGE,):
        logger.warning("no --perceptual: fine-tuned for differences in place, so texture fades")


def open_dataset(path: Path, config: TrainConfig) -> Dataset:
    """Open a dataset and check that it can train the recipe.

    Raises:
        DatasetError: It has no training chip, or another scale or bands than the recipe needs.
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
    if config.recipe == "published" and len(dataset.bands) != len(CANONICAL_BANDS):
        raise DatasetError(
            f"{path} has cubes of {len(dataset.bands)} bands, and the published network takes "
            f"{len(CANONICAL_BANDS)}; prepare it with the canonical bands"
        )
    return dataset


def verify(dataset: Dataset) -> None:
    """Hash every file of a dataset: a damaged one would teach noise and never say so.

    Raises:
        DatasetError: A file is not the one that was prepared; it is named with both hashes.
    """
    for shard in dataset.manifest.shards:
        for kind, entry in shard.files.items():
            path = shard_path(dataset.path, shard.name, kind)
            found = files.sha256(path)
            if found != entry.sha256:
                raise DatasetError(
                    f"{path} is damaged: its SHA-256 is {found}, and {entry.sha256} was prepared; "
                    "copy it again, or prepare the dataset again"
                )


def identity_of(session: Session) -> dict[str, Any]:
    """Return what must not change between the sessions of a run, as plain values."""
    backbone = session.perceptual.name if session.perceptual else None
    return fitting(session).to_dict() | {
        "dataset_sha256": files.sha256(session.dataset / MANIFEST),
        "perceptual": backbone,
        "init": session.init and _sha256_of(session.init),
    }


def _sha256_of(init: str) -> str:
    """Hash what a run begins from: weights, or the newest checkpoint of a run folder."""
    if not Path(init).is_dir():
        return checkpoints.sha256(init)
    newest = saved_checkpoints(RunFolder(Path(init)).checkpoints)[-1]
    return files.sha256(newest)


def make_validator(
    session: Session,
    config: TrainConfig,
    reader: SampleReader,
    recipe: Recipe,
    backbone: Backbone | None,
    dist: DistributedContext,
) -> Validator | None:
    """Choose the validation chips.

    Args:
        session: Says by which networks outputs are judged.
        config: Says how many chips there are, how often, and of what size.
        reader: Reads them.
        recipe: The networks.
        backbone: Of the perceptual distance; None without one.
        dist: The processes of the run.

    Returns:
        None without validation chips, and in all processes but the main one.
    """
    if not dist.is_main:
        return None
    crop = recipe.smallest_crop()
    factor = config.network.scale if crop else 32
    settings = config.validation
    dataset = reader.dataset
    chips = choose_chips(dataset.split("val"), settings.chips, factor, crop)
    if not chips:
        logger.warning("%s has no chip in its val split: nothing is validated", dataset.path)
        return None
    return Validator(
        reader=reader,
        chips=chips,
        crop=crop or settings.crop,
        backbone=backbone,
        device=dist.device,
        samples=settings.samples,
        factor=factor,
        measures=session.measures,
    )
