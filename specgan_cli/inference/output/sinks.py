"""What takes finished tiles: a file that is written, or an array in memory."""

import json
import time

import numpy as np

from specgan_cli.geotiff.writer import RasterWriter
from specgan_cli.inference.job import Job
from specgan_cli.inference.plan import RunPlan
from specgan_cli.inference.reader import TileResult
from specgan_cli.raster.masks import mark_missing
from specgan_cli.types import Pixels, Progress

COMMIT_SECONDS = 10.0
"""At least so long between two entries of the journal; a killed run loses no more."""


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
        where = self._plan.in_output(result.window).slices
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
        self._writer.write(result.values, plan.in_output(result.window), result.valid)
        self._done += 1
        if time.monotonic() - self._committed >= COMMIT_SECONDS:
            note = json.dumps({"tile": plan.tile, "done": self._done})
            if self._writer.commit(note):
                self._committed = time.monotonic()
        if self._progress is not None:
            self._progress(self._done, plan.tile_count)
