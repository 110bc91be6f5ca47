"""Grids, seams and lattices: steps between neighbours by their place in a regular grid."""

import math
from dataclasses import dataclass, field

import numpy as np

from specgan_cli.evaluation.image_pair import Tile
from specgan_cli.evaluation.metrics.reference_ratio import beside
from specgan_cli.types import F64, Mask


@dataclass
class Steps:
    """Mean absolute steps between neighbours by their place in the cell of a regular grid."""

    period: int
    """Pixels along a cell; position 0 is the step across the line between two cells."""
    sums: F64 = field(default_factory=lambda: np.zeros((2, 0)))
    """2 x period: sum of the steps down and to the right, by position."""
    counts: F64 = field(default_factory=lambda: np.zeros((2, 0)))
    """2 x period: number of steps (times bands)."""

    def __post_init__(self) -> None:
        if not self.sums.size:
            self.sums, self.counts = np.zeros((2, self.period)), np.zeros((2, self.period))

    def add(
        self,
        image: F64,
        valid: Mask,
        core: tuple[slice, slice] | None = None,
        origin_yx: tuple[int, int] = (0, 0),
    ) -> None:
        """Add the steps that lead into the pixels of the core from above and from the left.

        Args:
            image: C x H x W.
            valid: H x W.
            core: Rows and columns that count; all when None.
            origin_yx: Row and column of the array's first pixel on the whole image's grid.
        """
        rows, cols = core or (slice(0, image.shape[1]), slice(0, image.shape[2]))
        self._add(0, image[:, :, cols], valid[:, cols], rows, origin_yx[0])
        turned = image.transpose(0, 2, 1)[:, :, rows], valid.T[:, rows]
        self._add(1, *turned, cols, origin_yx[1])

    def _add(self, axis: int, image: F64, valid: Mask, rows: slice, origin: int) -> None:
        targets = np.arange(max(rows.start, 1), rows.stop)
        known = valid[targets] & valid[targets - 1]
        steps = np.abs(image[:, targets] - image[:, targets - 1]).sum(0)
        position = (targets + origin) % self.period
        sums, counts = np.where(known, steps, 0).sum(1), known.sum(1) * image.shape[0]
        self.sums[axis] += np.bincount(position, sums, self.period)
        self.counts[axis] += np.bincount(position, counts, self.period)

    def merge(self, other: "Steps") -> None:
        """Add what another accumulator has seen."""
        self.sums, self.counts = self.sums + other.sums, self.counts + other.counts

    def ratio(self) -> float:
        """Return the mean step across lines over the mean of all others, both axes together.

        About 1 for an image that knows nothing of the grid; NaN where it is flat or has no line.
        """
        across, across_count = self.sums[:, 0].sum(), self.counts[:, 0].sum()
        inside, inside_count = self.sums[:, 1:].sum(), self.counts[:, 1:].sum()
        if not across_count or not inside_count:
            return math.nan
        if inside == 0:
            return math.inf if across > 0 else math.nan
        return float((across / across_count) / (inside / inside_count))

    def lattice(self) -> float:
        """Return the largest mean step of a position over the mean of all positions.

        The larger of the two axes; 1 where the position does not matter, `period` for repeated
        pixels, NaN where the image is flat or has under one cell.  Over few pixels it exceeds 1 by
        chance: read it beside the reference's.
        """
        if self.period < 2 or not self.counts.all() or not self.sums.any(1).all():
            return math.nan
        means = self.sums / self.counts
        return float((means.max(1) / means.mean(1)).max())


@dataclass
class Seams:
    """Step ratios of output and reference at the pixel doubling grid and at the LR pixels' edges.

    `grid_step` (period 2) shows a printed 2 x 2 pattern, `seam` (period = scale) the LR grid or
    tiles, `lattice` any place in the LR cell; each beside the same figure of the reference.
    """

    scale: int
    """Period of the seam index, HR pixels."""
    sums: dict[str, Steps] = field(default_factory=dict)
    """The four sums by the names of the results."""

    def __post_init__(self) -> None:
        for name, period in (("grid_step", 2), ("seam", self.scale)):
            self.sums.setdefault(name, Steps(period))
            self.sums.setdefault(f"{name}_reference", Steps(period))

    def update(self, tile: Tile) -> None:
        """Add the core of a tile."""
        for name, steps in self.sums.items():
            image = tile.hr_reference if name.endswith("_reference") else tile.hr_sr
            steps.add(image, tile.hr_valid, tile.core, tile.origin_yx)

    def merge(self, other: "Seams") -> None:
        """Add what another accumulator has seen."""
        for name, steps in self.sums.items():
            steps.merge(other.sums[name])

    def results(self) -> dict[str, float]:
        """Return the ratios, and the lattice with its own."""
        found = {name: steps.ratio() for name, steps in self.sums.items()}
        sr, reference = (self.sums[name].lattice() for name in ("seam", "seam_reference"))
        return found | beside("lattice", sr, reference)
