"""Dataclasses as plain values (of JSON or TOML) and back, with every type checked on the way."""

import dataclasses
import functools
import json
import math
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def parse_json(content: bytes) -> Any:
    """Parse a JSON document in UTF-8, with or without a byte order mark.

    Args:
        content: The document.

    Raises:
        ValueError: It is not JSON or not UTF-8, or holds half a surrogate pair, which no other
            library takes as text.
        RecursionError: It is nested too deeply.
    """
    value = json.loads(content.decode("utf-8-sig"))
    json.dumps(value, ensure_ascii=False).encode()
    return value


def to_plain(value: Any) -> Any:
    """Turn a value into what JSON holds: tuples become lists, not-a-number becomes None.

    Args:
        value: A dataclass, or a mapping, list or tuple of such, or a plain value.
    """
    if dataclasses.is_dataclass(value):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def from_plain(kind: type[T], value: Any, name: str = "") -> T:
    """Build a dataclass, or what else a type hint can say, from plain values.

    Args:
        kind: The type; fields that are left out take their defaults.
        value: What `to_plain` returned.
        name: Where the value lies, with dots between the keys, for messages.

    Raises:
        ValueError: A key is unknown or missing, or a value has another type; its name is said.
    """
    return cast(T, _build(kind, value, name))


def _build(kind: Any, value: Any, name: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _build_table(cast(type, kind), value, name)
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        inner = next(option for option in parts if option is not types.NoneType)
        return None if value is None else _build(inner, value, name)
    if origin is Literal:
        if value not in parts:
            raise ValueError(f"{name}: {value!r} is none of {', '.join(parts)}")
        return value
    if origin is tuple:
        return _build_tuple(parts, value, name)
    if origin in (dict, Mapping):
        return _build_mapping(parts, value, name)
    return _build_scalar(kind, value, name)


def _build_table(kind: type, value: Any, name: str) -> Any:
    _check_mapping(value, name)
    hints = _hints(kind)
    unknown = sorted(set(value) - set(hints))
    if unknown:
        raise ValueError(
            f"unknown key {_dotted(name, unknown[0])}; known here: {', '.join(sorted(hints))}"
        )
    given = {key: _build(hints[key], value[key], _dotted(name, key)) for key in value}
    lacking = [_dotted(name, key) for key in _required(kind) if key not in given]
    if lacking:
        raise ValueError(f"it lacks {', '.join(lacking)}")
    return kind(**given)


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {f.name: hints[f.name] for f in dataclasses.fields(kind) if f.init}


@functools.cache
def _required(kind: type) -> tuple[str, ...]:
    missing = dataclasses.MISSING
    return tuple(
        f.name
        for f in dataclasses.fields(kind)
        if f.init and f.default is missing and f.default_factory is missing
    )


def _build_tuple(parts: tuple[Any, ...], value: Any, name: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name}: {short(value)} should be a list")
    if parts[-1] is Ellipsis:
        parts = (parts[0],) * len(value)
    if len(parts) != len(value):
        raise ValueError(f"{name}: {short(value)} should have {len(parts)} values")
    pairs = zip(parts, value, strict=True)
    return tuple(_build(part, item, f"{name}.{i}") for i, (part, item) in enumerate(pairs))


def _build_mapping(parts: tuple[Any, ...], value: Any, name: str) -> dict[Any, Any]:
    _check_mapping(value, name)
    keys, items = parts
    return {
        _build(keys, key, name): _build(items, item, _dotted(name, key))
        for key, item in value.items()
    }


def _build_scalar(kind: type, value: Any, name: str) -> Any:
    if kind is float and isinstance(value, float | int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"{name}: a number of so many digits cannot be") from None
    if kind is float and value is None:
        return math.nan
    if type(value) is not kind:
        raise ValueError(f"{name}: {short(value)} should be {kind.__name__}")
    return value


def _check_mapping(value: Any, name: str) -> None:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name or 'this'}: {short(value)} should be a table")


def short(value: Any) -> str:
    """Return a value as it stands in a message: at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _dotted(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key
