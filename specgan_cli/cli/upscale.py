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
from specgan_cli.cli.logs import NOTICE, tell
from specgan_cli.cli.options.cubes import add_cube_options, align_options, cube_options
from specgan_cli.cli.options.upscale import add_upscale_options
from specgan_cli.cli.streams import check_streams, streamed
from specgan_cli.errors import SpecganError

if TYPE_CHECKING:
    from specgan_cli.inference.request import UpscaleRequest

EPILOG = """\b
Examples:
  specgan upscale scene.tif --hsi cube.tif -x 32 -o out.tif
  specgan upscale scene.tif -x 8 -o out.tif --of COG --overviews
  specgan upscale scene.tif -o out.tif --window 100,200,64,64 --preview out.png
  specgan upscale scene.tif -o out.tif --dry-run
  specgan upscale S2B_MSIL2A_20230823.SAFE -x 4 -o out.tif
  specgan upscale B04.jp2 B03.jp2 B02.jp2 --stack -x 4 -o out.tif
  specgan upscale scenes/ --hsi-dir cubes --out-dir out --skip-existing
  specgan upscale - -x 8 -o - < scene.tif > out.tif
"""


@click.command(epilog=EPILOG)
@click.argument("scenes", nargs=-1, required=True, metavar="SCENE...")
@click.option(
    "-o", "--output", type=options.LocalPath(), help="The GeoTIFF, for one scene; - for stdout."
)
@click.option(
    "--out-dir",
    type=options.LocalPath(),
    help="Folder of the outputs NAME_x32.tif, for any number of scenes; made if its parent exists.",
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
@add_upscale_options
def upscale(**given: Any) -> None:
    """Upscale georeferenced RGB scenes 2 to 32 times.

    The output covers the same ground in the same CRS, in the input's type and units; the mean of
    each block of output pixels is the input pixel.  Missing pixels stay missing.

    SCENE is a path or URL, or - for stdin; with --out-dir also a folder, a pattern or a list
    NAME.txt.
    """
    check_usage(given)
    words = [*sys.argv[1:], *options.from_environment()]
    if given["out_dir"] is not None:
        many_scenes(make_request(given, words), given)
        return
    with streamed(given) as files:
        one_scene(make_request(files, words), given)


def check_usage(given: dict[str, Any]) -> None:
    """Raise unless the options fit together."""
    if (given["output"] is None) == (given["out_dir"] is None):
        raise click.UsageError("give -o OUT for one scene, or --out-dir for any number of scenes")
    if given["output"] is not None and len(given["scenes"]) > 1 and not given["stack"]:
        raise click.UsageError(
            "-o is for one scene; give --out-dir for several, or --stack where each holds a band"
        )
    if given["stack"] and given["out_dir"] is not None:
        raise click.UsageError("--stack makes one scene of all files; give it -o OUT")
    if given["hsi"] and given["hsi_dir"]:
        raise click.UsageError("give --hsi or --hsi-dir, not both")
    if given["hsi_dir"] and given["out_dir"] is None:
        raise click.UsageError("--hsi-dir goes with --out-dir; give --hsi CUBE for one scene")
    if given["window"] and min(given["window"][2:]) < 1:
        raise click.UsageError("--window takes column,row,width,height with sizes from 1")
    if given["bounds"] and given["window"]:
        raise click.UsageError("give --bounds or --window, not both")
    options.check_area(given)
    check_streams(given)
    if given["reference"] and not given["preview"]:
        raise click.UsageError("--reference is shown by --preview; give --preview PNG with it")
    if given["out_dir"] is not None and (given["preview"] or given["uncertainty"]):
        raise click.UsageError("--preview and --uncertainty go with -o, for one scene")
    if given["of"] == "VRT" and not given["dask"]:
        raise click.UsageError("-f VRT goes with --dask, whose parts it shows as one raster")
    if given["uncertainty"] and given["dask"]:
        raise click.UsageError("--uncertainty is computed on one machine; leave --dask out")
    if given["dask"] == "":
        raise click.UsageError("--dask is empty; give tcp://HOST:PORT, or local:N workers here")
    if given["bands"] == "all" and given["also"]:
        raise click.UsageError("--bands all is --also all; give --bands R,G,B with --also BAND")
    if given["overwrite"] and given["skip_existing"]:
        raise click.UsageError("give --overwrite or --skip-existing, not both")


def one_scene(request: "UpscaleRequest", given: dict[str, Any]) -> None:
    """Upscale one scene, or say what that would take."""
    from specgan_cli.inference.report import skipped
    from specgan_cli.workflows.upscale import plan_upscale
    from specgan_cli.workflows.upscale_paths import is_done

    if given["skip_existing"] and is_done(request):
        document = skipped(request)
        _tell_of(document)
    elif given["dry_run"]:
        estimate = plan_upscale(request)
        document = estimate.to_json()
        if not given["as_json"]:
            say(estimate.describe())
    else:
        document = _upscaled(request, given)
    if given["as_json"]:
        write_json(document)


def _upscaled(request: "UpscaleRequest", given: dict[str, Any]) -> dict[str, Any]:
    """Upscale one scene, and return its document."""
    from specgan_cli.inference.output.tags import shown_command
    from specgan_cli.inference.report import skipped
    from specgan_cli.workflows.upscale import upscale
    from specgan_cli.workflows.upscale_paths import made_meanwhile

    tell(logging.INFO, "start", shown_command(request.command_line), version=__version__)
    try:
        with Progress("tile") as progress:
            report = upscale(request, progress=partial(progress, "tiles"))
    except SpecganError as error:
        if not (given["skip_existing"] and made_meanwhile(request, error)):
            raise
        document = skipped(request)
        _tell_of(document)
    else:
        document = report.to_json()
        tell(NOTICE, "done", report.describe(), **document)
    return document


def many_scenes(template: "UpscaleRequest", given: dict[str, Any]) -> None:
    """Upscale several scenes: a JSON line each, or with --json one document at the end."""
    from specgan_cli.inference.request import batch_requests
    from specgan_cli.workflows.upscale import upscale_all
    from specgan_cli.workflows.upscale_paths import expand_scenes

    requests = batch_requests(
        template, expand_scenes(given["scenes"]), out_dir=given["out_dir"], hsi_dir=given["hsi_dir"]
    )
    documents = []
    with Progress("tile") as progress:
        for document in upscale_all(
            requests,
            dry_run=given["dry_run"],
            skip_existing=given["skip_existing"],
            debug=click.get_current_context().find_root().obj.get("debug", False),
            progress=partial(progress, "tiles"),
        ):
            documents.append(document)
            _tell_of(document)
            if not given["as_json"]:
                say(json.dumps(document))
    if given["as_json"]:
        write_json(documents)
    codes = {int(document["exit_code"]) for document in documents if "exit_code" in document}
    if codes:
        click.get_current_context().exit(codes.pop() if len(codes) == 1 else 1)


def _tell_of(document: dict[str, Any]) -> None:
    """Say in a line what became of a scene."""
    name, what = document["output"], document.get("error", document["status"])
    text = what if what.startswith(f"{name}: ") else f"{name}: {what}"
    level = logging.ERROR if document["status"] == "failed" else NOTICE
    tell(level, document["status"], text, **document)


def make_request(given: dict[str, Any], words: Sequence[str]) -> "UpscaleRequest":
    """Turn the options into a request."""
    from specgan_cli.inference.request import (
        ComputeOptions,
        InputOptions,
        OutputOptions,
        UpscaleRequest,
    )

    if given["bands"] == "all":
        given = {**given, "bands": None, "also": "all"}
    return UpscaleRequest(
        options.from_options(
            InputOptions,
            given,
            scene=given["scenes"][0],
            stack=given["scenes"] if given["stack"] else (),
            cube=cube_options(given),
            alignment=align_options(given),
        ),
        options.from_options(ComputeOptions, given),
        options.from_options(OutputOptions, given, path=given["output"] or given["out_dir"]),
        command_line=("specgan", *words),
    )
