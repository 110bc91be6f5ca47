"""The writers of a job's output and of its parts, and what the file says of its bands."""

import math
from dataclasses import replace
from pathlib import Path

from specgan_cli.geotiff.creation_options import default_block, names_block
from specgan_cli.geotiff.description import BandMetadata, Description
from specgan_cli.geotiff.options import WriteOptions
from specgan_cli.geotiff.writer import RasterWriter
from specgan_cli.inference.job import Job
from specgan_cli.inference.output.journal import job_key
from specgan_cli.inference.output.tags import job_tags
from specgan_cli.inference.plan import RunPlan

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
    output = job.request.output
    # What is copied into one file loses there what it has to, and only once.
    co = {} if output.lossy and output.of != "VRT" else output.co
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
