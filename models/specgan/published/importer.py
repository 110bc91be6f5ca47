"""Published checkpoints, brought into this package's networks without running their pickles."""

import os
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from specgan._version import __version__
from specgan.bands import CANONICAL_BANDS
from specgan.errors import WeightsError
from specgan.header import Header
from specgan.published.names import NETWORK_RULES, convert
from specgan.published.network import INPUT_HALF_RANGE, PublishedNetwork

NETWORK_PREFIX = "generator."
"""What the authors' training puts before every name of the network."""

IGNORED_PREFIXES = ("discriminator.", "perceptual_loss.")
"""Parts of a published checkpoint that make no images."""

PAPER = "doi.org/10.1109/TGRS.2022.3222360"


@dataclass(frozen=True)
class Imported:
    """A published checkpoint as ours."""

    network: PublishedNetwork
    """The network, on the CPU, in eval mode, in the types of the checkpoint."""

    header: Header
    """Its header, with the published input scaling."""

    unused: tuple[str, ...]
    """Published names that were left out since the network never uses them."""


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read the tensors of a PyTorch checkpoint; code in it is never run.

    Args:
        path: A file written by `torch.save`: a state dict, or a dict that holds one under
            `state_dict`.

    Returns:
        The tensors by the names in the file.

    Raises:
        WeightsError: Unreadable, not such a file, truncated, or a pickle that holds more than
            tensors and plain values.
    """
    path = Path(path)
    try:
        mapped = zipfile.is_zipfile(path)
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        # Before and after it stands advice, of which the first is to run what is in the file.
        reason = " ".join(re.split(r"\n\s*\n", str(error))[1:-1]) or type(error).__name__
        raise WeightsError(
            f"{path} is no checkpoint that can be read safely: it holds more than tensors, or is "
            f"damaged; nothing in it was run ({_short(reason)})"
        ) from error
    except Exception as error:  # torch's reader fails on damaged bytes in every way there is
        raise WeightsError(
            f"cannot read {path} as a PyTorch checkpoint: {_short(str(error))}"
        ) from error
    return _tensors(path, content)


def import_published(tensors: Mapping[str, Tensor], source: str = "") -> Imported:
    """Make the published network of a checkpoint's tensors.

    The scale and the sizes are found from the shapes; the discriminator and the perceptual
    network are ignored.

    Args:
        tensors: By published name; either with the prefixes of the authors' whole model
            (`generator.`) or the network's own names alone.
        source: Where they come from, for the header.

    Returns:
        Network and header. Tensors are not copied.

    Raises:
        WeightsError: Not a published checkpoint, or tensors are missing, unexpected or of the
            wrong shape; the message names them.
    """
    part = _network_part(tensors)
    config = _network_config(part)
    try:
        with torch.device("meta"):
            network = PublishedNetwork(**config)
    except ValueError as error:
        raise WeightsError(f"this is no published SpecGAN checkpoint: {error}") from error
    conversion = convert(part, network, NETWORK_RULES)
    if conversion.problems():
        raise WeightsError(
            f"the checkpoint does not fit the published network of {_words(config)}: "
            f"{conversion.problems()}"
        )
    network.load_state_dict(conversion.tensors, assign=True)
    return Imported(network.eval(), _header(config, source), conversion.unused)


def _tensors(path: Path, content: object) -> dict[str, Tensor]:
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(
            f"{path} holds {type(content).__name__}; expected a state dict, or one under the key "
            f"'state_dict'"
        )
    others = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if others:
        raise WeightsError(
            f"{path} is no state dict: {others[0]!r} is no tensor ({len(others)} such entries)"
        )
    return {str(key): value for key, value in content.items()}


def _network_part(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the network's tensors, without the whole model's prefix."""
    kept = {key: value for key, value in tensors.items() if not key.startswith(IGNORED_PREFIXES)}
    if not any(key.removeprefix(NETWORK_PREFIX).startswith("encoder_head.") for key in kept):
        first = ", ".join(sorted(kept)[:3]) or "nothing"
        raise WeightsError(
            "this is no published SpecGAN checkpoint: it has no generator.encoder_head.* tensors; "
            f"it holds {len(kept)} tensors: {first} ..."
        )
    if any(key.startswith("encoder_head.") for key in kept):
        return kept
    return {key.removeprefix(NETWORK_PREFIX): value for key, value in kept.items()}


def _network_config(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Find the network's sizes; what cannot be found is as published."""
    block = "encoder_head.branch1_1.RDBs."
    blocks = {key.removeprefix(block).split(".")[0] for key in tensors if key.startswith(block)}
    layer = f"{block}0.convs."
    layers = {key.removeprefix(layer).split(".")[0] for key in tensors if key.startswith(layer)}
    return {
        "scale": 16 if any(key.startswith("encoder.2.") for key in tensors) else 32,
        "features": _width(tensors, "encoder_head.layerOut_X.4.bias", 512),
        "fusion_channels": _width(tensors, "encoder_head.layerInX_1.bias", 128),
        "growth": _width(tensors, f"{layer}0.conv.0.bias", 64),
        "layers": len(layers) or 8,
        "blocks": len(blocks) or 8,
    }


def _width(tensors: Mapping[str, Tensor], name: str, published: int) -> int:
    value = tensors.get(name)
    return published if value is None or value.dim() != 1 else len(value)


def _header(config: dict[str, Any], source: str) -> Header:
    count = len(CANONICAL_BANDS)
    return Header(
        architecture="published",
        config=config,
        scale=config["scale"],
        bands=CANONICAL_BANDS,
        hsi_mean=(0.5,) * count,
        hsi_std=(2.0,) * count,
        rgb_scaling={
            "dtype": "uint8",
            "low": 0,
            "high": 255,
            "published_input_range": [-INPUT_HALF_RANGE, INPUT_HALF_RANGE],
        },
        training={"source": source, "paper": PAPER, "recipe": "published"},
        version=__version__,
    )


def _words(config: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in config.items())


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:200]}..."
