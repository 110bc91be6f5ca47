"""Bands of a scene beyond red, green and blue, to come out at the same scale."""

from dataclasses import dataclass

from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from specgan_cli.errors import RasterError
from specgan_cli.raster.bands import band_number, light_bands
from specgan_cli.redaction import redact


@dataclass(frozen=True)
class FurtherBand:
    """A band of a scene beyond red, green and blue."""

    number: int
    """1-based number in the scene."""

    name: str
    """What the user or the file calls it."""

    @property
    def description(self) -> str:
        """What the output says of it."""
        return f"{self.name}: detail by local regression on RGB"


def choose_further(
    dataset: DatasetReader, name: str, also: str | None, rgb: tuple[int, int, int]
) -> tuple[FurtherBand, ...]:
    """Return the further bands that are asked for, in their order.

    Args:
        dataset: An open raster.
        name: The file, for messages.
        also: Bands by number, name or wavelength, as `nir=4,B05` with or without a name of the
            user's; "all" for all but alpha; None for none.
        rgb: The bands that are red, green and blue.

    Raises:
        RasterError: A band is not there, is one of the three, or is of another type.
    """
    if also is None:
        return ()
    shown = redact(name)
    if also == "all":
        rest = [band for band in light_bands(dataset) if band not in rgb]
        found = [FurtherBand(number, _called(dataset, number)) for number in rest]
        if not found:
            alpha = [str(band) for band in dataset.indexes if band not in rgb]
            but = f" but alpha; if it is a colour: --also nir={alpha[0]}" if alpha else ""
            raise RasterError(
                f"{shown}: has no band beyond red, green and blue{but or '; leave --also out'}"
            )
    else:
        found = [_parse(dataset, shown, word.strip(), rgb) for word in also.split(",")]
    dtype = dataset.dtypes[rgb[0] - 1]
    for band in found:
        if (other := dataset.dtypes[band.number - 1]) != dtype:
            raise RasterError(
                f"{shown}: band {band.number} ({band.name}) holds {other}, red, green and blue "
                f"{dtype}; name others with --also, or convert it: rio convert -t {dtype}"
            )
    return tuple(found)


def _parse(dataset: DatasetReader, shown: str, word: str, rgb: tuple[int, int, int]) -> FurtherBand:
    called, _, band = word.rpartition("=")
    number = band_number(dataset, shown, band, "--also nir=4")
    if number in rgb or not 1 <= number <= dataset.count:
        others = [str(i) for i in dataset.indexes if i not in rgb]
        raise RasterError(
            f"{shown}: --also {word}: band {number} is "
            + ("one of red, green and blue" if number in rgb else "not there")
            + f"; the further bands are {', '.join(others) or 'none'}"
        )
    return FurtherBand(number, called or _called(dataset, number))


def _called(dataset: DatasetReader, number: int) -> str:
    description: str | None = dataset.descriptions[number - 1]
    colour = dataset.colorinterp[number - 1]
    named = colour not in (ColorInterp.undefined, ColorInterp.gray, ColorInterp.alpha)
    return description or (colour.name if named else f"band {number}")
