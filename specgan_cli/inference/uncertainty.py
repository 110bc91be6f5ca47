"""How far the invented detail depends on the seed: a raster of the spread over several seeds."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from specgan_cli.geotiff.description import Description
from specgan_cli.geotiff.options import WriteOptions
from specgan_cli.geotiff.writer import RasterWriter
from specgan_cli.inference.engine import Engine, compute_tiles, repeat_mask
from specgan_cli.inference.job import Job
from specgan_cli.inference.output import Progress, job_tags
from specgan_cli.inference.plan import RunPlan
from specgan_cli.inference.reader import TileInput, TileResult
from specgan_cli.types import F32


class SpreadEngine:
    """Computes tiles for several seeds, and keeps how much they differ."""

    def __init__(self, engine: Engine, samples: int) -> None:
        first = engine.settings.seed
        self.halo = engine.halo
        self._engines = [
            Engine(engine.model, replace(engine.settings, seed=first + i), engine.device)
            for i in range(samples)
        ]

    def predict(self, tiles: Sequence[TileInput]) -> list[TileResult]:
        """Return 1 x sH x sW float32 for each tile, in file units.

        The value is the root mean square over the bands of the standard deviation over the seeds.
        """
        return [self._spread(tile) for tile in tiles]

    def _spread(self, tile: TileInput) -> TileResult:
        settings = self._engines[0].settings
        window = tile.window.scaled(settings.scale)
        valid = repeat_mask(tile.lr_valid, settings.scale)
        if not tile.lr_valid.any():
            return TileResult(window, np.zeros((1, *window.shape_yx), np.float32), valid)
        total, squares = None, None
        for engine in self._engines:
            image = engine.finest([tile])[0].double()
            total = image if total is None else total + image
            squares = image**2 if squares is None else squares + image**2
        assert total is not None
        assert squares is not None
        count = len(self._engines)
        variance = ((squares - total**2 / count) / (count - 1)).clamp_min(0)
        half = (settings.radiometry.high - settings.radiometry.low) / 2
        spread: F32 = (variance.mean(0, keepdim=True).sqrt() * half).to(torch.float32).cpu().numpy()
        return TileResult(window, spread, valid)


def describe_spread(job: Job, weights_sha256: str) -> Description:
    """Return what the raster of the spread holds: of how many seeds, in which unit.

    Scale and unit are the scene's where red, green and blue share them; an offset moves no spread.
    """
    samples = job.request.output.samples
    tags = job_tags(job, weights_sha256)
    tags["SPECGAN_UNCERTAINTY"] = (
        "root mean square over red, green and blue of the standard deviation over seeds; how far "
        "the network's own chance reaches, not calibrated against truth"
    )
    tags["SPECGAN_UNCERTAINTY_SEEDS"] = str(samples)
    scales, units = set(job.scene.scales[:3]), set(job.scene.metadata.units[:3])
    return Description(
        job.grid,
        1,
        "float32",
        float("nan"),
        scales=tuple(scales) if len(scales) == 1 else None,
        descriptions=(f"standard deviation over {samples} seeds",),
        units=tuple(units) if len(units) == 1 else (),
        tags=tags,
    )


def write_uncertainty(
    job: Job, plan: RunPlan, engines: list[Engine], weights_sha256: str, progress: Progress | None
) -> None:
    """Compute the job's tiles once more for each seed, and write the spread.

    Args:
        job: The scene.
        plan: Its tiles.
        engines: The networks, a thread each.
        weights_sha256: Of the weights file.
        progress: Told after each tile.

    Raises:
        OutputError: The raster cannot be written.
    """
    options = job.request.output
    assert options.uncertainty is not None
    description = describe_spread(job, weights_sha256)
    writer = RasterWriter(
        options.uncertainty, description, WriteOptions(overwrite=options.overwrite)
    )
    done = 0
    top, left = plan.crop.row * plan.scale, plan.crop.col * plan.scale

    def write(result: TileResult) -> None:
        nonlocal done
        writer.write(result.values, result.window.shifted(-top, -left), result.valid)
        done += 1
        if progress is not None:
            progress(done, plan.tile_count)

    with writer:
        spread = [SpreadEngine(engine, options.samples) for engine in engines]
        compute_tiles(job, plan, spread, write)
