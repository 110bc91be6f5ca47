"""How long a run will take and whether it fits: measured on small tiles, before it starts."""

import math
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import torch
from affine import Affine

from specgan_cli.geotiff.description import Description
from specgan_cli.geotiff.options import WriteOptions
from specgan_cli.geotiff.output import expected_bytes
from specgan_cli.inference.engine import Engine
from specgan_cli.inference.job import Job
from specgan_cli.inference.plan import RunPlan
from specgan_cli.inference.predictors.runtime import describe_runtime
from specgan_cli.memory import free_memory
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.wording import between, in_bytes

ROUNDS = 3
"""How often the tiles are timed."""

# Beyond what the rounds show: compression, and a machine that is busier or freer in an hour.
_FASTER, _SLOWER = 0.75, 1.4


@dataclass(frozen=True)
class Estimate:
    """What a run would make and take."""

    scene: str
    """The input, without secrets."""

    output: str
    """The file that would be written."""

    plan: RunPlan
    """Size and tiles."""

    tiles_inside: int
    """Tiles that touch the area of interest; the others cost nothing."""

    disk_bytes: int
    """Disk that the output takes while it is made, about."""

    free_disk_bytes: int
    """Disk that is free there."""

    memory_limit_bytes: int
    """Memory that the run may take."""

    seconds: float
    """Wall time, about: the middle of the range."""

    seconds_range: tuple[float, float]
    """Between which a run takes nine times in ten, from the start of the command's work."""

    devices: list[str]
    """Where the network would run."""

    runtime: str
    """What would compute it, with its version."""

    def to_json(self) -> dict[str, Any]:
        """Return the estimate as JSON values."""
        content = asdict(self)
        return {**content, "plan": self.plan.to_json(), "status": "planned"}

    def describe(self) -> str:
        """Return the estimate as lines for a reader."""
        rows, cols = self.plan.shape_yx
        side = self.plan.tile
        return "\n".join(
            (
                f"{self.scene} -> {self.output}",
                f"  size    {cols} x {rows} pixels, {in_bytes(self.plan.output_bytes)} of values",
                f"  disk    about {in_bytes(self.disk_bytes)}, "
                f"{in_bytes(self.free_disk_bytes)} free",
                f"  tiles   {self.tiles_inside} of {side} x {side} input pixels",
                f"  memory  about {in_bytes(self.plan.memory_bytes)}, "
                f"limit {in_bytes(self.memory_limit_bytes)}",
                f"  time    {between(self.seconds_range)} on {', '.join(self.devices)}",
            )
        )


def estimate(job: Job, plan: RunPlan, engines: list[Engine], before: float = 0.0) -> Estimate:
    """Time small tiles and say what the whole run takes.

    Args:
        job: The opened inputs.
        plan: Size and tiles.
        engines: The networks, a thread each.
        before: Seconds that it took to open, align and load.
    """
    low, high = _seconds(job, plan, engines, before)
    options = job.request.output
    folder = options.path.parent
    if options.make_folder and not folder.is_dir():  # not made yet
        folder = folder.parent
    return Estimate(
        scene=job.scene.name,
        output=str(options.path),
        plan=plan,
        tiles_inside=tiles_inside(job, plan),
        disk_bytes=expected_bytes(
            Description(
                job.grid, job.count, dtype=job.output.dtype, nodata=job.output.nodata, mask=job.mask
            ),
            WriteOptions("COG" if options.of == "COG" else "GTiff", options.co, options.overviews),
        ),
        free_disk_bytes=shutil.disk_usage(folder).free,
        memory_limit_bytes=job.request.compute.max_memory or free_memory() // 2,
        seconds=round(math.sqrt(low * high), 1),
        seconds_range=(round(low, 1), round(high, 1)),
        devices=[str(engine.device) for engine in engines],
        runtime=describe_runtime(job.request.compute),
    )


def _seconds(job: Job, plan: RunPlan, engines: list[Engine], before: float) -> tuple[float, float]:
    """Return the least and the most seconds that a run takes nine times in ten.

    Tiles of two sizes are timed several times; how far the rounds lie apart says how steady the
    machine is.

    Args:
        job: The opened inputs.
        plan: Size and tiles.
        engines: The networks, a thread each: all of them compute the tiles that are timed.
        before: Seconds that it took to open, align and load.
    """
    small, large = _probe(job, 1), _probe(job, max(plan.tile // 2, 2))
    _time(job, engines, small)  # what is loaded or compiled the first time
    rounds = [
        extrapolate(plan, engines[0].halo, {w: _time(job, engines, w) for w in (small, large)})
        for _ in range(ROUNDS)
    ]
    rounds_of_all = math.ceil(tiles_inside(job, plan) / len(engines))
    share = rounds_of_all / plan.tile_count
    return (
        _FASTER * (before + share * min(rounds)),
        _SLOWER * (before + share * max(rounds)),
    )


def extrapolate(plan: RunPlan, halo: int, timed: dict[Window, float]) -> float:
    """Fit time = a * LR pixels with halo + b * output pixels to two tiles, and apply it to all.

    Args:
        plan: All tiles.
        halo: LR pixels around a tile.
        timed: Seconds of a small tile and of a large one; of one alone where the scene has no more
            pixels.

    Returns:
        Seconds of all tiles on one device.
    """
    sizes, times = list(timed), list(timed.values())
    small, large, tiny, full = sizes[0], sizes[-1], times[0], times[-1]
    lr_small, lr_large = (_padded(window, halo) for window in (small, large))
    hr_small, hr_large = (w.height * w.width * plan.scale**2 for w in (small, large))
    determinant = lr_small * hr_large - lr_large * hr_small
    per_lr = max((tiny * hr_large - full * hr_small) / determinant, 0) if determinant else 0.0
    per_hr = max((full - per_lr * lr_large) / hr_large, 0)
    tile = Window(0, 0, min(plan.tile, plan.crop.height), min(plan.tile, plan.crop.width))
    share = plan.crop.height * plan.crop.width / (plan.tile_count * tile.height * tile.width)
    hr_tile = tile.height * tile.width * plan.scale**2
    return plan.tile_count * (per_lr * _padded(tile, halo) + per_hr * hr_tile * share)


def tiles_inside(job: Job, plan: RunPlan) -> int:
    """Return how many tiles touch the area of interest; the others cost nothing."""
    area = job.reader.area
    if area is None:
        return plan.tile_count
    grid = job.scene.grid.window(plan.crop)
    shape = (plan.tile_rows, plan.tile_count // plan.tile_rows)
    tiles = Grid(grid.crs, grid.transform @ Affine.scale(plan.tile), shape)
    return int(area.mask(tiles).sum())


def _probe(job: Job, side: int) -> Window:
    crop = job.crop
    height, width = min(side, crop.height), min(side, crop.width)
    row = crop.row + (crop.height - height) // 2
    return Window(row, crop.col + (crop.width - width) // 2, height, width)


def _time(job: Job, engines: Sequence[Engine], window: Window) -> float:
    """Return the seconds in which every engine computes a window, all at the same time."""
    tile, threads = job.reader.read(window, halo=engines[0].halo), torch.get_num_threads()
    start = time.monotonic()
    with ThreadPoolExecutor(len(engines)) as pool:
        for result in [pool.submit(engine.predict, [tile]) for engine in engines]:
            result.result()
    seconds = time.monotonic() - start
    torch.set_num_threads(threads)
    return seconds


def _padded(window: Window, halo: int) -> int:
    return (window.height + 2 * halo) * (window.width + 2 * halo)
