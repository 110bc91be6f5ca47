"""Dataclasses survive JSON, and what is not right is named by its place."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from specgan.serde import from_plain, to_plain


@dataclass(frozen=True)
class Part:
    """A part."""

    size_yx: tuple[int, int]
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Whole:
    """A field of every kind."""

    name: str
    parts: tuple[Part, ...]
    share: float = math.nan
    best: Part | None = None
    by_name: dict[str, Part] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)


WHOLE = Whole("w", (Part((1, 2)), Part((3, 4), "b")), 0.5, Part((5, 6)), {"x": Part((7, 8))},
              {"free": [1, {"deep": None}]})  # fmt: skip


def test_a_dataclass_survives_json() -> None:
    assert from_plain(Whole, json.loads(json.dumps(to_plain(WHOLE), allow_nan=False))) == WHOLE


def test_not_a_number_is_null_in_json() -> None:
    plain = to_plain(Whole("w", ()))
    assert plain["share"] is None
    assert math.isnan(from_plain(Whole, plain).share)


def test_what_is_left_out_takes_its_default() -> None:
    assert from_plain(Whole, {"name": "w", "parts": [], "share": 1}) == Whole("w", (), 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nome": 1}, "unknown key nome; known here: best, by_name, name"),
        ({"parts": [{"size": 1}]}, r"unknown key parts\.0\.size"),
        ({"parts": [{}]}, r"it lacks parts\.0\.size_yx"),
        ({"name": 3}, "name: 3 should be str"),
        ({"share": True}, "share: True should be float"),
        ({"share": "much"}, "share: 'much' should be float"),
        ({"parts": {"a": 1}}, "parts: .* should be a list"),
        ({"best": {"size_yx": [1]}}, r"best\.size_yx: \[1\] should have 2 values"),
        ({"best": {"size_yx": [1, 2], "kind": "c"}}, r"best\.kind: 'c' is none of a, b"),
        ({"by_name": {"x": {"size_yx": [1, 2.5]}}}, r"by_name\.x\.size_yx\.1: 2\.5 should be int"),
        ({"notes": [1]}, r"notes: \[1\] should be a table"),
    ],
)
def test_wrong_values_are_named_by_their_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_plain(Whole, to_plain(WHOLE) | change)


def test_missing_fields_are_named_together() -> None:
    with pytest.raises(ValueError, match="it lacks name, parts"):
        from_plain(Whole, {})
