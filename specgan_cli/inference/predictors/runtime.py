"""Which library computes the network: torch, or ONNX Runtime or OpenVINO on the CPU."""

import importlib.metadata
import importlib.util
from dataclasses import dataclass, replace

from specgan_cli.devices import parse_devices
from specgan_cli.errors import MissingExtraError, SpecganError, WeightsError
from specgan_cli.inference.predictors.weights import Weights
from specgan_cli.inference.request import ComputeOptions, Runtime


@dataclass(frozen=True)
class GraphRuntime:
    """A library that computes graphs, on the CPU."""

    package: str
    """What it is installed as."""

    dtypes: tuple[str, ...]
    """The types that it computes in."""

    @property
    def packages(self) -> tuple[str, ...]:
        """What it needs: to make graphs, and to compute them."""
        return ("onnx", self.package)

    @property
    def installed(self) -> bool:
        """Whether it is there."""
        return all(importlib.util.find_spec(name) is not None for name in self.packages)


GRAPH_RUNTIMES: dict[Runtime, GraphRuntime] = {
    "onnx": GraphRuntime("onnxruntime", ("float32",)),
    "openvino": GraphRuntime("openvino", ("float32", "bfloat16")),
}
"""By the word of `--runtime`, the first choice first."""

WORTH_PIXELS = 8_000_000
"""Output pixels from which a graph is worth the second that it takes to make and to load."""

WORTH_SCALE = 8
"""At smaller factors graphs gain nothing that could be told from chance."""


def check_runtime(compute: ComputeOptions, weights: Weights) -> None:
    """Raise unless the runtime that was asked for can compute the network.

    Raises:
        MissingExtraError: It is not installed.
        WeightsError: It computes graphs, and the weights are the published network's.
        SpecganError: It computes graphs, and a GPU, or a type that it or the processor lacks, is
            asked for too.
    """
    name = compute.runtime
    if name not in GRAPH_RUNTIMES:
        return
    runtime = GRAPH_RUNTIMES[name]
    if not runtime.installed:
        raise MissingExtraError(
            f"--runtime {name} needs the packages {' and '.join(runtime.packages)}; "
            f'pip install "specgan[{name}]", or leave --runtime out'
        )
    if weights.published:
        raise WeightsError(
            f"{compute.weights}: published weights run in torch alone; leave --runtime {name} out"
        )
    if compute.device not in ("auto", "cpu"):
        raise SpecganError(
            f"--runtime {name} computes on the CPU, not on {compute.device}; leave one of them out"
        )
    if compute.dtype not in runtime.dtypes:
        raise SpecganError(
            f"--runtime {name} computes in {' or '.join(runtime.dtypes)}, not in "
            f"{compute.dtype}; leave one of them out"
        )
    if compute.dtype == "bfloat16" and not computes_bfloat16():
        raise SpecganError(
            "--dtype bfloat16: this processor does not compute in it, and nothing would be gained; "
            "leave it out"
        )


def computes_bfloat16() -> bool:
    """Tell whether the processor computes in bfloat16; needs OpenVINO."""
    from specgan_cli.inference.predictors import openvino_runtime

    return openvino_runtime.computes_bfloat16()


def settle_runtime(compute: ComputeOptions, weights: Weights, pixels: int) -> ComputeOptions:
    """Choose the runtime: the same for the same inputs, weights, options, packages and processor.

    Single precision agrees with torch to one grey level in every library.  What does not,
    bfloat16, is taken where `--dtype` says it alone.

    Args:
        compute: What was asked.
        weights: The weights.
        pixels: Of the output.

    Returns:
        The same with a runtime other than `auto`.
    """
    if compute.runtime == "auto":
        compute = replace(compute, runtime=_choose(compute, weights, pixels))
    return replace(compute, device="cpu") if compute.runtime in GRAPH_RUNTIMES else compute


def _choose(compute: ComputeOptions, weights: Weights, pixels: int) -> Runtime:
    if pixels < WORTH_PIXELS or compute.scale < WORTH_SCALE or weights.published:
        return "torch"
    if [device.type for device in parse_devices(compute.device)] != ["cpu"]:
        return "torch"
    for name, runtime in GRAPH_RUNTIMES.items():
        able = compute.dtype in runtime.dtypes and runtime.installed
        if able and (compute.dtype != "bfloat16" or computes_bfloat16()):
            return name
    return "torch"


def describe_runtime(compute: ComputeOptions) -> str:
    """Return name and version of a runtime, for tags, and its type if it is not float32."""
    package = (
        GRAPH_RUNTIMES[compute.runtime].package if compute.runtime in GRAPH_RUNTIMES else "torch"
    )
    text = f"{package} {importlib.metadata.version(package)}"
    return text if compute.dtype == "float32" else f"{text} in {compute.dtype}"
