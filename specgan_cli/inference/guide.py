"""The hyperspectral guide: a cube, brought onto the scene's grid window by window."""

import math
from collections import OrderedDict
from typing import Any

import numpy as np

from specgan.header import Header
from specgan.serde import from_plain, to_plain
from specgan_cli.alignment.estimate import align
from specgan_cli.cubes.cube import Cube
from specgan_cli.inference.request import InputOptions
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.scene import Scene, within
from specgan_cli.resampling.cube_on_grid import FINEST, cube_on_grid, measured_bands
from specgan_cli.resampling.model import UNALIGNED, Alignment
from specgan_cli.types import F32, Mask

CHUNK = 32
"""Pixels of the side of the squares that are read and kept; halos of tiles overlap."""

KEPT_BYTES = 200_000_000
"""Memory of the squares that are kept for the next tiles."""

_VALUE: int = np.dtype(np.float32).itemsize
"""Bytes of a value that is read."""

_FINER = 0.05
"""How much finer than the cube's pixels a grid's may be, relatively."""


class Guide:
    """A cube, and how it becomes the network's `hsi` input; use it from one thread at a time."""

    def __init__(
        self,
        cube: Cube,
        grid: Grid,
        header: Header,
        alignment: Alignment = UNALIGNED,
        octaves: int = 0,
    ) -> None:
        """Keep what reading needs.

        Args:
            cube: The open cube.
            grid: The whole scene's grid.
            header: Bands, mean and standard deviation that the network expects.
            alignment: Where the cube really lies.
            octaves: Doublings that the network computes; finer grids are of no use.
        """
        self._cube, self._alignment = cube, alignment
        self._bands = header.bands
        self._measured = measured_bands(cube, header.bands).astype(np.float32)[:, None, None]
        self._mean = np.asarray(header.hsi_mean, np.float32)[:, None, None]
        self._std = np.asarray(header.hsi_std, np.float32)[:, None, None]
        self._grids = resolved_grids(grid, cube.grid.gsd, min(octaves, FINEST))
        self._kept: OrderedDict[tuple[int, Window], tuple[F32, Mask]] = OrderedDict()
        self._room = max(KEPT_BYTES // (_VALUE * len(self._bands) * CHUNK**2), 1)

    @property
    def bytes_per_pixel(self) -> int:
        """Memory of what is read for each LR pixel of a tile: bands and masks on every grid."""
        values = sum(1 << 2 * level for level in range(len(self._grids)))
        return 2 * _VALUE * len(self._bands) * values

    @property
    def kept_bytes(self) -> int:
        """Memory of the squares that are kept at most: those of the whole scene, if it is small."""
        pixels = sum(math.prod(grid.shape_yx) for grid in self._grids)
        return min(KEPT_BYTES, _VALUE * len(self._bands) * pixels)

    def read(self, window: Window) -> tuple[tuple[F32, ...], tuple[F32, ...]]:
        """Read the ground of a window of the scene, continued beyond the scene's edges as RGB is.

        Args:
            window: A window of the scene's grid; may reach beyond its edges.

        Returns:
            On the LR grid and on those 2, 4, ... times finer that the cube resolves, bands x
            2^k H x 2^k W: the cube, standardised and 0 where unknown; and 1 where it is known.
        """
        pairs = [self._read(level, window.scaled(2**level)) for level in range(len(self._grids))]
        images, masks = zip(*pairs, strict=True)
        return images, masks

    def _read(self, level: int, window: Window) -> tuple[F32, F32]:
        source, picked = within(window, self._grids[level].shape_yx)
        standard, valid = self._inside(level, source)
        known = self._measured * valid[picked][None]
        return standard[:, *picked] * known, known

    def _inside(self, level: int, window: Window) -> tuple[F32, Mask]:
        """Put a window within the scene together from squares."""
        standard = np.zeros((len(self._bands), *window.shape_yx), np.float32)
        valid = np.zeros(window.shape_yx, bool)
        full = self._grids[level].full_window
        for top in range(window.row // CHUNK * CHUNK, window.row + window.height, CHUNK):
            for left in range(window.col // CHUNK * CHUNK, window.col + window.width, CHUNK):
                square = Window(top, left, CHUNK, CHUNK).intersection(full)
                assert square is not None
                part = square.intersection(window)
                assert part is not None
                values, known = self._square(level, square)
                source = part.shifted(-square.row, -square.col).slices
                target = part.shifted(-window.row, -window.col).slices
                standard[:, *target], valid[target] = values[:, *source], known[source]
        return standard, valid

    def _square(self, level: int, square: Window) -> tuple[F32, Mask]:
        key = level, square
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        reflectance, valid = cube_on_grid(
            self._cube, self._grids[level], self._alignment, self._bands, square
        )
        standard = np.where(valid, (reflectance - self._mean) / self._std, np.float32(0))
        self._kept[key] = standard.astype(np.float32), valid
        while len(self._kept) > self._room:
            self._kept.popitem(last=False)
        return self._kept[key]


def resolved_grids(grid: Grid, cube_gsd: float, octaves: int) -> tuple[Grid, ...]:
    """Return a grid and those 2, 4, ... times finer whose pixels are no smaller than a cube's.

    Args:
        grid: The scene's grid.
        cube_gsd: Size of a pixel of the cube in metres; not finite where it is unknown.
        octaves: Doublings at most.
    """
    grids = [grid]
    while len(grids) <= octaves and grid.gsd / 2 ** len(grids) >= cube_gsd * (1 - _FINER):
        grids.append(grid.refine(2 ** len(grids)))
    return tuple(grids)


def open_guide(
    cube: Cube,
    scene: Scene,
    inputs: InputOptions,
    header: Header,
    known: dict[str, Any] | None = None,
    octaves: int = 0,
) -> tuple[Guide, dict[str, Any]]:
    """Find where the cube lies on the scene.

    Args:
        cube: The open cube.
        scene: The open scene.
        inputs: Say whether and how far the cube may be moved.
        header: What the network expects.
        known: Where the cube lies, as JSON values, when that was found before.
        octaves: Doublings that the network computes, which a fine cube guides.

    Returns:
        The guide, and the alignment as JSON values.

    Raises:
        RasterError: The cube cannot be read.
        MismatchError: No reliable place was found.
    """
    if known is not None:
        alignment = from_plain(Alignment, known)
    elif inputs.self_guided:
        alignment = UNALIGNED
    else:
        alignment = align(scene, cube, inputs.alignment)
    return Guide(cube, scene.grid, header, alignment, octaves), to_plain(alignment)
