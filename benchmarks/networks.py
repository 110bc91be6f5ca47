"""Measure what the networks cost; print a table, or one JSON line a case.

python benchmarks/networks.py [--networks published,small,base] [--scales 2,4,8,16,32]
    [--threads 1] [--repeat 1] [--device cpu] [--dtype float32] [--json]

Each case runs in a process of its own, for its peak memory. GMAC are the multiplications of
convolutions and matrix products. `halo` is the operations of the usual tile, halo included, over
those of an endless scene. CPU seconds are those of the process, whatever else the machine does.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from specgan.published.network import PublishedNetwork
from specgan.scene.network import SceneNetwork
from specgan_cli.inference.plan import TILES

Call = Callable[[], Tensor]

COLUMNS = (
    ("network", "network", "{}"),
    ("scale", "x", "{}"),
    ("tile", "tile", "{}"),
    ("parameters_m", "M par.", "{:.2f}"),
    ("gmac_mp", "GMAC/MP", "{:.1f}"),
    ("halo", "halo", "{:.2f}"),
    ("seconds_mp", "s/MP", "{:.2f}"),
    ("cpu_seconds_mp", "CPU s/MP", "{:.2f}"),
    ("peak_mb", "peak MB", "{:.0f}"),
    ("fewer_gmac", "GMAC ratio", "{:.1f}"),
    ("faster", "faster", "{:.1f}"),
)
"""Field, heading and format of each column; the last two compare with the published network."""


def published_case(device: str, dtype: torch.dtype) -> tuple[nn.Module, Call, Call]:
    """Return the network, and how to make one tile of it and of an endless scene: the same."""
    network = PublishedNetwork().to(device, dtype).eval()
    tile = torch.rand(1, 51, 8, 8, device=device, dtype=dtype) / 2 - 0.25
    return network, lambda: network.synthesise(tile), lambda: network.synthesise(tile)


def scene_case(
    preset: str, scale: int, device: str, dtype: torch.dtype
) -> tuple[nn.Module, Call, Call]:
    """Return the network, and how to make its usual tile and a part of an endless scene."""
    network = SceneNetwork.preset(preset).to(device, dtype).eval()
    if device != "cpu":
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub

    def run(side: int, *, padded: bool) -> Tensor:
        rgb = torch.rand(1, 3, side, side, device=device, dtype=dtype) * 2 - 1
        hsi = torch.randn(1, 48, side, side, device=device, dtype=dtype)
        how = {"padded": True} if padded else {"local": True}
        output: Tensor = octaves(rgb, hsi, gsd=3.2, scale=scale, **how)[-1]
        return output

    octaves: Callable[..., list[Tensor]] = network.octaves
    side = TILES[scale] + 2 * network.halo
    return network, lambda: run(side, padded=True), lambda: run(16, padded=False)


def count_gmac(call: Call) -> float:
    """Return thousand million multiplications for each million output pixels."""
    with FlopCounterMode(display=False) as counter:
        output = call()
    return float(counter.get_total_flops()) / 2 / (output.shape[-1] * output.shape[-2]) / 1e3


def time_call(call: Call, repeat: int, device: str) -> dict[str, float]:
    """Return wall and CPU seconds for each million output pixels, the best of several runs."""
    wall, cpu = [], []
    for _ in range(repeat):
        start, cpu_start = time.perf_counter(), time.process_time()
        output = call()
        if device != "cpu":
            torch.cuda.synchronize(device)
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
    megapixels = output.shape[-1] * output.shape[-2] / 1e6
    return {"seconds_mp": min(wall) / megapixels, "cpu_seconds_mp": min(cpu) / megapixels}


def measure(words: argparse.Namespace) -> dict[str, Any]:
    """Measure one network at one scale in this process."""
    torch.set_num_threads(words.threads)
    name, scale = words.networks, int(words.scales)
    dtype = getattr(torch, words.dtype)
    if name == "published":
        network, tile, endless = published_case(words.device, dtype)
    else:
        network, tile, endless = scene_case(name, scale, words.device, dtype)
    network.requires_grad_(False)
    with torch.no_grad():
        untiled = count_gmac(endless)
        tiled = untiled if name == "published" else count_gmac(tile)
        seconds = time_call(tile, words.repeat, words.device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if words.device != "cpu":
        peak = torch.cuda.max_memory_allocated(words.device) / 2**20
    return {
        "network": name,
        "scale": scale,
        "tile": 8 if name == "published" else TILES[scale],
        "parameters_m": sum(parameter.numel() for parameter in network.parameters()) / 1e6,
        "gmac_mp": untiled,
        "halo": tiled / untiled,
        **seconds,
        "peak_mb": peak,
    }


def measure_apart(name: str, scale: int, words: argparse.Namespace) -> dict[str, Any]:
    """Measure one case in a process of its own."""
    command = [sys.executable, __file__, "--one", "--networks", name, "--scales", str(scale)]
    for option in ("threads", "repeat", "device", "dtype"):
        command += [f"--{option}", str(getattr(words, option))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    case: dict[str, Any] = json.loads(done.stdout)
    return case


def compare(case: dict[str, Any], published: dict[str, Any] | None, device: str) -> dict[str, Any]:
    """Add the ratios against the published network: operations with halo, and time.

    On the CPU the time is that of the process, so that a busy machine does not show.
    """
    if published is None:
        return case
    operations = case["gmac_mp"] * case["halo"]
    key = "cpu_seconds_mp" if device == "cpu" else "seconds_mp"
    return {
        **case,
        "fewer_gmac": published["gmac_mp"] / operations,
        "faster": published[key] / case[key],
    }


def format_row(case: dict[str, Any]) -> str:
    """Return one row of the table."""
    cells = [form.format(case[field]) if field in case else "" for field, _, form in COLUMNS]
    return "| " + " | ".join(cells) + " |"


def parse_words() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default="published,small,base")
    parser.add_argument("--scales", default="2,4,8,16,32")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure every case that was asked for."""
    words = parse_words()
    if words.one:
        print(json.dumps(measure(words)))
        return
    if not words.json:
        print("| " + " | ".join(heading for _, heading, _ in COLUMNS) + " |")
        print("|" + " ---: |" * len(COLUMNS))
    published = None
    for name in words.networks.split(","):
        scales = [32] if name == "published" else [int(s) for s in words.scales.split(",")]
        for scale in scales:
            case = measure_apart(name, scale, words)
            published = case if name == "published" else published
            case = compare(case, published, words.device)
            print(json.dumps(case) if words.json else format_row(case), flush=True)


if __name__ == "__main__":
    main()
