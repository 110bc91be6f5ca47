"""Reading configurations: TOML files, `--set` overrides and run folders."""

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from specgan import files
from specgan.serde import from_plain, short
from specgan_cli.errors import TrainingError
from specgan_cli.training.config.check import check
from specgan_cli.training.config.schema import DEFAULT_STAGES, TrainConfig


def load_config(
    path: Path | None,
    overrides: Sequence[str] = (),
    defaults: Mapping[str, Any] | None = None,
) -> TrainConfig:
    """Read a configuration.

    Args:
        path: A TOML file; None for the defaults.
        overrides: "key=value" texts; keys are dotted and numbered from 0 ("stages.0.steps=10");
            values are TOML, or plain text where they are not.
        defaults: Values laid over the file and under `overrides`: the command's own options.

    Returns:
        The checked configuration; its stages are filled in.

    Raises:
        TrainingError: The file cannot be read, or a key or value is wrong (each is named).
    """
    content = _read(path) if path else {}
    for key, value in (defaults or {}).items():
        _assign(content, key, value)
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals:
            raise TrainingError(f"--set {text}: give key=value, such as seed=1")
        if key.strip().startswith("stages."):
            content.setdefault("stages", [dataclasses.asdict(stage) for stage in DEFAULT_STAGES])
        _assign(content, key.strip(), _value(value.strip()))
    return config_from_dict(content)


def config_from_dict(content: Mapping[str, Any]) -> TrainConfig:
    """Build a configuration from plain values, as in TOML or JSON.

    Args:
        content: Nested tables; missing keys take their defaults.

    Raises:
        TrainingError: A key is unknown, or a value has the wrong type or range.
    """
    try:
        config = from_plain(TrainConfig, content)
    except ValueError as error:
        raise TrainingError(str(error)) from error
    if config.recipe == "scene" and not config.stages:
        config = dataclasses.replace(config, stages=DEFAULT_STAGES)
    check(config)
    return config


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """List the keys in which two configurations differ.

    Args:
        old: Plain values of the one.
        new: Plain values of the other.
        prefix: Dotted key of both.

    Returns:
        One text a key: "key: old -> new".
    """
    found = []
    for key in sorted(old.keys() | new.keys()):
        name = f"{prefix}{key}"
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, f"{name}.")
        elif isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
            found += differences(_numbered(a), _numbered(b), f"{name}.")
        elif a != b:
            found.append(f"{name}: {short(a)} -> {short(b)}")
    return found


def _numbered(values: Sequence[Any]) -> dict[str, Any]:
    return {str(index): value for index, value in enumerate(values)}


def _read(path: Path) -> dict[str, Any]:
    files.check_regular(path)
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise TrainingError(f"cannot read the configuration {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise TrainingError(f"{path} is not valid TOML: {error}") from error


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except (ValueError, RecursionError):
        return text


def _assign(content: dict[str, Any], key: str, value: Any) -> None:
    where: Any = content
    *path, last = key.split(".")
    try:
        for name in path:
            where = where[int(name)] if isinstance(where, list) else where.setdefault(name, {})
        where[int(last) if isinstance(where, list) else last] = value
    except (IndexError, ValueError, TypeError, AttributeError) as error:
        raise TrainingError(f"--set {key}: there is no such key in the configuration") from error
