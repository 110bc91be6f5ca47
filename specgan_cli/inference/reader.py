"""Tiles: what is read for one, how it is read, and what is made of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from specgan_cli.raster.area import Area
from specgan_cli.raster.grid import Window
from specgan_cli.raster.radiometry import (
    FILL_RADIUS,
    FLOOR_REACH,
    Floor,
    Radiometry,
    fill_invalid,
)
from specgan_cli.raster.scene import Scene
from specgan_cli.types import F32, F64, Mask, Pixels

if TYPE_CHECKING:
    from specgan_cli.inference.guide import Guide


MARGIN = 4
"""LR pixels around a tile that its further bands depend on."""


@dataclass(frozen=True)
class FurtherInput:
    """What a tile's further bands are computed from."""

    lr_values: Pixels
    """(3 + bands) x (H + 2 MARGIN) x (W + 2 MARGIN) in file units, red, green and blue first; none
    missing."""

    lr_valid: Mask
    """(H + 2 MARGIN) x (W + 2 MARGIN): True where the scene has data."""


@dataclass(frozen=True)
class TileInput:
    """One tile as the network needs it, with `halo` extra LR pixels on every side."""

    window: Window
    """The tile on the scene's LR grid, without halo; row and column are absolute."""

    lr_unit: F32
    """3 x (H + 2 halo) x (W + 2 halo) in [-1, 1]; invalid pixels are filled, none is NaN."""

    lr_values: Pixels
    """3 x H x W in file units, without halo; invalid pixels are filled, none is NaN."""

    lr_valid: Mask
    """H x W: True where the scene has data."""

    lr_floor: F64 | None = None
    """(3 + further bands) x H x W in file units: the lowest value in each pixel's block; None for
    no bound."""

    further: FurtherInput | None = None
    """The scene's further bands, if any are asked for."""

    hsi: tuple[F32, ...] = ()
    """Bands x 2^k (H + 2 halo) x 2^k (W + 2 halo) for k = 0, 1, ... as far as the cube resolves:
    standardised, 0 where unknown; empty without a cube."""

    hsi_mask: tuple[F32, ...] = ()
    """Of the same shapes, 1 where a band is known."""


@dataclass(frozen=True)
class TileResult:
    """One finished tile, ready to be written."""

    window: Window
    """The tile on the output grid."""

    values: Pixels
    """(3 + further bands) x sH x sW in the output's type; anything where there is no data."""

    valid: Mask
    """sH x sW: True where the output has data."""


@dataclass(frozen=True)
class TileReader:
    """Reads tiles of one scene; use it from one thread at a time."""

    scene: Scene
    """The open scene."""

    radiometry: Radiometry
    """How the scene's units become [-1, 1]."""

    guide: "Guide | None" = None
    """The cube, if there is one."""

    area: Area | None = None
    """Outside it results are missing; what is read around a tile is the scene's all the same."""

    floor: Floor | None = None
    """What no pixel goes below unless the scene does; None for no bound."""

    def read(self, window: Window, *, halo: int) -> TileInput:
        """Read one tile with its halo; what is invalid is filled from near valid pixels.

        Args:
            window: A window within the scene, without halo.
            halo: LR pixels of context on every side.

        Raises:
            RasterError: The scene or the cube is damaged there.
        """
        inside = self._inside(window)
        if not inside.any():
            return self._outside(window, halo)
        values, valid = self.scene.read_padded(window, halo + FILL_RADIUS)
        wide = fill_invalid(values, valid)
        filled = _inner(wide, FILL_RADIUS)
        unit = self.radiometry.to_unit(filled[:3]).clip(-1, 1)
        hsi, hsi_mask = self._guide(window.padded(halo)) if valid.any() else ((), ())
        return TileInput(
            window=window,
            lr_unit=unit,
            lr_values=_inner(filled[:3], halo),
            lr_valid=_inner(valid, halo + FILL_RADIUS) & inside,
            further=self._further(wide, valid, halo + FILL_RADIUS - MARGIN),
            lr_floor=self._floor(_inner(wide, halo + FILL_RADIUS - FLOOR_REACH)),
            hsi=hsi,
            hsi_mask=hsi_mask,
        )

    def _floor(self, lr_values: Pixels) -> F64 | None:
        return None if self.floor is None else self.floor.of_blocks(lr_values)

    def _further(self, wide: Pixels, valid: Mask, margin: int) -> FurtherInput | None:
        if not self.scene.further:
            return None
        return FurtherInput(_inner(wide, margin), _inner(valid, margin))

    def _inside(self, window: Window) -> Mask:
        if self.area is None:
            return np.ones(window.shape_yx, bool)
        return self.area.mask(self.scene.grid.window(window))

    def _outside(self, window: Window, halo: int) -> TileInput:
        """Return a tile without a valid pixel, of which nothing was read."""
        return TileInput(
            window=window,
            lr_unit=np.zeros((3, *window.padded(halo).shape_yx), np.float32),
            lr_values=np.zeros((3, *window.shape_yx), self.scene.dtype),
            lr_valid=np.zeros(window.shape_yx, bool),
        )

    def _guide(self, window: Window) -> tuple[tuple[F32, ...], tuple[F32, ...]]:
        if self.guide is None:
            return (), ()
        return self.guide.read(window)


def _inner(array: NDArray[Any], margin: int) -> NDArray[Any]:
    """Take `margin` pixels off every side of the last two axes."""
    return array[..., margin : array.shape[-2] - margin, margin : array.shape[-1] - margin]
