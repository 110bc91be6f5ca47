"""The JSON header of a weights file: what the weights are, and what they expect as input."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from specgan.errors import WeightsError

FORMAT = "specgan-weights/1"
"""Name and version of the header's layout; a reader refuses any other."""

Architecture = Literal["scene", "published", "published-discriminator"]
"""The networks that a weights file can hold."""


@dataclass(frozen=True)
class Bands:
    """Spectral bands, in the order of the channels."""

    wavelengths_nm: tuple[float, ...]
    """Centre wavelengths in nanometres."""

    fwhm_nm: tuple[float, ...]
    """Full widths at half maximum in nanometres, one a band."""

    def __len__(self) -> int:
        return len(self.wavelengths_nm)


CANONICAL_BANDS = Bands(
    wavelengths_nm=tuple(380.0 + 670.0 * i / 47 for i in range(48)),
    fwhm_nm=(670.0 / 47,) * 48,
)
"""The 48 bands from 380 to 1050 nm of the DFC2018 cube, which the paper used."""


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
        content = {"format": FORMAT, **dataclasses.asdict(self)}
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
        names = {f.name for f in dataclasses.fields(cls)}
        missing = sorted(names - content.keys())
        if missing:
            raise WeightsError(f"the weights header lacks {', '.join(missing)}")
        values = {name: content[name] for name in names}
        try:
            values["bands"] = _bands(values["bands"])
            values["hsi_mean"] = _floats(values["hsi_mean"])
            values["hsi_std"] = _floats(values["hsi_std"])
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                f"the weights header has damaged bands or statistics: {error!r}"
            ) from error
        header = cls(**values)
        check(header)
        return header


def check(header: Header) -> None:
    """Check the fields of a header against each other.

    Args:
        header: The header.

    Raises:
        WeightsError: A field has a wrong type, length or value; the message names it.
    """
    if header.architecture not in get_args(Architecture):
        known = " or ".join(get_args(Architecture))
        raise WeightsError(
            f"the weights header names architecture {header.architecture!r}; "
            f"this version of specgan knows {known}"
        )
    scale: object = header.scale
    if type(scale) is not int or scale < 2 or scale & (scale - 1):
        raise WeightsError(f"the weights header has scale {scale!r}; expected a power of two")
    for name in ("config", "rgb_scaling", "degradation", "training", "metrics"):
        value: object = getattr(header, name)
        if not isinstance(value, Mapping):
            raise WeightsError(f"the weights header's {name} is {value!r}; expected an object")
    for name in ("version", "created"):
        if not isinstance(getattr(header, name), str):
            raise WeightsError(f"the weights header's {name} is no text")
    _check_bands(header)


def _check_bands(header: Header) -> None:
    count = len(header.bands.wavelengths_nm)
    series = {
        "bands.fwhm_nm": header.bands.fwhm_nm,
        "hsi_mean": header.hsi_mean,
        "hsi_std": header.hsi_std,
    }
    for name, values in series.items():
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
        content = json.loads(text)
    except ValueError as error:
        raise WeightsError(f"the weights header is not JSON: {error}") from error
    found = content.get("format") if isinstance(content, dict) else type(content).__name__
    if found != FORMAT:
        raise WeightsError(
            f"the weights header has format {found!r}; this version of specgan reads {FORMAT!r}"
        )
    return cast(dict[str, Any], content)


def _bands(content: Any) -> Bands:
    return Bands(_floats(content["wavelengths_nm"]), _floats(content["fwhm_nm"]))


def _floats(values: Any) -> tuple[float, ...]:
    if not isinstance(values, list):
        raise TypeError(f"expected a list of numbers, found {type(values).__name__}")
    return tuple(float(value) for value in values)
