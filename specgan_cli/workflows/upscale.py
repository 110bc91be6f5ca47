"""Upscale scenes: read, predict, make consistent, write; tile by tile.

Whatever can be refused is refused before torch is imported, which takes longer than to look.
"""

import functools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specgan import files
from specgan_cli import png
from specgan_cli.devices import check_devices
from specgan_cli.errors import SpecganError, writing
from specgan_cli.inference.cluster.connection import check_cluster, open_cluster, worker_memory
from specgan_cli.inference.cluster.rows import (
    compute_parts,
    copy_parts,
    keeping_parts,
    remove_parts,
)
from specgan_cli.inference.job import Job, open_job
from specgan_cli.inference.output.journal import hint_resume, resumed_plan
from specgan_cli.inference.output.sinks import ArraySink, TileSink
from specgan_cli.inference.output.tags import job_tags
from specgan_cli.inference.output.writer import describe, make_writer
from specgan_cli.inference.plan import RunPlan, plan_job
from specgan_cli.inference.predictors.runtime import check_runtime, settle_runtime
from specgan_cli.inference.predictors.weights import Weights, read_weights
from specgan_cli.inference.report import (
    RunStats,
    UpscaleReport,
    describe_alignment,
    failure,
    make_report,
    skipped,
)
from specgan_cli.inference.request import ComputeOptions, UpscaleRequest
from specgan_cli.raster.drivers.arrays import GeoArray
from specgan_cli.raster.drivers.vrt import write_vrt
from specgan_cli.types import Progress
from specgan_cli.workflows.upscale_paths import check_batch, check_request, made_meanwhile

if TYPE_CHECKING:
    from specgan_cli.inference.estimate import Estimate
    from specgan_cli.inference.predictors.networks import Networks

logger = logging.getLogger(__name__)

Load = Callable[[ComputeOptions], "Networks"]
"""Loads the weights that a run asks for."""


def load_networks(compute: ComputeOptions) -> "Networks":
    """Load the weights that a run asks for, and torch with them."""
    from specgan_cli.inference.predictors import networks

    return networks.load_networks(compute)


def check(request: UpscaleRequest) -> Weights:
    """Raise unless devices, cluster and weights can do what is asked; return the weights' facts.

    Raises:
        SpecganError: What cannot be, and what to do.
    """
    devices = check_devices(request.compute.device)
    if "mps" in devices and request.compute.dtype == "float64":
        raise SpecganError("--dtype float64 is not on Apple GPUs; use --device cpu")
    if request.compute.dask:
        check_cluster(request.compute.dask)
    weights = read_weights(request.compute)
    check_runtime(request.compute, weights)
    return weights


def settled(job: Job, weights: Weights) -> Job:
    """Return the job with the runtime that computes it."""
    rows, cols = job.grid.shape_yx
    compute = settle_runtime(job.request.compute, weights, rows * cols)
    return replace(job, request=replace(job.request, compute=compute))


def upscale(
    request: UpscaleRequest, *, load: Load = load_networks, progress: Progress | None = None
) -> UpscaleReport:
    """Upscale one scene into one georeferenced file.

    Args:
        request: What the user asks.
        load: Loads the weights; one that remembers serves several scenes.
        progress: Told after each tile.

    Returns:
        What was done.

    Raises:
        SpecganError: An expected failure; the output path holds what it held before.
    """
    start = time.monotonic()
    check_request(request)
    weights = check(request)
    if request.output.make_folder:
        _make_folder(request.output.path.parent)
    with open_job(request, weights) as job:
        if job.alignment is not None and not request.inputs.self_guided:
            _log("aligned", describe_alignment(job.alignment), job.alignment)
        job = settled(job, weights)
        networks = load(job.request.compute)
        run = run_on_cluster if request.compute.dask else run_here
        with files.together():
            done = run(job, networks, progress)
        return make_report(job, weights, done, seconds=time.monotonic() - start)


def _plan(job: Job, networks: "Networks", most: int | None = None) -> RunPlan:
    plan = plan_job(job, networks, most)
    _log("plan", f"{plan.tile_count} tiles of {plan.tile} x {plan.tile}", plan.to_json())
    return plan


def _make_folder(folder: Path) -> None:
    with writing(folder):
        folder.mkdir(exist_ok=True)


def _log(event: str, text: str, facts: dict[str, Any]) -> None:
    logger.info(text, extra={"event": event, "facts": facts})


def upscale_array(request: UpscaleRequest, *, progress: Progress | None = None) -> GeoArray:
    """Upscale one scene in memory: the pixels that `upscale` would write.

    Args:
        request: What the user asks; of its output only `dst_nodata` counts.
        progress: Told after each tile.

    Raises:
        SpecganError: As `upscale` would.
    """
    weights = check(request)
    with open_job(request, weights) as job:
        from specgan_cli.inference.engine import compute_tiles, make_engines

        job = settled(job, weights)
        networks = load_networks(job.request.compute)
        plan = plan_job(job, networks)
        sink = ArraySink(job, plan, progress)
        compute_tiles(job, plan, make_engines(job, networks, plan.at_once), sink.write)
        return GeoArray(sink.masked(), job.grid.transform, job.grid.crs)


def run_here(job: Job, networks: "Networks", progress: Progress | None) -> RunStats:
    """Compute a job's tiles in this process, and write its output."""
    from specgan_cli.inference.engine import compute_tiles, make_engines

    plan = _plan(job, networks)
    writer = make_writer(job, plan, networks.weights.sha256)
    with hint_resume(writer.path), writer:
        plan, resumed = resumed_plan(plan, writer.committed)
        engines = make_engines(job, networks, plan.at_once)
        sink = TileSink(writer, plan, resumed, progress)
        compute_tiles(job, plan, engines, sink.write, resumed)
        busy = sum(engine.busy_seconds for engine in engines) / plan.at_once
        _write_secondary(job, plan, networks, writer.finish(), progress)
    return RunStats(plan, networks.devices, resumed, busy)


def run_on_cluster(job: Job, networks: "Networks", progress: Progress | None) -> RunStats:
    """Have a job's tiles computed by Dask workers, and put their parts together."""
    address, path = str(job.request.compute.dask), job.request.output.path
    is_vrt, sha256 = job.request.output.of == "VRT", networks.weights.sha256
    with keeping_parts(path), ExitStack() as stack:
        with open_cluster(address) as client:
            plan = _plan(job, networks, worker_memory(client))
            # Opened now, so that what cannot be written is refused before anything is computed.
            writer = None if is_vrt else stack.enter_context(make_writer(job, plan, sha256))
            parts = compute_parts(job, plan, sha256, client, progress)
        if writer is None:
            with writing(path), files.replacing(path) as temporary:
                write_vrt(temporary, job.grid, parts, describe(job, job_tags(job, sha256)).tags)
                _write_secondary(job, plan, networks, temporary, progress)
        else:
            copy_parts(parts, plan, writer)
            _write_secondary(job, plan, networks, writer.finish(), progress)
    remove_parts(path, parts if is_vrt else ())
    return RunStats(plan, [f"dask {address}"], 0, 0.0)


def _write_secondary(
    job: Job, plan: RunPlan, networks: "Networks", ready: Path, progress: Progress | None
) -> None:
    """Write all but the output itself, which takes its place when nothing else can fail.

    Args:
        job: The scene.
        plan: Its tiles.
        networks: The loaded weights.
        ready: The complete output under its temporary name.
        progress: Told after each tile.
    """
    options = job.request.output
    picture = None
    if options.preview:
        from specgan_cli.pictures.preview import draw_preview

        picture = draw_preview(job, plan, ready)
    if options.uncertainty:
        from specgan_cli.inference.engine import make_engines
        from specgan_cli.inference.uncertainty import write_uncertainty

        engines = make_engines(job, networks, plan.at_once)
        write_uncertainty(job, plan, engines, networks.weights.sha256, progress)
    if options.preview and picture is not None:
        png.write(options.preview, picture)


def plan_upscale(request: UpscaleRequest, *, load: Load = load_networks) -> "Estimate":
    """Say what `upscale` would make and take, and write nothing.

    Args:
        request: What the user asks.
        load: As for `upscale`.

    Raises:
        SpecganError: As `upscale` would before it computes.
    """
    start = time.monotonic()
    check_request(request)
    weights = check(request)
    with open_job(request, weights) as job:
        from specgan_cli.inference.engine import make_engines
        from specgan_cli.inference.estimate import estimate

        job = settled(job, weights)
        networks = load(job.request.compute)
        plan = plan_job(job, networks)
        engines = make_engines(job, networks, plan.at_once)
        return estimate(job, plan, engines, time.monotonic() - start)


def upscale_all(
    requests: Sequence[UpscaleRequest],
    *,
    dry_run: bool = False,
    skip_existing: bool = False,
    debug: bool = False,
    progress: Progress | None = None,
) -> Iterator[dict[str, Any]]:
    """Upscale several scenes with one set of weights; one that fails does not stop the others.

    Args:
        requests: One a scene, with the same weights.
        dry_run: Only estimate.
        skip_existing: Leave scenes alone whose output exists.
        debug: End with what nobody foresaw, so that its traceback is seen.
        progress: Told after each tile of each scene.

    Yields:
        For each scene a JSON document with a `status`: done, planned, skipped or failed.

    Raises:
        SpecganError: What concerns all scenes: the weights, two scenes with one output.
    """
    check_batch(requests)
    check(requests[0])
    load = functools.cache(load_networks)
    for request in requests:
        if skip_existing and request.output.path.is_file():
            yield skipped(request)
            continue
        try:
            if dry_run:
                yield plan_upscale(request, load=load).to_json()
            else:
                yield upscale(request, load=load, progress=progress).to_json()
        except Exception as error:
            if skip_existing and made_meanwhile(request, error):
                yield skipped(request)
                continue
            # Of what nobody foresaw too: a nightly run would never come to the scenes after it.
            if debug and not isinstance(error, SpecganError):
                raise
            yield failure(request, error)
