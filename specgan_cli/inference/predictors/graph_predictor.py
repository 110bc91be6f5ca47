"""The scene network as a graph in another library: the same numbers, in less time on a CPU."""

import threading
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from specgan.scene.context import Margins
from specgan.scene.network import SceneNetwork
from specgan.scene.noise import octave_noises
from specgan_cli.inference.predictors.graphs import forget, graph_of
from specgan_cli.inference.predictors.predictor import ScenePredictor, Settings
from specgan_cli.inference.reader import TileInput
from specgan_cli.types import F32

Run = Callable[[Mapping[str, F32]], F32]
"""Computes the graph's image from its inputs by name; several threads may call it at once."""

Load = Callable[[bytes, int, int], Run]
"""Loads an ONNX graph for so many calls at once, which share so many threads."""


_LIBRARY_BYTES = 100_000_000
"""Memory of a library that computes graphs, measured as in `predictor`: OpenVINO takes the more."""


class GraphPredictor(ScenePredictor):
    """The scene network as a graph in a library that computes it on the CPU.

    Args:
        network: The weights, in single precision.
        weights: What tells them from others: the graph is kept under it.
        load: Hands a graph to the library.
    """

    def __init__(self, network: SceneNetwork, weights: str, load: Load) -> None:
        super().__init__(network)
        self._weights = weights
        self._load = load
        self._loaded: dict[tuple[int, int, int, int], Run] = {}
        self._loading = threading.Lock()
        self.fixed_bytes = 2 * self.fixed_bytes + _LIBRARY_BYTES

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
        with self._loading:
            run = self._graph(settings, grids)
        return run(feed)

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

    def _graph(self, settings: Settings, grids: int) -> Run:
        """Return the graph that takes so many grids of the cube, loaded once."""
        key = (settings.scale, grids, settings.at_once, settings.threads)
        if key not in self._loaded:
            kept = (self._network, self._weights, settings.scale, grids)
            try:
                self._loaded[key] = self._load(graph_of(*kept), *key[2:])
            except Exception:  # a damaged file in the cache; a new graph loads or fails for good
                forget(self._weights, settings.scale, grids)
                self._loaded[key] = self._load(graph_of(*kept), *key[2:])
        return self._loaded[key]


def _crop(image: F32, margin: int) -> F32:
    """Take `margin` pixels off every side of C x H x W, and give it the axis of a batch."""
    height, width = image.shape[1:]
    inner = image[None, :, margin : height - margin, margin : width - margin]
    return np.ascontiguousarray(inner, np.float32)
