"""A scene and a cube over the ground that they share, read as views."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from scipy.ndimage import binary_opening

from specgan.bands import Bands
from specgan_cli.alignment.views import View, make_view
from specgan_cli.cubes.cube import Cube
from specgan_cli.cubes.spectral import MEASURED, resampling_matrix
from specgan_cli.errors import MismatchError
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.scene import Scene
from specgan_cli.raster.untagged import corner_colours
from specgan_cli.resampling.geometry import PixelMap
from specgan_cli.resampling.resample import Reader, resample_window
from specgan_cli.types import F32, Mask, Pixels

__all__ = ["VISIBLE", "MatchPair", "Side"]

VISIBLE = Bands.from_wavelengths([650.0, 560.0, 480.0], [70.0, 70.0, 70.0])
"""What the red, green and blue of a camera see of a spectrum."""

INFRARED = Bands.from_wavelengths([850.0], [300.0])
"""What is compared of a cube that sees nothing of them: its near infrared."""

GREENNESS = np.array([[-0.5, 2.0, -1.0]], np.float32)
"""Of red, green and blue: what comes nearest to near infrared, by least squares on nine NAIP scenes
of five towns; correlation 0.8, where the channels themselves have 0.3 to 0.6."""

_MOST_OVERSAMPLING = 4
_SINGLE_VIEW = 160
"""Coarse pixels; an overlap of at most this side is one view."""
_VIEW = 48
"""Coarse pixels; the side of the views that are spread over a larger overlap."""
_LEAST_PIXELS = 16


@dataclass(frozen=True)
class Side:
    """One of the two images, with what it takes to read it."""

    grid: Grid
    """Its grid."""
    read: Reader
    """Reads its channels."""
    channels: int
    """As many as the other side has, each the counterpart of the other's."""
    per_pixel: int
    """Values a pixel that a read holds in memory."""


@dataclass(frozen=True)
class MatchPair:
    """Scene and cube, told apart by their pixel sizes."""

    coarse: Side
    """The one with the larger pixels."""
    fine: Side
    """The other."""
    overlap: Window
    """Pixels of the coarse one on the ground that both show."""
    scene_is_coarse: bool
    """Which of both the scene is."""

    @classmethod
    def of(cls, scene: Scene, cube: Cube) -> Self:
        """Pair an open scene with an open cube.

        Raises:
            MismatchError: They share no ground, or only one of them has a CRS.
        """
        if _sees_infrared_alone(cube):
            sides = _mixed(_scene_side(scene), GREENNESS), _cube_side(cube, INFRARED)
        else:
            sides = _scene_side(scene), _cube_side(cube, VISIBLE)
        scene_is_coarse = scene.grid.gsd > cube.grid.gsd
        coarse, fine = sides if scene_is_coarse else sides[::-1]
        return cls(
            coarse, fine, _overlap(coarse, fine, f"{cube.name} and {scene.name}"), scene_is_coarse
        )

    @property
    def scene(self) -> Grid:
        """Grid of the scene."""
        return self.coarse.grid if self.scene_is_coarse else self.fine.grid

    @cached_property
    def gsd(self) -> float:
        """Metres of a coarse pixel."""
        return self.coarse.grid.gsd

    @cached_property
    def oversampling(self) -> int:
        """Lattice cells along one side of a coarse pixel."""
        return min(max(round(self.gsd / self.fine.grid.gsd), 1), _MOST_OVERSAMPLING)

    def views(self, pad: int, per_axis: int) -> list[View]:
        """Read the overlap as one view, or as up to `per_axis` squared views spread over it.

        Args:
            pad: Coarse pixels by which the fine image reaches beyond each view.
            per_axis: Most views along rows and along columns.
        """
        views = (self._view(window, pad) for window in _windows(self.overlap, per_axis))
        return [view for view in views if view.valid.sum() >= _LEAST_PIXELS]

    def _view(self, window: Window, pad: int) -> View:
        values, valid = self.coarse.read(window)
        m = self.oversampling
        lattice, known = resample_window(
            self.fine.read,
            self.fine.grid.shape_yx,
            PixelMap(self.coarse.grid.refine(m), self.fine.grid),
            window.padded(pad).scaled(m),
            self.fine.channels,
            self.fine.per_pixel,
        )
        return make_view(
            np.where(valid, values, 0).astype(np.float64),
            valid,
            lattice.astype(np.float64),
            known,
            oversampling=m,
            pad=pad,
            origin_yx=(window.row, window.col),
        )


def _scene_side(scene: Scene) -> Side:
    """Return the scene without its collar: flat ground of the colour of a corner, tagged or not."""
    colours = corner_colours(scene)

    def read(window: Window) -> tuple[Pixels, Mask]:
        values, valid = scene.read(window)
        for colour in colours:
            same = (values == colour[:, None, None]).all(axis=0)
            valid &= ~binary_opening(np.pad(same, 1, mode="edge"), np.ones((3, 3)))[1:-1, 1:-1]
        return values, valid

    return Side(scene.grid, read, len(VISIBLE), len(VISIBLE))


def _sees_infrared_alone(cube: Cube) -> bool:
    """Whether a cube measures near infrared, and neither red nor green nor blue."""
    visible = resampling_matrix(cube.bands, VISIBLE, cube.bad)[1]
    low, high = np.array([-0.5, 0.5]) * INFRARED.fwhm_nm[0] + INFRARED.wavelengths_nm[0]
    inside = [i for i in cube.bands.between(low, high) if not cube.bad[i]]
    return bool(inside) and bool((visible < MEASURED).all())


def _cube_side(cube: Cube, bands: Bands) -> Side:
    """Return a cube as it would see other bands."""
    matrix, _ = resampling_matrix(cube.bands, bands, cube.bad)
    used = np.flatnonzero(np.abs(matrix).max(axis=0) > 1e-6)
    weights = matrix[:, used].astype(np.float32)
    return _mixed(
        Side(cube.grid, lambda w: cube.read(w, used.tolist()), len(used), len(used)), weights
    )


def _mixed(side: Side, weights: F32) -> Side:
    """Return a side whose channels are mixes of another's: channels x channels of the other."""

    def read(window: Window) -> tuple[F32, Mask]:
        values, valid = side.read(window)
        flat = values.reshape(side.channels, -1).astype(np.float32, copy=False)
        return (weights @ flat).reshape(-1, *window.shape_yx), valid

    return Side(side.grid, read, len(weights), side.per_pixel + len(weights))


def _overlap(coarse: Side, fine: Side, names: str) -> Window:
    try:
        window = coarse.grid.intersection(fine.grid)
    except ValueError as error:
        raise MismatchError(
            f"{names}: one has a CRS and the other has none; give the cube's with --hsi-crs"
        ) from error
    except MismatchError as error:
        raise MismatchError(f"{names} do not fit together: {error}") from error
    if window is None:
        raise MismatchError(
            f"{names} do not overlap; check their CRSs, or give the cube's with --hsi-crs and "
            "--hsi-origin"
        )
    return window


def _windows(overlap: Window, per_axis: int) -> list[Window]:
    if max(overlap.shape_yx) <= _SINGLE_VIEW:
        return [overlap]
    rows, cols = (_starts(size, per_axis) for size in overlap.shape_yx)
    edge_y, edge_x = (min(_VIEW, size) for size in overlap.shape_yx)
    return [
        Window(overlap.row + row, overlap.col + col, edge_y, edge_x) for row in rows for col in cols
    ]


def _starts(size: int, most: int) -> list[int]:
    """First pixels of views that are spread evenly from end to end."""
    room = size - _VIEW
    if room <= 0:
        return [0]
    count = min(math.ceil(size / _VIEW), most)
    return [round(room * i / (count - 1)) for i in range(count)]
