"""Options and parameter types that several commands share, in the words of rio and gdal."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from specgan_cli.threads import use_threads

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    # Generic only since click 8.5.
    ParamType = click.ParamType

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


def add(decorators: Sequence[Decorator], command: Command) -> Command:
    """Add options to a command, in the order in which its help shall show them."""
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


class Factor(ParamType):
    """A factor between input and output: a power of two up to 32."""

    name = "2|4|8|16|32"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Turn text into a number."""
        if str(value) not in self.name.split("|"):
            self.fail(f"{value!r} is not one of 2, 4, 8, 16, 32", param, ctx)
        return int(value)


class Float(click.FloatRange):
    """A finite number in a range; click's own lets nan through."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Turn text into a number."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


class Numbers(ParamType):
    """A fixed count of numbers with commas between them."""

    def __init__(self, count: int, kind: type = float) -> None:
        self.count = count
        self.kind = kind
        self.name = ",".join(["FLOAT" if kind is float else "INTEGER"] * count)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Any, ...]:
        """Turn text into a tuple of numbers."""
        if isinstance(value, tuple):
            return value
        words = value.replace(",", " ").split()
        try:
            numbers = tuple(self.kind(word) for word in words)
        except ValueError:
            numbers = ()
        if not all(map(math.isfinite, numbers)):
            self.fail(f"{value!r} holds what is not a finite number", param, ctx)
        if len(numbers) != self.count:
            self.fail(f"{value!r} is not {self.count} numbers with commas between them", param, ctx)
        return numbers


class BandNames(ParamType):
    """Three bands with commas between them, each a number from 1 or a name."""

    name = "R,G,B"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int | str, ...]:
        """Turn text into a tuple of numbers and names."""
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in value.split(",")]
        if len(words) != 3 or not all(words):
            self.fail(f"{value!r} is not three bands with commas between them", param, ctx)
        return tuple(int(word) if word.isdecimal() else word for word in words)


class Auto(ParamType):
    """A whole number of at least 1, or the word auto."""

    name = "auto|N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        """Turn text into a number, or None for auto."""
        if value is None or value == "auto":
            return None
        try:
            number = int(value)
        except ValueError:
            number = 0
        if number < 1:
            self.fail(f"{value!r} is neither auto nor a whole number from 1", param, ctx)
        return number


class Size(ParamType):
    """A number of bytes, with K, M, G or T for powers of 1024."""

    name = "SIZE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        """Turn text into bytes."""
        if value is None or isinstance(value, int):
            return value
        text = value.strip().upper().removesuffix("B").removesuffix("I")
        power = "KMGT".find(text[-1:]) + 1 if text[-1:] in tuple("KMGT") else 0
        try:
            return int(float(text[:-1] if power else text) * 1024**power)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a size such as 500M or 4G", param, ctx)


class Nodata(ParamType):
    """A number, nan, or the word none."""

    name = "NUMBER|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Turn text into a number, or leave the word none."""
        if value is None or isinstance(value, float) or value == "none":
            return value
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor none", param, ctx)


class LocalPath(ParamType):
    """A path of this machine, for an output."""

    name = "PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Turn text into a path."""
        if "://" in str(value) or str(value).startswith("/vsi"):
            self.fail(f"{value!r} is not a local path; write locally, then copy", param, ctx)
        return Path(value)


class KeyValue(ParamType):
    """A GDAL creation option, KEY=VALUE."""

    name = "KEY=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Turn text into a pair, its key in capitals as GDAL's."""
        if isinstance(value, tuple):
            return value[0], value[1]
        key, sign, content = value.partition("=")
        if not (key and sign):
            self.fail(f"{value!r} is not KEY=VALUE, such as COMPRESS=ZSTD", param, ctx)
        return key.strip().upper(), content.strip()


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
            help=f"{form}Polygons of the part, nodata outside: GeoJSON, GeoPackage or WKT.",
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
    if given["bounds"] and given["aoi"]:
        raise click.UsageError("give --bounds or --aoi, not both")
    if given["bounds_crs"] and not (given["bounds"] or given["aoi"]):
        raise click.UsageError("--bounds-crs goes with --bounds, or with WKT as --aoi")


overwrite: Decorator = click.option(
    "--overwrite", is_flag=True, help="Replace an output that exists already."
)
json_output: Decorator = click.option(
    "--json", "as_json", is_flag=True, help="Write one JSON document to stdout and nothing else."
)
dry_run: Decorator = click.option(
    "--dry-run", is_flag=True, help="Say what would be done, and do nothing."
)
device: Decorator = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="auto, cpu, cuda or cuda:N.",
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
