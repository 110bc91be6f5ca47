"""The journal of a job: which killed run it may go on with, and how far that one came."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from specgan_cli.cubes.open import product_files
from specgan_cli.geotiff.partial import journal_of
from specgan_cli.inference.job import Job
from specgan_cli.inference.plan import RunPlan
from specgan_cli.outputs import files_read
from specgan_cli.raster.drivers.polygons import area_file
from specgan_cli.redaction import redact

logger = logging.getLogger(__name__)


def job_key(job: Job, weights_sha256: str, tile: int | None = None) -> str:
    """Return what a run must share with the killed run that it goes on with.

    All that decides the pixels: the inputs with their sizes and dates, the weights and the
    options; not how fast or where it runs.  Parts of a cluster's run share the tile too.
    """
    compute, inputs = job.request.compute, job.request.inputs
    rasters = [inputs.scene, *inputs.stack, *product_files(inputs.cube_path)]
    others = sorted(set(files_read(rasters)) - set(rasters))
    content: dict[str, Any] = {
        "inputs": asdict(inputs),
        "files": [
            identity(path) for path in (*rasters, inputs.cube.table, area_file(inputs.aoi), *others)
        ],
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
        "co": job.request.output.co if job.request.output.of == "VRT" else None,
    }
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def identity(path: str | Path | None) -> dict[str, Any] | None:
    """Return what changes when a file does: its size and date; its name alone when remote.

    Args:
        path: A path or URL, or a text that stands in place of one, such as WKT; None gives None.
    """
    if path is None:
        return None
    if not os.path.isfile(path):  # False for a text that is too long for a name, too
        return {"name": str(path)}
    file = Path(path)
    status = file.stat()
    return {"name": str(file.resolve()), "bytes": status.st_size, "time": status.st_mtime_ns}


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


@contextmanager
def hint_resume(path: Path) -> Iterator[None]:
    """Say on an interruption (Ctrl-C) that nothing done is lost."""
    try:
        yield
    except KeyboardInterrupt:
        if journal_of(path).exists() and redact(str(path)) != "-":
            logger.warning("%s: repeat the command with --resume to go on", path)
        raise
