"""The layout of a safetensors file: tensor shapes and metadata, read without the tensors."""

import json
import math
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specgan.errors import WeightsError

BITS = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "I64": 64,
    "U64": 64,
    "F64": 64,
}
"""Bits of one element, by safetensors type name."""

MAX_HEADER_BYTES = 100_000_000
"""The limit of the format's own reader."""


@dataclass(frozen=True)
class Layout:
    """What the head of a safetensors file declares, checked against the file's size."""

    shapes: dict[str, tuple[int, ...]]
    """The shape of each tensor."""

    dtypes: dict[str, str]
    """The safetensors type name of each tensor."""

    metadata: dict[str, str]
    """The free text that the writer added."""


def read_layout(path: Path) -> Layout:
    """Read and check the head of a safetensors file.

    Args:
        path: The file.

    Raises:
        WeightsError: Unreadable, not safetensors (a pickle is named as one), truncated, or with
            tensors whose shapes and byte ranges contradict each other or the file's size.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            count = int.from_bytes(start, "little")
            known = len(start) == 8 and count <= MAX_HEADER_BYTES
            text = file.read(count) if known else b""
    except OSError as error:
        raise WeightsError(f"cannot read weights from {path}: {error}") from error
    if not known or not text.startswith(b"{"):
        raise WeightsError(f"{path} is {_kind(start, size)}")
    if len(text) < count:
        raise WeightsError(
            f"{path} is truncated: its head should be {count} bytes long and {len(text)} are there"
        )
    return _layout(path, text, size - 8 - count)


def _kind(start: bytes, size: int) -> str:
    """Say what a file that is not safetensors seems to be."""
    if start[:4] == b"PK\x03\x04" or start[:1] == pickle.PROTO:
        return (
            "a PyTorch checkpoint (a pickle), not a safetensors file; "
            "convert a published one with `specgan models import`"
        )
    if size == 0:
        return "empty; expected a safetensors file"
    return f"not a safetensors file: it begins with {start!r}"


def _layout(path: Path, text: bytes, available: int) -> Layout:
    try:
        content = json.loads(text)
        metadata = content.pop("__metadata__", {})
        entries = {key: _entry(value) for key, value in content.items()}
        if not isinstance(metadata, dict):
            raise ValueError("its metadata is no object")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path} has a damaged safetensors head: {error!r}") from error
    needed = max((end for _, _, _, end in entries.values()), default=0)
    if needed > available:
        raise WeightsError(
            f"{path} is truncated: its tensors need {needed} bytes and {available} are there"
        )
    for key, (dtype, shape, begin, end) in entries.items():
        expected = math.prod(shape) * BITS.get(dtype, 0) // 8
        if expected != end - begin:
            raise WeightsError(
                f"{path}: the head says that {key} is {dtype} of shape {shape}, {expected} bytes, "
                f"but gives it {end - begin}"
            )
    return Layout(
        shapes={key: entry[1] for key, entry in entries.items()},
        dtypes={key: entry[0] for key, entry in entries.items()},
        metadata={str(key): str(value) for key, value in metadata.items()},
    )


def _entry(value: Mapping[str, Any]) -> tuple[str, tuple[int, ...], int, int]:
    begin, end = value["data_offsets"]
    return str(value["dtype"]), tuple(int(n) for n in value["shape"]), int(begin), int(end)


def count_values(layout: Layout) -> int:
    """Return the number of values in all tensors.

    Args:
        layout: The head of a file.
    """
    return sum(math.prod(shape) for shape in layout.shapes.values())
