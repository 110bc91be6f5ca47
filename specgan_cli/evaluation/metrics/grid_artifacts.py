"""Grids and seams: the step across the lines of a regular grid over the steps elsewhere."""

import math
from dataclasses import dataclass, field

import numpy as np

from specgan_cli.evaluation.image_pair import Tile
from specgan_cli.types import F64, Mask


@dataclass
class Steps:
    """Sums of absolute steps between neighbours, across grid lines and elsewhere.

    The ratio of the two means is 1 for an image that knows nothing of the grid.
    """

    period: int
    """Distance of the grid's lines, HR pixels; a line runs above each multiple of it."""
    across: float = 0.0
    """Sum over the steps that cross a line."""
    across_count: int = 0
    """Steps (times bands) that cross a line."""
    inside: float = 0.0
    """Sum over all other steps."""
    inside_count: int = 0
    """Steps (times bands) that cross no line."""

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
        self._add(image[:, :, cols], valid[:, cols], rows, origin_yx[0])
        turned = image.transpose(0, 2, 1)[:, :, rows], valid.T[:, rows]
        self._add(*turned, cols, origin_yx[1])

    def _add(self, image: F64, valid: Mask, rows: slice, origin: int) -> None:
        first = max(rows.start, 1)
        targets = np.arange(first, rows.stop)
        if not targets.size:
            return
        steps = np.abs(image[:, targets] - image[:, targets - 1])
        known = valid[targets] & valid[targets - 1]
        line = ((targets + origin) % self.period == 0)[:, None] & known
        other = known & ~line
        self.across += float(steps[:, line].sum())
        self.across_count += int(line.sum()) * image.shape[0]
        self.inside += float(steps[:, other].sum())
        self.inside_count += int(other.sum()) * image.shape[0]

    def merge(self, other: "Steps") -> None:
        """Add what another accumulator has seen."""
        self.across += other.across
        self.across_count += other.across_count
        self.inside += other.inside
        self.inside_count += other.inside_count

    def ratio(self) -> float:
        """Return the ratio of the two means; NaN where the image is flat or has no line."""
        if not self.across_count or not self.inside_count:
            return math.nan
        if self.inside == 0:
            return math.inf if self.across > 0 else math.nan
        return (self.across / self.across_count) / (self.inside / self.inside_count)


def grid_step_ratio(image: F64, valid: Mask | None = None, period: int = 2) -> float:
    """Return the step ratio of a whole C x H x W image, dimensionless; about 1 for real ones."""
    steps = Steps(period)
    steps.add(image, np.ones(image.shape[1:], bool) if valid is None else valid)
    return steps.ratio()


@dataclass
class Seams:
    """Step ratios of output and reference at the pixel doubling grid and at the LR pixels' edges.

    `grid_step` (period 2) shows a printed 2 x 2 pattern, `seam` (period = scale) the LR grid or
    tiles; each beside the same figure of the reference.
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
        """Return the four ratios."""
        return {name: steps.ratio() for name, steps in self.sums.items()}
