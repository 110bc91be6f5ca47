"""A mean over pixels of one image, beside the same of the reference, and their ratio."""

import math
from dataclasses import dataclass

Share = tuple[float, int]
"""Sum and number of pixels: a mean that merges."""


@dataclass
class ReferenceRatio:
    """What an image shows by itself: its value, the reference's, and the ratio of the two."""

    name: str
    """Name of the measure."""
    sr: Share = (0.0, 0)
    """Of the output."""
    reference: Share = (0.0, 0)
    """Of the reference."""

    def add(self, sr: Share, reference: Share) -> None:
        """Add the sums of a tile."""
        self.sr = (self.sr[0] + sr[0], self.sr[1] + sr[1])
        self.reference = (self.reference[0] + reference[0], self.reference[1] + reference[1])

    def merge(self, other: "ReferenceRatio") -> None:
        """Add what another accumulator has seen."""
        self.add(other.sr, other.reference)

    def results(self) -> dict[str, float]:
        """Return the three figures; NaN where there are no pixels, or the reference has 0."""
        sr, reference = (
            total / count if count else math.nan for total, count in (self.sr, self.reference)
        )
        return beside(self.name, sr, reference)


def beside(name: str, sr: float, reference: float) -> dict[str, float]:
    """Name a value, the reference's and their ratio; the ratio is NaN where that is 0."""
    ratio = sr / reference if reference else math.nan
    return {name: sr, f"{name}_reference": reference, f"{name}_ratio": ratio}
