"""Cubes brought onto the grid of a scene."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from specgan.bands import CANONICAL_BANDS, Bands
from specgan_cli.cubes.cube import Cube
from specgan_cli.cubes.spectral import known_bands, resampling_matrix
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.resampling.geometry import PixelMap
from specgan_cli.resampling.model import UNALIGNED, Alignment
from specgan_cli.resampling.resample import resample_window
from specgan_cli.types import F32, Mask

__all__ = ["FINEST", "cube_on_grid", "measured_bands", "spectral_map"]

FINEST = 2
"""Doublings of the LR grid on which a fine cube guides at most: each is four times the memory."""


def cube_on_grid(
    cube: Cube,
    grid: Grid,
    alignment: Alignment | None = None,
    bands: Bands = CANONICAL_BANDS,
    window: Window | None = None,
) -> tuple[F32, Mask]:
    """Bring a cube onto a window of a grid.

    Where the grid's pixels are larger than the cube's they are area-weighted block means, where
    they are smaller they are interpolated smoothly; bands are resampled spectrally.

    Args:
        cube: The open cube.
        grid: The scene's grid, of any CRS and rotation.
        alignment: Displacement of the cube; none by default.
        bands: Bands wanted.
        window: Pixels of `grid` to make, all by default; it may reach beyond the cube.

    Returns:
        Reflectance (bands x height x width; 0 where invalid) and validity (height x width); bands
        that the cube does not measure (`measured_bands`) take the nearest one's values.

    Raises:
        MismatchError: The cube measures none of the bands, or only one of both has a CRS.
        RasterError: The cube cannot be read.
    """
    alignment = alignment or UNALIGNED
    window = window or grid.full_window
    pixel_map = PixelMap(grid, cube.grid, alignment.shift_crs, alignment.field)
    matrix, used, _ = spectral_map(cube.bands, bands, cube.bad.tobytes(), cube.name)

    def read(part: Window) -> tuple[F32, Mask]:
        values, valid = cube.read(part, used)
        resampled = matrix @ values.reshape(len(used), -1)
        return resampled.reshape(len(bands), *part.shape_yx), valid

    return resample_window(
        read, cube.grid.shape_yx, pixel_map, window, len(bands), per_pixel=len(used) + len(bands)
    )


def measured_bands(cube: Cube, bands: Bands = CANONICAL_BANDS) -> Mask:
    """Say which bands a cube measures: one truth value a band.

    Raises:
        MismatchError: It measures none.
    """
    return spectral_map(cube.bands, bands, cube.bad.tobytes(), cube.name)[2]


@lru_cache(maxsize=16)
def spectral_map(
    source: Bands, target: Bands, bad: bytes, name: str
) -> tuple[F32, tuple[int, ...], Mask]:
    """The part of a resampling matrix that has weights, what it uses, and what it measures.

    Args:
        source: Bands of the cube.
        target: Bands wanted.
        bad: The cube's bad bands, as bytes of truth values.
        name: The cube, for messages.

    Returns:
        The matrix (targets x used), the used source bands, and which targets are measured.

    Raises:
        MismatchError: The cube measures none of the target bands.
    """
    matrix, coverage = resampling_matrix(source, target, np.frombuffer(bad, dtype=np.bool_))
    known = known_bands(coverage, target, name)
    used = np.flatnonzero(np.abs(matrix).max(axis=0) > 1e-7)
    return matrix[:, used].astype(np.float32), tuple(used.tolist()), known
