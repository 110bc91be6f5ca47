"""How large the error is: a raster of sigma, or of the spread over seeds where none is known."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from specgan_cli.geotiff.description import Description
from specgan_cli.geotiff.options import WriteOptions
from specgan_cli.geotiff.writer import RasterWriter
from specgan_cli.inference.calibration import Calibration, Factors, read_calibration
from specgan_cli.inference.engine import Engine, compute_tiles, repeat_mask
from specgan_cli.inference.job import Job
from specgan_cli.inference.output.tags import job_tags
from specgan_cli.inference.plan import RunPlan
from specgan_cli.inference.reader import TileInput, TileResult
from specgan_cli.types import F32, Progress

REACH = 2
"""LR pixels around a tile that the contrast of its pixels depends on."""


class SpreadEngine:
    """Computes tiles for several seeds, and how much they differ, or the error that follows."""

    def __init__(
        self, engine: Engine, samples: int, calibration: Calibration | None = None
    ) -> None:
        first, self._calibration = engine.settings.seed, calibration
        self.halo = engine.halo
        self._engines = [
            Engine(engine.model, replace(engine.settings, seed=first + i), engine.device)
            for i in range(samples)
        ]

    def predict(self, tiles: Sequence[TileInput]) -> list[TileResult]:
        """Return 1 x sH x sW float32 for each tile, in file units.

        The value is the root mean square over the bands of the standard deviation over the seeds,
        or sigma where a calibration is known.
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
        sigma = self._sigma(tile, variance.mean(0, keepdim=True).sqrt().cpu())
        values: F32 = (sigma * half).to(torch.float32).numpy()
        return TileResult(window, values, valid)

    def _sigma(self, tile: TileInput, spread: Tensor) -> Tensor:
        scale = self._engines[0].settings.scale
        factors = None if self._calibration is None else self._calibration.at(scale)
        if factors is None:
            return spread
        margin = self.halo - REACH
        rows, cols = (slice(margin, side - margin) for side in tile.lr_unit.shape[1:])
        contrast = local_contrast(torch.from_numpy(tile.lr_unit[:, rows, cols]), scale)
        return sigma_of(factors, contrast, spread)


def sigma_of(factors: Factors, contrast: Tensor, spread: Tensor) -> Tensor:
    """Return the standard deviation of the error, of images of one shape in [-1, 1]."""
    parts = factors.floor**2 + (factors.contrast * contrast) ** 2 + (factors.spread * spread) ** 2
    return parts.sqrt()


def local_contrast(lr_unit: Tensor, scale: int) -> Tensor:
    """Return how much pixels differ within 3 x 3: the standard deviation, rms over the bands.

    Args:
        lr_unit: Bands x (H + 2 REACH) x (W + 2 REACH).
        scale: Output pixels per LR pixel along one axis.

    Returns:
        1 x sH x sW: between the middles of the LR pixels, linear.
    """
    values = lr_unit.double()[None]
    mean = F.avg_pool2d(values, 3, stride=1)
    variance = (F.avg_pool2d(values**2, 3, stride=1) - mean**2).clamp_min(0)
    contrast = variance.mean(1, keepdim=True).sqrt()
    fine = F.interpolate(contrast, scale_factor=scale, mode="bilinear", align_corners=False)
    return fine[0, :, scale:-scale, scale:-scale]


def describe_spread(job: Job, weights_sha256: str, calibration: Calibration | None) -> Description:
    """Return what the raster holds: sigma or the spread, of how many seeds, in which unit.

    Scale and unit are the scene's where red, green and blue share them; an offset moves no spread.
    """
    samples, scale = job.request.output.samples, job.request.compute.scale
    tags = job_tags(job, weights_sha256)
    factors = None if calibration is None else calibration.at(scale)
    if calibration is None or factors is None:
        what = f"standard deviation over {samples} seeds"
        tags["SPECGAN_UNCERTAINTY"] = (
            "root mean square over red, green and blue of the standard deviation over seeds; how "
            "far the network's own chance reaches, not calibrated against truth: no error bar"
        )
    else:
        what = "standard deviation of the error of a band"
        tags["SPECGAN_UNCERTAINTY"] = (
            f"from local contrast and the spread over seeds; on held-out ground "
            f"({', '.join(calibration.grounds)}) {factors.within[0]:.0%} of the truth lay within 1 "
            f"and {factors.within[1]:.0%} within 2 of it; says nothing of unlike ground"
        )
    tags["SPECGAN_UNCERTAINTY_SEEDS"] = str(samples)
    scales, units = set(job.scene.scales[:3]), set(job.scene.metadata.units[:3])
    return Description(
        job.grid,
        1,
        "float32",
        float("nan"),
        scales=tuple(scales) if len(scales) == 1 else None,
        descriptions=(what,),
        units=tuple(units) if len(units) == 1 else (),
        tags=tags,
    )


def write_uncertainty(
    job: Job, plan: RunPlan, engines: list[Engine], weights_sha256: str, progress: Progress | None
) -> None:
    """Compute the job's tiles once more for each seed, and write sigma, or the spread.

    Args:
        job: The scene.
        plan: Its tiles.
        engines: The networks, a thread each.
        weights_sha256: Of the weights file.
        progress: Told after each tile.

    Raises:
        OutputError: The raster cannot be written.
        WeightsError: The calibration beside the weights is damaged.
    """
    options = job.request.output
    assert options.uncertainty is not None
    calibration = read_calibration(job.request.compute.weights, weights_sha256)
    description = describe_spread(job, weights_sha256, calibration)
    writer = RasterWriter(
        options.uncertainty, description, WriteOptions(overwrite=options.overwrite)
    )
    done = 0

    def write(result: TileResult) -> None:
        nonlocal done
        writer.write(result.values, plan.in_output(result.window), result.valid)
        done += 1
        if progress is not None:
            progress(done, plan.tile_count)

    with writer:
        spread = [SpreadEngine(engine, options.samples, calibration) for engine in engines]
        compute_tiles(job, plan, spread, write)
