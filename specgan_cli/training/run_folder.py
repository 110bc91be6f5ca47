"""The folder of a run: configuration, environment, metrics, pictures, checkpoints, weights."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from specgan import files
from specgan._version import __version__
from specgan.serde import parse_json, to_plain
from specgan_cli.errors import OutputError, TrainingError, parsing
from specgan_cli.redaction import redact_words
from specgan_cli.training.checkpoint import write_file
from specgan_cli.training.config.load import config_from_dict, differences

IDENTITY_KEYS = ("dataset_sha256", "perceptual", "init")
"""What `config.json` holds beside the configuration."""

SESSION_KEYS = ("data.workers", "log_every", "checkpoint_every", "compile")
"""Settings that may change between sessions: no weight depends on them."""


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run."""

    path: Path
    """The folder."""

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints lie."""
        return self.path / "checkpoints"

    @property
    def samples(self) -> Path:
        """Where sample pictures lie."""
        return self.path / "samples"

    @property
    def metrics(self) -> Path:
        """One JSON object a line."""
        return self.path / "metrics.jsonl"

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.json"

    @property
    def weights(self) -> Path:
        """The averaged weights as they are now."""
        return self.path / "weights.safetensors"

    @property
    def best(self) -> Path:
        """The averaged weights of the best validation."""
        return self.path / "best.safetensors"

    def open(self, config: Mapping[str, Any], *, resume: bool) -> None:
        """Make the folder, or check that it is this run's.

        Args:
            config: The resolved configuration as plain values.
            resume: Whether an existing folder is continued.

        Raises:
            OutputError: The folder exists and `resume` is off or it is no run, or it cannot be
                made.
            TrainingError: The folder is a run with another configuration.
        """
        if self.path.exists() and not resume:
            raise OutputError(f"{self.path} exists; go on with --resume, or choose another folder")
        if self.path.exists() and not self.config.exists():
            self._check_no_other()
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            self.samples.mkdir(exist_ok=True)
            files.sweep(self.path)
        except OSError as error:
            raise OutputError(f"cannot make {self.path}: {error.strerror}") from error
        plain = to_plain(config)
        if self.config.exists():
            self._check_same(plain)
        write_file(self.config, json.dumps(plain, indent=2) + "\n")

    def record_environment(self, facts: Mapping[str, Any]) -> None:
        """Append where and how this session runs to `environment.json`.

        Args:
            facts: What the caller knows: device, dataset, seed.
        """
        path = self.path / "environment.json"
        with parsing(path, TrainingError, "move it away; only reports read it"):
            sessions = parse_json(path.read_bytes()) if path.exists() else []
            sessions.append({**environment(), **facts})
        write_file(path, json.dumps(sessions, indent=2) + "\n")

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one line to the metrics.

        Raises:
            TrainingError: It cannot be written.
        """
        try:
            with self.metrics.open("a") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise TrainingError(f"cannot write {self.metrics}: {error.strerror}") from error

    def validations(self) -> dict[int, dict[str, float]]:
        """Return the run's validations by step, oldest first, from the metrics."""
        if not self.metrics.exists():
            return {}
        found: dict[int, dict[str, float]] = {}
        with parsing(self.metrics, TrainingError, "remove its damaged lines"):
            for record in map(parse_json, self.metrics.read_bytes().splitlines()):
                names = [key for key in record if key.startswith("val/")]
                if names:
                    found[record["step"]] = {
                        name.removeprefix("val/"): record[name] for name in names
                    }
        return found

    def truncate_after(self, step: int) -> None:
        """Drop lines of steps beyond a checkpoint: they will be made again.

        Args:
            step: Steps that the checkpoint has made.
        """
        if not self.metrics.exists():
            return
        kept = []
        for line in self.metrics.read_text("utf-8", "replace").splitlines():
            try:
                known = json.loads(line).get("step", 0) <= step
            except (ValueError, AttributeError, TypeError, RecursionError):
                continue  # damaged, or under way when a process was killed
            if known:
                kept.append(line)
        write_file(self.metrics, "".join(f"{line}\n" for line in kept))

    def _check_no_other(self) -> None:
        """Raise if a folder without a configuration holds what no run left that was killed early.

        Raises:
            OutputError: Names it.
        """
        if not self.path.is_dir():
            raise OutputError(f"{self.path} is a file; name a folder")
        own = {self.checkpoints.name, self.samples.name}
        for entry in sorted(self.path.iterdir()):
            if entry.name not in own and not entry.name.startswith(f".{self.config.name}."):
                raise OutputError(
                    f"{self.path} holds {entry.name!r} and is no run; choose another folder"
                )

    def _check_same(self, config: Mapping[str, Any]) -> None:
        with parsing(self.config, TrainingError, "start a new run"):
            old = parse_json(self.config.read_bytes())
            # Keys that an older version did not know have their defaults.
            known = {key: value for key, value in old.items() if key not in IDENTITY_KEYS}
            old = {**old, **to_plain(config_from_dict(known))}
        changed = [
            text for text in differences(old, config) if text.split(":")[0] not in SESSION_KEYS
        ]
        if changed:
            raise TrainingError(
                f"{self.path} is a run with another configuration ({'; '.join(changed)}); resume "
                "it with its own, or start another folder with --init"
            )


def environment() -> dict[str, Any]:
    """Return versions, machine and git state; nothing secret."""
    return {
        "specgan": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "command": [redact_words(word) for word in sys.argv[1:]],
        "git": git_state(Path(__file__).parent),
    }


def git_state(folder: Path) -> dict[str, Any] | None:
    """Return commit and whether the tree is changed, or None outside a git checkout.

    Args:
        folder: Any folder inside the checkout.
    """
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changed = bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "changed": changed}


def _git(folder: Path, *words: str) -> str:
    result = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=10
    )
    return result.stdout.strip()
