"""`specgan models export`: the graph computes what the network computes, at any size."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from specgan import checkpoints
from specgan.scene.noise import position_noise
from support.command import specgan
from support.tiny_networks import tiny_weights

LEVEL = 2 / 255
"""A grey level in units of the network."""


def export(out: Path, *words: object, weights: object = None) -> dict[str, Any]:
    """Export weights, the tiny ones when None, and return the command's document."""
    done = specgan("models", "export", weights or tiny_weights(), "-o", out, "--json", *words)
    assert (done.code, done.stderr) == (0, "")
    document: dict[str, Any] = done.json()
    return document


def session_of(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def image(height: int, width: int) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height))


def image_result(rgb: torch.Tensor, scale: int, gsd: float, weights: object) -> np.ndarray:
    network = checkpoints.load(str(weights))
    with torch.inference_mode():
        finest = network.octaves(rgb * 2 - 1, gsd=gsd, scale=scale, seed=None)[-1]
    return ((finest + 1) / 2).numpy()


def full_inputs(document: dict[str, Any], octaves: int) -> tuple[list[torch.Tensor], np.ndarray]:
    """Return the full graph's inputs for a window at row 5, column -3, and what it must give."""
    height, width, origin, seed = 6, 9, (5, -3), 11
    network = checkpoints.load(tiny_weights())
    draw = torch.Generator().manual_seed(0)
    rgb = torch.rand(1, 3, height, width, generator=draw) * 2 - 1
    hsi = torch.randn(1, 48, height, width, generator=draw)
    known = (torch.rand(1, 48, height, width, generator=draw) > 0.3).float()
    with torch.inference_mode():
        expected = network(
            rgb, hsi, known, gsd=10.0, scale=2**octaves, origin_yx=origin, seed=seed
        ).numpy()
    halo = document["metadata"]["halo"]
    around = ((0, 0), (0, 0), (halo, halo), (halo, halo))
    images = [torch.from_numpy(np.pad(x, around, "symmetric")) for x in (rgb, hsi * known, known)]
    noises = []
    for level, margin in enumerate(document["metadata"]["noise_margins"], start=1):
        start = [(place << level) - margin for place in origin]
        shape = [(side << level) + 2 * margin for side in (height, width)]
        noises.append(position_noise(seed, level, [tuple(start)], tuple(shape)))
    return [*images, torch.tensor([10.0]), *noises], expected


def test_image_graph_in_onnxruntime_agrees_at_any_size(tmp_path: Path) -> None:
    export(tmp_path / "net.onnx", "-x", 4, "--gsd", 10)
    session = session_of(tmp_path / "net.onnx")
    for shape in ((7, 5), (16, 33)):
        rgb = image(*shape)
        (found,) = session.run(None, {"rgb": rgb.numpy()})
        expected = image_result(rgb, 4, 10.0, tiny_weights())
        assert found.shape == (1, 3, 4 * shape[0], 4 * shape[1])
        np.testing.assert_allclose(found, expected, atol=1e-3 / 255)


@pytest.mark.slow
def test_shipped_weights_in_onnxruntime_agree(tmp_path: Path) -> None:
    export(tmp_path / "net.onnx", "-x", 8, weights="specgan-scene")
    rgb = image(14, 11)
    (found,) = session_of(tmp_path / "net.onnx").run(None, {"rgb": rgb.numpy()})
    expected = image_result(rgb, 8, 3.2, "specgan-scene")
    np.testing.assert_allclose(found, expected, atol=2e-3 / 255)  # two runtimes in single precision


def test_full_graph_in_onnxruntime_agrees(tmp_path: Path) -> None:
    document = export(tmp_path / "net.onnx", "-x", 4, "--full")
    inputs, expected = full_inputs(document, octaves=2)
    feed = {name: x.numpy() for name, x in zip(document["inputs"], inputs, strict=True)}
    (found,) = session_of(tmp_path / "net.onnx").run(None, feed)
    np.testing.assert_allclose(found, expected, atol=1e-3 * LEVEL)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_exported_programs_agree(tmp_path: Path) -> None:
    export(tmp_path / "image.pt2", "-x", 2)
    rgb = image(9, 4)
    found = torch.export.load(tmp_path / "image.pt2").module()(rgb)
    expected = image_result(rgb, 2, 3.2, tiny_weights())
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-3 / 255)

    document = export(tmp_path / "full.pt2", "-x", 2, "--full")
    inputs, expected = full_inputs(document, octaves=1)
    found = torch.export.load(tmp_path / "full.pt2").module()(*inputs)
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-3 * LEVEL)


def test_graph_says_what_deepness_asks(tmp_path: Path) -> None:
    export(tmp_path / "net.onnx", "-x", 4, "--gsd", 10)
    found = session_of(tmp_path / "net.onnx").get_modelmeta().custom_metadata_map
    metadata = {key: json.loads(value) for key, value in found.items()}
    assert metadata["model_type"] == "Superresolution"
    assert metadata["resolution"] == 1000  # centimetres
    assert metadata["class_names"] == {"0": "red", "1": "green", "2": "blue"}
    assert metadata["scale"] == 4
    assert metadata["weights_sha256"] == checkpoints.sha256(tiny_weights())


@pytest.mark.parametrize("option", ["--gsd", "--fidelity"])
def test_export_refuses_what_is_no_number(option: str, tmp_path: Path) -> None:
    done = specgan("models", "export", tiny_weights(), option, "nan", "-o", tmp_path / "net.pt2")
    assert done.code == 2
    assert "'nan' is not a finite number" in done.stderr
    assert not (tmp_path / "net.pt2").exists()


def test_export_refuses_other_endings_and_taken_names(tmp_path: Path) -> None:
    done = specgan("models", "export", tiny_weights(), "-o", tmp_path / "net.bin")
    assert (done.code, done.stdout) == (1, "")
    assert "NAME.onnx" in done.stderr
    (tmp_path / "net.onnx").write_text("kept")
    done = specgan("models", "export", tiny_weights(), "-o", tmp_path / "net.onnx")
    assert done.code == 1
    assert "--overwrite" in done.stderr
    assert (tmp_path / "net.onnx").read_text() == "kept"
