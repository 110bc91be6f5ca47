"""Wavelengths of a cube, from the places in which files keep them.

In order of trust: a file that the user names, band tags, the ENVI namespace or a sidecar header,
the GDAL IMAGERY domain (which rounds to 1 nm), band descriptions, the names of colours.
"""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from specgan import files
from specgan.bands import CANONICAL_BANDS, Bands
from specgan_cli.cubes.envi_header import envi_list, sidecar_header
from specgan_cli.errors import MismatchError, RasterError, reason
from specgan_cli.raster.drivers.units import WITH_UNIT, found_bands
from specgan_cli.types import Mask

__all__ = [
    "bands_of_dataset",
    "inline_bands",
    "parse_bad_bands",
    "read_wavelengths",
]

logger = logging.getLogger(__name__)

_Found = tuple[list[float] | None, list[float] | None]
"""Centres and widths in nanometres, where a source has them."""

_WAVELENGTH_COLUMNS = ("wavelength", "center", "centre", "wl", "lambda", "nm")

_NAMED_BANDS = {
    "coastal": (443.0, 30.0),
    "coastalaerosol": (443.0, 30.0),
    "coastalblue": (443.0, 30.0),
    "blue": (485.0, 65.0),
    "green": (560.0, 60.0),
    "yellow": (605.0, 40.0),
    "red": (660.0, 60.0),
    "rededge": (720.0, 35.0),
    "nir": (835.0, 110.0),
    "nir1": (835.0, 110.0),
    "nir08": (835.0, 110.0),
    "nearinfrared": (835.0, 110.0),
    "nir2": (950.0, 140.0),
    "nir09": (950.0, 140.0),
    "swir16": (1610.0, 90.0),
    "swir1": (1610.0, 90.0),
    "swir22": (2200.0, 180.0),
    "swir2": (2200.0, 180.0),
}
"""Centres and widths in nanometres of the bands that sensors call so, as wide as most of them."""

_LISTS = ("wavelength", "wavelengths", "center_wavelengths")
_IN_BRACKETS = re.compile(r"\((\d+(?:\.\d+)?)\)")

_INLINE_BAND = re.compile(r"\d+(\.\d+)?(:\d+(\.\d+)?)?")


def inline_bands(text: str | Path) -> Bands | None:
    """Read bands that are written out, in nanometres: "660 560 480 830", or with FWHM "830:110".

    Returns:
        The bands; None where the text is anything else, such as the name of a table.
    """
    words = str(text).replace(",", " ").replace(";", " ").split()
    if not words or not all(_INLINE_BAND.fullmatch(word) for word in words):
        return None
    bands = [word.partition(":")[::2] for word in words]
    centres, widths = zip(*bands, strict=True)
    complete = all(widths)
    return Bands.from_wavelengths(map(float, centres), map(float, widths) if complete else None)


def read_wavelengths(path: str | Path) -> Bands:
    """Read a table of wavelengths, or what `inline_bands` reads.

    The table has one row per band: either a header line with a column whose name contains
    `wavelength` (and perhaps `fwhm`), or bare numbers, one wavelength (and perhaps an FWHM) a row.
    Micrometres are recognised by their size.

    Raises:
        RasterError: The file cannot be read or holds no such column.
    """
    if (inline := inline_bands(path)) is not None:
        return inline
    files.check_regular(path)
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            lines = [line for line in stream if line.strip() and not line.startswith("#")]
    except (OSError, UnicodeDecodeError) as error:
        raise RasterError(f"{path}: cannot read the wavelengths ({reason(error)})") from error
    dialect = _dialect(lines)
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, dialect)]
    except csv.Error as error:
        raise RasterError(f"{path}: is no table of wavelengths ({error}); give a CSV") from error
    if dialect.delimiter != ",":
        rows = [[cell.replace(",", ".") for cell in row] for row in rows]
    if not rows:
        raise RasterError(f"{path}: holds no wavelengths; give one row for every band")
    try:
        return _table_bands(rows)
    except (ValueError, IndexError) as error:
        raise RasterError(
            f"{path}: is no table of wavelengths ({error}); "
            "give a CSV with a column 'wavelength_nm' and one row for every band"
        ) from error


def bands_of_dataset(dataset: Any, name: str) -> Bands:
    """Find the bands of an open raster.

    Args:
        dataset: The bands of it that measure light (`LightBands`).
        name: The file, for messages.

    Raises:
        MismatchError: No wavelengths are found, and the cube has not the 48 canonical bands.
    """
    header = sidecar_header(dataset.dataset)
    sources: tuple[tuple[str, Callable[[], _Found]], ...] = (
        ("band tags", lambda: _from_band_tags(dataset)),
        ("ENVI namespace", lambda: _from_envi(dataset.tags(ns="ENVI"), dataset)),
        ("ENVI header", lambda: _from_envi(header, dataset)),
        ("dataset's tags", lambda: _from_dataset_tags(dataset)),
        ("IMAGERY domain", lambda: _from_imagery(dataset)),
        ("band descriptions", lambda: _from_descriptions(dataset)),
        ("bands' names", lambda: _from_names(dataset)),
    )
    for index, (label, source) in enumerate(sources):
        centres, widths = source()
        if centres is not None:
            logger.info("%s: wavelengths from its %s", name, label)
            others = (other()[1] for _, other in sources[index + 1 :])
            widths = widths or next((found for found in others if found is not None), None)
            return Bands.from_wavelengths(centres, widths)
    if dataset.count == len(CANONICAL_BANDS):
        logger.warning("%s: names no wavelengths; its 48 bands are taken for 380 to 1050 nm", name)
        return CANONICAL_BANDS
    if any(key.lower().startswith("wavelength#") for key in dataset.tags()):
        raise MismatchError(
            f"{name}: its wavelengths are not its first dimension, so it is read side-on; "
            "transpose to (wavelength, y, x), or install h5py if it is NetCDF-4: pip install h5py"
        )
    raise MismatchError(
        f"{name}: its {dataset.count} bands name no wavelengths; "
        'give them with --wavelengths, as FILE.csv or written out: "660 560 480 830"'
    )


def parse_bad_bands(text: str, bands: Bands) -> Mask:
    """Which bands a list names, such as ``"1-4, 190-212, 1340-1445nm"``.

    Args:
        text: Band numbers from 1, ranges of them, and ranges in nanometres, separated by commas.
        bands: The bands of the cube.

    Raises:
        RasterError: A part is neither, or names a band that is not there.
    """
    bad = np.zeros(len(bands), np.bool_)
    for part in (piece.strip() for piece in text.split(",")):
        match = re.fullmatch(r"([\d.]+)(?:\s*-\s*([\d.]+))?\s*(nm)?", part)
        if match is None:
            raise RasterError(f"--bad-bands: {part!r} is no range such as 190-212 or 1340-1445nm")
        low, high = float(match[1]), float(match[2] or match[1])
        if match[3]:
            bad[list(bands.between(low, high))] = True
        elif not 1 <= low <= high <= len(bands):
            raise RasterError(f"--bad-bands: {part!r} is outside the bands 1 to {len(bands)}")
        else:
            bad[int(low) - 1 : int(high)] = True
    return bad


def _dialect(lines: Iterable[str]) -> type[csv.Dialect]:
    class Delimited(csv.excel):
        delimiter = next((mark for mark in ";\t," if any(mark in line for line in lines)), ",")

    return Delimited


def _table_bands(rows: list[list[str]]) -> Bands:
    header = [cell.lower() for cell in rows[0]]
    _check_commas(rows)
    if not any(re.search("[a-df-z]", cell) for cell in header):
        columns = list(zip(*[[float(cell) for cell in row if cell] for row in rows], strict=True))
        return Bands.from_wavelengths(
            *found_bands(columns[0], columns[1] if len(columns) == 2 else None, None)
        )
    named = [i for name in _WAVELENGTH_COLUMNS for i, cell in enumerate(header) if name in cell]
    if not named:
        raise ValueError("no column is named wavelength")
    at = named[0]
    width_at = next((i for i, cell in enumerate(header) if "fwhm" in cell or "width" in cell), None)
    units = "um" if re.search(r"\bum\b|_um|micro", header[at]) else None
    centres = [float(row[at]) for row in rows[1:]]
    widths = None if width_at is None else [float(row[width_at]) for row in rows[1:]]
    return Bands.from_wavelengths(*found_bands(centres, widths, units))


def _check_commas(rows: list[list[str]]) -> None:
    """Raise where commas may be decimal points: 400,5 for 400.5."""
    body = rows[1:] if len(rows) > 1 else rows
    pairs = all(len(row) == 2 and row[0].isdecimal() and row[1].isdecimal() for row in body)
    bare = rows[0][0].isdecimal() and len(rows) > 1
    if pairs and (len(rows[0]) == 1 or (bare and all(int(row[1]) < 10 for row in body))):
        raise ValueError(
            f"{','.join(body[0])} may be {'.'.join(body[0])}: write decimal points, or put ; "
            "between the columns"
        )


def _from_envi(header: Mapping[str, str], dataset: Any) -> _Found:
    listed = next((header[key] for key in _LISTS if key in header), "")
    centres = dataset.chosen(envi_list(listed))
    if not centres or min(centres) <= 0:
        return None, None
    widths = dataset.chosen(envi_list(header.get("fwhm", "")))
    units = next((header[key] for key in header if "wavelength" in key and "unit" in key), None)
    return found_bands(centres, widths, units)


def _from_band_tags(dataset: Any) -> _Found:
    tags = [{key.lower(): value for key, value in dataset.tags(i).items()} for i in dataset.indexes]
    key = "wavelength" if "wavelength" in tags[0] else None
    key = key or next((key for key in tags[0] if "wavelength" in key and "unit" not in key), None)
    if key is None:
        return None, None
    centres = [centre for tag in tags if (centre := _number(tag.get(key)))]
    if len(centres) != len(tags):
        return None, None
    widths = [width for tag in tags if (width := _number(tag.get("fwhm")))]
    units = next((tags[0][key] for key in tags[0] if "wavelength_unit" in key), None)
    return found_bands(centres, widths, units)


def _from_dataset_tags(dataset: Any) -> _Found:
    """Read the list that HDF5 warped to GeoTIFF, and xarray's exports, have as one item."""
    tags = {key.rpartition("#")[2].lower(): value for key, value in dataset.tags().items()}
    return _from_envi(tags, dataset)


def _from_imagery(dataset: Any) -> _Found:
    tags = [dataset.tags(i, ns="IMAGERY") for i in dataset.indexes]
    centres = [centre for tag in tags if (centre := _number(tag.get("CENTRAL_WAVELENGTH_UM")))]
    if len(centres) != len(tags):
        return None, None
    widths = [width for tag in tags if (width := _number(tag.get("FWHM_UM")))]
    return found_bands(centres, widths, "um")


def _from_descriptions(dataset: Any) -> _Found:
    texts = [text or "" for text in dataset.descriptions]
    matches = [match for text in texts if (match := WITH_UNIT.search(text))]
    if len(matches) == len(texts):
        return found_bands([float(match[1]) for match in matches], None, matches[0][2])
    inner = [match[1] if (match := _IN_BRACKETS.search(text)) else text for text in texts]
    bare = [number for text in inner if (number := _number(text))]
    if len(bare) != len(texts) or len(bare) < 2 or not 0.2 < min(bare) <= max(bare) < 3e4:
        return None, None
    counts_bands = all(value == i + 1 for i, value in enumerate(bare))
    return (None, None) if counts_bands else found_bands(bare, None, None)


def _from_names(dataset: Any) -> _Found:
    """Read descriptions such as "Near Infrared" and colour interpretations such as red."""
    texts = zip(dataset.descriptions, dataset.colorinterp, strict=True)
    names = [re.sub(r"[^a-z0-9]", "", (text or colour.name).lower()) for text, colour in texts]
    if not all(name in _NAMED_BANDS for name in names):
        return None, None
    centres, widths = zip(*(_NAMED_BANDS[name] for name in names), strict=True)
    return list(centres), list(widths)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
