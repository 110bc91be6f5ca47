"""The networks of a run: loaded once, one copy a device, for any number of scenes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from specgan import checkpoints
from specgan.header import Header
from specgan_cli.errors import WeightsError
from specgan_cli.inference.devices import parse_devices
from specgan_cli.inference.request import SCALES, ComputeOptions


@dataclass(frozen=True)
class Networks:
    """One set of weights on every device of the run."""

    header: Header
    """What the weights say about themselves."""

    sha256: str
    """Of the weights file."""

    copies: tuple[tuple[nn.Module, torch.device], ...]
    """The network and its device, for each device."""

    @property
    def halo(self) -> int:
        """LR pixels of context that the network needs on every side."""
        network: Any = self.copies[0][0]
        return int(network.halo)

    @property
    def devices(self) -> list[str]:
        """Names of the devices."""
        return [str(device) for _, device in self.copies]


def load_networks(compute: ComputeOptions) -> Networks:
    """Load the weights onto the devices that were asked for.

    Raises:
        WeightsError: Unknown, damaged or unfit weights.
        SpecganError: A device that is not here.
    """
    devices = parse_devices(compute.device)
    header = checkpoints.read_header(compute.weights)
    check_scale(header, compute)
    dtype = getattr(torch, compute.dtype)
    load: Callable[..., nn.Module] = checkpoints.load
    copies = tuple((load(compute.weights, device, dtype), device) for device in devices)
    return Networks(header, checkpoints.sha256(compute.weights), copies)


def check_scale(header: Header, compute: ComputeOptions) -> None:
    """Raise unless the weights serve the scale that was asked for.

    Raises:
        WeightsError: They do not; the message lists the scales that they serve.
    """
    scales = served_scales(header)
    if compute.scale not in scales:
        listed = ", ".join(str(scale) for scale in scales)
        raise WeightsError(
            f"weights {compute.weights} do not serve -x {compute.scale}; they serve {listed}"
        )


def served_scales(header: Header) -> tuple[int, ...]:
    """Return the factors that weights serve, in rising order."""
    if header.architecture == "published":
        return (header.scale,)
    return tuple(scale for scale in SCALES if scale <= header.scale)
