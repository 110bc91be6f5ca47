"""The numbers that define a scene network, and its named sizes."""

from dataclasses import dataclass
from typing import Literal

OCTAVES = 5


@dataclass(frozen=True)
class SceneConfig:
    """Numbers that define a scene network; JSON-able, kept in the checkpoint's header."""

    bands: int = 48
    """Canonical hyperspectral bands."""
    channels: tuple[int, ...] = (64, 64, 64, 48, 32, 24)
    """Channels of latent bank and decoder on the LR grid and at x2, x4, x8, x16, x32."""
    bank_convs: tuple[int, ...] = (2, 2, 2, 1, 1)
    """Styled convolutions of each octave in the latent bank."""
    encoder_channels: int = 64
    """Channels of the fusion encoder's branches."""
    growth: int = 32
    """Channels that a dense layer adds."""
    dense_layers: int = 3
    """Dense layers in a residual dense block."""
    dense_blocks: int = 2
    """Residual dense blocks in a branch."""
    window: int = 7
    """Side of the attention's neighbourhood in LR pixels, odd."""
    code: int = 64
    """Channels of each octave's style code."""
    consistency: Literal["smooth", "block"] = "smooth"
    """How an octave keeps the coarser one: smooth correction before the block fix, or without."""


SMALL = SceneConfig()
BASE = SceneConfig(
    channels=(256, 256, 192, 128, 96, 64),
    bank_convs=(2, 2, 2, 2, 2),
    encoder_channels=128,
    growth=64,
    dense_layers=4,
    code=128,
)
PRESETS = {"small": SMALL, "base": BASE}
