"""The `upscale` command: options, help, one call into its workflow."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from specgan_cli.cli import prepare_options, upscale_options
from specgan_cli.cli.parameters import LocalPath

EPILOG = """\b
Examples:
  specgan upscale scene.tif --hsi cube.tif -x 32 -o out.tif
  specgan upscale scene.tif -x 8 -o out.tif --of COG --overviews
  specgan upscale scene.tif -o out.tif --window 100,200,64,64 --preview out.png
  specgan upscale scene.tif -o out.tif --dry-run
  specgan upscale scenes/*.tif --hsi-dir cubes --out-dir out --skip-existing
"""


@click.command(epilog=EPILOG)
@click.argument("scenes", nargs=-1, required=True, metavar="SCENE...")
@click.option("-o", "--output", type=LocalPath(), help="The output raster, for one scene.")
@click.option(
    "--out-dir",
    type=LocalPath(),
    help="Folder of the outputs NAME_x32.tif, for any number of scenes.",
)
@click.option("--hsi", metavar="CUBE", help="Hyperspectral cube over the same ground.")
@click.option("--hsi-dir", type=LocalPath(), help="Folder of the cubes, each named as its scene.")
@prepare_options.of_cubes
@upscale_options.of_inputs
@upscale_options.of_computing
@upscale_options.of_outputs
def upscale(**given: Any) -> None:
    """Upscale georeferenced RGB scenes 2 to 32 times.

    The output covers the same ground in the same CRS, in the input's type and units; the mean of
    each block of output pixels is the input pixel.  Missing pixels stay missing.
    """
    check_usage(given)
    template = make_request(given, sys.argv[1:])
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
    if given["out_dir"] is not None and (given["preview"] or given["uncertainty"]):
        raise click.UsageError("--preview and --uncertainty go with -o, for one scene")
    if given["of"] == "VRT" and not given["dask"]:
        raise click.UsageError("-f VRT goes with --dask, whose parts it shows as one raster")
    if given["uncertainty"] and given["dask"]:
        raise click.UsageError("--uncertainty is computed on one machine; leave --dask out")
    if given["overwrite"] and given["skip_existing"]:
        raise click.UsageError("give --overwrite or --skip-existing, not both")


def one_scene(request: Any, given: dict[str, Any]) -> None:
    """Upscale one scene, or say what that would take."""
    from specgan_cli.inference.report import skipped
    from specgan_cli.workflows.upscale import plan_upscale, upscale

    if given["skip_existing"] and request.output.path.exists():
        document = skipped(request)
    elif given["dry_run"]:
        estimate = plan_upscale(request)
        document = estimate.to_json()
        if not given["as_json"]:
            click.echo(estimate.describe())
    else:
        with progress_bar() as progress:
            document = upscale(request, progress=progress).to_json()
    if given["as_json"]:
        click.echo(json.dumps(document, indent=2))


def many_scenes(template: Any, given: dict[str, Any]) -> None:
    """Upscale several scenes: a JSON line each, or with --json one document at the end."""
    from specgan_cli.inference.batch import batch_requests
    from specgan_cli.workflows.upscale import upscale_all

    requests = batch_requests(
        template, given["scenes"], out_dir=given["out_dir"], hsi_dir=given["hsi_dir"]
    )
    documents = []
    with progress_bar() as progress:
        for document in upscale_all(
            requests,
            dry_run=given["dry_run"],
            skip_existing=given["skip_existing"],
            progress=progress,
        ):
            documents.append(document)
            if not given["as_json"]:
                click.echo(json.dumps(document))
    if given["as_json"]:
        click.echo(json.dumps(documents, indent=2))
    if any(document["status"] == "failed" for document in documents):
        click.get_current_context().exit(1)


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None] | None]:
    """Draw a bar on stderr where that is a terminal and nobody asked for quiet."""
    context = click.get_current_context().find_root()
    if not sys.stderr.isatty() or (context.obj or {}).get("quiet"):
        yield None
        return
    from tqdm import tqdm

    with tqdm(unit="tile", file=sys.stderr, dynamic_ncols=True, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def make_request(given: dict[str, Any], words: list[str]) -> Any:
    """Turn the options into a request."""
    from specgan_cli.inference import request

    return request.Request(
        inputs=request.InputOptions(
            scene=given["scenes"][0],
            hsi=given["hsi"],
            bands=given["bands"],
            src_nodata=given["src_nodata"],
            rgb_range=given["rgb_range"],
            bounds=given["bounds"],
            window=given["window"],
            cube=prepare_options.cube_options(given),
            alignment=prepare_options.align_options(given),
        ),
        compute=request.ComputeOptions(
            weights=given["weights"],
            scale=int(given["scale"]),
            device=given["device"],
            dtype=given["dtype"],
            seed=given["seed"],
            fidelity=given["fidelity"],
            tile=given["tile"],
            batch=given["batch"],
            max_memory=given["max_memory"],
            dask=given["dask"],
        ),
        output=request.OutputOptions(
            path=given["output"] or given["out_dir"],
            of=given["of"],
            co=dict(given["co"]),
            overviews=given["overviews"],
            dst_nodata=given["dst_nodata"],
            overwrite=given["overwrite"],
            resume=given["resume"],
            preview=given["preview"],
            uncertainty=given["uncertainty"],
            samples=given["samples"],
        ),
        command_line=("specgan", *words),
    )
