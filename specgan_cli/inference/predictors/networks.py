"""The networks of a run: loaded once, one copy a device, for any number of scenes."""

from dataclasses import dataclass
from functools import partial

import torch

from specgan import checkpoints
from specgan.published.network import PublishedNetwork
from specgan.scene.network import SceneNetwork
from specgan_cli.devices import parse_devices
from specgan_cli.inference.predictors.graph_predictor import GraphPredictor, Load
from specgan_cli.inference.predictors.predictor import Predictor, ScenePredictor
from specgan_cli.inference.predictors.published import PublishedPredictor
from specgan_cli.inference.predictors.runtime import GRAPH_RUNTIMES, check_runtime
from specgan_cli.inference.predictors.weights import Weights, read_weights
from specgan_cli.inference.request import ComputeOptions
from specgan_cli.threads import used_threads


@dataclass(frozen=True)
class Networks:
    """One set of weights on every device of the run."""

    weights: Weights
    """What was loaded."""

    copies: tuple[tuple[Predictor, torch.device], ...]
    """The model and its device, for each device."""

    @property
    def halo(self) -> int:
        """LR pixels of context that the network needs on every side."""
        return self.copies[0][0].halo

    @property
    def fixed_bytes(self) -> int:
        """Memory on one device that no tile changes."""
        return self.copies[0][0].fixed_bytes

    @property
    def shares_threads(self) -> bool:
        """Whether the threads of a CPU can compute a tile each."""
        return self.devices == ["cpu"] and not self.copies[0][0].keeps_tiles

    @property
    def threads(self) -> int:
        """Threads that the networks may use: what torch was told, within what the process has."""
        return min(torch.get_num_threads(), used_threads())

    @property
    def devices(self) -> list[str]:
        """Names of the devices."""
        return [str(device) for _, device in self.copies]


def load_networks(compute: ComputeOptions) -> Networks:
    """Load the weights onto the devices that were asked for.

    Raises:
        WeightsError: Unknown, damaged or unfit weights.
        MissingExtraError: A runtime that is not installed.
        SpecganError: A device that is not here.
    """
    devices = parse_devices(compute.device)
    weights = read_weights(compute)
    check_runtime(compute, weights)
    # Graphs hold single precision, whatever the library computes them in.
    dtype = torch.float32 if compute.runtime in GRAPH_RUNTIMES else getattr(torch, compute.dtype)
    load = partial(checkpoints.load, compute.weights, dtype=dtype, fidelity=compute.fidelity)
    models = [make_model(load(device=device), compute, weights) for device in devices]
    return Networks(weights, tuple(zip(models, devices, strict=True)))


def make_model(
    network: SceneNetwork | PublishedNetwork, compute: ComputeOptions, weights: Weights
) -> Predictor:
    """Return the model that tiles go through."""
    if not isinstance(network, SceneNetwork):
        return PublishedPredictor(network)
    if compute.runtime not in GRAPH_RUNTIMES:
        return ScenePredictor(network)
    return GraphPredictor(network, f"{weights.sha256} {compute.fidelity:g}", _loader(compute))


def _loader(compute: ComputeOptions) -> Load:
    if compute.runtime == "onnx":
        from specgan_cli.inference.predictors import onnx_runtime

        return onnx_runtime.load
    from specgan_cli.inference.predictors import openvino_runtime

    return partial(openvino_runtime.load, bfloat16=compute.dtype == "bfloat16")
