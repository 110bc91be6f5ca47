"""Sharpness at edges: how much of the reference's gradient the output has, and in place."""

import math
from dataclasses import dataclass

import numpy as np

from specgan_cli.evaluation.image_pair import Tile
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
