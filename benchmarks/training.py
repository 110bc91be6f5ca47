#!/usr/bin/env python3
"""Measure training: steps per second, share of waiting for data, and peak memory.

    python benchmarks/training.py dataset/
    python benchmarks/training.py dataset/ --device cuda --pixels 2000000 --workers 8

Each stage of the default plan runs in a process of its own for a few steps, without validation.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from specgan_cli.training.config.schema import DEFAULT_STAGES


def main() -> None:
    """Print one line a stage, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", default="small", choices=["small", "base"])
    parser.add_argument("--perceptual", help="perceptual weights, as for `specgan train`")
    parser.add_argument("--pixels", type=int, help="output pixels a step, instead of the stage's")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=8, help="steps measured, after as many more")
    parser.add_argument("--stages", type=int, nargs="+", default=[1])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [measure(options, stage) for stage in options.stages]
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print("stage   pixels  steps/s  Mpx/s  waiting  peak MiB")
    for row in rows:
        print(
            f"{row['stage']:5}  {row['pixels']:7}  {row['steps_per_s']:7.3f}"
            f"  {row['mpx_per_s']:5.3f}"
            f"  {100 * row['waiting']:5.1f} %  {row['peak_mib']:8.0f}"
        )


def measure(options: argparse.Namespace, number: int) -> dict[str, float]:
    """Train one stage in a process of its own and read its metrics."""
    stage = DEFAULT_STAGES[number - 1]
    pixels = options.pixels or stage.pixels
    first = sum(earlier.steps for earlier in DEFAULT_STAGES[: number - 1])
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "specgan_cli", "train", str(options.dataset)]
        words += ["-o", f"{folder}/run", "--device", options.device, "--size", options.size]
        words += ["--max-steps", str(first + 2 * options.steps), "--set", "validation.every=0"]
        words += ["--set", f"start_stage={number}", "--set", f"log_every={options.steps}"]
        words += ["--set", f"stages.{number - 1}.pixels={pixels}"]
        words += ["--set", f"data.workers={options.workers}"]
        words += ["--perceptual", options.perceptual] if options.perceptual else []
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        lines = Path(folder, "run", "metrics.jsonl").read_text().splitlines()
    record = [json.loads(line) for line in lines if "steps_per_s" in line][-1]
    return {
        "stage": number,
        "pixels": pixels,
        "steps_per_s": record["steps_per_s"],
        "mpx_per_s": record["steps_per_s"] * pixels / 1e6,
        "waiting": record["waiting"],
        "peak_mib": record["peak_mib"],
    }


if __name__ == "__main__":
    main()
