"""The head of a weights file: its tensors, and the JSON header that says what the weights are."""

import dataclasses
import json
import math
import pickle
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from safetensors import SafetensorError, safe_open

from specgan.bands import Bands
from specgan.errors import WeightsError
from specgan.serde import from_plain, parse_json, to_plain

FORMAT = "specgan-weights/1"
"""Name and version of the header's layout; a reader refuses any other."""

Architecture = Literal["scene", "published"]
"""The networks that a weights file can hold."""


@dataclass(frozen=True)
class Header:
    """What a weights file says about itself; everything in it is JSON."""

    architecture: Architecture
    """Which network the weights belong to."""

    config: Mapping[str, Any]
    """The keywords that rebuild the network, as JSON values."""

    scale: int
    """The largest factor of the network, a power of two."""

    bands: Bands
    """The bands of the `hsi` input, in the order of its channels."""

    hsi_mean: tuple[float, ...]
    """Per band: `hsi` is (reflectance - mean) / std, reflectance 0..1."""

    hsi_std: tuple[float, ...]
    """Per band: `hsi` is (reflectance - mean) / std; positive."""

    rgb_scaling: Mapping[str, Any] = field(default_factory=dict)
    """How file units became the network's [-1, 1] in training."""

    degradation: Mapping[str, Any] = field(default_factory=dict)
    """The operator that made the LR images of the training data."""

    training: Mapping[str, Any] = field(default_factory=dict)
    """Data, licence and recipe of the training."""

    metrics: Mapping[str, Any] = field(default_factory=dict)
    """Figures measured with these weights, by name."""

    version: str = ""
    """The version of specgan that wrote the file."""

    created: str = ""
    """When the weights were made, ISO 8601; given by the writer so that bytes can repeat."""

    def to_json(self) -> str:
        """Return the header as one line of JSON with sorted keys.

        Raises:
            WeightsError: A field is not JSON, or not what its docstring says.
        """
        check(self)
        content = {"format": FORMAT, **to_plain(self)}
        try:
            return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise WeightsError(f"the weights header cannot be written as JSON: {error}") from error

    @classmethod
    def from_json(cls, text: str) -> "Header":
        """Read a header that `to_json` wrote.

        Args:
            text: The JSON text.

        Raises:
            WeightsError: Not JSON, another format, or a field that is missing or wrong.
        """
        content = _object(text)
        names = [f.name for f in dataclasses.fields(cls)]
        try:
            header = from_plain(cls, {name: content[name] for name in names if name in content})
        except ValueError as error:
            raise WeightsError(f"the weights header is damaged: {error}") from error
        check(header)
        return header


def check(header: Header) -> None:
    """Check the fields of a header against each other.

    Args:
        header: The header.

    Raises:
        WeightsError: A field has a wrong length or value; the message names it.
    """
    scale = header.scale
    if scale < 2 or scale & (scale - 1):
        raise WeightsError(f"the weights header has scale {scale}; expected a power of two")
    _check_bands(header)


def _check_bands(header: Header) -> None:
    count = len(header.bands)
    for name, values in {"hsi_mean": header.hsi_mean, "hsi_std": header.hsi_std}.items():
        if len(values) != count:
            raise WeightsError(
                f"the weights header has {len(values)} values in {name} for {count} bands"
            )
        if not all(math.isfinite(value) for value in values):
            raise WeightsError(f"the weights header has a value in {name} that is not finite")
    if any(value <= 0 for value in header.hsi_std):
        raise WeightsError("the weights header has a value in hsi_std that is not positive")


def _object(text: str) -> dict[str, Any]:
    try:
        content = parse_json(text.encode())
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"the weights header is not JSON: {error}") from error
    found = content.get("format") if isinstance(content, dict) else type(content).__name__
    if found != FORMAT:
        raise WeightsError(
            f"the weights header has format {found!r}; this version of specgan reads {FORMAT!r}"
        )
    return cast(dict[str, Any], content)


@dataclass(frozen=True)
class Layout:
    """What the head of a safetensors file declares."""

    shapes: dict[str, tuple[int, ...]]
    """The shape of each tensor."""

    dtypes: dict[str, str]
    """The safetensors type name of each tensor, such as F16."""

    metadata: dict[str, str]
    """The free text that the writer added."""


def read_layout(path: Path) -> Layout:
    """Read the head of a safetensors file, without its tensors.

    Raises:
        WeightsError: Unreadable, not safetensors (a pickle is named as one), truncated or damaged.
    """
    try:
        with safe_open(path, "np") as file:
            slices = {key: file.get_slice(key) for key in file.keys()}
            return Layout(
                shapes={key: tuple(each.get_shape()) for key, each in slices.items()},
                dtypes={key: each.get_dtype() for key, each in slices.items()},
                metadata=file.metadata() or {},
            )
    except (OSError, SafetensorError) as error:
        start = b""
        with suppress(OSError), path.open("rb") as raw:
            start = raw.read(4)
        if start == b"PK\x03\x04" or start[:1] == pickle.PROTO:
            raise WeightsError(
                f"{path} is a PyTorch checkpoint (a pickle), not a safetensors file; "
                "convert a published one with `specgan models import`"
            ) from error
        raise WeightsError(f"{path} is no complete safetensors file: {error}") from error
