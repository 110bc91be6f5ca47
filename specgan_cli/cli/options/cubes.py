"""Options on hyperspectral cubes, which `prepare` and `upscale` share."""

from typing import TYPE_CHECKING, Any

import click

from specgan_cli.cli import options

if TYPE_CHECKING:
    from specgan_cli.alignment.options import AlignOptions
    from specgan_cli.cubes.options import CubeOptions

_OPTIONS: tuple[options.Decorator, ...] = (
    click.option(
        "--wavelengths",
        metavar="FILE|NM",
        help="Wavelengths, if cubes do not tell: a table, or '660 560 480 830'.",
    ),
    click.option(
        "--hsi-scale",
        type=options.Float(min=0, min_open=True),
        help="Stored value of reflectance 1.",
    ),
    click.option(
        "--hsi-nodata",
        type=options.Nodata(),
        help="Take this value for nodata of cubes; none ignores the file's own.",
    ),
    click.option("--bad-bands", metavar="RANGES", help="Bad bands, such as 1-4,1340-1445nm."),
    click.option("--hsi-crs", metavar="CRS", help="CRS of cubes, such as EPSG:32618."),
    click.option(
        "--align/--no-align", default=True, show_default=True, help="Co-register cubes to the RGB."
    ),
    click.option(
        "--max-shift",
        type=options.Float(min=0),
        metavar="METRES",
        help="Longest shift of a cube that is believed.",
    ),
)


def add_cube_options(command: options.Command) -> options.Command:
    """Add the options."""
    return options.add(_OPTIONS, command)


def cube_options(given: dict[str, Any]) -> "CubeOptions":
    """Return what the user says of the cubes."""
    from specgan_cli.cubes.options import CubeOptions

    return CubeOptions(
        given["wavelengths"],
        scale=given["hsi_scale"],
        bad_bands=given["bad_bands"],
        nodata=given["hsi_nodata"],
        crs=given["hsi_crs"],
        origin=given["hsi_origin"],
    )


def align_options(given: dict[str, Any]) -> "AlignOptions":
    """Return how the user wants cubes to be aligned."""
    from specgan_cli.alignment.options import AlignOptions

    return options.from_options(AlignOptions, given)
