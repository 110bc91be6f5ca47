"""The piece of a comparison that every metric takes: output, reference, mask, input."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike

from specgan_cli.errors import ShapeError
from specgan_cli.types import F64, Mask

T = TypeVar("T")

OUTPUT = "output"
"""Name of a raster that is measured, among the methods of a report."""

HALO = 80
"""Pixels of context around a tile's core that the widest window (MS-SSIM, five scales) needs."""

ALIGNMENT = 16
"""Tile cores start at multiples of this, so that the halved scales of MS-SSIM agree."""


@dataclass(frozen=True)
class Units:
    """The units that images are measured in, and the factor between the grids."""

    low: float
    """File value of black."""
    high: float
    """File value of white."""
    scale: int
    """HR pixels along an LR pixel's side."""

    @property
    def data_range(self) -> float:
        """Difference between white and black."""
        return self.high - self.low


@dataclass(frozen=True)
class Tile:
    """One tile of an output beside its reference, both on the HR grid, in file units.

    A chip is a tile whose core is the whole image.
    """

    hr_sr: F64
    """Output, C x H x W, halo included."""
    hr_reference: F64
    """Reference, C x H x W, halo included."""
    hr_valid: Mask
    """H x W, true where both are measured."""
    core: tuple[slice, slice]
    """Rows and columns of the arrays that belong to this tile alone; the rest is context."""
    origin_yx: tuple[int, int] = (0, 0)
    """Row and column, on the whole image's HR grid, of the arrays' first pixel."""
    gsd: float = 1.0
    """HR pixel, metres."""
    scale: int = 1
    """Factor between the LR and the HR grid."""
    lr: F64 | None = None
    """Input below the core, C x h x w with h = ceil(core height / scale); None when not known."""
    lr_valid: Mask | None = None
    """h x w, true where the input is measured."""
    kept: dict[str, tuple[Mask, Any]] = field(default_factory=dict, compare=False, repr=False)
    """What was measured of the reference alone, shared by all tiles that have it."""

    def of_reference(self, name: str, measure: Callable[[F64, Mask], T]) -> T:
        """Measure the reference, or return what was measured before under this name.

        Args:
            name: Of the measure.
            measure: From the reference (C x H x W) and the mask (H x W) to anything.
        """
        valid, found = self.kept.get(name, (None, None))
        if valid is None or not np.array_equal(valid, self.hr_valid):
            found = measure(self.hr_reference, self.hr_valid)
            self.kept[name] = (self.hr_valid, found)
        return cast(T, found)

    @property
    def core_sr(self) -> F64:
        """The output without its halo, C x H x W."""
        return self.hr_sr[:, *self.core]

    @property
    def core_reference(self) -> F64:
        """The reference without its halo, C x H x W."""
        return self.hr_reference[:, *self.core]

    @property
    def core_valid(self) -> Mask:
        """The mask without its halo, H x W."""
        return self.hr_valid[self.core]


def whole(
    hr_sr: ArrayLike,
    hr_reference: ArrayLike,
    hr_valid: ArrayLike | None = None,
    *,
    lr: ArrayLike | None = None,
    lr_valid: ArrayLike | None = None,
    scale: int = 1,
    gsd: float = 1.0,
    kept: dict[str, tuple[Mask, Any]] | None = None,
) -> Tile:
    """Make one tile of a whole image.

    Args:
        hr_sr: Output, C x H x W, file units, any dtype.
        hr_reference: Reference of the same shape.
        hr_valid: H x W, true where measured; everywhere when None.
        lr: Input, C x h x w, or None.
        lr_valid: h x w, or None for everywhere.
        scale: Factor between the two grids.
        gsd: HR pixel, metres.
        kept: What was measured of this reference already; filled by the metrics.

    Returns:
        A tile whose non-finite pixels, in either image and in any band, are not valid and hold 0.

    Raises:
        ShapeError: The two images, or image and mask, differ in shape.
    """
    sr, reference = np.asarray(hr_sr, np.float64), np.asarray(hr_reference, np.float64)
    if sr.shape != reference.shape or sr.ndim != 3:
        raise ShapeError(
            f"the output has shape {sr.shape} and the reference {reference.shape}: "
            "give two images of C x H x W with the same bands and pixels"
        )
    (sr, reference), valid = _measured(hr_valid, sr, reference)
    coarse, coarse_valid = None, None
    if lr is not None:
        (coarse,), coarse_valid = _measured(lr_valid, np.asarray(lr, np.float64))
    return Tile(
        sr,
        reference,
        valid,
        (slice(0, sr.shape[1]), slice(0, sr.shape[2])),
        gsd=gsd,
        scale=scale,
        lr=coarse,
        lr_valid=coarse_valid,
        kept={} if kept is None else kept,
    )


def _measured(mask: ArrayLike | None, *images: F64) -> tuple[list[F64], Mask]:
    """Return images C x H x W with 0 where one of them is not finite or the mask is false."""
    shape_yx = images[0].shape[1:]
    valid = np.ones(shape_yx, bool) if mask is None else np.asarray(mask, bool)
    if valid.shape != shape_yx:
        raise ShapeError(f"the mask has shape {valid.shape}, the images {shape_yx}")
    for image in images:
        valid = valid & np.isfinite(image).all(0)
    return [np.where(valid, image, 0.0) for image in images], valid


def cut(image: Tile, size: int, halo: int = HALO) -> Iterator[Tile]:
    """Yield the tiles of a whole image, row by row, as a streaming reader would give them.

    Args:
        image: One tile that covers everything, from `whole`.
        size: Core height and width, HR pixels; a multiple of ALIGNMENT and of the scale.
        halo: Context on every side, HR pixels, cut off at the image's edges.

    Raises:
        ShapeError: `size` is not a multiple of ALIGNMENT and of the scale.
    """
    if size % ALIGNMENT or size % image.scale:
        raise ShapeError(f"tile {size}: give a multiple of {ALIGNMENT} and of {image.scale}")
    height, width = image.hr_valid.shape
    for row in range(0, height, size):
        for col in range(0, width, size):
            bottom, right = min(row + size, height), min(col + size, width)
            top, left = max(row - halo, 0), max(col - halo, 0)
            outer = (slice(top, bottom + halo), slice(left, right + halo))
            below = _below(row, bottom, image.scale), _below(col, right, image.scale)
            yield Tile(
                image.hr_sr[:, *outer],
                image.hr_reference[:, *outer],
                image.hr_valid[outer],
                (slice(row - top, bottom - top), slice(col - left, right - left)),
                (top, left),
                image.gsd,
                image.scale,
                None if image.lr is None else image.lr[:, *below],
                None if image.lr_valid is None else image.lr_valid[below],
            )


def _below(start: int, stop: int, scale: int) -> slice:
    return slice(start // scale, -(-stop // scale))
