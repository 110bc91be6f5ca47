"""Graphs of the scene network for other libraries, kept in the user's cache folder."""

import hashlib
import logging
import os
import sys
from pathlib import Path

import torch

from specgan import files
from specgan._version import __version__
from specgan.scene.graph import OPSET, FullGraph, to_onnx
from specgan.scene.network import SceneNetwork

logger = logging.getLogger(__name__)

_DESIGN = "phases of every octave, sizes of the image"
"""How graphs are built: a new word where kept ones would differ."""


def cache_folder() -> Path:
    """Return the user's folder of files that can be made again; it need not be there."""
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "specgan"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "specgan" / "cache"
    library = "Library/Caches" if sys.platform == "darwin" else ".cache"
    return Path.home() / library / "specgan"


def graph_path(weights: str, scale: int, grids: int) -> Path:
    """Return where a graph is kept.

    Args:
        weights: What tells these weights from others: digests, and how they are mixed.
        scale: Output pixels per LR pixel along one axis.
        grids: Grids that the cube is given on.
    """
    key = (_DESIGN, weights, scale, grids, OPSET, __version__, torch.__version__)
    return cache_folder() / "graphs" / f"{hashlib.sha256(repr(key).encode()).hexdigest()}.onnx"


def graph_of(network: SceneNetwork, weights: str, scale: int, grids: int) -> bytes:
    """Return the network as an ONNX graph: the one that is kept, or a new one, which is then kept.

    A folder that cannot be written to keeps nothing, and nothing is said of it but in the log.

    Args:
        network: Of these weights.
        weights: As for `graph_path`.
        scale: Output pixels per LR pixel along one axis.
        grids: Grids that the cube is given on.
    """
    path = graph_path(weights, scale, grids)
    try:
        return path.read_bytes()
    except OSError:
        pass
    graph = to_onnx(FullGraph(network, scale, grids).eval(), {"weights": weights})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, graph)
        logger.info("%s: graph of the network kept", path)
    except OSError as error:
        logger.info("%s: the graph of the network is not kept: %s", path, error.strerror)
    return graph


def forget(weights: str, scale: int, grids: int) -> None:
    """Remove a graph that cannot be read, if it is there."""
    try:
        graph_path(weights, scale, grids).unlink(missing_ok=True)
    except OSError as error:
        logger.info("%s", error)
