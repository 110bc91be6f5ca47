"""Graphs in ONNX Runtime."""

from collections.abc import Mapping

import numpy as np
import onnxruntime

from specgan_cli.inference.predictors.graph_predictor import Run
from specgan_cli.types import F32


def load(graph: bytes, at_once: int, threads: int) -> Run:
    """Load a graph; its result takes the inputs by name, from several threads at once.

    Args:
        graph: An ONNX file.
        at_once: Calls at the same time.
        threads: What they share.

    Raises:
        Exception: ONNX Runtime cannot load it; of what is loaded, MemoryError where memory ends.
    """
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    # Threads that ask for a tile compute it themselves; the others help all of them.
    options.intra_op_num_threads = threads - at_once + 1
    options.inter_op_num_threads = 1
    # Planned blocks of memory save no time and cost a third more of it.
    options.enable_mem_pattern = False
    # Threads that wait sleep, as torch's do: see `specgan_cli.threads`.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def run(feed: Mapping[str, F32]) -> F32:
        try:
            (image,) = session.run(None, dict(feed))
        except Exception as error:  # its errors derive from nothing more special
            if "allocate memory" not in str(error):
                raise
            raise MemoryError(str(error)) from error
        return np.asarray(image, np.float32)

    return run
