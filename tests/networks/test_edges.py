"""One edge convention: a scene's border is the same picture however it was asked for."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import rasterio
import torch
from hypothesis import given
from hypothesis import strategies as st

import specgan
from specgan.edges import edge_indices
from specgan.layers import pad_edge, pad_mirrored
from support.command import specgan as command
from support.golden import SAMPLE


@given(st.integers(-60, 60), st.integers(1, 80), st.integers(1, 9))
def test_indices_are_numpys_symmetric_padding(start: int, count: int, size: int) -> None:
    around = np.pad(np.arange(size), 200, mode="symmetric")
    expected = around[200 + start : 200 + start + count]
    assert edge_indices(start, count, size).tolist() == expected.tolist()


@pytest.mark.parametrize("margin", [0, 1, 7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(("pad", "mode"), [(pad_edge, "edge"), (pad_mirrored, "symmetric")])
def test_tensors_are_padded_as_arrays_are(
    pad: Callable[[torch.Tensor, int], torch.Tensor],
    mode: Literal["edge", "symmetric"],
    margin: int,
    dtype: torch.dtype,
) -> None:
    image = torch.arange(2 * 3 * 4 * 1).reshape(2, 3, 4, 1).to(dtype)
    pads = [(0, 0), (0, 0), (margin, margin), (margin, margin)]
    expected = np.pad(image.float().numpy(), pads, mode=mode)
    assert np.array_equal(pad(image, margin).float().numpy(), expected)


def test_command_and_network_draw_the_same_border(tmp_path: Path) -> None:
    crop, out = tmp_path / "crop.tif", tmp_path / "out.tif"
    with rasterio.open(SAMPLE / "scene.tif") as scene:
        pixels = scene.read()[:, :40, :36]
        profile = {"driver": "GTiff", "count": 3, "height": 40, "width": 36, "dtype": "uint8"}
        with rasterio.open(
            crop, "w", crs=scene.crs, transform=scene.transform, **profile
        ) as target:
            target.write(pixels)
    done = command("upscale", crop, "-x", 8, "--device", "cpu", "-o", out)
    assert done.code == 0, done.stderr
    with rasterio.open(out) as dataset:
        drawn = dataset.read().astype(float)
    unit = torch.from_numpy(pixels.astype(np.float32) / 127.5 - 1)[None]
    with torch.no_grad():
        called = specgan.load()(unit, scale=8, gsd=3.2)[0].numpy()
    # The command rounds each 2 x 2 block so that its sum is right, from x2 to x8.
    assert np.abs(drawn - (called + 1) * 127.5).max() < 3
