"""How long a run will take and whether it fits: measured on one small tile, before it starts."""

import shutil
import time
from dataclasses import asdict, dataclass
from typing import Any

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

PROBE = 12
"""LR pixels of the side of the tile that is timed."""


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
    """Wall time, about."""

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
                f"  size    {cols} x {rows} pixels, {_bytes(self.plan.output_bytes)} of values",
                f"  disk    about {_bytes(self.disk_bytes)}, {_bytes(self.free_disk_bytes)} free",
                f"  tiles   {self.tiles_inside} of {side} x {side} input pixels",
                f"  memory  about {_bytes(self.plan.memory_bytes)}, "
                f"limit {_bytes(self.memory_limit_bytes)}",
                f"  time    about {_duration(self.seconds)} on {', '.join(self.devices)}",
            )
        )


def estimate(job: Job, plan: RunPlan, engines: list[Engine]) -> Estimate:
    """Time a small tile and say what the whole run takes.

    Args:
        job: The opened inputs.
        plan: Size and tiles.
        engines: The networks, one a device.
    """
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
        seconds=round(_seconds(job, plan, engines), 1),
        devices=[str(engine.device) for engine in engines],
        runtime=describe_runtime(job.request.compute),
    )


def _seconds(job: Job, plan: RunPlan, engines: list[Engine]) -> float:
    """Fit time = a * LR pixels with halo + b * output pixels to two tiles, and apply it."""
    engine, scale = engines[0], plan.scale
    small, large = _probe(job, 1), _probe(job, PROBE)
    _time(job, engine, small)
    tiny, full = _time(job, engine, small), _time(job, engine, large)
    lr_small, lr_large = (_padded(window, engine.halo) for window in (small, large))
    hr_small, hr_large = (window.height * window.width * scale**2 for window in (small, large))
    per_lr = max(
        (tiny * hr_large - full * hr_small) / (lr_small * hr_large - lr_large * hr_small), 0
    )
    per_hr = max((full - per_lr * lr_large) / hr_large, 0)
    tile = Window(0, 0, plan.tile, plan.tile)
    hr_tile = plan.tile**2 * scale**2
    share = plan.crop.height * plan.crop.width / (plan.tile_count * plan.tile**2)
    count = tiles_inside(job, plan)
    each = per_lr * _padded(tile, engine.halo) + per_hr * hr_tile * share
    return count * each / len(engines)


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


def _time(job: Job, engine: Engine, window: Window) -> float:
    tile = job.reader.read(window, halo=engine.halo)
    start = time.monotonic()
    engine.finest([tile])
    return time.monotonic() - start


def _padded(window: Window, halo: int) -> int:
    return (window.height + 2 * halo) * (window.width + 2 * halo)


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
