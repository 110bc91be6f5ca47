"""Bootstrap confidence intervals of means over chips, resampled by groups of neighbours."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Interval:
    """A mean over chips with its confidence interval."""

    mean: float
    """Mean over the chips that have a value."""
    low: float
    """Lower end; NaN with fewer than two groups."""
    high: float
    """Upper end."""
    count: int
    """Chips that have a value."""
    groups: int
    """Independent groups among them."""

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.low > 0 or self.high < 0

    def to_json(self) -> dict[str, float | int]:
        """Return a mapping of plain numbers."""
        return {
            "mean": self.mean,
            "low": self.low,
            "high": self.high,
            "count": self.count,
            "groups": self.groups,
        }


def mean_interval(
    values: ArrayLike,
    groups: Sequence[Hashable] | None = None,
    weights: ArrayLike | None = None,
    *,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Interval:
    """Return the mean over chips and its percentile bootstrap interval (Efron 1979).

    With weights it is the sum of the values over the sum of the weights: of two measures of the
    same chips, the ratio of their means.

    Whole groups are drawn with replacement, because chips of one place are not independent.

    Args:
        values: One number a chip; NaN for chips without one, which are left out.
        groups: The group of every chip; every chip its own when None.
        weights: One number a chip, NaN for chips to leave out; 1 when None.
        level: Share of the draws inside the interval.
        draws: Resamples.
        seed: Of the draws: the same data give the same interval.
    """
    data = np.asarray(values, np.float64)
    shares = np.ones_like(data) if weights is None else np.asarray(weights, np.float64)
    known = ~np.isnan(data) & ~np.isnan(shares)
    data, shares = data[known], shares[known]
    if not shares.any():
        return Interval(np.nan, np.nan, np.nan, 0, 0)
    names = range(known.size) if groups is None else groups
    kept = [name for name, keep in zip(names, known, strict=True) if keep]
    order = {name: place for place, name in enumerate(dict.fromkeys(kept))}
    place = np.array([order[name] for name in kept])
    mean = float(data.sum() / shares.sum())
    if len(order) < 2:
        return Interval(mean, np.nan, np.nan, data.size, len(order))
    if not np.isfinite(data).all():
        return Interval(mean, np.nan, np.nan, data.size, len(order))
    sums = np.bincount(place, data)
    totals = np.bincount(place, shares)
    picks = np.random.default_rng(seed).integers(0, len(order), (draws, len(order)))
    drawn = totals[picks].sum(1)
    means = sums[picks].sum(1)[drawn > 0] / drawn[drawn > 0]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high), data.size, len(order))
