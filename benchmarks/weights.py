"""Weights on held-out chips: the table of a model card, for each set and factor.

    python benchmarks/weights.py DATASET --weights FILE --perceptual vgg_shift_tolerant.pth

Each set (the first folder of the chips' sources) is reported apart: against bicubic of the same
input, with 95 % bootstrap intervals over groups of neighbouring chips.  The perceptual model must
not have been used in a training loss.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import torch

from specgan_cli.datasets.dataset import ChipRecord, Dataset
from specgan_cli.evaluation.bootstrap import Interval
from specgan_cli.evaluation.chips import read_chip, set_of
from specgan_cli.evaluation.image_pair import Units
from specgan_cli.evaluation.methods import (
    VARIANTS,
    Interpolation,
    Method,
    Network,
    Partners,
    ablation,
    label,
    load_network,
)
from specgan_cli.evaluation.metrics.catalogue import check_names
from specgan_cli.evaluation.perceptual.features import PerceptualModel
from specgan_cli.evaluation.perceptual.judges import Judges
from specgan_cli.evaluation.runner import Evaluation, run
from specgan_cli.evaluation.semantics import (
    Collector,
    cache_name,
    score,
    score_cubes,
    summaries,
    train_probe,
)
from specgan_cli.workflows.evaluate_dataset import unique

NAMES = (
    "psnr",
    "bias",
    "lr_psnr",
    "spectrum",
    "spectrum_pooled",
    "edge_transfer",
    "edge_strength",
    "grid_step",
    "seam",
    "seam_reference",
    "colour_spread",
    "perceptual",
    "aerial",
    "frechet_distance",
)
ABLATED = ("perceptual", "aerial", "colour_spread", "psnr", "spectrum")


def main() -> None:
    """Measure and print; --json writes everything that was measured as well."""
    options = parse()
    torch.set_num_threads(options.threads)
    dataset = Dataset.open(options.dataset)
    device = torch.device(options.device)
    statistics = dataset.statistics
    low, high = statistics.rgb_low, statistics.rgb_high
    judges = Judges.load(options.perceptual, options.aerial, low=low, high=high, device=device)
    records = choose(dataset, options)
    document: dict[str, Any] = {"dataset": str(options.dataset), "scales": {}}
    for scale in options.scale:
        started = time.monotonic()
        document["scales"][scale] = measure(dataset, records, scale, judges, device, options)
        say(f"x{scale}: {time.monotonic() - started:.0f} s")
        sys.stdout.flush()
        if options.json:
            options.json.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--weights", action="append", default=[], help="repeat to compare")
    parser.add_argument("--perceptual", type=Path, help="perceptual weights, not used in training")
    parser.add_argument("--aerial", type=Path, help="weights of the judge for aerial images")
    parser.add_argument("-x", "--scale", type=int, nargs="+", default=[32, 16, 8, 4])
    parser.add_argument("--split", nargs="+", default=["val", "test"])
    parser.add_argument("--limit", type=int, help="at most so many chips a set")
    parser.add_argument("--set", dest="sets", nargs="+", help="these sets alone")
    parser.add_argument("--fidelity", type=float, default=0.0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--probe", action="store_true", help="train the linear probes as well")
    parser.add_argument("--probe-limit", type=int, default=12, help="training chips a class")
    parser.add_argument("--probe-set", default="ucmerced", help="set whose labels are classes")
    parser.add_argument("--no-ablation", dest="ablation", action="store_false")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="probe features")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    return parser.parse_args()


def choose(dataset: Dataset, options: argparse.Namespace) -> list[ChipRecord]:
    """Return the held-out chips, thinned evenly to --limit a set."""
    by_set: dict[str, list[ChipRecord]] = {}
    for record in dataset.chips:
        name = set_of(record)
        if record.split in options.split and (not options.sets or name in options.sets):
            by_set.setdefault(name, []).append(record)
    chosen = []
    for members in by_set.values():
        count = min(options.limit or len(members), len(members))
        chosen += [members[k * len(members) // count] for k in range(count)]
    return chosen


def measure(
    dataset: Dataset,
    records: list[ChipRecord],
    scale: int,
    judges: Judges,
    device: torch.device,
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Measure every method at one factor, print the tables and return the figures."""
    statistics = dataset.statistics
    units = Units(statistics.rgb_low, statistics.rgb_high, scale)
    methods: list[Method] = [Interpolation("bicubic")]
    held = (chip for chip in dataset.chips if chip.split in options.split)
    partners = Partners(dataset, tuple(chip for chip in held if chip.hsi_kind != "none"))
    networks = [
        load_network(name, scale, dataset.bands, device, options.fidelity)
        for name in options.weights
    ]
    tags: list[str] = []
    for name in options.weights:
        tags.append(unique(label(name), tags))
    for tag, network in zip(tags, networks, strict=True):
        method = Network(tag, network, device)
        methods.append(method)
        if options.ablation:
            methods += ablation(method, partners)
    collector = Collector()
    chips = progress(dataset, records, scale)
    names = check_names(NAMES)
    result = run(chips, methods, names, units, judges=judges, observe=collector)
    model = judges.perceptual
    if model is not None and options.probe:
        add_probes(result, collector, dataset, scale, model, options)
        score_cubes(result, collector)
    return report(result, tags)


def progress(dataset: Dataset, records: list[ChipRecord], scale: int) -> Any:
    """Yield the chips, and say now and then how far it is."""
    for place, record in enumerate(records):
        if place % 25 == 0:
            say(f"x{scale}: chip {place} of {len(records)}")
        yield read_chip(dataset, record, scale)


def add_probes(
    result: Evaluation,
    collector: Collector,
    dataset: Dataset,
    scale: int,
    model: PerceptualModel,
    options: argparse.Namespace,
) -> None:
    """Train one probe on true chips and one on bicubic ones, and score all outputs with the first.

    The probe trained on bicubic images says what the input alone tells about the class.
    """
    by_class: dict[str, list[ChipRecord]] = {}
    for chip in dataset.split("train"):
        if set_of(chip) == options.probe_set and chip.label:
            by_class.setdefault(chip.label, []).append(chip)
    records = [chip for chips in by_class.values() for chip in chips[: options.probe_limit]]
    labels = [record.label for record in records]
    ids = [record.id for record in records]
    for kind, bicubic in (("probe_accuracy", False), ("bicubic_probe", True)):
        name = cache_name(options.dataset, ids, scale if bicubic else 1, str(model.backbone.name))
        say(f"x{scale}: features of {len(records)} training chips ({kind})")
        chips = (read_chip(dataset, record, scale) for record in records)
        features = summaries(chips, model, bicubic=bicubic, cache=options.cache / name)
        probe = train_probe(features, labels)
        if probe is not None:
            score(result, collector, {options.probe_set: probe}, kind)


def report(result: Evaluation, tags: list[str]) -> dict[str, Any]:
    """Print one table a set, and return its figures."""
    document: dict[str, Any] = {}
    shown = [name for name in result.methods if name in ("bicubic", *tags)]
    for set_ in result.sets:
        count = len(result.of("bicubic", set_))
        groups = len({row.group for row in result.of("bicubic", set_)})
        print(f"\n## {set_} x{result.units.scale}: {count} chips, {groups} groups\n")
        print("| measure | " + " | ".join(shown) + " |")
        print("|---" * (len(shown) + 1) + "|")
        figures: dict[str, Any] = {}
        for name in result.names:
            intervals = [result.mean(name, method, set_) for method in shown]
            print(f"| {name} | " + " | ".join(map(show, intervals)) + " |")
            figures[name] = {
                method: clean(interval.to_json())
                for method, interval in zip(shown, intervals, strict=True)
            }
        figures |= extras(result, set_, shown)
        for tag in tags:
            figures[f"{tag} against bicubic"] = against(result, tag, set_)
            figures[f"{tag} HSI ablation"] = ablated(result, tag, set_)
        document[set_] = figures
    return document


def extras(result: Evaluation, set_: str, shown: list[str]) -> dict[str, Any]:
    """Print colours, probes and octaves of a set, and return them."""
    found: dict[str, Any] = {}
    for method in shown:
        pool = result.pools[set_, method]
        if pool.suite.fidelity is not None:
            sums = pool.suite.fidelity
            bias = [float(value) for value in sums.signed / max(sums.count, 1)]
            found[f"colour {method}"] = bias
            print(f"\n{method}: mean difference per band " + ", ".join(f"{b:+.3f}" for b in bias))
        octaves = {
            factor: [steps.ratio(), pool.reference_steps[factor].ratio()]
            for factor, steps in pool.steps.items()
        }
        found[f"grid steps {method}"] = {
            k: [finite(v) for v in pair] for k, pair in octaves.items()
        }
        text = ", ".join(f"x{k} {a:.3f} (reference {b:.3f})" for k, (a, b) in octaves.items())
        print(f"{method}: grid-step ratio {text}")
    for (name, method, metric), value in result.extra.items():
        if name == set_:
            found[f"{metric} {method}"] = value
            print(f"{metric} of {method}: {value:.3f}")
    return found


def against(result: Evaluation, tag: str, set_: str) -> dict[str, Any]:
    """Print what the targets ask: changes against bicubic."""
    found: dict[str, Any] = {}
    for name in ("perceptual", "frechet_distance"):
        base = result.mean(name, "bicubic", set_).mean
        ours = result.mean(name, tag, set_).mean
        if base:
            found[f"{name} lower by"] = finite(1 - ours / base)
    found["psnr higher by"] = clean(result.difference("psnr", tag, "bicubic", set_).to_json())
    lower = ", ".join(
        f"{key} {value:.1%}" for key, value in found.items() if isinstance(value, float)
    )
    psnr = show(result.difference("psnr", tag, "bicubic", set_))
    print(f"\n{tag} against bicubic: {lower}, PSNR {psnr} dB")
    return found


def ablated(result: Evaluation, tag: str, set_: str) -> dict[str, Any]:
    """Print what changes without the cube, with another place's, and with three bands of it."""
    variants = [name for name in VARIANTS[1:] if result.of(f"{tag}, {name}", set_)]
    if not variants:
        return {}
    print(f"\n### {tag}: change of each figure when the cube is changed ({set_})\n")
    print("| measure | with HSI | " + " | ".join(variants) + " |")
    print("|---" * (len(variants) + 2) + "|")
    figures: dict[str, Any] = {}
    for name in ABLATED:
        base = result.mean(name, tag, set_)
        changes = {
            variant: result.difference(name, f"{tag}, {variant}", tag, set_) for variant in variants
        }
        print(f"| {name} | {show(base)} | " + " | ".join(map(show, changes.values())) + " |")
        figures[name] = {"with": clean(base.to_json())} | {
            variant: clean(change.to_json()) for variant, change in changes.items()
        }
    return figures


def show(interval: Interval) -> str:
    """Return a mean and its interval, short."""
    if math.isnan(interval.mean):
        return "-"
    digits = 4 if abs(interval.mean) < 1 else 2 if abs(interval.mean) < 1000 else 0
    text = f"{interval.mean:.{digits}f}"
    if math.isnan(interval.low):
        return text
    return f"{text} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def finite(value: float) -> float | None:
    """Return a number that JSON knows, or None."""
    return value if math.isfinite(value) else None


def clean(figures: dict[str, Any]) -> dict[str, Any]:
    """Replace what JSON cannot hold by None."""
    return {key: finite(value) for key, value in figures.items()}


def say(text: str) -> None:
    """Write progress to stderr."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
