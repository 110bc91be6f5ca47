"""The training loop: draw, update, log, validate, save, stop."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from specgan_cli.errors import TrainingError
from specgan_cli.training.checkpoint import newest_state, save_checkpoint
from specgan_cli.training.config.schema import TrainConfig
from specgan_cli.training.data.batch import Batch
from specgan_cli.training.data.loader import Loader
from specgan_cli.training.data.sampler import Sampler
from specgan_cli.training.export import Export
from specgan_cli.training.meter import Meter
from specgan_cli.training.processes import DistributedContext
from specgan_cli.training.recipes.base import Recipe
from specgan_cli.training.recorder import Recorder
from specgan_cli.training.run_folder import RunFolder
from specgan_cli.training.signals import StopRequest
from specgan_cli.training.validation import ValidationResult, Validator, better

Task = tuple[int, int]

LIMIT_CODE = -1
"""Stopped by a limit of steps or minutes: no signal, exit code 0."""


@dataclass(frozen=True)
class Limits:
    """When a session ends although the recipe has not."""

    steps: int | None = None
    """Steps of the run, those of earlier sessions included."""

    minutes: float | None = None
    """Minutes of this session."""


@dataclass
class Loop:
    """One session of a run."""

    config: TrainConfig
    """The run's configuration."""

    recipe: Recipe
    """Networks and losses."""

    sampler: Sampler
    """Training batches."""

    validator: Validator | None
    """Validation; None without a validation split, or in any process but the main one."""

    folder: RunFolder
    """Where files go."""

    dist: DistributedContext
    """The processes of the run."""

    export: Export
    """Writes weights: "weights" or "best", with the newest result."""

    recorder: Recorder
    """Tells what happens."""

    limits: Limits = field(default_factory=Limits)
    """When the session ends early."""

    validates_first: bool = False
    """Whether what the run begins with is measured before its first step."""

    step: int = 0
    """Steps made."""

    best: dict[str, Any] = field(default_factory=dict)
    """Stage and value of the best validation."""

    result: ValidationResult | None = None
    """The newest validation."""

    def resume(self) -> bool:
        """Take up the newest checkpoint, if there is one.

        Raises:
            TrainingError: There are checkpoints and none can be read, or processes differ.
        """
        state = newest_state(self.folder.checkpoints)
        self.step = self.recipe.first
        if state is not None:
            self.recipe.restore(state["recipe"])
            self.step = int(state["step"])
            self.best = dict(state["best"])
            torch.set_rng_state(state["rng"])
        if self.dist.largest(self.step) != self.dist.average(self.step):
            raise TrainingError(
                f"the processes of this run do not find the same checkpoint in {self.folder.path}; "
                "put the run folder where all hosts see it"
            )
        self.recorder.open(self.step)
        return state is not None

    def run(self, request: StopRequest) -> int:
        """Train until the recipe, a limit or a signal ends it; always with a checkpoint.

        Args:
            request: Set by signals.

        Returns:
            The exit code: 0, or the signal's.

        Raises:
            TrainingError: The losses diverged, or a file cannot be written.
        """
        start = time.monotonic()
        loader: Loader[Task, Batch] = Loader(self._draw, self._tasks(), self.config.data.workers)
        meter = Meter(self.dist.device)
        code = 0
        saved = -1
        try:
            if self.validates_first and self.step == self.recipe.first:
                self._validate()
            for step, batches in _steps(loader, self.recipe):
                losses = self.recipe.update(step, batches)
                self.step = step + 1
                meter.add(losses)
                if self.step % self.config.log_every == 0:
                    self._log(meter.flush(loader))
                if self._is_due(self.config.validation.every):
                    self._validate()
                    meter.restart(loader)
                code = self._reason_to_stop(request, start)
                if self._is_due(self.config.checkpoint_every) and not code:
                    self._save()
                    saved = self.step
                    meter.restart(loader)
                if code:
                    break
            if code == 0 and not self._is_due(self.config.validation.every):
                self._validate()
            if saved != self.step:
                self._save()
        finally:
            loader.close()
            self.recorder.close()
        return max(code, 0)

    def _tasks(self) -> Iterator[Task]:
        for step in range(self.step, self._end()):
            for micro in range(self.recipe.step_spec(step).micro):
                yield step, micro

    def _end(self) -> int:
        limit = self.limits.steps
        return self.recipe.steps if limit is None else min(limit, self.recipe.steps)

    def _draw(self, task: Task) -> Batch:
        step, micro = task
        spec = self.recipe.step_spec(step).sampling
        batch = self.sampler.draw(spec, step, micro, self.dist.rank, self.dist.world)
        return batch.to(self.dist.device)

    def _is_due(self, every: int) -> bool:
        return every > 0 and self.step % every == 0

    def _reason_to_stop(self, request: StopRequest, start: float) -> int:
        minutes = self.limits.minutes
        late = minutes is not None and time.monotonic() - start >= 60 * minutes
        code = int(self.dist.largest(float(request.code or late)))
        return LIMIT_CODE if code == 1 else code

    def _log(self, values: Mapping[str, float]) -> None:
        self.recorder.record(self.step, self.recipe.step_spec(self.step - 1).stage, values)

    def _validate(self) -> None:
        if self.validator is None:
            return
        step = max(self.step - 1, self.recipe.first)
        result = self.validator.measure(self.recipe.predict, self.recipe.last_octave(step))
        self.result = result
        self.recorder.show(self.step, result.picture)
        self._log({f"val/{name}": value for name, value in result.values.items()})
        stage = self.recipe.step_spec(step).stage
        value = result.value(self.config.validation.best)
        old = self.best.get("value") if self.best.get("stage") == stage else None
        if value is not None and better(self.config.validation.best, value, old):
            self.best = {"stage": stage, "value": value, "step": self.step}
            self.export("best", result)

    def _save(self) -> None:
        if not self.dist.is_main:
            return
        state = {
            "recipe": self.recipe.state(),
            "step": self.step,
            "best": self.best,
            "rng": torch.get_rng_state(),
        }
        save_checkpoint(self.folder.checkpoints, self.step, state)
        self.export("weights", self.result)


def _steps(loader: Loader[Task, Batch], recipe: Recipe) -> Iterator[tuple[int, list[Batch]]]:
    """Gather the micro-batches of each step."""
    batches: list[Batch] = []
    for (step, _), batch in loader:
        batches.append(batch)
        if len(batches) == recipe.step_spec(step).micro:
            yield step, batches
            batches = []
