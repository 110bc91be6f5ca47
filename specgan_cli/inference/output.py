"""The output of a job: its writer, and the sink that takes finished tiles."""

from collections.abc import Callable

from specgan_cli.inference.job import Job
from specgan_cli.inference.plan import Plan
from specgan_cli.inference.provenance import provenance_tags
from specgan_cli.inference.tile import TileResult
from specgan_cli.raster.writer import RasterWriter

Progress = Callable[[int, int], None]
"""Called with the tiles done and all tiles."""


def make_writer(job: Job, weights_sha256: str) -> RasterWriter:
    """Return the writer of a job's output, not yet opened.

    Args:
        job: The opened inputs.
        weights_sha256: Of the weights file.
    """
    options = job.request.output
    tags = provenance_tags(
        job.request,
        weights_sha256=weights_sha256,
        radiometry=job.radiometry,
        alignment=job.alignment,
    )
    return RasterWriter(
        options.path,
        job.grid,
        dtype=job.output.dtype,
        nodata=job.output.nodata,
        mask=job.mask,
        of="COG" if options.of == "COG" else "GTiff",
        co=options.co,
        overviews=options.overviews,
        tags=tags,
        scales=job.scene.scales,
        offsets=job.scene.offsets,
        overwrite=options.overwrite,
    )


class TileSink:
    """Writes finished tiles in their order, and tells the progress."""

    def __init__(self, writer: RasterWriter, plan: Plan, progress: Progress | None) -> None:
        self._writer = writer
        self._plan = plan
        self._progress = progress
        self._done = 0

    def write(self, result: TileResult) -> None:
        """Write one tile; a tile without data is left to the file's own nodata."""
        plan = self._plan
        if result.values is not None:
            window = result.window.shifted(-plan.crop.row * plan.scale, -plan.crop.col * plan.scale)
            self._writer.write(result.values, window, result.valid)
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, plan.tile_count)
