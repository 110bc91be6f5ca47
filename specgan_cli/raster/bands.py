"""Which bands of a raster are red, green and blue.

In order of trust: what the user names, the colour interpretation, the names that descriptions and
tags give the bands, their wavelengths, and only then the first three.
"""

import logging
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from specgan_cli.errors import RasterError
from specgan_cli.raster.drivers.wavelengths import centres_nm, to_nm
from specgan_cli.redaction import redact

logger = logging.getLogger(__name__)

BandSpec = tuple[int | str, ...]
"""Three bands by 1-based number, name or wavelength, in the order red, green, blue.

A wavelength is text with a unit ("665nm"), text with a point, or a number above the count of bands.
"""

RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)

_COLOURS = ("red", "green", "blue")
_COLOURS_NM = ((620.0, 665.0, 700.0), (520.0, 560.0, 600.0), (440.0, 490.0, 519.0))
"""Lowest, usual and highest wavelength of red, green and blue, in nanometres."""
_NEAR_NM = 50.0
"""How far a band may be from the wavelength by which the user names it, in nanometres."""
_NAME_TAGS = ("common_name", "band_name", "bandname", "name", "band")
_NUMBERED = re.compile(r"^(?P<sr>sr_)?b(?:and)?[ _]?(?P<number>\d{1,2}a?)\b", re.IGNORECASE)
_LIGHT = re.compile(
    r"(?<![a-z])(?:v?nir|infra|swir|mwir|[lt]w?ir|thermal|red|green|blue|coastal|yellow|aerosol|b\d)",
    re.IGNORECASE,
)
_OPACITY = re.compile(r"alpha|opacity|transparen|mask", re.IGNORECASE)
_THEMATIC_MAPPER = {"3": "red", "2": "green", "1": "blue"}
_SENTINEL_2_AND_OLI = {"4": "red", "3": "green", "2": "blue"}


def choose_bands(dataset: DatasetReader, name: str, bands: BandSpec | None) -> tuple[int, int, int]:
    """Return the three 1-based bands to read as red, green and blue.

    Args:
        dataset: An open raster.
        name: The file, for messages.
        bands: Numbers or names that the user gives; None to find them.

    Raises:
        RasterError: If there are fewer than three of colour, or the named ones are not there.
    """
    shown = redact(name)
    if bands is not None:
        return _check(dataset, shown, tuple(band_number(dataset, shown, band) for band in bands))
    told = _by_name(dataset) or _by_wavelength(dataset)
    interpreted = _by_colour(dataset)
    if told and interpreted and told != interpreted:
        logger.warning(
            "%s: the bands' colour interpretation says that red, green, blue are bands %s, their "
            "descriptions (%s) say %s; the interpretation is taken: if that is wrong, give "
            "--bands %s",
            shown,
            _listed(interpreted),
            "; ".join(text or "none" for text in dataset.descriptions),
            _listed(told),
            _listed(told),
        )
    chosen = interpreted or told or _first(dataset, shown)
    if not (interpreted or told) and dataset.count > 3 and not _is_rgba(dataset):
        described = "; ".join(text for text in dataset.descriptions if text) or "no descriptions"
        logger.warning(
            "%s: bands %s of %d are taken for red, green, blue, because nothing tells (%s); "
            "name others with --bands, as --bands 3,2,1",
            shown,
            _listed(chosen),
            dataset.count,
            described,
        )
    return _check(dataset, shown, chosen)


def colour_of(text: str) -> str | None:
    """Return the colour that a band's name says: red, green, blue, or None.

    Red edge and infrared are no red, coastal blue no blue; a name with two colours says none.
    """
    words = re.findall(r"[a-z]+", text.lower())
    found: set[str] = {word for word in words if word in _COLOURS}
    if len(found) != 1 or {"edge", "coastal"} & set(words):
        return None
    return found.pop()


def says_light(dataset: DatasetReader, band: int) -> str | None:
    """Return the name or wavelength of a band that measures light, such as NIR; None for others."""
    for text in _names(dataset, band):
        if _LIGHT.search(text) and not _OPACITY.search(text):
            return text
    centre = centres_nm(dataset)[band - 1]
    return None if centre is None else f"{centre:g} nm"


def light_bands(dataset: DatasetReader) -> tuple[int, ...]:
    """Return the bands that hold light: all but alpha, and alpha too where it is described so."""
    colours = zip(dataset.indexes, dataset.colorinterp, strict=True)
    return tuple(
        band
        for band, colour in colours
        if colour != ColorInterp.alpha or says_light(dataset, band) is not None
    )


def _by_colour(dataset: DatasetReader) -> tuple[int, ...] | None:
    colours = dataset.colorinterp
    if not all(colour in colours for colour in RGB):
        return None
    return tuple(colours.index(colour) + 1 for colour in RGB)


def _by_name(dataset: DatasetReader) -> tuple[int, ...] | None:
    """Return the bands that are named so, when each colour has one band alone."""
    names = [list(_names(dataset, band)) for band in dataset.indexes]
    exact = [
        next((key for text in texts if (key := _key(text)) in _COLOURS), None) for texts in names
    ]
    for colours in (exact, [_spelled(texts) for texts in names], _numbered(names)):
        if all(colours.count(colour) == 1 for colour in _COLOURS):
            return tuple(colours.index(colour) + 1 for colour in _COLOURS)
    return None


def _by_wavelength(dataset: DatasetReader) -> tuple[int, ...] | None:
    """Return the bands nearest to the usual red, green and blue, when each lies in its colour."""
    centres = centres_nm(dataset)
    found: list[int] = []
    for low, usual, high in _COLOURS_NM:
        inside = [
            (abs(nm - usual), i) for i, nm in enumerate(centres, 1) if nm and low <= nm <= high
        ]
        if not inside:
            return None
        found.append(min(inside)[1])
    return tuple(found)


def _names(dataset: DatasetReader, band: int) -> Iterator[str]:
    """Yield what the file calls a band: its description, then its tags."""
    description: str | None = dataset.descriptions[band - 1]
    if description:
        yield description
    tags: dict[str, str] = {key.lower(): value for key, value in dataset.tags(band).items()}
    yield from (tags[key] for key in _NAME_TAGS if tags.get(key))


def _spelled(texts: Sequence[str]) -> str | None:
    return next((colour for text in texts if (colour := colour_of(text)) is not None), None)


def _numbered(names: Sequence[Sequence[str]]) -> list[str | None]:
    """Read names such as B04 or SR_B4 as Sentinel-2 and Landsat number their bands.

    Names that only count the bands of the file (B1, B2, ...; Band 1, Band 2, ...) say nothing.
    """
    texts = [texts[0] if texts else "" for texts in names]
    matches = [_NUMBERED.match(text.strip()) for text in texts]
    numbers = [match["number"].lower() if match else "" for match in matches]
    surely = any(match and (match["sr"] or match["number"][0] == "0") for match in matches)
    if not surely and numbers == [str(i + 1) for i in range(len(numbers))]:
        return [None] * len(names)
    bare = [number.lstrip("0") for number in numbers]
    # Landsat 4 to 7 have no surface reflectance of band 6, which is thermal.
    is_mapper = {"1", "5", "7"} <= set(bare) and not {"6", "8"} & set(bare)
    table = _THEMATIC_MAPPER if is_mapper else _SENTINEL_2_AND_OLI
    return [table.get(number) for number in bare]


def _first(dataset: DatasetReader, shown: str) -> tuple[int, ...]:
    others = light_bands(dataset)
    if len(others) < 3:
        if ColorInterp.palette in dataset.colorinterp:
            expanded = shlex.quote(f"{Path(shown).stem}_rgb.tif")
            raise RasterError(
                f"{shown}: has a palette; expand it first: gdal_translate -expand rgb "
                f"{shlex.quote(shown)} {expanded}"
            )
        raise RasterError(f"{shown}: {_too_few(len(others))}")
    return others[:3]


def _is_rgba(dataset: DatasetReader) -> bool:
    return dataset.count == 4 and ColorInterp.alpha in dataset.colorinterp


def band_of(word: str) -> int | str:
    """Return the number that a word says; one too long for any band is a name."""
    return int(word) if word.isdecimal() and len(word) < 10 else word


def band_number(
    dataset: DatasetReader, shown: str, band: int | str, example: str = "--bands 3,2,1"
) -> int:
    """Return the number of a band that is given by number, name or wavelength.

    Args:
        dataset: An open raster.
        shown: The file, for messages.
        band: As the user gives it.
        example: An option that works, for messages.

    Raises:
        RasterError: No band is called so, or several are.
    """
    band = band if isinstance(band, int) else band_of(band)
    if isinstance(band, int):
        given = to_nm(str(band), "nm")
        is_number = band <= dataset.count or given is None
        return band if is_number else _nearest(dataset, shown, given)
    wanted = _key(band)
    names = [list(_names(dataset, number)) for number in dataset.indexes]
    found = [
        number
        for number, (texts, colour) in enumerate(
            zip(names, dataset.colorinterp, strict=True), start=1
        )
        if wanted in {_key(text) for text in texts} or wanted == colour.name
    ]
    found = found or [
        number
        for number, texts in enumerate(names, start=1)
        if wanted in {_key(word) for text in texts for word in text.split()}
    ]
    if not found and wanted in _COLOURS and (told := _by_name(dataset)):
        return told[_COLOURS.index(wanted)]
    if not found and (nm := to_nm(band)) is not None:
        return _nearest(dataset, shown, nm)
    if len(found) != 1:
        named = "; ".join(text or "none" for text in dataset.descriptions)
        many = f"bands {_listed(found)} are" if found else "no band is"
        raise RasterError(
            f"{shown}: {many} called {band!r}; its bands are described as {named}; "
            f"give a number for each, as {example}"
        )
    return found[0]


def _nearest(dataset: DatasetReader, shown: str, wanted: float | None) -> int:
    assert wanted is not None
    centres = centres_nm(dataset)
    known = [(abs(nm - wanted), i) for i, nm in enumerate(centres, 1) if nm is not None]
    if not known:
        raise RasterError(
            f"{shown}: {wanted:g} nm was given, but its {dataset.count} bands name no wavelengths; "
            "give three numbers, as --bands 3,2,1"
        )
    distance, number = min(known)
    if distance > _NEAR_NM:
        raise RasterError(
            f"{shown}: no band is near {wanted:g} nm; the nearest, band {number}, has "
            f"{centres[number - 1]:g} nm; give three numbers, as --bands 3,2,1"
        )
    return number


def _key(text: str) -> str:
    """Return a name without case, signs, and zeros before a number: B04, b4 and "B 4" are one."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"[^a-z0-9]", "", text.lower()))


def _listed(bands: Sequence[int]) -> str:
    return ",".join(map(str, bands))


def _too_few(count: int) -> str:
    bands = "1 band" if count == 1 else f"{count} bands"
    return (
        f"has {bands} of colour, but red, green and blue are needed; give an RGB raster "
        "(--bands 1,1,1 takes one band for all three)"
    )


def _check(dataset: DatasetReader, shown: str, bands: tuple[int, ...]) -> tuple[int, int, int]:
    if len(bands) != 3 or not all(1 <= band <= dataset.count for band in bands):
        raise RasterError(
            f"{shown}: bands {_listed(bands)} cannot be read; "
            f"give three numbers from 1 to {dataset.count}, as --bands 3,2,1"
        )
    dtypes = {dataset.dtypes[band - 1] for band in bands}
    if len(dtypes) != 1:
        raise RasterError(f"{shown}: the bands differ in type: {', '.join(sorted(dtypes))}")
    if np.issubdtype(np.dtype(next(iter(dtypes))), np.complexfloating):
        raise RasterError(f"{shown}: holds complex values; give a raster of real numbers")
    return bands[0], bands[1], bands[2]
