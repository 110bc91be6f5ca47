"""Small networks with random weights."""

import dataclasses
import functools
import tempfile
from pathlib import Path

import torch

from specgan import checkpoints
from specgan.bands import CANONICAL_BANDS
from specgan.header import Header
from specgan.published.network import PublishedNetwork
from specgan.scene.network import SceneConfig, SceneNetwork

TINY = SceneConfig(channels=(8, 8, 8, 8, 4, 4), blocks=(1, 1, 1, 1, 1), guide=4, bank=4)


def tiny_network(seed: int = 0) -> SceneNetwork:
    """Return a scene network whose random detail is strong enough to see a seam in."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SceneNetwork(**dataclasses.asdict(TINY))
        with torch.no_grad():
            for octave in network.octave:
                octave.to_rgb.weight.normal_(std=0.1)
                octave.bank.join.weight.normal_(std=0.3)
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
