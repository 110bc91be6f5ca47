"""The output of a job: its writer, and the sink that takes finished tiles."""

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from specgan_cli.geotiff.creation_options import default_block, names_block
from specgan_cli.geotiff.description import Description
from specgan_cli.geotiff.options import WriteOptions
from specgan_cli.geotiff.partial import journal_of
from specgan_cli.geotiff.writer import RasterWriter
from specgan_cli.inference.job import Job
from specgan_cli.inference.outputs.provenance import provenance_tags
from specgan_cli.inference.outputs.source import identity
from specgan_cli.inference.plan import Plan
from specgan_cli.inference.tile import TileResult

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with the tiles done and all tiles."""

COMMIT_SECONDS = 10.0
"""At least so long between two entries of the journal; a killed run loses no more."""

SMALLEST_BLOCK = 128
"""Blocks are not made smaller than this to fit into the tiles."""


def make_writer(job: Job, plan: Plan, weights_sha256: str) -> RasterWriter:
    """Return the writer of a job's output, not yet opened.

    Args:
        job: The opened inputs.
        plan: Its tiles.
        weights_sha256: Of the weights file.
    """
    options = job.request.output
    if journal_of(options.path).exists() and not options.resume:
        logger.warning("%s: an unfinished run is discarded; --resume goes on with it", options.path)
    writing = WriteOptions(
        "COG" if options.of == "COG" else "GTiff",
        options.co,
        options.overviews,
        None if names_block(options.co) else fitting_block(plan),
        overwrite=options.overwrite,
        resume=options.resume,
        keep_partial=True,
        job=job_key(job, weights_sha256),
    )
    return RasterWriter(options.path, describe(job, job_tags(job, weights_sha256)), writing)


@contextmanager
def telling_of_resume(path: Path) -> Iterator[None]:
    """Say on an interruption (Ctrl-C) that nothing done is lost."""
    try:
        yield
    except KeyboardInterrupt:
        if journal_of(path).exists():
            logger.warning("%s: repeat the command with --resume to go on", path)
        raise


def make_part_writer(job: Job, part: Plan, path: Path) -> RasterWriter:
    """Return the writer of a part of a job's output, not yet opened.

    Args:
        job: The opened inputs.
        part: The part's tiles.
        path: The part's file; one that exists is replaced.
    """
    description = replace(
        describe(job, {}), grid=job.scene.grid.window(part.crop).refine(part.scale)
    )
    co = job.request.output.co
    block = None if names_block(co) else fitting_block(part)
    return RasterWriter(path, description, WriteOptions(co=co, block=block, overwrite=True))


def describe(job: Job, tags: dict[str, str]) -> Description:
    """Return what a job's output holds."""
    return Description(
        job.grid,
        dtype=job.output.dtype,
        nodata=job.output.nodata,
        mask=job.mask,
        scales=job.scene.scales,
        offsets=job.scene.offsets,
        tags=tags,
    )


def job_tags(job: Job, weights_sha256: str) -> dict[str, str]:
    """Return the provenance tags of a job's output."""
    return provenance_tags(
        job.request,
        weights_sha256=weights_sha256,
        radiometry=job.radiometry,
        alignment=job.alignment,
    )


def fitting_block(plan: Plan) -> int:
    """Return the side of the file's blocks: whole blocks in a tile, where that is sensible.

    Parts of blocks wait in memory for their rest, so blocks that divide the tiles are better.
    """
    usual = default_block(plan.shape_yx)
    fitting = math.gcd(plan.tile * plan.scale, usual)
    return fitting if fitting >= min(SMALLEST_BLOCK, usual) else usual


def job_key(job: Job, weights_sha256: str, tile: int | None = None) -> str:
    """Return what a run must share with the killed run that it goes on with.

    All that decides the pixels: the inputs with their sizes and dates, the weights and the
    options; not how fast or where it runs.  Parts of a cluster's run share the tile too.
    """
    compute, inputs = job.request.compute, job.request.inputs
    content: dict[str, Any] = {
        "inputs": asdict(inputs),
        "scene": identity(inputs.scene),
        "hsi": identity(inputs.hsi),
        "weights": weights_sha256,
        "tile": tile,
        "scale": compute.scale,
        "seed": compute.seed,
        "fidelity": compute.fidelity,
        "dtype": compute.dtype,
        "nodata": job.output.nodata,
        "overviews": job.request.output.overviews,
        "of": job.request.output.of,
    }
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def resumed_plan(plan: Plan, notes: tuple[str, ...]) -> tuple[Plan, int]:
    """Return the plan with the killed run's tiles, and how many of them are done.

    Args:
        plan: This run's plan.
        notes: Of the journal, in order; empty for a fresh start.
    """
    if not notes:
        return plan, 0
    last = json.loads(notes[-1])
    return replace(plan, tile=last["tile"]), last["done"]


class TileSink:
    """Writes finished tiles in their order, keeps the journal, and tells the progress."""

    def __init__(
        self, writer: RasterWriter, plan: Plan, done: int, progress: Progress | None
    ) -> None:
        self._writer = writer
        self._plan = plan
        self._progress = progress
        self._done = done
        self._committed = time.monotonic()
        if progress is not None:
            progress(done, plan.tile_count)

    def write(self, result: TileResult) -> None:
        """Write one tile, and at times a line of the journal."""
        plan = self._plan
        window = result.window.shifted(-plan.crop.row * plan.scale, -plan.crop.col * plan.scale)
        self._writer.write(result.values, window, result.valid)
        self._done += 1
        if time.monotonic() - self._committed >= COMMIT_SECONDS:
            note = json.dumps({"tile": plan.tile, "done": self._done})
            if self._writer.commit(note):
                self._committed = time.monotonic()
        if self._progress is not None:
            self._progress(self._done, plan.tile_count)
