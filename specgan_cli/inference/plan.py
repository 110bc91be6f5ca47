"""What a run will make and cost: size, tiles, memory, time, disk."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from specgan_cli.inference.devices import free_memory
from specgan_cli.inference.job import Job
from specgan_cli.inference.networks import Networks
from specgan_cli.raster.grid import Window
from specgan_cli.raster.tiles import plan_tiles

TILES = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""Sides in LR pixels that `--tile auto` chooses from."""

HR_SIDE = 1024
"""Output pixels along the side of the tile that `--tile auto` takes when memory allows."""


@dataclass(frozen=True)
class Plan:
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

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        content = asdict(self)
        window = content.pop("crop")
        content["window"] = [window["col"], window["row"], window["width"], window["height"]]
        content["shape_yx"] = list(self.shape_yx)
        content["tile_count"] = self.tile_count
        return content


@dataclass(frozen=True)
class Costs:
    """What a network takes, measured on its own tiles."""

    fixed_bytes: int
    """Memory of the process with the weights loaded."""

    bytes_per_hr_pixel: float
    """Peak memory for each output pixel of a batch, halo included."""

    halo: int
    """LR pixels of context on every side of a tile."""

    def memory(self, tile: int, scale: int, batch: int) -> int:
        """Return the peak memory of a run with such tiles, in bytes."""
        hr_pixels = batch * ((tile + 2) * scale) ** 2
        lr_pixels = batch * (tile + 2 * self.halo) ** 2
        return int(self.fixed_bytes + self.bytes_per_hr_pixel * hr_pixels + _LR_BYTES * lr_pixels)


# Encoder features and bands of the cube for each LR pixel, halo included (48 bands, 64 channels,
# attention over 49 neighbours), measured.
_LR_BYTES = 30_000
# Peak bytes for each output pixel and each channel of the finest octave, measured.
_BYTES_PER_CHANNEL = 32
# The interpreter, torch and rasterio.
_FIXED_BYTES = 600_000_000


def make_plan(
    crop: Window,
    *,
    scale: int,
    dtype: str,
    costs: Costs,
    limit: int,
    tile: int | None = None,
    batch: int | None = None,
) -> Plan:
    """Choose tile and batch, and say what the run makes and takes.

    Args:
        crop: The LR pixels to upscale.
        scale: Output pixels per LR pixel along one axis.
        dtype: Type of the output's values.
        costs: What the network takes.
        limit: Bytes of memory to stay under; a given tile or batch is taken all the same.
        tile: LR pixels of a tile's side; None chooses.
        batch: Tiles that go together; None chooses.
    """
    count = batch or 1
    side = tile or choose_tile(crop.shape_yx, scale=scale, costs=costs, limit=limit, batch=count)
    rows, cols = crop.height * scale, crop.width * scale
    return Plan(
        scale=scale,
        crop=crop,
        tile=side,
        batch=count,
        shape_yx=(rows, cols),
        output_bytes=rows * cols * 3 * np.dtype(dtype).itemsize,
        memory_bytes=costs.memory(side, scale, count),
    )


def plan_job(job: Job, networks: Networks) -> Plan:
    """Choose tile and batch for a job, within its memory."""
    compute = job.request.compute
    return make_plan(
        job.crop,
        scale=compute.scale,
        dtype=job.output.dtype,
        costs=network_costs(networks),
        limit=compute.max_memory or free_memory() // 2,
        tile=compute.tile,
        batch=compute.batch,
    )


def network_costs(networks: Networks) -> Costs:
    """Return what the loaded network takes."""
    network: Any = networks.copies[0][0]
    widths = getattr(getattr(network, "config", None), "channels", (64,))
    return Costs(
        fixed_bytes=_FIXED_BYTES,
        bytes_per_hr_pixel=_BYTES_PER_CHANNEL * widths[-1],
        halo=networks.halo,
    )


def choose_tile(
    shape_yx: Sequence[int], *, scale: int, costs: Costs, limit: int, batch: int = 1
) -> int:
    """Return the side of the largest tile that is useful and fits into memory.

    A tile pays for its halo on the LR grid only, where pixels are cheap, so tiles beyond
    `HR_SIDE` output pixels (and beyond four halos) gain little.

    Args:
        shape_yx: Rows and columns of the part to upscale, in LR pixels.
        scale: Output pixels per LR pixel along one axis.
        costs: What the network takes.
        limit: Bytes of memory to stay under.
        batch: Tiles that go together.
    """
    wanted = min(max(HR_SIDE // scale, 4 * costs.halo), max(shape_yx))
    fitting = [t for t in TILES if costs.memory(t, scale, batch) <= limit] or list(TILES[:1])
    useful = [t for t in fitting if t >= wanted]
    return useful[0] if useful else fitting[-1]
