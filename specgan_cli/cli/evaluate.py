"""The `evaluate` command: options, help, one call into its workflow."""

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from specgan_cli.cli import options
from specgan_cli.cli.console import Progress, say, write_json
from specgan_cli.cli.options import Numbers, ParamType

EPILOG = """\b
Examples:
  specgan evaluate dataset/ --weights specgan-scene -x 32 -o report/
  specgan evaluate dataset/ --weights a.safetensors --weights b.safetensors --json
  specgan evaluate dataset/ --ablate hsi --perceptual vgg_shift_tolerant.pth
  specgan evaluate --sr out.tif --reference truth.tif --lr scene.tif --fail-under psnr=24
"""

RASTER_OPTIONS = {
    "lr": "--lr",
    "value_range": "--range",
    "sr_range": "--sr-range",
    "bands": "--bands",
    "src_nodata": "--src-nodata",
}
"""Options that mean nothing for a dataset, by parameter."""

DATASET_OPTIONS = {
    "weights": "--weights",
    "probe": "--probe",
    "ablate": "--ablate",
    "limit": "--limit",
    "fidelity": "--fidelity",
}
"""Options that mean nothing for rasters, by parameter."""


class Threshold(ParamType):
    """METRIC=VALUE."""

    name = "METRIC=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Turn text into a metric's name and a number."""
        if isinstance(value, tuple):
            return value
        name, _, number = value.partition("=")
        try:
            return name.strip(), options.Float().convert(number, param, ctx)
        except click.UsageError:
            self.fail(f"{value!r} is not METRIC=VALUE, such as psnr=24.0", param, ctx)


def _names(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.strip() for part in value for name in part.split(",") if name.strip())


@click.command(epilog=EPILOG)
@click.argument("dataset", required=False, type=click.Path(path_type=Path))
@click.option(
    "--weights",
    multiple=True,
    metavar="NAME|FILE",
    help="Weights to measure; repeat to compare.  [default: specgan-scene]",
)
@click.option("--sr", metavar="RASTER", help="An output to measure, instead of weights.")
@click.option("--reference", metavar="RASTER", help="What the output should look like.")
@click.option("--lr", metavar="RASTER", help="The input that the output was made from.")
@click.option(
    "-x",
    "--scale",
    type=options.Factor(),
    help="Factor.  [default: 32 for datasets; the rasters' own]",
)
@click.option(
    "--split",
    multiple=True,
    type=click.Choice(["train", "val", "test"]),
    default=("val", "test"),
    show_default=True,
    help="Part of the dataset; repeat for more.",
)
@click.option("--limit", type=click.IntRange(min=1), help="At most so many chips, spread evenly.")
@click.option(
    "--metrics",
    multiple=True,
    callback=_names,
    metavar="NAME,...",
    help="Metrics to measure; all by default.",
)
@click.option(
    "--perceptual",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Weights for perceptual figures: of stlpips-pytorch, or a VGG16 state dict.",
)
@click.option(
    "--aerial",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Weights of a second judge, for aerial images: geoembed's weights/v3.npz.",
)
@click.option("--probe", is_flag=True, help="Train a linear probe on the training chips' labels.")
@click.option(
    "--ablate",
    type=click.Choice(["hsi"]),
    help="Also run without the cube, with another place's, and with three bands of it.",
)
@click.option(
    "--range", "value_range", type=Numbers(2), help="Black and white of the reference's values."
)
@click.option("--sr-range", type=Numbers(2), help="The same of the output, where units differ.")
@click.option(
    "--bands",
    type=options.OfRaster(options.BandNames()),
    multiple=True,
    callback=options.by_raster,
    help="Red, green and blue of the rasters, or of one: lr=4,3,2; repeat for more.",
)
@click.option(
    "--src-nodata",
    type=options.OfRaster(options.Nodata()),
    multiple=True,
    callback=options.by_raster,
    help="Nodata of the rasters, or of one: sr=0, lr=none; repeat for more.",
)
@options.fidelity
@options.device
@options.threads
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for the report.")
@options.overwrite
@click.option(
    "--fail-under",
    type=Threshold(),
    multiple=True,
    help="Exit with 1 when a figure is worse than this; repeat for more.",
)
@options.json_output
@click.pass_context
def evaluate(ctx: click.Context, /, **given: Any) -> None:
    """Measure weights on a DATASET, or an output raster beside a reference.

    Bicubic, Lanczos and nearest interpolation of the same input stand beside the result.  Figures
    of a dataset are means over chips with 95 % bootstrap intervals over groups of neighbours.
    """
    _check_usage(given)
    from specgan_cli.evaluation.request import EvaluateRequest
    from specgan_cli.redaction import redact_words
    from specgan_cli.workflows.evaluate import evaluate as run

    request = options.from_options(
        EvaluateRequest,
        given,
        weights=given["weights"] or (("specgan-scene",) if given["dataset"] else ()),
        ablate=given["ablate"] is not None,
        command=shlex.join(["specgan", *map(redact_words, sys.argv[1:])]),
    )
    with Progress("chip") as progress:
        outcome = run(request, progress=partial(progress, "measuring"))
    if given["as_json"]:
        write_json(outcome.to_json())
    else:
        say(outcome.to_text())
    for failure in outcome.failures:
        click.echo(f"specgan: failed: {failure}", err=True)
    if outcome.failures:
        ctx.exit(1)


def _check_usage(given: dict[str, Any]) -> None:
    """Refuse options that do not go together."""
    rasters = given["sr"] or given["reference"]
    if bool(given["dataset"]) == bool(rasters):
        raise click.UsageError("give a DATASET, or --sr and --reference")
    if rasters and not (given["sr"] and given["reference"]):
        raise click.UsageError("--sr and --reference go together")
    unfit = RASTER_OPTIONS if given["dataset"] else DATASET_OPTIONS
    if flags := ", ".join(flag for name, flag in unfit.items() if given[name]):
        kind = "rasters" if given["dataset"] else "a DATASET"
        raise click.UsageError(f"{flags}: only for {kind}")
