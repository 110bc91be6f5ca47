"""What `specgan models` does: list, show, import and export weights."""

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specgan import checkpoints, files
from specgan.header import Header, read_layout
from specgan.serde import to_plain
from specgan_cli.errors import MissingExtraError, OutputError, WeightsError, writing
from specgan_cli.outputs import check_outputs


@dataclass(frozen=True)
class WeightsFacts:
    """What can be said of a weights file without loading the network."""

    name: str
    """The shipped name, or the file's path as it was given."""

    path: str
    """The file."""

    bytes: int
    """Its size."""

    sha256: str
    """Its SHA-256, as the tags of outputs name it."""

    values: int
    """Numbers in all its tensors: parameters and stored noise."""

    types: tuple[str, ...]
    """Types of its tensors on disk."""

    header: Header
    """What the weights say about themselves."""


@dataclass(frozen=True)
class ImportRequest:
    """What to import, and to where."""

    source: Path
    """A published checkpoint."""

    output: Path
    """The weights file to write."""

    half: bool = False
    """Write 16-bit floating-point numbers."""

    overwrite: bool = False
    """Replace outputs that exist."""


@dataclass(frozen=True)
class ExportRequest:
    """What to export, and to where."""

    weights: str
    """A shipped name or a file."""

    output: Path
    """The graph to write: its ending, .onnx or .pt2, says which kind."""

    scale: int = 32
    """Output pixels per LR pixel along one axis."""

    gsd: float = 3.2
    """The LR pixel in metres; an input of the full graph."""

    full: bool = False
    """Whether cube, pixel size, noise and context are inputs too."""

    fidelity: float = 0.0
    """As for `upscale`."""

    overwrite: bool = False
    """Replace an output that exists."""


def list_weights() -> list[WeightsFacts]:
    """Return the facts of all shipped weights, by name."""
    return [show_weights(name) for name in checkpoints.names()]


def show_weights(name_or_path: str) -> WeightsFacts:
    """Return the facts of one weights file.

    Args:
        name_or_path: A shipped name or a file.

    Raises:
        WeightsError: No such weights, or a file that specgan did not write.
    """
    header = checkpoints.read_header(name_or_path)
    path = checkpoints.resolve(name_or_path)
    layout = read_layout(path)
    return WeightsFacts(
        name=name_or_path,
        path=str(path),
        bytes=path.stat().st_size,
        sha256=checkpoints.sha256(path),
        values=sum(math.prod(shape) for shape in layout.shapes.values()),
        types=tuple(sorted(set(layout.dtypes.values()))),
        header=header,
    )


def import_weights(request: ImportRequest) -> dict[str, Any]:
    """Convert a published checkpoint into a weights file.

    Args:
        request: What and where.

    Returns:
        A report as JSON values: the output's facts and the published tensors left out.

    Raises:
        WeightsError: The source is no published checkpoint, or tensors are missing, unexpected or
            of the wrong shape.
        OutputError: The output exists already, or its folder does not.
    """
    check_outputs([request.output], [request.source], overwrite=request.overwrite)
    if not request.source.is_file():
        raise WeightsError(f"{request.source}: no such file; give a published checkpoint")
    import torch

    from specgan.published.importer import import_published, read_checkpoint

    source = f"{request.source.name} sha256:{files.sha256(request.source)}"
    imported = import_published(read_checkpoint(request.source), source)
    dtype = torch.float16 if request.half else None
    checkpoints.save(request.output, imported.network, imported.header, dtype=dtype)
    network = show_weights(str(request.output))
    return {"network": to_plain(network), "unused": list(imported.unused)}


def export_weights(request: ExportRequest) -> dict[str, Any]:
    """Write a network as a graph that other runtimes compute.

    Args:
        request: What and where.

    Returns:
        The file, its inputs, and the metadata that it holds, as JSON values.

    Raises:
        WeightsError: No such weights, weights of the published network, or another scale.
        MissingExtraError: The package `onnx` is not installed.
        OutputError: The output exists already, cannot be written, or ends otherwise.
    """
    path = request.output
    if path.suffix not in (".onnx", ".pt2"):
        raise OutputError(f"cannot write {path}: name it NAME.onnx or NAME.pt2")
    if path.suffix == ".onnx" and importlib.util.find_spec("onnx") is None:
        raise MissingExtraError(
            "an ONNX file needs the package onnx; pip install onnx, or write NAME.pt2"
        )
    header = checkpoints.read_header(request.weights)
    if header.architecture != "scene":
        raise WeightsError(f"{request.weights}: only the scene network can be exported")
    source = checkpoints.resolve(request.weights)
    check_outputs([path], [source], overwrite=request.overwrite)
    from specgan.scene import graph as graphs

    network: Any = checkpoints.load(request.weights, fidelity=request.fidelity)
    graph: graphs.ImageGraph | graphs.FullGraph = (
        graphs.FullGraph(network, request.scale)
        if request.full
        else graphs.ImageGraph(network, request.scale, request.gsd)
    )
    metadata = {
        **graphs.describe(graph, request.scale, request.gsd),
        "weights_sha256": checkpoints.sha256(request.weights, fidelity=request.fidelity),
    }
    convert = graphs.to_onnx if path.suffix == ".onnx" else graphs.to_pt2
    with writing(path):
        files.write(path, convert(graph.eval(), metadata))
    return {"path": str(path), "inputs": list(graph.inputs), "metadata": metadata}
