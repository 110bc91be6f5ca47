"""What a GPU makes of the scene network: its share of the roofline, bf16, layout, CUDA graphs.

    python benchmarks/gpu.py [--scale 32] [--tile 64] [--device cuda] [--runs 20]

One row a way of computing the same tile with the shipped weights: seconds an output megapixel,
operations a second as a share of the largest matrix product's in the same type (the roofline of
arithmetic), and grey levels to the first row.  `--device cpu` runs what a CPU can, to try it.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from specgan import checkpoints
from specgan.scene import network as scene
from specgan.scene.network import SceneNetwork
from specgan.scene.noise import octave_noises

Call = Callable[[], Tensor]


def call_of(network: SceneNetwork, scale: int, tile: int, device: torch.device) -> Call:
    """Return a function without arguments that computes one tile of noise, without a cube."""
    margins = network.margins(scale.bit_length() - 1)
    side = tile + 2 * margins.halo
    rgb = torch.rand((1, 3, side, side), generator=torch.Generator().manual_seed(0)) * 2 - 1
    rgb, metres = rgb.to(device), torch.tensor([3.2], device=device)
    noises = octave_noises(0, [(0, 0)], (tile, tile), margins.noise, device=device)
    return lambda: network.compute(rgb, [], metres, noises, margins)[-1]


@contextmanager
def rows_of_pixels() -> Iterator[None]:
    """Leave images in rows, where the network lays them out pixel by pixel."""
    kept, scene.channels_last = scene.channels_last, lambda image: image
    try:
        yield
    finally:
        scene.channels_last = kept


def graphed(call: Call) -> Call:
    """Return the call as a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = call()

    def replay() -> Tensor:
        graph.replay()
        return result

    return replay


def seconds(call: Call, device: torch.device, runs: int) -> float:
    """Return the median time of a call, after three that do not count."""
    times = []
    for _ in range(3 + runs):
        start = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[3:])


def peak(dtype: torch.dtype, device: torch.device, runs: int) -> float:
    """Return the operations a second of a large matrix product."""
    side = 8192 if device.type == "cuda" else 1024
    matrix = torch.rand((side, side), device=device).to(dtype)
    return 2 * side**3 / seconds(lambda: matrix @ matrix, device, runs)


def main() -> None:
    """Measure every way, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=int, default=32)
    parser.add_argument("--tile", type=int, default=64)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    device = torch.device(options.device)
    first: Tensor | None = None
    print("| type | layout | s a Mpx | share of the roofline | grey levels, mean and most |")
    print("|---|---|---|---|---|")
    for dtype in (torch.float32, torch.bfloat16):
        network = checkpoints.load("specgan-scene", device=device, dtype=dtype)
        call = call_of(network, options.scale, options.tile, device)
        roof = peak(dtype, device, options.runs)
        with torch.inference_mode():
            with FlopCounterMode(display=False) as counter:
                image = call().float()
            first = image if first is None else first
            off = (image - first).abs() * 127.5
            ways = {"channels last": call}
            if device.type == "cuda":
                ways["channels last, CUDA graph"] = graphed(call)
            for layout, way in ways.items():
                print_row(dtype, layout, way, counter, roof, off, options)
            with rows_of_pixels():
                print_row(dtype, "rows", call, counter, roof, off, options)


def print_row(
    dtype: torch.dtype,
    layout: str,
    call: Call,
    counter: FlopCounterMode,
    roof: float,
    off: Tensor,
    options: argparse.Namespace,
) -> None:
    """Print what one way takes."""
    taken = seconds(call, torch.device(options.device), options.runs)
    pixels = (options.scale * options.tile) ** 2 / 1e6
    share = counter.get_total_flops() / taken / roof
    name = str(dtype).removeprefix("torch.")
    print(
        f"| {name} | {layout} | {taken / pixels:.4f} | {share:.2f} "
        f"| {float(off.mean()):.3f}, {float(off.max()):.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
