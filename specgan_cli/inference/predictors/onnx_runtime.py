"""The scene network in ONNX Runtime: the same numbers to rounding, in less time on a CPU."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from specgan.scene.context import Margins
from specgan.scene.network import SceneNetwork
from specgan.scene.noise import octave_noises
from specgan_cli.inference.predictors.graphs import forget, graph_of
from specgan_cli.inference.predictors.predictor import Settings, parameter_bytes, scene_bytes
from specgan_cli.inference.reader import TileInput
from specgan_cli.types import F32


class OnnxPredictor:
    """The scene network as a graph in ONNX Runtime, on the CPU and in single precision.

    Args:
        network: The weights.
        weights: What tells them from others: the graph is kept under it.
    """

    keeps_tiles = False

    def __init__(self, network: SceneNetwork, weights: str) -> None:
        self._network = network
        self._weights = weights
        self._sessions: dict[tuple[int, int, int], Any] = {}
        self._loading = threading.Lock()
        self.weight_bytes = 2 * parameter_bytes(network)
        self.halo: int = network.halo

    def start(self) -> None:
        """See `Predictor`."""

    def bytes_per_pixel(self, scale: int) -> tuple[float, float]:
        """See `Predictor`."""
        return scene_bytes(self._network, scale)

    def finest(
        self, tiles: Sequence[TileInput], settings: Settings, device: torch.device
    ) -> Tensor:
        """See `Predictor`; tile by tile, a CPU gains nothing from more."""
        images = [self._run(tile, settings) for tile in tiles]
        return torch.from_numpy(images[0] if len(images) == 1 else np.concatenate(images))

    def _run(self, tile: TileInput, settings: Settings) -> F32:
        margins = self._network.margins(settings.scale.bit_length() - 1)
        feed = self._feed(tile, settings, margins)
        grids = sum(name.startswith("hsi") for name in feed)
        # Threads that ask for a tile compute it themselves; the others help all of them.
        with self._loading:
            session = self._session(settings.scale, grids, settings.threads - settings.at_once + 1)
        try:
            (image,) = session.run(None, feed)
        except Exception as error:  # its errors derive from nothing more special
            if "allocate memory" not in str(error):
                raise
            raise MemoryError(str(error)) from error
        return np.asarray(image, np.float32)

    def _feed(self, tile: TileInput, settings: Settings, margins: Margins) -> dict[str, F32]:
        """Return the graph's inputs by name."""
        window, surplus = tile.window, self.halo - margins.halo
        origins = [(window.row, window.col)]
        noises = octave_noises(settings.seed, origins, window.shape_yx, margins.noise)
        feed = {
            "rgb": _crop(tile.lr_unit, surplus),
            "gsd": np.array([settings.gsd], np.float32),
            **{f"noise_{level}": noise.numpy() for level, noise in enumerate(noises, start=1)},
        }
        octaves = len(noises)
        for level, images in enumerate(zip(tile.hsi, tile.hsi_mask, strict=True)):
            if level <= octaves:
                end = f"_{level}" if level else ""
                for name, image in zip(("hsi", "known"), images, strict=True):
                    feed[f"{name}{end}"] = _crop(image, surplus << level)
        return feed

    def _session(self, scale: int, grids: int, threads: int) -> Any:
        """Return the graph that takes so many grids of the cube, loaded once."""
        key = (scale, grids, threads)
        if key not in self._sessions:
            kept = (self._network, self._weights, scale, grids)
            try:
                self._sessions[key] = _load(graph_of(*kept), threads)
            except Exception:  # a damaged file in the cache; a new graph loads or fails for good
                forget(self._weights, scale, grids)
                self._sessions[key] = _load(graph_of(*kept), threads)
        return self._sessions[key]


def _load(graph: bytes, threads: int) -> Any:
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Planned blocks of memory save no time and cost a third more of it.
    options.enable_mem_pattern = False
    # Threads that wait sleep, as torch's do: see `specgan_cli.threads`.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _crop(image: F32, margin: int) -> F32:
    """Take `margin` pixels off every side of C x H x W, and give it the axis of a batch."""
    height, width = image.shape[1:]
    inner = image[None, :, margin : height - margin, margin : width - margin]
    return np.ascontiguousarray(inner, np.float32)
