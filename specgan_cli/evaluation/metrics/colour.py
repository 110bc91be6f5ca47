"""Colour: how it varies inside LR pixels, and single pixels that stand out by it."""

import math
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from specgan_cli.evaluation.image_pair import Tile
from specgan_cli.evaluation.metrics.reference_ratio import ReferenceRatio
from specgan_cli.measures import block_means
from specgan_cli.types import F64, Mask


def colour_spread(image: F64, valid: Mask, factor: int) -> tuple[F64, Mask]:
    """Return the standard deviation of green minus red inside every LR pixel.

    Args:
        image: C x H x W, red and green first, C at least 2.
        valid: H x W.
        factor: HR pixels along an LR pixel's side.

    Returns:
        h x w in the image's units, and the mask of the whole and valid LR pixels.
    """
    difference = (image[1] - image[0])[None]
    mean, known = block_means(difference, valid, factor)
    square, _ = block_means(difference**2, valid, factor)
    return np.asarray(np.sqrt(np.maximum(square - mean**2, 0))[0]), known


@dataclass
class ColourSpread:
    """Mean absolute difference of the colour spread inside LR pixels, file units.

    The input fixes the mean colour of an LR pixel; how much green minus red varies inside it is
    what a hyperspectral cube tells beyond that.
    """

    error: float = 0.0
    """Sum of absolute differences."""
    count: int = 0
    """Valid LR pixels."""

    def update(self, tile: Tile) -> None:
        """Add the LR pixels below a tile's core; images of one band have no colour."""
        if tile.hr_sr.shape[0] < 2 or tile.scale < 2:
            return
        output, known = colour_spread(tile.core_sr, tile.core_valid, tile.scale)
        reference, _ = colour_spread(tile.core_reference, tile.core_valid, tile.scale)
        self.error += float(np.abs(output - reference)[known].sum())
        self.count += int(known.sum())

    def merge(self, other: "ColourSpread") -> None:
        """Add what another accumulator has seen."""
        self.error += other.error
        self.count += other.count

    def results(self) -> dict[str, float]:
        """Return the measure; NaN where no whole LR pixel is valid."""
        return {"colour_spread": self.error / self.count if self.count else math.nan}


SPECK = 8.0
"""Distance in the a*b* plane from the median around it that makes a pixel a speck."""

SPECK_WINDOW = 5
"""Pixels: side of the median's window."""

_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
"""Linear sRGB to XYZ (ITU-R BT.709 primaries, D65)."""

_WHITE = np.array([0.95047, 1.0, 1.08883])


def lab(image: F64, low: float, high: float) -> F64:
    """Return CIELAB (D65, 2 degrees) of an image taken as sRGB.

    Args:
        image: C x H x W in file units; with fewer than three bands, the first is grey.
        low: File value of black.
        high: File value of white.

    Returns:
        3 x H x W: L* 0..100, a* and b* about -100..100.
    """
    rgb = image[:3] if image.shape[0] >= 3 else image[[0, 0, 0]]
    coded = np.clip((rgb - low) / (high - low), 0, 1)
    linear = np.where(coded > 0.04045, ((coded + 0.055) / 1.055) ** 2.4, coded / 12.92)
    xyz = np.einsum("ij,jhw->ihw", _XYZ / _WHITE[:, None], linear)
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = root
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def speck_map(image: F64, low: float, high: float) -> Mask:
    """Return the pixels of a C x H x W image whose a*b* lies over `SPECK` from its 5 x 5 median."""
    plane = lab(image, low, high)[1:]
    middle = np.stack([ndimage.median_filter(part, SPECK_WINDOW) for part in plane])
    return np.asarray(np.hypot(*(plane - middle)) > SPECK)


@dataclass
class Specks:
    """Share of pixels that stand out by their colour; windows hold valid pixels only."""

    low: float
    """File value of black."""
    high: float
    """File value of white."""
    share: ReferenceRatio = field(default_factory=lambda: ReferenceRatio("specks"))
    """Specks, of all pixels."""

    def update(self, tile: Tile) -> None:
        """Add the core of a tile; images of one band have no colour."""
        if tile.hr_sr.shape[0] < 3:
            return
        keep = window_valid(tile.hr_valid, SPECK_WINDOW)[tile.core]
        found = (
            speck_map(tile.hr_sr, self.low, self.high),
            tile.of_reference("specks", lambda a, _: speck_map(a, self.low, self.high)),
        )
        sr, reference = (
            (float((specks[tile.core] & keep).sum()), int(keep.sum())) for specks in found
        )
        self.share.add(sr, reference)

    def merge(self, other: "Specks") -> None:
        """Add what another accumulator has seen."""
        self.share.merge(other.share)

    def results(self) -> dict[str, float]:
        """Return the share, the reference's and their ratio."""
        return self.share.results()


def window_valid(valid: Mask, side: int) -> Mask:
    """Return the pixels around which a window of side x side holds valid pixels only."""
    return np.asarray(ndimage.minimum_filter(valid, side))
