"""The output of a job: its writer, its tags, and the sink that takes finished tiles."""

import hashlib
import json
import logging
import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from specgan._version import __version__
from specgan_cli.geotiff.creation_options import default_block, is_lossy, names_block
from specgan_cli.geotiff.description import BandMetadata, Description
from specgan_cli.geotiff.options import WriteOptions
from specgan_cli.geotiff.partial import journal_of
from specgan_cli.geotiff.writer import RasterWriter
from specgan_cli.inference.job import Job
from specgan_cli.inference.plan import RunPlan
from specgan_cli.inference.predictors.runtime import describe_runtime
from specgan_cli.inference.reader import TileResult
from specgan_cli.raster.grid import Window
from specgan_cli.raster.masks import mark_missing
from specgan_cli.raster.scene import redact
from specgan_cli.types import Pixels

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with the tiles done and all tiles."""

COMMIT_SECONDS = 10.0
"""At least so long between two entries of the journal; a killed run loses no more."""

SMALLEST_BLOCK = 128
"""Blocks are not made smaller than this to fit into the tiles."""


def make_writer(job: Job, plan: RunPlan, weights_sha256: str) -> RasterWriter:
    """Return the writer of a job's output, not yet opened.

    Args:
        job: The opened inputs.
        plan: Its tiles.
        weights_sha256: Of the weights file.
    """
    options = job.request.output
    writing = WriteOptions(
        "COG" if options.of == "COG" else "GTiff",
        options.co,
        options.overviews,
        None if names_block(options.co) else fitting_block(plan),
        lossy=options.lossy,
        overwrite=options.overwrite,
        resume=options.resume,
        keep_partial=True,
        job=job_key(job, weights_sha256),
    )
    return RasterWriter(options.path, describe(job, job_tags(job, weights_sha256)), writing)


@contextmanager
def hint_resume(path: Path) -> Iterator[None]:
    """Say on an interruption (Ctrl-C) that nothing done is lost."""
    try:
        yield
    except KeyboardInterrupt:
        if journal_of(path).exists() and redact(str(path)) != "-":
            logger.warning("%s: repeat the command with --resume to go on", path)
        raise


def make_part_writer(job: Job, part: RunPlan, path: Path) -> RasterWriter:
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
    options = WriteOptions(co=co, block=block, lossy=True, overwrite=True)
    return RasterWriter(path, description, options)


def describe(job: Job, tags: dict[str, str]) -> Description:
    """Return what a job's output holds, with all that the scene says of its bands and itself."""
    said = job.scene.metadata
    metadata = [
        BandMetadata(band, space, values)
        for space, each in ((None, said.band_tags), ("IMAGERY", said.imagery))
        for band, values in enumerate(each, start=1)
        if values
    ]
    return Description(
        job.grid,
        job.count,
        dtype=job.output.dtype,
        nodata=job.output.nodata,
        mask=job.mask,
        scales=job.scene.scales,
        offsets=job.scene.offsets,
        descriptions=said.descriptions,
        units=said.units,
        tags={**said.tags, **tags},
        metadata=metadata,
    )


def fitting_block(plan: RunPlan) -> int:
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
        "stack": [identity(path) for path in inputs.stack],
        "hsi": identity(inputs.cube_path),
        "aoi": identity(inputs.aoi),
        "weights": weights_sha256,
        "tile": tile,
        "scale": compute.scale,
        "seed": compute.seed,
        "fidelity": compute.fidelity,
        "dtype": compute.dtype,
        "runtime": compute.runtime,
        "nodata": job.output.nodata,
        "overviews": job.request.output.overviews,
        "of": job.request.output.of,
    }
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def resumed_plan(plan: RunPlan, notes: tuple[str, ...]) -> tuple[RunPlan, int]:
    """Return the plan with the killed run's tiles, and how many of them are done.

    Args:
        plan: This run's plan.
        notes: Of the journal, in order; empty for a fresh start.
    """
    if not notes:
        return plan, 0
    last = json.loads(notes[-1])
    # Tiles larger than this run's own are computed one by one: fewer may fit than there were.
    at_once = plan.at_once if last["tile"] <= plan.tile else 1
    return replace(plan, tile=last["tile"], at_once=at_once), last["done"]


def _in_output(plan: RunPlan, window: Window) -> Window:
    """Return a window of the whole scene's result in pixels of the output."""
    return window.shifted(-plan.crop.row * plan.scale, -plan.crop.col * plan.scale)


class ArraySink:
    """Puts finished tiles together in memory, in any order, as a file would hold them."""

    def __init__(self, job: Job, plan: RunPlan, progress: Progress | None) -> None:
        self._job, self._plan, self._progress = job, plan, progress
        self._done = 0
        self.values = np.empty((job.count, *plan.shape_yx), job.output.dtype)
        """(3 + further bands) x sH x sW."""
        self.valid = np.empty(plan.shape_yx, bool)
        """sH x sW."""

    def write(self, result: TileResult) -> None:
        """Take one tile."""
        where = _in_output(self._plan, result.window).slices
        kind, nodata = self._job.mask, self._job.output.nodata
        self.values[:, *where] = mark_missing(result.values, result.valid, kind, nodata)[
            : self._job.count
        ]
        self.valid[where] = result.valid
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._plan.tile_count)

    def masked(self) -> Pixels:
        """Return the pixels: a masked array where some are missing."""
        if self.valid.all():
            return self.values
        mask = np.broadcast_to(~self.valid, self.values.shape)
        return np.ma.MaskedArray(self.values, mask, fill_value=self._job.output.nodata or 0)


class TileSink:
    """Writes finished tiles in their order, keeps the journal, and tells the progress."""

    def __init__(
        self, writer: RasterWriter, plan: RunPlan, done: int, progress: Progress | None
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
        self._writer.write(result.values, _in_output(plan, result.window), result.valid)
        self._done += 1
        if time.monotonic() - self._committed >= COMMIT_SECONDS:
            note = json.dumps({"tile": plan.tile, "done": self._done})
            if self._writer.commit(note):
                self._committed = time.monotonic()
        if self._progress is not None:
            self._progress(self._done, plan.tile_count)


# Words whose value is a secret wherever it stands: --token=abc, AWS_SECRET_ACCESS_KEY=abc.
_SECRET = re.compile(
    r"(?i)([\w-]*(?:token|secret|password|passwd|apikey|api_key|sig)[\w-]*[=:])\S+"
)

# Options that say where results go (each takes a value), and how the run is started and watched.
_ELSEWHERE = {
    "-o",
    "--output",
    "--out-dir",
    "--preview",
    "--quicklook",
    "--reference",
    "--uncertainty",
    "--dask",
    "--log-file",
    "--log-format",
}
_WATCHING = {
    "--resume",
    "--overwrite",
    "--json",
    "--skip-existing",
    "-v",
    "-vv",
    "--verbose",
    "-q",
    "--quiet",
    "--debug",
}


def job_tags(job: Job, weights_sha256: str) -> dict[str, str]:
    """Return the provenance tags of an output; the same inputs give the same tags, so no date."""
    request, radiometry = job.request, job.radiometry
    tags = {
        "TIFFTAG_SOFTWARE": f"specgan {__version__}",
        "SPECGAN_VERSION": __version__,
        "SPECGAN_WEIGHTS": redact(request.compute.weights),
        "SPECGAN_WEIGHTS_SHA256": weights_sha256,
        "SPECGAN_SCALE": str(request.compute.scale),
        "SPECGAN_SEED": str(request.compute.seed),
        "SPECGAN_FIDELITY": f"{request.compute.fidelity:g}",
        "SPECGAN_RUNTIME": describe_runtime(request.compute),
        "SPECGAN_RGB_RANGE": f"{radiometry.low:.9g},{radiometry.high:.9g}",
        "SPECGAN_INPUT": " ".join(map(redact, request.inputs.stack or (request.inputs.scene,))),
        "SPECGAN_COMMAND": shown_command(request.command_line),
    }
    if request.inputs.hsi is not None:
        tags["SPECGAN_HSI"] = redact(request.inputs.hsi)
    if job.scene.further:
        tags["SPECGAN_FURTHER_BANDS"] = ",".join(
            f"{band.name}={band.number}" for band in job.scene.further
        )
    if request.inputs.aoi is not None:
        tags["SPECGAN_AOI"] = request.inputs.aoi
    if job.alignment is not None:
        tags["SPECGAN_ALIGNMENT"] = json.dumps(job.alignment, sort_keys=True)
    if is_lossy(request.output.co):
        tags["SPECGAN_LOSSY"] = "compressed with loss: block means hold only nearly"
    return {key: value for key, value in tags.items() if value}


def shown_command(words: Sequence[str]) -> str:
    """Return the part of a command line that decides the pixels, fit to be shown to others.

    URLs and options lose their secrets; where the output goes and how the run is watched is left
    out, so that the same work gives the same bytes.
    """
    kept: list[str] = []
    skip = False
    for word in words:
        name, _, value = word.partition("=")
        if skip:
            skip = False
        elif name in _ELSEWHERE:
            skip = not value
        elif word not in _WATCHING:
            kept.append(_SECRET.sub(r"\1***", redact(word)))
    return " ".join(kept)


def identity(path: str | None) -> dict[str, Any] | None:
    """Return what changes when a file does: its size and date; its name alone when remote.

    Args:
        path: A path or URL; None gives None.
    """
    if path is None:
        return None
    file = Path(path)
    if not file.is_file():
        return {"name": path}
    status = file.stat()
    return {"name": str(file.resolve()), "bytes": status.st_size, "time": status.st_mtime_ns}
