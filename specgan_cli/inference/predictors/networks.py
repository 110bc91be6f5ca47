"""The networks of a run: loaded once, one copy a device, for any number of scenes."""

from dataclasses import dataclass
from functools import partial

import torch

from specgan import checkpoints
from specgan.header import Header
from specgan.published.network import PublishedNetwork
from specgan.scene.network import SceneNetwork
from specgan_cli.devices import parse_devices
from specgan_cli.errors import WeightsError
from specgan_cli.inference.predictors.predictor import Predictor, ScenePredictor
from specgan_cli.inference.predictors.published import PublishedPredictor
from specgan_cli.inference.request import SCALES, ComputeOptions


@dataclass(frozen=True)
class Networks:
    """One set of weights on every device of the run."""

    header: Header
    """What the weights say about themselves."""

    sha256: str
    """Of the weights file; with a second set mixed in, of both."""

    copies: tuple[tuple[Predictor, torch.device], ...]
    """The model and its device, for each device."""

    @property
    def halo(self) -> int:
        """LR pixels of context that the network needs on every side."""
        return self.copies[0][0].halo

    @property
    def weight_bytes(self) -> int:
        """Memory of the weights on one device."""
        return self.copies[0][0].weight_bytes

    @property
    def random(self) -> bool:
        """Whether the results depend on the seed."""
        return self.copies[0][0].random

    @property
    def needs_cube(self) -> bool:
        """Whether the weights cannot work on RGB alone."""
        return self.header.architecture == "published"

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
    load = partial(checkpoints.load, compute.weights, dtype=dtype, fidelity=compute.fidelity)
    copies = tuple((make_model(load(device=device)), device) for device in devices)
    digest = checkpoints.sha256(compute.weights, fidelity=compute.fidelity)
    return Networks(header, digest, copies)


def make_model(network: SceneNetwork | PublishedNetwork) -> Predictor:
    """Return the model that tiles go through."""
    if isinstance(network, SceneNetwork):
        return ScenePredictor(network)
    return PublishedPredictor(network)


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
