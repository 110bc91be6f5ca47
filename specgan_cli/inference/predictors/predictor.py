"""What an engine computes tiles with: a network, and how tiles go through it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from specgan.scene.network import SceneNetwork
from specgan_cli.inference.predictors.output_type import OutputType
from specgan_cli.inference.reader import TileInput
from specgan_cli.raster.radiometry import Radiometry
from specgan_cli.types import F32


@dataclass(frozen=True)
class Settings:
    """What a scene's every tile is computed with."""

    scale: int
    """Output pixels per LR pixel along one axis."""

    gsd: float
    """LR pixel size of the whole scene in metres."""

    radiometry: Radiometry
    """How file units become [-1, 1]."""

    output: OutputType
    """The values that the file can hold."""

    count: int = 3
    """Bands of the output: red, green, blue and the further ones."""

    seed: int = 0
    """Seed of the noise, which depends on absolute position alone."""

    at_once: int = 1
    """Batches that are computed at the same time on a CPU."""

    threads: int = 1
    """Threads that they share."""


class Predictor(Protocol):
    """A network that turns tiles with context into octaves."""

    @property
    def halo(self) -> int:
        """LR pixels of context that a tile needs on every side."""

    @property
    def fixed_bytes(self) -> int:
        """Memory that no tile changes: of the weights, and of a library that computes them."""

    @property
    def keeps_tiles(self) -> bool:
        """Whether tiles are kept for their neighbours, so that one at a time can be computed."""

    def start(self) -> None:
        """Begin with another scene."""

    def bytes_per_pixel(self, scale: int) -> tuple[float, float]:
        """Return the peak memory for each LR pixel (halo included) and each output pixel."""

    def finest(
        self, tiles: Sequence[TileInput], settings: Settings, device: torch.device
    ) -> Tensor:
        """Compute N tiles of equal shape, whose origins are even or odd alike.

        Returns:
            N x 3 x sH x sW in [-1, 1], without halo.
        """


# Peak memory was measured as the largest resident size of whole processes (shipped weights, one
# thread, scenes of nine tiles, tiles of two sizes at x4, x8 and x32 and of one at x2 and x16): for
# each LR pixel, each output pixel, and each output pixel and channel of the finest features. An
# estimate of these numbers is 1.0 to 1.4 times the peak. What a cube adds is in `plan`.
_LR_BYTES = 700
_HR_BYTES = 165
_HR_BYTES_PER_CHANNEL = 17

_TIMES_FLOAT32 = {torch.float64: 5.2, torch.float16: 1.4, torch.bfloat16: 0.5}
"""Memory of output pixels beside that in float32: in float64, torch unfolds what it convolves."""


class ScenePredictor:
    """The scene network: every tile is computed as a part of the whole scene."""

    keeps_tiles = False

    def __init__(self, network: SceneNetwork) -> None:
        self._network = network
        self._dtype = dtype_of(network)
        self.fixed_bytes = parameter_bytes(network)
        self.halo: int = network.halo

    def start(self) -> None:
        """See `Predictor`."""

    def bytes_per_pixel(self, scale: int) -> tuple[float, float]:
        """See `Predictor`."""
        finest = self._network.config.channels[scale.bit_length() - 1]
        times = _TIMES_FLOAT32.get(self._dtype, 1.0)
        return _LR_BYTES, times * (_HR_BYTES + _HR_BYTES_PER_CHANNEL * finest)

    def finest(
        self, tiles: Sequence[TileInput], settings: Settings, device: torch.device
    ) -> Tensor:
        """See `Predictor`."""
        rgb = stack([tile.lr_unit for tile in tiles], device, self._dtype)
        hsi, mask = (
            [stack(grid, device, self._dtype) for grid in zip(*images, strict=True)]
            for images in ([tile.hsi for tile in tiles], [tile.hsi_mask for tile in tiles])
        )
        with torch.inference_mode():
            image: Tensor = self._network.octaves(
                rgb,
                hsi,
                mask,
                gsd=settings.gsd,
                scale=settings.scale,
                origin_yx=[(tile.window.row, tile.window.col) for tile in tiles],
                seed=settings.seed,
                padded=True,
            )[-1]
            return image if image.dtype == torch.float64 else image.float()


def parameter_bytes(network: nn.Module) -> int:
    """Return the memory of a network's weights."""
    return sum(value.nbytes for value in network.state_dict().values())


def stack(
    arrays: Sequence[F32], device: torch.device, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Return N arrays C x H x W as a tensor N x C x H x W on a device."""
    whole = arrays[0][None] if len(arrays) == 1 else np.stack(arrays)
    return torch.from_numpy(whole).to(device, dtype)


def dtype_of(network: nn.Module) -> torch.dtype:
    """Return the type that a network computes in."""
    return next(network.parameters()).dtype
