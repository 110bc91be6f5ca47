"""Graphs in OpenVINO."""

import sys
from collections.abc import Mapping
from types import ModuleType

import numpy as np

from specgan_cli.inference.predictors.graph_predictor import Run
from specgan_cli.types import F32

_TELEMETRY = "openvino_telemetry"


def import_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry, which tells a host of every import."""
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    loaded = modules.get(_TELEMETRY)
    modules[_TELEMETRY] = None  # as if it was not installed, which OpenVINO provides for
    try:
        import openvino
    finally:
        del modules[_TELEMETRY]
        if loaded is not None:
            modules[_TELEMETRY] = loaded
    module: ModuleType = openvino
    return module


def computes_bfloat16() -> bool:
    """Tell whether the processor computes in bfloat16."""
    core = import_openvino().Core()
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def load(graph: bytes, at_once: int, threads: int, *, bfloat16: bool) -> Run:
    """Load a graph; its result takes the inputs by name, from several threads at once.

    Args:
        graph: An ONNX file.
        at_once: Calls at the same time.
        threads: What they share.
        bfloat16: Whether convolutions compute in bfloat16. What follows the last of them, and so
            the step that keeps block means, stays in single precision.

    Raises:
        RuntimeError: OpenVINO cannot load it; of what is loaded, MemoryError where memory ends.
    """
    core = import_openvino().Core()
    options = {
        "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": at_once,
        # Other processes, such as the workers of a cluster here, would be pinned to the same cores.
        "ENABLE_CPU_PINNING": False,
    }
    model = core.compile_model(core.read_model(graph), "CPU", options)

    def run(feed: Mapping[str, F32]) -> F32:
        try:
            result = model.create_infer_request().infer(dict(feed), share_inputs=True)
        except RuntimeError as error:
            if "bad_alloc" not in str(error) and "allocate" not in str(error):
                raise
            raise MemoryError(str(error)) from error
        return np.asarray(result[0], np.float32)

    return run
