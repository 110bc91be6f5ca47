"""Small networks with random weights, and the command line in this process, for tests."""

import contextlib
import dataclasses
import functools
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from specgan import checkpoints
from specgan.header import CANONICAL_BANDS, Header
from specgan.scene import SceneConfig, SceneNetwork
from specgan_cli.main import main

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


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    """Its exit code."""

    stdout: str
    """Everything on stdout."""

    stderr: str
    """Everything on stderr."""


def specgan(*words: object) -> Outcome:
    """Run the command line in this process."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            main([str(word) for word in words])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return Outcome(code, stdout.getvalue(), stderr.getvalue())


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
    """Return a weights file of a tiny scene network, made once a session."""
    folder = Path(tempfile.mkdtemp(prefix="specgan-tiny-"))
    network = tiny_network()
    return checkpoints.save(folder / "tiny.safetensors", network, header(network))
