"""What a file says of its cube, and what every reader of cubes offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from specgan.bands import Bands
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.types import Mask

__all__ = ["CubeLayout", "CubeStore"]


@dataclass(frozen=True)
class CubeLayout:
    """What a file says of its cube, before any option replaces it."""

    grid: Grid
    """Where the pixels lie; the CRS may be missing."""
    count: int
    """Number of bands that measure light."""
    bad: tuple[bool, ...]
    """Those of them that the file marks as bad, in its own order."""
    gains: tuple[float, ...] | None
    """Reflectance of one stored unit, per band, or None when the file does not say."""
    offsets: tuple[float, ...] | None
    """Reflectance of a stored zero, per band, or None for zero."""
    nodata: tuple[float | None, ...]
    """Stored value of each band that means nothing, or None where the file declares none."""
    dtype: str
    """Stored data type."""
    numbers: tuple[int, ...] = ()
    """The file's own 1-based number of each band, where it holds others too, such as alpha."""


class CubeStore(Protocol):
    """A file that holds a cube."""

    layout: CubeLayout
    """What the file says."""

    def find_bands(self) -> Bands:
        """The bands that the file's metadata describes."""
        ...

    def read(self, window: Window, indices: Sequence[int]) -> NDArray[Any]:
        """Stored values of a window inside the grid: bands x height x width."""
        ...

    def mask(self, window: Window) -> Mask | None:
        """Where the file's masks and alpha say that pixels are measured; None for everywhere."""
        ...

    def close(self) -> None:
        """Give the file back."""
        ...
