"""Statistics of the chips that train, by which networks scale what they take in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specgan.bands import CANONICAL_BANDS
from specgan_cli.datasets.building.build import ShardResult
from specgan_cli.datasets.building.source import Storage
from specgan_cli.datasets.manifest import ShardRecord, Statistics
from specgan_cli.datasets.shards import read_shard
from specgan_cli.datasets.statistics import statistics, sum_totals
from specgan_cli.raster.radiometry import PERCENTILES, WIDENING


def training_statistics(
    partial: Path, results: Sequence[ShardResult], storage: Storage
) -> Statistics:
    """Return the statistics of the chips that train.

    Args:
        partial: Temporary folder of the dataset, with all shards.
        results: What became of each shard.
        storage: How RGB values are stored.
    """
    training = [each for each in results if each.shard is not None and each.shard.split == "train"]
    low, high = 0.0, float(np.iinfo(storage.dtype).max)
    if storage.dtype == "uint16":
        shards = [each.shard for each in training if each.shard is not None]
        low, high = storage.source_range or robust_range(partial, shards)
    return statistics(
        sum_totals((each.totals["rgb"] for each in training), 3),
        sum_totals(
            (each.totals["hsi"] for each in training if "hsi" in each.totals), len(CANONICAL_BANDS)
        ),
        low,
        high,
    )


def robust_range(partial: Path, shards: Sequence[ShardRecord]) -> tuple[float, float]:
    """Find the range of 16-bit values: robust percentiles of all valid pixels, widened.

    The histogram is exact, so the range does not depend on the order of the shards.
    """
    histogram = np.zeros(65536, np.int64)
    for shard in shards:
        arrays = read_shard(partial, shard)
        for rgb, mask in zip(arrays["rgb"], arrays["mask"], strict=True):
            chosen: NDArray[Any] = rgb[:, mask != 0]
            histogram += np.bincount(chosen.reshape(-1), minlength=65536)
    if not histogram.any():
        return 0.0, 65535.0
    ranks = histogram.sum() * np.asarray(PERCENTILES) / 100.0
    low, high = (float(value) for value in np.searchsorted(histogram.cumsum(), ranks))
    wider = WIDENING * (high - low)
    return max(0.0, low - wider), min(65535.0, max(high + wider, low + 1.0))
