"""Small networks with random weights."""

import dataclasses
import functools
import tempfile
from pathlib import Path

import numpy as np
import rasterio
import torch
from affine import Affine
from rasterio.crs import CRS

from specgan import checkpoints
from specgan.bands import CANONICAL_BANDS
from specgan.header import Header
from specgan.published.network import PublishedNetwork
from specgan.scene.network import SceneConfig, SceneNetwork

TINY = SceneConfig(
    channels=(8, 8, 8, 8, 4, 4),
    bank_convs=(1, 1, 1, 1, 1),
    encoder_channels=8,
    growth=4,
    dense_layers=1,
    dense_blocks=1,
    window=3,
    code=8,
)


def tiny_network(seed: int = 0) -> SceneNetwork:
    """Return a scene network whose random detail is strong enough to see a seam in."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SceneNetwork(**dataclasses.asdict(TINY))
        with torch.no_grad():
            for octave in network.octave:
                octave.to_rgb.weight.mul_(5)
                for layer in octave.bank:
                    layer.noise_strength.fill_(0.1)
    return network.eval()


def header(network: SceneNetwork) -> Header:
    """Return a header for a scene network."""
    config = dataclasses.asdict(network.config)
    lists = {key: list(value) for key, value in config.items() if isinstance(value, tuple)}
    return Header(
        architecture="scene",
        config={**config, **lists},
        scale=32,
        bands=CANONICAL_BANDS,
        hsi_mean=(0.2,) * 48,
        hsi_std=(0.1,) * 48,
    )


@functools.cache
def tiny_weights() -> Path:
    """Return a weights file of a tiny scene network, made once a session.

    Beside it lies a second set, which invents nothing.
    """
    folder = Path(tempfile.mkdtemp(prefix="specgan-tiny-"))
    network = tiny_network()
    path = checkpoints.save(folder / "tiny.safetensors", network, header(network))
    with torch.no_grad():
        for octave in network.octave:
            octave.to_rgb.weight.zero_()
    checkpoints.save(folder / "tiny-means.safetensors", network, header(network))
    return path


@functools.cache
def tiny_published(scale: int) -> Path:
    """Return a weights file of a small network of the published structure."""
    sizes = {"features": 8, "fusion_channels": 4, "growth": 4, "layers": 1, "blocks": 1}
    config = {"scale": scale, **sizes}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = PublishedNetwork(**config)
    described = Header(
        architecture="published",
        config=config,
        scale=scale,
        bands=CANONICAL_BANDS,
        hsi_mean=(0.5,) * 48,
        hsi_std=(2.0,) * 48,
    )
    folder = Path(tempfile.mkdtemp(prefix="specgan-tiny-"))
    return checkpoints.save(folder / f"published_x{scale}.safetensors", network, described)


def make_cube(path: Path, *, left: float, noise: bool = False) -> Path:
    """Write a cube of 48 bands with wavelengths on a 20 x 20 grid of 3.2 m."""
    values = np.random.default_rng(0).integers(500, 4000, (48, 20, 20)).astype("int16")
    if not noise:
        values[:] = np.arange(20)[:, None] * 100 + 500
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=20,
        height=20,
        count=48,
        dtype="int16",
        crs=CRS.from_epsg(32618),
        transform=Affine(3.2, 0, left, 0, -3.2, 4699080.0),
    ) as cube:
        cube.write(values)
        for band in range(1, 49):
            cube.update_tags(band, wavelength=str(380 + 14.25 * band), wavelength_units="nm")
    return path
