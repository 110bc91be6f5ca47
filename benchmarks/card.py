"""The tables of a model card, from what `specgan evaluate` measured.

    for x in 4 8 32; do
        specgan evaluate DATASET --split val -x $x --json \
            --weights specgan-scene --weights specgan-scene-means \
            --perceptual vgg_shift_tolerant.pth --aerial v3.npz > x$x.json
    done
    python benchmarks/card.py x4.json x8.json x32.json

One row a report, ground (or class) and method; interpolations stand once a factor.  Means over
chips with 95 % bootstrap intervals over groups of neighbours.  Distances are shares of bicubic's;
structure is the output's mean over the truth's.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from specgan_cli.evaluation.baselines import BASELINES
from specgan_cli.evaluation.bootstrap import Interval, mean_interval

JUDGES = ("perceptual", "aerial")
STRUCTURE = ("line_share", "flat_roughness", "edge_contrast", "specks")
LATTICE = ("lattice", "grid_step")

Chips = dict[str, dict[str, Any]]
"""Figures of each chip, by its name."""


def main() -> None:
    """Print a table of measures, then how often plain repetition is nearer to the truth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reports", nargs="+", type=Path, help="JSON of specgan evaluate")
    parser.add_argument("--by", choices=("set", "label"), default="set", help="ground, or class")
    parser.add_argument("--decimals", type=int, default=2)
    options = parser.parse_args()
    names = ("PSNR over bicubic", *JUDGES, *STRUCTURE, *LATTICE)
    print("| factor | ground | chips, groups | method | " + " | ".join(names) + " |")
    print("|---" * (4 + len(names)) + "|")
    seen: set[tuple[str, ...]] = set()
    worse = []
    for path in options.reports:
        report = json.loads(path.read_text("utf-8"))
        for ground in dict.fromkeys(chip[options.by] for chip in report["chips"]):
            there = [chip for chip in report["chips"] if chip[options.by] == ground]
            methods = by_method(there)
            for name, chips in methods.items():
                row = (f"x{report['scale']}", ground, name)
                if row in seen:
                    continue
                seen.add(row)
                print(line(row, chips, methods, options.decimals))
                if name not in BASELINES:
                    worse.append((*row, behind(chips, methods["nearest"])))
    print("\nChips on which nearest is nearer to the truth, by each judge:")
    for factor, ground, name, counts in worse:
        print(f"{factor} {ground} {name}: {counts}")


def by_method(chips: Sequence[dict[str, Any]]) -> dict[str, Chips]:
    """Sort figures by method and chip."""
    found: dict[str, Chips] = {}
    for chip in chips:
        found.setdefault(chip["method"], {})[chip["chip"]] = chip
    return found


def line(row: Sequence[str], chips: Chips, methods: dict[str, Chips], decimals: int) -> str:
    """Write a row of the table."""
    bicubic = methods["bicubic"]
    every = list(chips)
    groups = [chips[name]["group"] for name in every]
    factor, ground, method = row

    def values(of: Chips, name: str) -> list[float]:
        return [float("nan") if of[c].get(name) is None else float(of[c][name]) for c in every]

    gains = [a - b for a, b in zip(values(chips, "psnr"), values(bicubic, "psnr"), strict=True)]
    found = [mean_interval(gains, groups)]
    found += [mean_interval(values(chips, n), groups, values(bicubic, n)) for n in JUDGES]
    for name in STRUCTURE:
        found.append(mean_interval(values(chips, name), groups, values(chips, f"{name}_reference")))
    found += [mean_interval(values(chips, name), groups) for name in LATTICE]
    cells = " | ".join(cell(each, decimals) for each in found)
    counts = f"{len(every)}, {len(set(groups))}"
    return f"| {factor} | {ground} | {counts} | {method} | {cells} |"


def cell(interval: Interval, decimals: int) -> str:
    """Write a mean and its interval."""
    if not interval.count:
        return "-"
    mean, low, high = (f"{x:.{decimals}f}" for x in (interval.mean, interval.low, interval.high))
    return f"{mean} [{low}, {high}]" if interval.groups > 1 else mean


def behind(chips: Chips, nearest: Chips) -> str:
    """Count the chips on which pixel repetition is nearer to the truth."""
    told = []
    for judge in JUDGES:
        pairs = [(chips[c].get(judge), nearest[c].get(judge)) for c in chips]
        known = [(ours, theirs) for ours, theirs in pairs if None not in (ours, theirs)]
        told.append(f"{judge} {sum(ours > theirs for ours, theirs in known)} of {len(known)}")
    return ", ".join(told)


if __name__ == "__main__":
    main()
