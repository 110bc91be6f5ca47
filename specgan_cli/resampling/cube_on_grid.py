"""Cubes brought onto the grid of a scene."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from specgan.bands import CANONICAL_BANDS, Bands
from specgan_cli.cubes.cube import Cube
from specgan_cli.cubes.spectral import check_coverage, resampling_matrix
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.resampling.geometry import PixelMap
from specgan_cli.resampling.model import UNALIGNED, Alignment
from specgan_cli.resampling.resample import resample_window
from specgan_cli.types import F32, Mask

__all__ = ["cube_on_grid", "spectral_map"]


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
        Reflectance (bands x height x width; 0 where invalid) and validity (height x width).

    Raises:
        MismatchError: The cube covers too little of the bands, or only one of both has a CRS.
        RasterError: The cube cannot be read.
    """
    alignment = alignment or UNALIGNED
    window = window or grid.full_window
    pixel_map = PixelMap(grid, cube.grid, alignment.shift_crs, alignment.field)
    matrix, used = spectral_map(cube.bands, bands, cube.bad.tobytes(), cube.name)

    def read(part: Window) -> tuple[F32, Mask]:
        values, valid = cube.read(part, used)
        resampled = matrix @ values.reshape(len(used), -1)
        return resampled.reshape(len(bands), *part.shape_yx), valid

    return resample_window(
        read, cube.grid.shape_yx, pixel_map, window, len(bands), per_pixel=len(used) + len(bands)
    )


@lru_cache(maxsize=16)
def spectral_map(
    source: Bands, target: Bands, bad: bytes, name: str
) -> tuple[F32, tuple[int, ...]]:
    """The part of a resampling matrix that has weights (targets x used), and the used bands.

    Args:
        source: Bands of the cube.
        target: Bands wanted.
        bad: The cube's bad bands, as bytes of truth values.
        name: The cube, for messages.

    Raises:
        MismatchError: The cube covers too little of the target bands.
    """
    matrix, coverage = resampling_matrix(source, target, np.frombuffer(bad, dtype=np.bool_))
    check_coverage(coverage, target, name)
    used = np.flatnonzero(np.abs(matrix).max(axis=0) > 1e-7)
    return matrix[:, used].astype(np.float32), tuple(used.tolist())
