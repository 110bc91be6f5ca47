"""GDAL creation options: the defaults, the user's on top, and a refusal of those unknown to it."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from specgan_cli.errors import OutputError

BLOCK = 512
"""Rows and columns of a block of a large output."""

_BLOCK_SIDES = ("BLOCKXSIZE", "BLOCKYSIZE", "BLOCKSIZE")

_LOST = ("TFW", "RPB", "RPCTXT", "STREAMABLE_OUTPUT", "COPY_SRC_OVERVIEWS")
"""Options that would have no effect, because GDAL makes the blocks alone, in memory."""

_OFF = ("NO", "FALSE", "OFF", "0")

LOSSLESS = ("DEFLATE", "ZSTD", "LZW")
"""Compressions that take a predictor."""


def default_block(shape_yx: tuple[int, int]) -> int:
    """Return the side of a block: 512, or less for a raster that fits into one."""
    return min(BLOCK, max(16, 1 << (max(shape_yx) - 1).bit_length()))


def creation_options(dtype: str, block: int, co: Mapping[str, str]) -> dict[str, str]:
    """Return the options of a tiled, losslessly compressed GeoTIFF, with the user's on top.

    Args:
        dtype: Name of the numpy dtype, for the predictor.
        block: Rows and columns of a block.
        co: The user's creation options; keys in any case.

    Raises:
        OutputError: If an option would make the file untiled or its blocks not square, or lose
            what the output has to say, or would have no effect.
    """
    given = {key.upper(): str(value) for key, value in co.items()}
    _refuse_losses(given)
    sides = {given.get("BLOCKXSIZE", str(block)), given.get("BLOCKYSIZE", str(block))}
    if sides != {str(block)} or given.get("TILED", "YES").upper() not in ("YES", "TRUE", "ON"):
        raise OutputError(
            "--co: outputs are tiled in square blocks; give BLOCKXSIZE and BLOCKYSIZE alike, "
            "and leave out TILED"
        )
    options = {
        "TILED": "YES",
        "BLOCKXSIZE": str(block),
        "BLOCKYSIZE": str(block),
        "COMPRESS": "DEFLATE",
        "INTERLEAVE": "PIXEL",
        "BIGTIFF": "IF_SAFER",
        **given,
        "ENDIANNESS": "LITTLE",
    }
    if options["COMPRESS"].upper() in LOSSLESS and "PREDICTOR" not in options:
        options["PREDICTOR"] = "3" if np.issubdtype(np.dtype(dtype), np.inexact) else "2"
    return {key.lower(): value for key, value in options.items()}


def _refuse_losses(given: Mapping[str, str]) -> None:
    for key, value in given.items():
        named = f"--co {key}={value}"
        if key == "PROFILE" and value.upper() != "GDALGEOTIFF":
            raise OutputError(
                f"{named}: leaves out the place, or scales, names and tags; leave it out, and "
                "strip the output with gdal_translate if another program needs that"
            )
        if key in _LOST and value.upper() not in _OFF:
            raise OutputError(
                f"{named}: has no effect, since blocks are written one by one; leave it out, and "
                f"give it afterwards: gdal_translate -co {key}={value} OUT COPY"
            )
        if key == "ENDIANNESS" and value.upper() in ("BIG", "INVERTED"):
            raise OutputError(f"{named}: outputs are little-endian, as most are; leave it out")


def is_lossy(co: Mapping[str, str]) -> bool:
    """Return whether creation options change pixel values, as far as GDAL's pages say.

    Args:
        co: The options; keys in any case.  GDAL's defaults count for those left out.
    """
    given = {key.upper(): str(value).upper() for key, value in co.items()}
    compress = given.get("COMPRESS", "")
    if overviews := given.pop("OVERVIEW_COMPRESS", ""):
        quality = given.get("OVERVIEW_QUALITY", given.get("QUALITY", ""))
        if is_lossy({**given, "COMPRESS": overviews, "QUALITY": quality}):
            return True
    if compress == "WEBP":
        named = given.get("WEBP_LOSSLESS", "NO") not in _OFF
        return not (named or given.get("QUALITY") == "100")
    if compress == "JXL":
        return given.get("JXL_LOSSLESS", "YES") in _OFF
    if compress.startswith("LERC"):
        return any(_is_positive(given.get(key)) for key in ("MAX_Z_ERROR", "MAX_Z_ERROR_OVERVIEW"))
    return compress == "JPEG" or "NBITS" in given or _is_positive(given.get("DISCARD_LSB"))


def check_lossless(co: Mapping[str, str]) -> None:
    """Raise for options that change pixel values: block means would no longer hold.

    Raises:
        OutputError: Names the compression.
    """
    if is_lossy(co):
        shown = " ".join(f"{key}={value}" for key, value in co.items())
        raise OutputError(
            f"--co {shown}: changes pixel values, so that block means would hold only nearly; "
            "give --lossy if you want that, or a lossless one such as COMPRESS=ZSTD"
        )


def _is_positive(text: str | None) -> bool:
    return text is not None and text.strip() not in ("", "0", "0.0")


def names_block(co: Mapping[str, str]) -> bool:
    """Return whether the user's options name the side of a block."""
    return any(key.upper() in _BLOCK_SIDES for key in co)


def block_of(shape_yx: tuple[int, int], co: Mapping[str, str]) -> int:
    """Return the side of a block that the user's options name, else the default one.

    Raises:
        OutputError: If it is not a positive multiple of 16.
    """
    given = {key.upper(): value for key, value in co.items()}
    named = next((given[key] for key in _BLOCK_SIDES if key in given), None)
    if named is None:
        return default_block(shape_yx)
    if not named.isdecimal() or int(named) < 16 or int(named) % 16:
        raise OutputError(f"--co: a block of {named} pixels cannot be; give a multiple of 16")
    return int(named)


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if "creation option" in message:
            self.messages.append(message.split(" in ", 1)[-1])


@contextmanager
def strict_options() -> Iterator[None]:
    """Raise for creation options that GDAL does not know, which it otherwise logs and ignores.

    Raises:
        OutputError: With GDAL's words.
    """
    collector, log = _Collector(), logging.getLogger("rasterio._env")
    level, propagate = log.level, log.propagate
    log.addHandler(collector)
    log.setLevel(logging.WARNING)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(collector)
        log.setLevel(level)
        log.propagate = propagate
    if collector.messages:
        raise OutputError(f"--co: {collector.messages[0].rstrip('.')}; see GDAL's driver page")
