"""What a run will make and take: size, tiles, memory."""

import logging
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from specgan.serde import to_plain
from specgan_cli.inference.job import Job
from specgan_cli.memory import free_memory
from specgan_cli.raster.grid import Window, plan_tiles
from specgan_cli.wording import in_bytes

if TYPE_CHECKING:
    from specgan_cli.inference.predictors.networks import Networks

logger = logging.getLogger(__name__)

TILES = {2: 256, 4: 128, 8: 64, 16: 64, 32: 32}
"""Side in LR pixels of the usual tile at each scale: whole blocks of 512 output pixels, and a halo
that costs at most a quarter more operations than the untiled scene (counted for a halo of 29: 1.11,
1.15, 1.20, 1.14 and 1.19)."""

SMALLEST_TILE = 4
"""LR pixels; `--tile auto` goes no lower, however little memory there is."""


@dataclass(frozen=True)
class RunPlan:
    """A run, before it starts."""

    scale: int
    """Output pixels per LR pixel along one axis."""

    crop: Window
    """The part of the scene that is upscaled, in LR pixels."""

    tile: int
    """LR pixels of a tile's side."""

    batch: int
    """Tiles that go through the network together."""

    shape_yx: tuple[int, int]
    """Rows and columns of the output."""

    output_bytes: int
    """Size of the output's pixels before compression."""

    memory_bytes: int
    """Estimated peak memory."""

    at_once: int = 1
    """Batches computed at the same time on a CPU, each on its share of the threads."""

    @property
    def tiles(self) -> list[Window]:
        """The tiles on the whole scene's LR grid, row by row."""
        parts = plan_tiles(self.crop.shape_yx, self.tile)
        return [part.shifted(self.crop.row, self.crop.col) for part in parts]

    @property
    def tile_rows(self) -> int:
        """Rows of tiles."""
        return math.ceil(self.crop.height / self.tile)

    @property
    def tile_count(self) -> int:
        """All tiles."""
        return self.tile_rows * math.ceil(self.crop.width / self.tile)

    def in_output(self, window: Window) -> Window:
        """Return where a window of the whole scene's result lies in the output."""
        return window.shifted(-self.crop.row * self.scale, -self.crop.col * self.scale)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        crop, content = self.crop, to_plain(self)
        del content["crop"]
        window = [crop.col, crop.row, crop.width, crop.height]
        return {**content, "window": window, "tile_count": self.tile_count}


@dataclass(frozen=True)
class Costs:
    """What a network takes, measured on its own tiles."""

    fixed_bytes: int
    """Memory of the process with the weights loaded."""

    bytes_per_lr_pixel: float
    """Peak memory for each LR pixel of a batch, halo included."""

    bytes_per_hr_pixel: float
    """Peak memory for each output pixel of a batch."""

    halo: int
    """LR pixels of context on every side of a tile."""

    def memory(self, tile_yx: tuple[int, int], scale: int, batch: int) -> int:
        """Return the peak memory of a run in bytes.

        Args:
            tile_yx: Rows and columns of its largest tile, in LR pixels.
            scale: Output pixels per LR pixel along one axis.
            batch: Tiles that are computed at the same time.
        """
        lr_pixels = math.prod(side + 2 * self.halo for side in tile_yx)
        hr_pixels = math.prod(side * scale for side in tile_yx)
        each = self.bytes_per_lr_pixel * lr_pixels + self.bytes_per_hr_pixel * hr_pixels
        return int(self.fixed_bytes + batch * each)


def make_plan(
    crop: Window,
    *,
    scale: int,
    dtype: str,
    costs: Costs,
    limit: int,
    tile: int | None = None,
    batch: int | None = None,
    count: int = 3,
    threads: int = 1,
) -> RunPlan:
    """Choose tile and batch, and say what the run makes and takes.

    Two tiles on a thread each take less time than one after the other on both, and more memory: as
    many are computed at once as there are threads, where they fit.

    Args:
        crop: The LR pixels to upscale.
        scale: Output pixels per LR pixel along one axis.
        dtype: Type of the output's values.
        costs: What the network takes.
        limit: Bytes of memory to stay under; a given tile or batch is taken all the same.
        tile: LR pixels of a tile's side; None chooses.
        batch: Tiles that go together; None chooses.
        count: Bands of the output.
        threads: Batches that the processors can compute at once.
    """
    together = batch or 1
    side = tile or choose_tile(scale, costs=costs, limit=limit, batch=together)
    rows, cols = crop.height * scale, crop.width * scale
    plan = RunPlan(
        scale=scale,
        crop=crop,
        tile=side,
        batch=together,
        shape_yx=(rows, cols),
        output_bytes=rows * cols * count * np.dtype(dtype).itemsize,
        memory_bytes=0,
    )
    largest = min(side, crop.height), min(side, crop.width)
    at_once = max(min(threads, math.ceil(plan.tile_count / together)), 1)
    while at_once > 1 and costs.memory(largest, scale, together * at_once) > limit:
        at_once -= 1
    memory = costs.memory(largest, scale, together * at_once)
    return replace(plan, at_once=at_once, memory_bytes=memory)


def plan_job(job: Job, networks: "Networks", most: int | None = None) -> RunPlan:
    """Choose tile and batch for a job, within its memory.

    Args:
        job: The scene.
        networks: The loaded weights.
        most: Bytes that one worker of a cluster may take; None where this process computes.
    """
    compute = job.request.compute
    limit = compute.max_memory or most or free_memory() // 2
    plan = make_plan(
        job.crop,
        scale=compute.scale,
        dtype=job.output.dtype,
        costs=job_costs(job, networks),
        limit=min(limit, most or limit),
        tile=compute.tile,
        batch=compute.batch,
        count=job.count,
        threads=networks.threads if networks.shares_threads else 1,
    )
    if compute.max_memory is not None and plan.memory_bytes > compute.max_memory:
        given = compute.tile or compute.batch
        logger.warning(
            "--max-memory of %s cannot be kept: %s takes about %s%s",
            in_bytes(compute.max_memory),
            "the tile or batch that is given" if given else "the smallest tile",
            in_bytes(plan.memory_bytes),
            "; leave --tile and --batch out" if given else "",
        )
    return plan


def job_costs(job: Job, networks: "Networks") -> Costs:
    """Return what the loaded network takes for a job, with its cube and its further bands."""
    lr_bytes, hr_bytes = networks.copies[0][0].bytes_per_pixel(job.request.compute.scale)
    fixed, further, guide = _FIXED_BYTES + networks.fixed_bytes, job.count - 3, job.reader.guide
    if further:
        hr_bytes = max(hr_bytes, _FURTHER_BYTES) + further * _BYTES_PER_FURTHER_BAND
    if guide is not None:
        fixed += _CUBE_BYTES + guide.kept_bytes
        lr_bytes += _GUIDES * guide.bytes_per_pixel
    return Costs(fixed, lr_bytes, hr_bytes, networks.halo)


# Peak bytes for each output pixel of the further bands' step, measured: at all, and for each.
_FURTHER_BYTES = 300
_BYTES_PER_FURTHER_BAND = 75

# The interpreter, torch and rasterio; measured as in `predictor`.
_FIXED_BYTES = 400_000_000

# Of an open cube: what computes resampling, and GDAL's cache; measured as in `predictor`.
_CUBE_BYTES = 170_000_000

# How often a tile's part of the cube is in memory at the peak: with the tiles that wait, and with
# what the network makes of it. Measured with cubes of half and of four times the scene's pixels
# along an axis, with which estimates are 1.0 to 1.5 times the peak.
_GUIDES = 8


def choose_tile(scale: int, *, costs: Costs, limit: int, batch: int = 1) -> int:
    """Return the side of the tile: the usual one, halved until it fits into memory.

    Args:
        scale: Output pixels per LR pixel along one axis.
        costs: What the network takes.
        limit: Bytes of memory to stay under.
        batch: Tiles that go together.
    """
    side = TILES[scale]
    while side > SMALLEST_TILE and costs.memory((side, side), scale, batch) > limit:
        side //= 2
    return side
