"""One scene on many machines: a Dask task for each row of tiles, each writing its own GeoTIFF part.

The parts lie on storage that driver and workers share, in a folder beside the output.  In the end
they are copied into one file, in the order of a run on one machine, so that its bytes are the same;
or they stay, and a VRT shows them as one.
"""

import functools
import importlib
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rasterio
from rasterio.errors import RasterioError

from specgan_cli.errors import (
    OutputError,
    SpecganError,
    WeightsError,
    writing,
)
from specgan_cli.geotiff.writer import RasterWriter
from specgan_cli.inference.job import Job, open_job
from specgan_cli.inference.output.journal import job_key
from specgan_cli.inference.output.sinks import TileSink
from specgan_cli.inference.output.writer import make_part_writer
from specgan_cli.inference.plan import RunPlan
from specgan_cli.inference.request import ComputeOptions, UpscaleRequest
from specgan_cli.raster.grid import Window
from specgan_cli.types import Progress

if TYPE_CHECKING:
    from specgan_cli.inference.predictors.networks import Networks

logger = logging.getLogger(__name__)

_PART = re.compile(r"\.?[0-9a-f]{16}-\d{5}\.tif(\.\w+)*")
"""Names of parts, of those under way, and of what lies beside them."""

RETRIES = 3
"""How often a row is done again when its worker fails or is lost."""


@dataclass(frozen=True)
class RowTask:
    """One row of tiles, as it is sent to a worker."""

    request: UpscaleRequest
    """The scene, with the range that the driver found."""

    alignment: dict[str, Any] | None
    """Where the driver found the cube to lie, as JSON values."""

    plan: RunPlan
    """The row's own plan: its crop is the row."""

    path: Path
    """The part to write, on shared storage."""

    weights_sha256: str
    """Of the driver's weights; a worker's must be the same."""


def compute_parts(
    job: Job, plan: RunPlan, weights_sha256: str, client: Any, progress: Progress | None
) -> list[Path]:
    """Have every row of tiles computed by the workers.

    Args:
        job: The opened inputs; the driver has aligned the cube and chosen the range.
        plan: The tiles of the whole.
        weights_sha256: Of the driver's weights.
        client: The cluster.
        progress: Told after each row.

    Returns:
        The parts, from top to bottom.

    Raises:
        SpecganError: A row failed more often than `RETRIES` times, or a worker lacks the weights.
    """
    distributed: Any = importlib.import_module("distributed")
    folder, resume = parts_folder(job.request.output.path), job.request.output.resume
    with writing(folder):
        folder.mkdir(exist_ok=True)
    tasks = row_tasks(job, plan, weights_sha256, folder)
    todo = [task for task in tasks if not (resume and task.path.exists())]
    done = sum(task.plan.tile_count for task in tasks) - sum(t.plan.tile_count for t in todo)
    counts = {str(task.path): task.plan.tile_count for task in todo}
    futures = client.map(upscale_row, todo, retries=RETRIES, pure=False)
    try:
        for future in distributed.as_completed(futures):
            done += counts[future.result()]
            if progress is not None:
                progress(done, plan.tile_count)
    except distributed.KilledWorker as error:
        raise SpecganError(
            f"{job.scene.name}: workers were lost {RETRIES} times over one row: {error}; "
            "give them more memory or a smaller --tile, then --resume"
        ) from error
    except (distributed.CancelledError, distributed.comm.CommClosedError) as error:
        raise SpecganError(
            f"{job.scene.name}: the scheduler {job.request.compute.dask} is gone; start it again "
            f"and repeat the command with --resume, which keeps what lies in {folder}"
        ) from error
    finally:
        if client.status == "running":
            client.cancel(futures)
    return [task.path for task in tasks]


def row_tasks(job: Job, plan: RunPlan, weights_sha256: str, folder: Path) -> list[RowTask]:
    """Return one task for each row of tiles; a part's name says which job it belongs to.

    Args:
        job: The opened inputs.
        plan: All tiles.
        weights_sha256: Of the driver's weights.
        folder: Of the parts, on shared storage.
    """
    fixed = replace(
        job.request,
        inputs=replace(job.request.inputs, rgb_range=(job.radiometry.low, job.radiometry.high)),
        compute=replace(job.request.compute, dask=None),
    )
    key = job_key(job, weights_sha256, plan.tile)
    tasks = []
    for row in range(plan.tile_rows):
        top = row * plan.tile
        height = min(plan.tile, plan.crop.height - top)
        crop = Window(plan.crop.row + top, plan.crop.col, height, plan.crop.width)
        shape_yx = (height * plan.scale, plan.shape_yx[1])
        part = replace(plan, crop=crop, shape_yx=shape_yx)
        path = folder / f"{key[:16]}-{row:05d}.tif"
        tasks.append(RowTask(fixed, job.alignment, part, path, weights_sha256))
    return tasks


def upscale_row(task: RowTask) -> str:
    """Compute one row of tiles and write its part; runs on a worker.

    Returns:
        The part's path.

    Raises:
        SpecganError: The inputs or the weights are not the driver's.
    """
    from specgan_cli.inference.engine import compute_tiles, make_engines

    networks = _networks(task.request.compute)
    found = networks.weights.sha256
    if found != task.weights_sha256:
        raise WeightsError(
            f"{task.request.compute.weights}: a worker has other weights of this name "
            f"({found[:12]}, not {task.weights_sha256[:12]}); copy the driver's there"
        )
    with open_job(task.request, networks.weights, task.alignment) as job:
        engines = make_engines(job, networks, min(task.plan.at_once, networks.threads))
        with make_part_writer(job, task.plan, task.path) as writer:
            compute_tiles(job, task.plan, engines, TileSink(writer, task.plan, 0, None).write)
    return str(task.path)


@functools.lru_cache(maxsize=1)
def _networks(compute: ComputeOptions) -> "Networks":
    """Load the weights once for each worker."""
    from specgan_cli.inference.predictors.networks import load_networks

    return load_networks(compute)


def parts_folder(path: Path) -> Path:
    """Return the folder of an output's parts, beside it."""
    return path.with_name(f"{path.name}.parts")


@contextmanager
def keeping_parts(path: Path) -> Iterator[None]:
    """Say after an error what is left of an output's parts, if anything is."""
    folder = parts_folder(path)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # it holds a part
            folder.rmdir()
        if folder.is_dir():
            logger.warning("%s: --resume goes on with the rows in it that are done", folder)
        raise


def remove_parts(path: Path, but: Sequence[Path] = ()) -> None:
    """Remove the parts of an output, and their folder if it holds nothing else.

    Args:
        path: The output, in place.
        but: Parts that it shows.
    """
    kept = [part.name for part in but]
    with suppress(OSError):
        for entry in parts_folder(path).iterdir():
            if _PART.fullmatch(entry.name) and not any(name in entry.name for name in kept):
                entry.unlink()
        parts_folder(path).rmdir()


def copy_parts(parts: Sequence[Path], plan: RunPlan, writer: RasterWriter) -> None:
    """Write the parts' tiles into one file, in the order of a run on one machine.

    Args:
        parts: One a row of tiles, from top to bottom.
        plan: The tiles of the whole.
        writer: Of the whole, open.

    Raises:
        OutputError: A part cannot be read.
    """
    bands = list(range(1, writer.description.count + 1))
    for row, part in enumerate(parts):
        top = row * plan.tile * plan.scale
        tiles = [tile for tile in plan.tiles if tile.row == plan.crop.row + row * plan.tile]
        try:
            with rasterio.open(part) as dataset:
                for tile in tiles:
                    window = plan.in_output(tile.scaled(plan.scale))
                    values = dataset.read(bands, window=window.shifted(-top, 0).rasterio())
                    valid = dataset.dataset_mask(window=window.shifted(-top, 0).rasterio()) > 0
                    writer.write(values, window, valid)
        except RasterioError as error:
            raise OutputError(f"{part}: a part cannot be read: {error}; run again") from error
