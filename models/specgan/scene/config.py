"""The numbers that define a scene network, and its named sizes."""

from dataclasses import dataclass

from specgan.sizes import check_size, check_sizes

OCTAVES = 5

SCALES = tuple(2**octave for octave in range(1, OCTAVES + 1))
"""The factors that a scene network serves."""


@dataclass(frozen=True)
class SceneConfig:
    """Numbers that define a scene network; JSON-able, kept in the checkpoint's header."""

    bands: int = 48
    """Canonical spectral bands of the guide."""
    channels: tuple[int, ...] = (96, 64, 64, 48, 32, 16)
    """Channels of the features on the LR grid and at x2, x4, x8, x16, x32."""
    blocks: tuple[int, ...] = (10, 4, 3, 2, 2)
    """Residual blocks of each octave, on the grid that it starts from: depth is cheap there."""
    guide: int = 32
    """Channels of the spectral features."""
    bank: int = 16
    """Channels of each octave's latent bank."""

    def __post_init__(self) -> None:
        check_size("bands", self.bands, least=0)
        check_size("guide", self.guide)
        check_size("bank", self.bank)
        check_sizes("channels", self.channels, count=OCTAVES + 1)
        check_sizes("blocks", self.blocks, count=OCTAVES, least=0)


BASE = SceneConfig()
SMALL = SceneConfig(channels=(32, 32, 24, 16, 16, 16), blocks=(3, 1, 1, 1, 1), guide=16, bank=8)
PRESETS = {"small": SMALL, "base": BASE}
