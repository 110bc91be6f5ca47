"""The `upscale` command: options, help, one call into its workflow."""

import json
import logging
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from specgan._version import __version__
from specgan_cli.cli import options
from specgan_cli.cli.console import Progress, say, write_json
from specgan_cli.cli.cube_options import add_cube_options, align_options, cube_options
from specgan_cli.cli.logs import NOTICE, tell

if TYPE_CHECKING:
    from specgan_cli.inference.request import UpscaleRequest

EPILOG = """\b
Examples:
  specgan upscale scene.tif --hsi cube.tif -x 32 -o out.tif
  specgan upscale scene.tif -x 8 -o out.tif --of COG --overviews
  specgan upscale scene.tif -o out.tif --window 100,200,64,64 --preview out.png
  specgan upscale scene.tif -o out.tif --dry-run
  specgan upscale scenes/*.tif --hsi-dir cubes --out-dir out --skip-existing
"""


_OPTIONS: tuple[options.Decorator, ...] = (
    *options.area_options(),
    click.option(
        "--window",
        type=options.Numbers(4, int),
        help="Part to upscale: column,row,width,height in input pixels.",
    ),
    click.option(
        "--bands",
        type=options.BandNames(),
        help="Red, green and blue band, by number from 1 or by name: 4,3,2 or B04,B03,B02.",
    ),
    click.option(
        "--rgb-range",
        type=options.Numbers(2),
        help="File values of black and white; 0,255 for uint8, else estimated.",
    ),
    click.option(
        "--src-nodata",
        type=options.Nodata(),
        help="Take this value for nodata; none ignores the file's own.",
    ),
    click.option(
        "--hsi-origin", type=options.Numbers(2), help="Outer corner x,y of the cube's first pixel."
    ),
    click.option(
        "-x",
        "--scale",
        type=options.Factor(),
        default=32,
        show_default=True,
        help="Output pixels per input pixel along one axis.",
    ),
    click.option(
        "--weights",
        default="specgan-scene",
        show_default=True,
        metavar="NAME|FILE",
        help="Shipped weights by name (see `specgan models list`), or a weights file.",
    ),
    click.option(
        "--dtype",
        type=click.Choice(["float32", "float64", "bfloat16", "float16"]),
        default="float32",
        show_default=True,
        help="Type that the network computes in; short ones are coarser and fast on GPUs.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, 2**31 - 1),
        default=0,
        show_default=True,
        help="Seed of invented detail.",
    ),
    click.option(
        "--fidelity",
        type=options.Float(0, 1),
        default=0.0,
        show_default=True,
        help="0 full detail, 1 the second set of weights, trained for means.",
    ),
    click.option(
        "--tile",
        type=options.Auto(),
        default="auto",
        show_default=True,
        help="Input pixels of a tile's side.",
    ),
    click.option(
        "--batch",
        type=options.Auto(),
        default="auto",
        show_default=True,
        help="Tiles that go through the network together.",
    ),
    click.option(
        "--dask",
        metavar="ADDRESS",
        help="Compute on a Dask cluster: tcp://HOST:PORT, or local:N workers here.",
    ),
    click.option(
        "--max-memory",
        type=options.Size(),
        help="Memory to stay under, such as 4G; half of what is free by default.",
    ),
    options.device,
    options.threads,
    click.option(
        "--dst-nodata", type=float, help="Nodata value of the output; the scene's by default."
    ),
    click.option(
        "-f",
        "--of",
        "of",
        type=click.Choice(["GTiff", "COG", "VRT"], case_sensitive=False),
        default="GTiff",
        show_default=True,
        help="Output format.",
    ),
    options.creation_options,
    options.lossy,
    click.option("--overviews", is_flag=True, help="Keep the smaller results inside as overviews."),
    click.option(
        "--preview",
        "--quicklook",
        "preview",
        type=options.LocalPath(),
        help="PNG of a telling part: scene, bicubic, output.",
    ),
    click.option(
        "--uncertainty",
        type=options.LocalPath(),
        help="Raster of the spread over seeds, in the output's units.",
    ),
    click.option(
        "--samples",
        type=click.IntRange(min=2),
        default=4,
        show_default=True,
        help="Seeds that the spread is taken over.",
    ),
    click.option("--resume", is_flag=True, help="Go on with a run that was killed or interrupted."),
    click.option("--skip-existing", is_flag=True, help="Leave scenes alone whose output exists."),
    options.overwrite,
    options.dry_run,
    options.json_output,
)
"""In the order of the help."""


def _add_options(command: options.Command) -> options.Command:
    return options.add(_OPTIONS, command)


@click.command(epilog=EPILOG)
@click.argument("scenes", nargs=-1, required=True, metavar="SCENE...")
@click.option("-o", "--output", type=options.LocalPath(), help="The output raster, for one scene.")
@click.option(
    "--out-dir",
    type=options.LocalPath(),
    help="Folder of the outputs NAME_x32.tif, for any number of scenes.",
)
@click.option(
    "--hsi",
    metavar="CUBE|self",
    help="Hyper- or multispectral cube over the same ground; self for the scene's further bands.",
)
@click.option(
    "--hsi-dir", type=options.LocalPath(), help="Folder of the cubes, each named as its scene."
)
@add_cube_options
@_add_options
def upscale(**given: Any) -> None:
    """Upscale georeferenced RGB scenes 2 to 32 times.

    The output covers the same ground in the same CRS, in the input's type and units; the mean of
    each block of output pixels is the input pixel.  Missing pixels stay missing.
    """
    check_usage(given)
    template = make_request(given, [*sys.argv[1:], *options.from_environment()])
    if given["out_dir"] is None:
        one_scene(template, given)
    else:
        many_scenes(template, given)


def check_usage(given: dict[str, Any]) -> None:
    """Raise unless the options fit together."""
    if (given["output"] is None) == (given["out_dir"] is None):
        raise click.UsageError("give -o OUT for one scene, or --out-dir for any number of scenes")
    if given["output"] is not None and len(given["scenes"]) > 1:
        raise click.UsageError("-o is for one scene; give --out-dir for several")
    if given["hsi"] and given["hsi_dir"]:
        raise click.UsageError("give --hsi or --hsi-dir, not both")
    if given["hsi_dir"] and given["out_dir"] is None:
        raise click.UsageError("--hsi-dir goes with --out-dir; give --hsi CUBE for one scene")
    if given["bounds"] and given["window"]:
        raise click.UsageError("give --bounds or --window, not both")
    options.check_area(given)
    if given["out_dir"] is not None and (given["preview"] or given["uncertainty"]):
        raise click.UsageError("--preview and --uncertainty go with -o, for one scene")
    if given["of"] == "VRT" and not given["dask"]:
        raise click.UsageError("-f VRT goes with --dask, whose parts it shows as one raster")
    if given["uncertainty"] and given["dask"]:
        raise click.UsageError("--uncertainty is computed on one machine; leave --dask out")
    if given["overwrite"] and given["skip_existing"]:
        raise click.UsageError("give --overwrite or --skip-existing, not both")


def one_scene(request: "UpscaleRequest", given: dict[str, Any]) -> None:
    """Upscale one scene, or say what that would take."""
    from specgan_cli.inference.output import shown_command
    from specgan_cli.inference.report import skipped
    from specgan_cli.workflows.upscale import plan_upscale, upscale

    if given["skip_existing"] and request.output.path.exists():
        document = skipped(request)
    elif given["dry_run"]:
        estimate = plan_upscale(request)
        document = estimate.to_json()
        if not given["as_json"]:
            say(estimate.describe())
    else:
        command = shown_command(request.command_line)
        tell(logging.INFO, "start", command, version=__version__)
        with Progress("tile") as progress:
            report = upscale(request, progress=partial(progress, "tiles"))
        document = report.to_json()
        tell(NOTICE, "done", report.describe(), **document)
    if given["as_json"]:
        write_json(document)


def many_scenes(template: "UpscaleRequest", given: dict[str, Any]) -> None:
    """Upscale several scenes: a JSON line each, or with --json one document at the end."""
    from specgan_cli.inference.request import batch_requests
    from specgan_cli.workflows.upscale import upscale_all

    requests = batch_requests(
        template, given["scenes"], out_dir=given["out_dir"], hsi_dir=given["hsi_dir"]
    )
    documents = []
    with Progress("tile") as progress:
        for document in upscale_all(
            requests,
            dry_run=given["dry_run"],
            skip_existing=given["skip_existing"],
            progress=partial(progress, "tiles"),
        ):
            documents.append(document)
            failed = document["status"] == "failed"
            text = f"{document['output']}: {document.get('error', document['status'])}"
            level = logging.ERROR if failed else NOTICE
            tell(level, document["status"], text, **document)
            if not given["as_json"]:
                say(json.dumps(document))
    if given["as_json"]:
        write_json(documents)
    if any(document["status"] == "failed" for document in documents):
        click.get_current_context().exit(1)


def make_request(given: dict[str, Any], words: Sequence[str]) -> "UpscaleRequest":
    """Turn the options into a request."""
    from specgan_cli.inference.request import (
        ComputeOptions,
        InputOptions,
        OutputOptions,
        UpscaleRequest,
    )

    return UpscaleRequest(
        options.from_options(
            InputOptions,
            given,
            scene=given["scenes"][0],
            cube=cube_options(given),
            alignment=align_options(given),
        ),
        options.from_options(ComputeOptions, given),
        options.from_options(OutputOptions, given, path=given["output"] or given["out_dir"]),
        command_line=("specgan", *words),
    )
