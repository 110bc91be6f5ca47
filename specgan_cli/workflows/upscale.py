"""Upscale a scene: read, predict, make consistent, write; tile by tile."""

import time

from specgan_cli.inference.engine import make_engines
from specgan_cli.inference.job import open_job
from specgan_cli.inference.networks import Networks, load_networks
from specgan_cli.inference.output import Progress, TileSink, make_writer, resumed_plan
from specgan_cli.inference.pipeline import run_pipeline
from specgan_cli.inference.plan import plan_job
from specgan_cli.inference.report import Report, make_report
from specgan_cli.inference.request import Request


def upscale(
    request: Request, *, networks: Networks | None = None, progress: Progress | None = None
) -> Report:
    """Upscale one scene into one georeferenced file.

    Args:
        request: What the user asks.
        networks: Loaded weights, to use them for several scenes; loaded here when None.
        progress: Told after each tile.

    Returns:
        What was done.

    Raises:
        SpecganError: An expected failure; the output path holds what it held before.
    """
    start = time.monotonic()
    networks = networks or load_networks(request.compute)
    with open_job(request, networks) as job:
        plan = plan_job(job, networks)
        engines = make_engines(job, networks)
        with make_writer(job, plan, networks.sha256) as writer:
            plan, done = resumed_plan(plan, writer.committed)
            run_pipeline(
                plan.tiles[done:],
                job.reader.read,
                [engine.predict for engine in engines],
                TileSink(writer, plan, done, progress).write,
                batch=plan.batch,
            )
        seconds = time.monotonic() - start
        return make_report(job, plan, networks, engines, resumed_tiles=done, seconds=seconds)
