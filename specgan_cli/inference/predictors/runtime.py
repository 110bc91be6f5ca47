"""Which library computes the network: torch, or ONNX Runtime on the CPU."""

import importlib.metadata
import importlib.util
from dataclasses import replace

from specgan_cli.devices import parse_devices
from specgan_cli.errors import MissingExtraError, SpecganError, WeightsError
from specgan_cli.inference.predictors.weights import Weights
from specgan_cli.inference.request import ComputeOptions

PACKAGES = ("onnx", "onnxruntime")
"""What ONNX Runtime needs: to make graphs, and to compute them."""

WORTH_PIXELS = 8_000_000
"""Output pixels from which a graph is worth the second that it takes to make and to load."""

WORTH_SCALE = 8
"""At smaller factors ONNX Runtime gains nothing that could be told from chance."""


def check_runtime(compute: ComputeOptions, weights: Weights) -> None:
    """Raise unless the runtime that was asked for can compute the network; imports nothing of it.

    Raises:
        MissingExtraError: It is not installed.
        WeightsError: It is ONNX Runtime, and the weights are the published network's.
        SpecganError: It is ONNX Runtime, and a GPU or another type is asked for too.
    """
    if compute.runtime != "onnx":
        return
    if not installed():
        raise MissingExtraError(
            "--runtime onnx needs the packages onnx and onnxruntime; "
            'pip install "specgan[onnx]", or leave --runtime out'
        )
    if weights.published:
        raise WeightsError(
            f"{compute.weights}: published weights run in torch alone; leave --runtime onnx out"
        )
    if compute.device not in ("auto", "cpu"):
        raise SpecganError(
            f"--runtime onnx computes on the CPU, not on {compute.device}; leave one of them out"
        )
    if compute.dtype != "float32":
        raise SpecganError(
            f"--runtime onnx computes in float32, not in {compute.dtype}; leave one of them out"
        )


def installed() -> bool:
    """Tell whether ONNX Runtime is there."""
    return all(importlib.util.find_spec(name) is not None for name in PACKAGES)


def settle_runtime(compute: ComputeOptions, weights: Weights, pixels: int) -> ComputeOptions:
    """Choose the runtime: the same for the same inputs, weights, options and packages.

    Args:
        compute: What was asked.
        weights: The weights.
        pixels: Of the output.

    Returns:
        The same with a runtime other than `auto`.
    """
    runtime = compute.runtime
    if runtime == "auto":
        runtime = "onnx" if _is_worth(compute, weights, pixels) else "torch"
    return replace(compute, runtime=runtime, device="cpu" if runtime == "onnx" else compute.device)


def _is_worth(compute: ComputeOptions, weights: Weights, pixels: int) -> bool:
    return (
        pixels >= WORTH_PIXELS
        and compute.scale >= WORTH_SCALE
        and compute.dtype == "float32"
        and not weights.published
        and installed()
        and [device.type for device in parse_devices(compute.device)] == ["cpu"]
    )


def describe_runtime(compute: ComputeOptions) -> str:
    """Return name and version of a runtime, for tags."""
    name = "onnxruntime" if compute.runtime == "onnx" else "torch"
    return f"{name} {importlib.metadata.version(name)}"
