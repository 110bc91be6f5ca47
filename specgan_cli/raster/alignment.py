"""How a cube lies on a scene, and the cube brought onto the scene's grid."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specgan_cli.raster.alignment_field import DisplacementField
from specgan_cli.raster.alignment_geometry import PixelMap
from specgan_cli.raster.alignment_resample import resample_window
from specgan_cli.raster.bands import CANONICAL, Bands
from specgan_cli.raster.cube import Cube
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.spectral import check_coverage, resampling_matrix

__all__ = ["UNALIGNED", "Alignment", "cube_on_grid"]

_BLOCK_VALUES = 24_000_000
"""Source values (bands x pixels) that are in memory at a time, about 100 MB."""


@dataclass(frozen=True)
class Alignment:
    """A cube's displacement: add it to the cube's ground positions to lie on the scene."""

    shift_xy: tuple[float, float] = (0.0, 0.0)
    """Global displacement to the east and to the north, metres."""
    shift_crs: tuple[float, float] = (0.0, 0.0)
    """The same displacement (x, y) in units of the scene's CRS."""
    field: DisplacementField | None = None
    """Smooth displacement on top of the global one, or None where it would not help."""
    reliability: float = 0.0
    """Probability-like figure, 0 to 1, that scene and cube show the same ground at this shift."""
    correlation: float = 0.0
    """Correlation of the scene with the aligned cube, 0 to 1."""
    correlation_before: float = 0.0
    """Correlation of the scene with the cube where its georeference puts it, 0 to 1."""
    uncertainty: float = math.nan
    """Standard error of the global displacement, metres; NaN when nothing was estimated."""
    overlap: float = 0.0
    """Share of the scene that the cube covers, 0 to 1."""
    pixels: int = 0
    """Coarse pixels that were compared."""
    estimated: bool = False
    """Whether the displacement was measured (false: the georeference is trusted)."""

    def to_json(self) -> dict[str, Any]:
        """A document that `from_json` reads; not-a-number becomes null."""
        document = {
            name: getattr(self, name) for name in self.__dataclass_fields__ if name != "field"
        }
        document["uncertainty"] = None if math.isnan(self.uncertainty) else self.uncertainty
        document["field"] = None if self.field is None else self.field.to_json()
        return json.loads(json.dumps(document))  # type: ignore[no-any-return]  # a dict again

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Alignment:
        """The alignment that `to_json` described."""
        values = {name: document[name] for name in cls.__dataclass_fields__ if name in document}
        for name in ("shift_xy", "shift_crs"):
            values[name] = tuple(float(value) for value in document[name])
        if values.get("uncertainty") is None:
            values["uncertainty"] = math.nan
        if values.get("field") is not None:
            values["field"] = DisplacementField.from_json(document["field"])
        return cls(**values)

    def without_field(self) -> Alignment:
        """The global displacement alone."""
        return replace(self, field=None)


UNALIGNED = Alignment()
"""The cube lies where its georeference puts it."""


def cube_on_grid(
    cube: Cube,
    grid: Grid,
    alignment: Alignment | None = None,
    bands: Bands = CANONICAL,
    window: Window | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
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
    matrix, used = _spectral_map(cube.bands, bands, cube.bad.tobytes(), cube.path)

    def read(part: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        values, valid = cube.read(part, used)
        resampled = matrix @ values.reshape(len(used), -1)
        return resampled.reshape(len(bands), *part.shape_yx), valid

    values = np.zeros((len(bands), *window.shape_yx), np.float32)
    mask = np.zeros(window.shape_yx, np.bool_)
    for part in _blocks(window, pixel_map, len(used)):
        inside = part.shifted(-window.row, -window.col).slices
        values[:, *inside], mask[inside] = resample_window(
            read, cube.grid.shape_yx, pixel_map, part, len(bands)
        )
    return values, mask


@lru_cache(maxsize=16)
def _spectral_map(
    source: Bands, target: Bands, bad: bytes, name: str
) -> tuple[NDArray[np.float32], tuple[int, ...]]:
    """The spectral matrix on the source bands that it uses, and their indices."""
    matrix, coverage = resampling_matrix(source, target, np.frombuffer(bad, dtype=np.bool_))
    check_coverage(coverage, target, name)
    used = np.flatnonzero(np.abs(matrix).max(axis=0) > 1e-7)
    return matrix[:, used].astype(np.float32), tuple(used.tolist())


def _blocks(window: Window, pixel_map: PixelMap, bands: int) -> Iterator[Window]:
    """Parts of a window, each needing a bounded number of source values."""
    middle = window.row + window.height / 2, window.col + window.width / 2
    scale_y, scale_x = pixel_map.scale(*middle)
    per_pixel = bands * max(np.nan_to_num(scale_y * scale_x), 1.0)
    edge = max(int(math.sqrt(_BLOCK_VALUES / per_pixel)), 1)
    for row in range(0, window.height, edge):
        for col in range(0, window.width, edge):
            height, width = min(edge, window.height - row), min(edge, window.width - col)
            yield Window(window.row + row, window.col + col, height, width)
