"""Whether the alignment tells a plot's own cube from those of other plots.

    python benchmarks/alignment_pairs.py --data FOLDER

FOLDER holds `neon_pairs`: real NEON plots (0.1 m), each with its own cube (1 m).
"""

from __future__ import annotations

import argparse
import csv
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np

from specgan_cli.alignment.estimate import align
from specgan_cli.alignment.options import AlignOptions
from specgan_cli.cubes.cube import Cube
from specgan_cli.cubes.options import CubeOptions
from specgan_cli.errors import MismatchError
from specgan_cli.raster.scene import Scene
from specgan_cli.resampling.model import Alignment

LIMITS = (0.9, 0.99, 0.999, 0.9999)
"""Thresholds of reliability that are compared."""


def reliability(root: Path) -> None:
    """Print how often plots and cubes that belong together are accepted, and others refused.

    Nothing is fitted to these pairs but the threshold, which is left to each group in turn: the
    least of `LIMITS` that refuses 97 % of the swaps of all other groups.
    """
    with open(root / "pairs.csv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    rng = np.random.default_rng(1)
    own = [(row, _real(root, row, row)) for row in rows]
    swapped = [
        (row, other, _real(root, row, other)) for row in rows for other in _others(row, rows, rng)
    ]
    for limit in LIMITS:
        print(_reliability_line(limit, own, swapped))
    held = [
        (a.reliability >= _chosen_threshold(row["spatial_group"], swapped))
        for row, a in own
        if row["usable"] == "1"
    ]
    kept = [
        a.reliability < _chosen_threshold(row["spatial_group"], swapped) for row, _, a in swapped
    ]
    print(
        f"threshold left to the other groups: accepted {np.mean(held):.3f} of usable pairs, "
        f"refused {np.mean(kept):.3f} of swaps"
    )
    print("\npairs that the list calls unusable:")
    for row, a in own:
        if row["usable"] == "0":
            print(
                f"  {row['name']:10} reliability {a.reliability:.4f}, correlation "
                f"{a.correlation_before:.3f} -> {a.correlation:.3f}, "
                f"shift {math.hypot(*a.shift_xy):.2f} m"
            )
    gains = [a.correlation - a.correlation_before for row, a in own if a.reliability >= 0.999]
    print(
        f"accepted shifts raise the correlation: {np.mean(np.asarray(gains) > 0):.3f} of them, "
        f"by {np.median(gains):.3f} in the median"
    )


def _others(row: dict[str, str], rows: list[dict[str, str]], rng: Any) -> list[dict[str, str]]:
    """Eight plots of the same site and three of the other, of other groups."""
    same = [
        r for r in rows if r["site"] == row["site"] and r["spatial_group"] != row["spatial_group"]
    ]
    far = [r for r in rows if r["site"] != row["site"]]
    return [*rng.choice(same, 8, replace=False), *rng.choice(far, 3, replace=False)]


def _chosen_threshold(group: str, swapped: list[Any]) -> float:
    figures = np.array([a.reliability for row, _, a in swapped if row["spatial_group"] != group])
    return next((limit for limit in LIMITS if np.mean(figures < limit) >= 0.97), LIMITS[-1])


def _reliability_line(limit: float, own: list[Any], swapped: list[Any]) -> str:
    usable = np.array([a.reliability >= limit for row, a in own if row["usable"] == "1"])
    unusable = np.array([a.reliability >= limit for row, a in own if row["usable"] == "0"])
    refused = np.array([a.reliability < limit for *_, a in swapped])
    return (
        f"threshold {limit}: accepted {usable.mean():.3f} of {usable.size} usable pairs and "
        f"{unusable.mean():.3f} of {unusable.size} others, refused {refused.mean():.3f} of "
        f"{refused.size} swaps"
    )


def _real(root: Path, row: dict[str, str], other: dict[str, str]) -> Alignment:
    with (
        Scene.open(root / "rgb" / f"{row['name']}.tif") as scene,
        Cube.open(
            root / "hsi" / f"{other['name']}.tif",
            CubeOptions(
                root / "wavelengths_369_nm.csv",
                scale=10000,
                crs=row["crs"],
                origin=(float(row["left"]), float(row["top"])),
            ),
        ) as cube,
    ):
        try:
            return align(scene, cube, AlignOptions(local=False, threshold=0.0))
        except MismatchError:
            return Alignment()


def main() -> None:
    """Align every pair, and pairs that do not belong together."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    reliability(arguments.data / "neon_pairs")


if __name__ == "__main__":
    main()
