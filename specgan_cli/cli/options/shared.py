"""Options that several commands share, in the words of rio and gdal."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from specgan_cli.cli.options.values import BandNames, Factor, Float, KeyValue, Nodata, Numbers
from specgan_cli.threads import use_threads

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]
T = TypeVar("T")


def from_options(kind: type[T], given: Mapping[str, Any], **values: Any) -> T:
    """Build a request from the options that have the names of its fields.

    Args:
        kind: A dataclass.
        given: A command's options by name; others are left out.
        values: Fields that are no option, or not as they stand.
    """
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]  # a type
    return kind(**{name: given[name] for name in names & given.keys()} | values)


def from_environment() -> list[str]:
    """Return the options of the current command that environment variables give, as words."""
    ctx = click.get_current_context()
    words = []
    for option in ctx.command.params:
        if ctx.get_parameter_source(option.name or "") is ParameterSource.ENVIRONMENT:
            flag = isinstance(option, click.Option) and option.is_flag
            value = "" if flag else f"={option.resolve_envvar_value(ctx)}"
            words.append(f"{option.opts[-1]}{value}")
    return words


def as_dict(
    ctx: click.Context, param: click.Parameter, value: tuple[tuple[str, str], ...]
) -> dict[str, str]:
    """Turn the pairs of a `KeyValue` option into a dictionary."""
    return dict(value)


def by_raster(
    ctx: click.Context, param: click.Parameter, value: tuple[tuple[tuple[str, ...], Any], ...]
) -> dict[str, Any]:
    """Turn the values of an `OfRaster` option into those of each raster; a later one wins."""
    return {name: each for names, each in value for name in names}


def add(decorators: Sequence[Decorator], command: Command) -> Command:
    """Add options to a command, in the order in which its help shall show them."""
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


def area_options(
    option: Callable[..., Decorator] = click.option, form: str = ""
) -> tuple[Decorator, ...]:
    """Return the options that choose a part of a scene by its place on the ground.

    Args:
        option: Makes an option.
        form: The form of the command that they belong to, for the help.
    """
    return (
        option(
            "--aoi",
            metavar="FILE|WKT",
            help=f"{form}Polygons of the part, nodata outside: GeoJSON, GeoPackage (FILE[:LAYER]), "
            "WKT or a file of it.",
        ),
        option(
            "--bounds",
            type=Numbers(4),
            help=f"{form}Part by left,bottom,right,top in the scene's CRS, or --bounds-crs.",
        ),
        option(
            "--bounds-crs",
            metavar="CRS",
            help=f"{form}CRS of --bounds and of a WKT --aoi, such as EPSG:4326.",
        ),
    )


def check_area(given: Mapping[str, Any]) -> None:
    """Raise unless the options of `area_options` fit together.

    Raises:
        click.UsageError: As said.
    """
    if given["bounds"] and given["aoi"] is not None:
        raise click.UsageError("give --bounds or --aoi, not both")
    if given["bounds_crs"] and not given["bounds"] and given["aoi"] is None:
        raise click.UsageError("--bounds-crs goes with --bounds, or with WKT as --aoi")


bands: Decorator = click.option(
    "--bands",
    type=BandNames(),
    help="Red, green and blue band, by number, name or nm: 4,3,2, B04,B03,B02, 665,560,490.",
)
src_nodata: Decorator = click.option(
    "--src-nodata",
    type=Nodata(),
    help="Take this value for nodata; none ignores the file's own.",
)
overwrite: Decorator = click.option(
    "--overwrite", is_flag=True, help="Replace an output that exists already."
)
json_output: Decorator = click.option(
    "--json", "as_json", is_flag=True, help="Write one JSON document to stdout and nothing else."
)
dry_run: Decorator = click.option(
    "--dry-run", is_flag=True, help="Say what would be done, and do nothing."
)
scale: Decorator = click.option(
    "-x",
    "--scale",
    type=Factor(),
    default=32,
    show_default=True,
    help="Output pixels per input pixel along one axis.",
)
fidelity: Decorator = click.option(
    "--fidelity",
    type=Float(0, 1),
    default=0.0,
    show_default=True,
    help="0 full detail, 1 the second set of weights, trained for means.",
)
device: Decorator = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="auto, cpu, cuda, cuda:N or mps (Apple).",
)
jobs: Decorator = click.option(
    "-j",
    "--jobs",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Worker processes or threads.",
)
threads: Decorator = click.option(
    "-j",
    "--threads",
    type=click.IntRange(min=1),
    expose_value=False,
    callback=lambda ctx, param, value: use_threads(value),
    is_eager=True,
    help="Threads of torch, BLAS and GDAL; by default the processors given to the process.",
)
lossy: Decorator = click.option(
    "--lossy", is_flag=True, help="Allow --co options that change pixel values, such as JPEG."
)
creation_options: Decorator = click.option(
    "--co",
    type=KeyValue(),
    multiple=True,
    callback=as_dict,
    help="GDAL creation option; repeat for more.",
)
