"""Sharpness: the reference's gradients in the output, and contrast on its flat and strong parts."""

import math
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from specgan_cli.evaluation.image_pair import Tile
from specgan_cli.evaluation.metrics.colour import lab, window_valid
from specgan_cli.evaluation.metrics.reference_ratio import ReferenceRatio
from specgan_cli.types import F64, Mask


def gradients(image: F64, valid: Mask) -> tuple[F64, Mask]:
    """Return central differences of the inner pixels of C x H x W, file units per pixel.

    Returns:
        2 x C x (H - 2) x (W - 2), rows then columns, and the mask of the pixels whose four
        neighbours are valid.
    """
    down = (image[:, 2:, 1:-1] - image[:, :-2, 1:-1]) / 2
    right = (image[:, 1:-1, 2:] - image[:, 1:-1, :-2]) / 2
    known = valid[2:, 1:-1] & valid[:-2, 1:-1] & valid[1:-1, 2:] & valid[1:-1, :-2]
    return np.stack([down, right]), known


@dataclass
class Edges:
    """Edge transfer and edge strength, both dimensionless, 1 for the reference.

    Transfer is the slope of the output's gradient on the reference's, sum(g_sr . g) / sum(g . g):
    strong edges weigh most, and an edge in the wrong place adds nothing.  Strength is the root of
    sum(g_sr . g_sr) / sum(g . g), wherever the edges are.
    """

    cross: float = 0.0
    """Sum of the products of the two gradients."""
    sr: float = 0.0
    """Sum of the output's squared gradients."""
    reference: float = 0.0
    """Sum of the reference's squared gradients."""

    def update(self, tile: Tile) -> None:
        """Add the core's pixels that have neighbours on all four sides."""
        output, valid = gradients(tile.hr_sr, tile.hr_valid)
        reference, _ = gradients(tile.hr_reference, tile.hr_valid)
        core = tuple(slice(max(part.start - 1, 0), max(part.stop - 1, 0)) for part in tile.core)
        keep = valid[core]
        first = output[:, :, *core][:, :, keep]
        second = reference[:, :, *core][:, :, keep]
        self.cross += float((first * second).sum())
        self.sr += float((first**2).sum())
        self.reference += float((second**2).sum())

    def merge(self, other: "Edges") -> None:
        """Add what another accumulator has seen."""
        self.cross += other.cross
        self.sr += other.sr
        self.reference += other.reference

    def results(self) -> dict[str, float]:
        """Return both measures; NaN where the reference is flat."""
        if self.reference == 0:
            return {"edge_transfer": math.nan, "edge_strength": math.nan}
        return {
            "edge_transfer": self.cross / self.reference,
            "edge_strength": math.sqrt(self.sr / self.reference),
        }


WINDOW = 7
"""Pixels: side of the window of the local standard deviation."""

FLAT, STRONG = 0.25, 0.9
"""Quantiles of the reference's local standard deviation: flattest quarter, strongest tenth."""


def local_spread(image: F64, low: float, high: float) -> F64:
    """Return the standard deviation of L* (0..100) in windows of 7 x 7 around every pixel.

    Args:
        image: C x H x W in file units.
        low: File value of black.
        high: File value of white.
    """
    lightness = lab(image, low, high)[0]
    mean = ndimage.uniform_filter(lightness, WINDOW)
    square = ndimage.uniform_filter(lightness**2, WINDOW)
    return np.asarray(np.sqrt(np.maximum(square - mean**2, 0.0)))


@dataclass
class LocalContrast:
    """Mean local standard deviation of L* where the reference is flat, and where it is strong.

    Both places are found in the reference, tile by tile: `flat_roughness` is what a smooth field
    has of gravel, `edge_contrast` what a roof's border has of sharpness.
    """

    low: float
    """File value of black."""
    high: float
    """File value of white."""
    flat: ReferenceRatio = field(default_factory=lambda: ReferenceRatio("flat_roughness"))
    """On the flattest quarter."""
    strong: ReferenceRatio = field(default_factory=lambda: ReferenceRatio("edge_contrast"))
    """On the strongest tenth."""

    def update(self, tile: Tile) -> None:
        """Add the pixels of a tile's core whose windows are valid."""
        keep = window_valid(tile.hr_valid, WINDOW)[tile.core]
        if not keep.any():
            return
        sr = local_spread(tile.hr_sr, self.low, self.high)[tile.core][keep]
        reference = tile.of_reference("spread", lambda a, _: local_spread(a, self.low, self.high))
        own = reference[tile.core][keep]
        flat, strong = np.quantile(own, [FLAT, STRONG])
        for part, chosen in ((self.flat, own <= flat), (self.strong, own >= strong)):
            count = int(chosen.sum())
            part.add((float(sr[chosen].sum()), count), (float(own[chosen].sum()), count))

    def merge(self, other: "LocalContrast") -> None:
        """Add what another accumulator has seen."""
        self.flat.merge(other.flat)
        self.strong.merge(other.strong)

    def results(self) -> dict[str, float]:
        """Return both, the reference's and the ratios."""
        return self.flat.results() | self.strong.results()
