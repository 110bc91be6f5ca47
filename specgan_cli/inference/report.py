"""What `specgan upscale` says about a finished scene, as one JSON document."""

from dataclasses import asdict, dataclass
from typing import Any

from specgan_cli.errors import explain
from specgan_cli.inference.job import Job
from specgan_cli.inference.plan import RunPlan
from specgan_cli.inference.predictors.runtime import describe_runtime
from specgan_cli.inference.predictors.weights import Weights
from specgan_cli.inference.request import UpscaleRequest
from specgan_cli.memory import peak_memory
from specgan_cli.redaction import redact, redact_words


@dataclass(frozen=True)
class UpscaleReport:
    """A finished scene."""

    scene: str
    """The input, without secrets."""

    output: str
    """The file that was written."""

    scale: int
    """Output pixels per LR pixel along one axis."""

    shape_yx: tuple[int, int]
    """Rows and columns of the output."""

    bounds: tuple[float, float, float, float]
    """left, bottom, right, top in CRS units."""

    crs: str
    """The output's CRS: an authority's code, or WKT."""

    dtype: str
    """Type of the values."""

    nodata: float | None
    """Value of missing pixels; None where a mask marks them, or nothing."""

    rgb_range: tuple[float, float]
    """File units at -1 and 1."""

    weights_sha256: str
    """Of the weights file."""

    hsi: str | None
    """The cube, without secrets."""

    alignment: dict[str, Any] | None
    """How the cube was found to lie."""

    bands: tuple[int, ...]
    """The scene's red, green and blue band, counted from 1."""

    tile: int
    """LR pixels of a tile's side."""

    tiles: int
    """How many tiles there were."""

    resumed_tiles: int
    """How many of them an earlier run had made."""

    devices: list[str]
    """Where the network ran."""

    runtime: str
    """What computed it, with its version."""

    seconds: float
    """Wall time from the opening of the inputs to the finished file."""

    network_seconds: float
    """Time that the networks were busy, summed over devices; tiles at once count as one."""

    peak_memory_bytes: int
    """Largest resident size of the process so far."""

    def describe(self) -> str:
        """Return one line for a reader."""
        rows, cols = self.shape_yx
        text = (
            f"{self.output}: {cols} x {rows} pixels from bands {','.join(map(str, self.bands))} "
            f"in {self.seconds:.1f} s on {', '.join(self.devices)} by {self.runtime}"
        )
        if self.alignment is None or self.hsi == "self":
            return text
        return f"{text}; {describe_alignment(self.alignment)}"

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values; NaN, which JSON lacks, becomes the word nan."""
        content = {"status": "done", **asdict(self)}
        if self.nodata is not None and self.nodata != self.nodata:
            content["nodata"] = "nan"
        return content


@dataclass(frozen=True)
class RunStats:
    """How the tiles of a job were computed."""

    plan: RunPlan
    """The tiles."""

    devices: list[str]
    """Where the network ran."""

    resumed_tiles: int
    """How many tiles an earlier run had made."""

    network_seconds: float
    """Time that the networks were busy here, summed over devices; tiles at once count as one."""


def make_report(job: Job, weights: Weights, done: RunStats, *, seconds: float) -> UpscaleReport:
    """Gather what was done.

    Args:
        job: The scene.
        weights: The weights.
        done: The tiles.
        seconds: Wall time of the whole run.
    """
    grid, inputs, plan = job.grid, job.request.inputs, done.plan
    return UpscaleReport(
        scene=job.scene.name,
        output=redact(str(job.request.output.path)),
        scale=plan.scale,
        shape_yx=plan.shape_yx,
        bounds=grid.bounds,
        crs=grid.crs.to_string() if grid.crs else "",
        dtype=job.output.dtype,
        nodata=job.output.nodata,
        rgb_range=(job.radiometry.low, job.radiometry.high),
        weights_sha256=weights.sha256,
        hsi=redact(inputs.hsi) if inputs.hsi else None,
        alignment=job.alignment,
        bands=(*job.scene.bands, *(band.number for band in job.scene.further)),
        tile=plan.tile,
        tiles=plan.tile_count,
        resumed_tiles=done.resumed_tiles,
        devices=done.devices,
        runtime=describe_runtime(job.request.compute),
        seconds=round(seconds, 3),
        network_seconds=round(done.network_seconds, 3),
        peak_memory_bytes=peak_memory(),
    )


def describe_alignment(alignment: dict[str, Any]) -> str:
    """Say in a few words where a cube was found to lie."""
    if not alignment["estimated"]:
        return "the cube's own georeference was trusted"
    x, y = alignment["shift_xy"]
    return (
        f"cube displaced by {x:.3f} m east, {y:.3f} m north "
        f"(reliability {alignment['reliability']:.4f})"
    )


def skipped(request: UpscaleRequest) -> dict[str, Any]:
    """Return the document of a scene whose output exists already."""
    return {"status": "skipped", **_names(request)}


def failure(request: UpscaleRequest, error: Exception) -> dict[str, Any]:
    """Return the document of a scene that failed."""
    text, exit_code = explain(error)
    message = redact_words(" ".join(text.split()))
    return {
        "status": "failed",
        **_names(request),
        "error": message,
        "exit_code": exit_code,
    }


def _names(request: UpscaleRequest) -> dict[str, str]:
    return {"scene": redact(request.inputs.scene), "output": str(request.output.path)}
