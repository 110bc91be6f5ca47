"""Published weights on whole scenes: overlapping tiles of the published size, blended.

The published network sees 8 x 8 or 16 x 16 LR pixels at a time, and its result depends on where in
the tile a pixel lies.  Tiles at every half tile, on a lattice that is anchored at the scene's first
pixel, are blended by a partition of unity, and the blend is corrected smoothly so that its block
means are the input.
"""

import logging
import math
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor

from specgan.consistency import crop, project
from specgan.published.network import PublishedNetwork
from specgan_cli.errors import MismatchError
from specgan_cli.inference.predictors.predictor import Settings, dtype_of, parameter_bytes, stack
from specgan_cli.inference.reader import TileInput

logger = logging.getLogger(__name__)

REACH = 4
"""LR pixels around a tile that its smooth correction sees: what lies beyond counts for less than a
thousandth (0.172 a pixel), and every pixel more costs dear tiles."""

KEPT = 400
"""Tiles of 256 x 256 that are kept for the neighbours that share them: 300 MB."""

TOGETHER = 8
"""Tiles that go through the network together."""


class PublishedPredictor:
    """The published network, its tiles blended and made consistent."""

    keeps_tiles = True

    def __init__(self, network: PublishedNetwork) -> None:
        self._network = network
        self._dtype = dtype_of(network)
        self.fixed_bytes = parameter_bytes(network)
        self._size = network.in_size
        self.halo = REACH + network.in_size
        self._kept: OrderedDict[tuple[int, int], Tensor] = OrderedDict()
        logger.warning(
            "published weights see %d x %d pixels at a time: tiles are blended, but the result "
            "depends on where they lie; the scene network has no tiles to blend",
            self._size,
            self._size,
        )

    def bytes_per_pixel(self, scale: int) -> tuple[float, float]:
        """See `Predictor`."""
        return 200.0 * scale**2, 100.0

    def start(self) -> None:
        """Forget the tiles of the scene before."""
        self._kept.clear()

    def finest(
        self, tiles: Sequence[TileInput], settings: Settings, device: torch.device
    ) -> Tensor:
        """See `Predictor`; tiles share most of their lattice with their neighbours: one by one.

        Raises:
            MismatchError: There is no cube.
        """
        return torch.cat([self._finest(tile, settings, device) for tile in tiles])

    def _finest(self, tile: TileInput, settings: Settings, device: torch.device) -> Tensor:
        if not tile.hsi:
            raise MismatchError("the published weights need a cube; give --hsi CUBE")
        with torch.inference_mode():
            blend = self._blend(tile, device)
            lr = crop(stack([tile.lr_unit], device), self.halo - REACH)
            return crop(project(blend, lr), REACH * settings.scale)

    def _blend(self, tile: TileInput, device: torch.device) -> Tensor:
        """Return the blended tiles over the tile and `REACH` LR pixels around it."""
        scale, window = self._network.scale, tile.window
        top, left = window.row - self.halo, window.col - self.halo
        height, width = tile.lr_unit.shape[1:]
        sums = torch.zeros(1, 3, height * scale, width * scale, device=device)
        weights = torch.zeros(1, 1, *sums.shape[2:], device=device)
        weight = partition(self._size * scale, device)
        for (row, col), image in self._tiles(tile, device).items():
            rows = slice((row - top) * scale, (row - top + self._size) * scale)
            cols = slice((col - left) * scale, (col - left + self._size) * scale)
            sums[..., rows, cols] += weight * image
            weights[..., rows, cols] += weight
        margin = (self.halo - REACH) * scale
        return crop(sums, margin) / crop(weights, margin)

    def _tiles(self, tile: TileInput, device: torch.device) -> dict[tuple[int, int], Tensor]:
        """Return the lattice's tiles within the tile and its halo, 3 x 256 x 256 by origin."""
        top, left = tile.window.row - self.halo, tile.window.col - self.halo
        origins = [
            (row, col)
            for row in self._lattice(top, tile.lr_unit.shape[1])
            for col in self._lattice(left, tile.lr_unit.shape[2])
        ]
        images = {origin: self._kept[origin] for origin in origins if origin in self._kept}
        missing = [origin for origin in origins if origin not in images]
        for first in range(0, len(missing), TOGETHER):
            some = missing[first : first + TOGETHER]
            parts = [self._inputs(tile, row - top, col - left, device) for row, col in some]
            stacked = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
            fresh = self._network(*stacked).float()
            images.update(zip(some, fresh, strict=True))
        for origin in origins:
            self._keep(origin, images[origin])
        return images

    def _lattice(self, start: int, size: int) -> range:
        step = self._size // 2
        return range(math.ceil(start / step) * step, start + size - self._size + 1, step)

    def _inputs(
        self, tile: TileInput, row: int, col: int, device: torch.device
    ) -> tuple[Tensor, Tensor, Tensor]:
        where = (..., slice(row, row + self._size), slice(col, col + self._size))
        known = tile.hsi_mask[0].max(axis=0, keepdims=True)
        arrays = (tile.lr_unit[where], tile.hsi[0][where], known[where])
        rgb, hsi, mask = (stack([array], device, self._dtype) for array in arrays)
        return rgb, hsi, mask

    def _keep(self, origin: tuple[int, int], image: Tensor) -> None:
        self._kept[origin] = image
        self._kept.move_to_end(origin)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)


def partition(size: int, device: torch.device) -> Tensor:
    """Return a window that adds up to one at every half of its size: size x size, positive."""
    ramp = torch.sin(math.pi * (torch.arange(size, device=device) + 0.5) / size) ** 2
    return ramp[:, None] * ramp[None, :]
