"""Options of the `upscale` command."""

import click

from specgan_cli.cli import options

_OPTIONS: tuple[options.Decorator, ...] = (
    *options.area_options(),
    click.option(
        "--window",
        type=options.Numbers(4, int),
        help="Part to upscale: column,row,width,height in input pixels.",
    ),
    click.option(
        "--stack",
        is_flag=True,
        help="The files are the bands of one scene: red, green, blue as their names say, else in "
        "this order.",
    ),
    click.option(
        "--bands",
        type=options.BandNames(whole=True),
        help="Red, green and blue band, by number, name or nm: 4,3,2, B04,B03,B02, 665,560,490; "
        "all for --also all.",
    ),
    click.option(
        "--also",
        metavar="[NAME=]BAND,...|all",
        help="Further bands that come out at the same scale, their detail regressed on red, green "
        "and blue: nir=4.",
    ),
    click.option(
        "--rgb-range",
        type=options.Numbers(2),
        help="File values of black and white; 0,255 for uint8, else estimated.",
    ),
    options.src_nodata,
    click.option(
        "--floor",
        type=options.Nodata(finite=True),
        help="File value that no output goes below unless the scene does, or none; physical 0 "
        "where the file has a scale or an offset.",
    ),
    click.option(
        "--hsi-origin", type=options.Numbers(2), help="Outer corner x,y of the cube's first pixel."
    ),
    options.scale,
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
        help="Type that the network computes in; short ones are coarser, and fast on GPUs and, "
        "bfloat16 with OpenVINO, on some CPUs.",
    ),
    click.option(
        "--runtime",
        type=click.Choice(["auto", "torch", "onnx", "openvino"]),
        default="auto",
        show_default=True,
        help="What computes the network: torch, or ONNX Runtime or OpenVINO, on CPUs faster for "
        "large outputs.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, 2**31 - 1),
        default=0,
        show_default=True,
        help="Seed of invented detail.",
    ),
    options.fidelity,
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
        "--reference",
        metavar="RASTER",
        help="What the output should look like: a further panel of --preview.",
    ),
    click.option(
        "--uncertainty",
        type=options.LocalPath(),
        help="Raster of the standard deviation of the error, in the output's units; for weights "
        "whose error was never measured, of the spread over seeds, which is no error bar.",
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


def add_upscale_options(command: options.Command) -> options.Command:
    """Add the options."""
    return options.add(_OPTIONS, command)
