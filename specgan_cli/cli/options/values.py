"""Types of options and arguments, in the words of rio and gdal."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from specgan import files

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    # Generic only since click 8.5.
    ParamType = click.ParamType


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
    """Three bands with commas between them, each a number from 1 or a name; or the word all."""

    def __init__(self, *, whole: bool = False) -> None:
        self.whole = whole
        self.name = "R,G,B|all" if whole else "R,G,B"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int | str, ...] | str:
        """Turn text into a tuple of numbers and names, or leave the word all."""
        if isinstance(value, tuple) or (self.whole and value == "all"):
            return value  # type: ignore[no-any-return]  # it was converted before
        words = [word.strip() for word in value.split(",")]
        if len(words) != 3 or not all(words):
            self.fail(f"{value!r} is not three bands with commas between them", param, ctx)
        from specgan_cli.raster.bands import band_of

        return tuple(band_of(word) for word in words)


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
    """A number, nan unless it has to be finite, or the word none."""

    name = "NUMBER|none"

    def __init__(self, *, finite: bool = False) -> None:
        self.finite = finite

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Turn text into a number, or leave the word none."""
        if value is None or isinstance(value, float) or value == "none":
            return value
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor none", param, ctx)
        if self.finite and not math.isfinite(number):
            self.fail(f"{value!r} is neither a finite number nor none", param, ctx)
        return number


class OfRaster(ParamType):
    """A value for all rasters of a comparison, or for the one that is named before it."""

    RASTERS = ("sr", "reference", "lr")

    def __init__(self, kind: ParamType) -> None:
        self.kind = kind
        self.name = f"[{'|'.join(self.RASTERS)}=]{kind.name}"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[tuple[str, ...], Any]:
        """Turn text into the rasters that are meant, and their value."""
        if isinstance(value, tuple):
            return value[0], value[1]
        name, sign, text = value.partition("=")
        if not sign:
            return self.RASTERS, self.kind.convert(value, param, ctx)
        if name not in self.RASTERS:
            self.fail(f"{name!r} is none of {', '.join(self.RASTERS)}", param, ctx)
        return (name,), self.kind.convert(text, param, ctx)


class LocalPath(ParamType):
    """A path of this machine, for an output."""

    name = "PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Turn text into a path."""
        if files.is_remote(value):
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
