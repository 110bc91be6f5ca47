"""The scene network as a graph of floating-point operations, for other runtimes.

Two graphs exist.  The image graph takes RGB alone, of any height and width, at one pixel size and
without noise: what QGIS Deepness and the like can feed.  The full graph takes everything that
`SceneNetwork.compute` takes, context and noise included.  Both end at one scale.
"""

import io
import json
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from specgan.layers import pad_mirrored
from specgan.scene.network import SceneNetwork
from specgan.scene.phases import with_phases

OPSET = 17
"""Version of the ONNX operators."""

TILE = 64
"""LR pixels of the side of the tiles that Deepness is told to take."""


class ImageGraph(nn.Module):
    """RGB alone, mirrored at its edges: N x 3 x H x W in [0, 1] to N x 3 x sH x sW in [0, 1].

    Args:
        network: Of any weights.
        scale: 2, 4, 8, 16 or 32.
        gsd: The LR pixel in metres.
    """

    inputs = ("rgb",)

    def __init__(self, network: SceneNetwork, scale: int, gsd: float) -> None:
        super().__init__()
        octaves = scale.bit_length() - 1
        self.network = with_phases(network, octaves)
        self.margins = network.margins(octaves)
        self.register_buffer("gsd", torch.tensor([gsd]))

    def forward(self, rgb: Tensor) -> Tensor:
        """Super-resolve an image."""
        unit = pad_mirrored(rgb * 2 - 1, self.margins.halo)
        assert isinstance(self.gsd, Tensor)
        metres = self.gsd.expand(unit.shape[0])
        finest = self.network.compute(unit, [], metres, None, self.margins)[-1]
        return (finest + 1) / 2

    def examples(self) -> tuple[Tensor, ...]:
        """Return inputs to trace with."""
        return (torch.rand(1, 3, 8, 12),)

    def sizes(self) -> dict[str, dict[int, str]]:
        """Return the names of the axes whose length is free, by input."""
        return {"rgb": {2: "height", 3: "width"}}


class FullGraph(nn.Module):
    """Everything outside: context, cube, pixel size and noise are inputs.

    `rgb` in [-1, 1] and the standardised cube, `hsi` with `known`, carry `halo` LR pixels around
    the wanted ones, and each octave's noise `noise_k` its own margin: both stand in the metadata.
    The cube on finer grids follows as `hsi_1`, `known_1` (twice as fine) and so on.

    Args:
        network: Of any weights.
        scale: 2, 4, 8, 16 or 32.
        grids: Grids that the cube is given on: 0 without one, 1 for the LR grid alone.
    """

    def __init__(self, network: SceneNetwork, scale: int, grids: int = 1) -> None:
        super().__init__()
        octaves = scale.bit_length() - 1
        self.network = with_phases(network, octaves)
        self.margins = network.margins(octaves)
        self.octaves = range(1, len(self.margins.noise))
        self.grids = grids
        ends = ["", *(f"_{level}" for level in range(1, grids))][:grids]
        cube = (f"{name}{end}" for end in ends for name in ("hsi", "known"))
        self.inputs = ("rgb", *cube, "gsd", *(f"noise_{k}" for k in self.octaves))

    def forward(self, rgb: Tensor, *rest: Tensor) -> Tensor:
        """Compute N x 3 x sH x sW in [-1, 1] from the tensors in the order of `inputs`."""
        cube, (gsd, *noises) = rest[: 2 * self.grids], rest[2 * self.grids :]
        guides = list(zip(cube[::2], cube[1::2], strict=True))
        return self.network.compute(rgb, guides, gsd, noises, self.margins)[-1]

    def examples(self) -> tuple[Tensor, ...]:
        """Return inputs to trace with."""
        height, width = 8, 12
        context = 2 * self.margins.halo
        lr = (height + context, width + context)
        noises = (
            torch.randn(
                1, 1, *((side << k) + 2 * self.margins.noise[k] for side in (height, width))
            )
            for k in self.octaves
        )
        cube = (
            make(1, self.network.config.bands, lr[0] << level, lr[1] << level)
            for level in range(self.grids)
            for make in (torch.randn, torch.ones)
        )
        return torch.rand(1, 3, *lr), *cube, torch.tensor([3.2]), *noises

    def sizes(self) -> dict[str, dict[int, str]]:
        """Return the names of the axes whose length is free, by input."""
        return {
            name: {2: f"{name}_height", 3: f"{name}_width"} for name in self.inputs if name != "gsd"
        }


def to_onnx(graph: ImageGraph | FullGraph, metadata: Mapping[str, Any]) -> bytes:
    """Return a graph as ONNX; needs the package `onnx`.

    Args:
        graph: What to export.
        metadata: JSON values that are kept inside, each under its own name.
    """
    import onnx

    content: Any = io.BytesIO()  # torch takes it, its annotation says paths only
    with warnings.catch_warnings():
        # The tracing exporter: its successor takes ten times as long, and a package more.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            graph.examples(),
            content,
            input_names=list(graph.inputs),
            output_names=["sr"],
            dynamic_axes={**graph.sizes(), "sr": {2: "sr_height", 3: "sr_width"}},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_model_from_string(content.getvalue())
    onnx.helper.set_model_props(model, {key: json.dumps(value) for key, value in metadata.items()})
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized


def to_pt2(graph: ImageGraph | FullGraph, metadata: Mapping[str, Any]) -> bytes:
    """Return a graph as torch's own exported program.

    Args:
        graph: What to export.
        metadata: JSON values, kept inside as the file `metadata.json`.
    """
    height, width = (torch.export.Dim(name, min=2, max=4096) for name in ("height", "width"))
    margins = graph.margins
    if isinstance(graph, ImageGraph):
        shapes: tuple[Any, ...] = ({2: height, 3: width},)
    else:
        lr = {2: height + 2 * margins.halo, 3: width + 2 * margins.halo}
        noises = tuple(
            {
                axis: 2**k * side + 2 * margins.noise[k]
                for axis, side in zip((2, 3), (height, width), strict=True)
            }
            for k in graph.octaves
        )
        shapes = (lr, (lr, lr, None, *noises))
    program = torch.export.export(
        graph,
        graph.examples(),
        dynamic_shapes=shapes,
        strict=False,
        prefer_deferred_runtime_asserts_over_guards=True,
    )
    content = io.BytesIO()
    torch.export.save(program, content, extra_files={"metadata.json": json.dumps(metadata)})
    return content.getvalue()


def describe(graph: ImageGraph | FullGraph, scale: int, gsd: float) -> dict[str, Any]:
    """Return a graph's metadata: what QGIS Deepness reads, and what the inputs need."""
    return {
        "model_type": "Superresolution",
        "class_names": {"0": "red", "1": "green", "2": "blue"},
        "resolution": gsd * 100,
        "tile_size": TILE,
        "tiles_overlap": 50,
        "scale": scale,
        "halo": graph.margins.halo,
        "noise_margins": list(graph.margins.noise[1:]),
    }
