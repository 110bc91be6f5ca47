"""Reading configurations: TOML files, `--set` overrides and run folders."""

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

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
    config: TrainConfig = _build(TrainConfig, content, "")
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
            found.append(f"{name}: {_short(a)} -> {_short(b)}")
    return found


def _numbered(values: Sequence[Any]) -> dict[str, Any]:
    return {str(index): value for index, value in enumerate(values)}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise TrainingError(f"cannot read the configuration {path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise TrainingError(f"{path} is not valid TOML: {error}") from error


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
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


def _build(kind: Any, value: Any, name: str) -> Any:
    """Turn plain values into `kind`, checking every type on the way."""
    if dataclasses.is_dataclass(kind):
        return _build_table(typing.cast(type, kind), value, name)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        inner = next(option for option in get_args(kind) if option is not types.NoneType)
        return None if value is None else _build(inner, value, name)
    if origin is Literal:
        if value not in get_args(kind):
            raise TrainingError(f"{name}: {value!r} is none of {', '.join(get_args(kind))}")
        return value
    if origin is tuple:
        return _build_tuple(get_args(kind), value, name)
    return _build_plain(origin or kind, value, name)


def _build_table(kind: type, value: Any, name: str) -> Any:
    if not isinstance(value, Mapping):
        raise TrainingError(f"{name}: {_short(value)} should be a table")
    hints = get_type_hints(kind)
    unknown = sorted(set(value) - set(hints))
    if unknown:
        raise TrainingError(
            f"unknown key {_dotted(name, unknown[0])}; known here: {', '.join(sorted(hints))}"
        )
    return kind(**{key: _build(hints[key], value[key], _dotted(name, key)) for key in value})


def _build_tuple(parts: tuple[Any, ...], value: Any, name: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise TrainingError(f"{name}: {_short(value)} should be a list")
    if parts[-1] is Ellipsis:
        parts = (parts[0],) * len(value)
    if len(parts) != len(value):
        raise TrainingError(f"{name}: {_short(value)} should have {len(parts)} values")
    pairs = zip(parts, value, strict=True)
    return tuple(_build(part, item, f"{name}.{i}") for i, (part, item) in enumerate(pairs))


def _build_plain(kind: Any, value: Any, name: str) -> Any:
    if kind is float and type(value) is int:
        value = float(value)
    if kind is dict and isinstance(value, Mapping):
        return dict(value)
    if type(value) is not kind:
        raise TrainingError(f"{name}: {_short(value)} should be {kind.__name__}")
    return value


def _dotted(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key
