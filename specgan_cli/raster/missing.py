"""One rule for what is missing: nodata of each band, masks, alpha, and what is not finite."""

import itertools
import logging
import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader

from specgan_cli.errors import RasterError
from specgan_cli.raster.bands import says_light
from specgan_cli.raster.drivers import sentinel2
from specgan_cli.raster.grid import Window
from specgan_cli.raster.masks import MaskKind, fits, valid_values
from specgan_cli.redaction import redact
from specgan_cli.types import Mask, Pixels

logger = logging.getLogger(__name__)

_MIDDLE, _SPREAD, _SIDE = 64, 5, 16
"""What is looked at: side of the middle, windows along each axis, and their sides, in pixels."""
_LEVELS = 16
"""Different values that an alpha band has at most; an image has more."""


@dataclass(frozen=True)
class MissingRule:
    """How a file marks missing pixels in the bands that are read."""

    nodata: tuple[float | None, ...]
    """Value of missing pixels of every band in file units, or None."""
    mask_bands: tuple[int, ...]
    """Bands whose GDAL masks say what is missing, beyond nodata and alpha."""
    alpha: int | None
    """Band that is 0 where a pixel is missing, or None."""

    @property
    def value(self) -> float | None:
        """The first band's value that marks missing pixels, or None."""
        return next((value for value in self.nodata if value is not None), None)

    @property
    def kind(self) -> MaskKind:
        """What an output should use too."""
        if self.alpha is not None:
            return "alpha"
        if self.mask_bands:
            return "mask"
        return "none" if self.value is None else "nodata"

    def valid(
        self,
        dataset: DatasetReader,
        values: Pixels,
        window: Window,
    ) -> Mask:
        """Return where the pixels of a window hold measurements.

        Args:
            dataset: The file.
            values: C x H x W of the window, perhaps decimated, file units.
            window: Within the file.

        Returns:
            H x W.
        """
        valid = valid_values(values, self.nodata)
        mask = self.mask(dataset, window, (values.shape[1], values.shape[2]))
        return valid if mask is None else valid & mask

    def mask(
        self, dataset: DatasetReader, window: Window, shape_yx: tuple[int, int]
    ) -> Mask | None:
        """Return what masks and alpha say of a window: H x W, or None where there are none."""
        where = {"window": window.rasterio(), "out_shape": shape_yx}
        parts = [dataset.read_masks(band, **where) > 0 for band in self.mask_bands]
        if self.alpha is not None:
            parts.append(dataset.read(self.alpha, **where) > 0)
        return np.logical_and.reduce(parts) if parts else None


def missing_rule(
    dataset: DatasetReader,
    name: str,
    bands: Sequence[int],
    src_nodata: float | str | None = None,
) -> MissingRule:
    """Find how a file marks missing pixels.

    Args:
        dataset: The open file.
        name: The file, for messages.
        bands: 1-based numbers of the bands that are read.
        src_nodata: Value of missing pixels, instead of the file's; "none" for no value.

    Raises:
        RasterError: If the given value is no number, or the bands' type cannot hold it.
    """
    return MissingRule(
        _nodata(dataset, name, bands, src_nodata),
        _mask_bands(dataset, bands, src_nodata is not None),
        _alpha(dataset, name, bands),
    )


def _nodata(
    dataset: DatasetReader, name: str, bands: Sequence[int], given: float | str | None
) -> tuple[float | None, ...]:
    if given is None:
        values = [dataset.nodatavals[band - 1] for band in bands]
        whole = sentinel2.nodata_of(dataset)
        return tuple(whole if value is None else float(value) for value in values)
    value = given_nodata(given, redact(name))
    dtype = dataset.dtypes[bands[0] - 1]
    if value is not None and not fits(value, dtype):
        raise RasterError(f"{redact(name)}: nodata {given} cannot occur in {dtype} values")
    return (value,) * len(bands)


def spread_windows(area: Window) -> Iterator[Window]:
    """Yield the middle of a window, then smaller ones spread over all of it: cheap to look at."""
    for count, most in ((1, _MIDDLE), (_SPREAD, _SIDE)):
        height, width = min(area.height, most), min(area.width, most)
        for i, j in itertools.product(range(count), repeat=2):
            row, col = (
                (whole - part) // 2 if count == 1 else (whole - part) * at // (count - 1)
                for whole, part, at in ((area.height, height, i), (area.width, width, j))
            )
            yield Window(area.row + row, area.col + col, height, width)


def given_nodata(given: float | str, name: str) -> float | None:
    """Return the value of missing pixels that a user names; "none" is no value.

    Raises:
        RasterError: It is no number.
    """
    if isinstance(given, str) and given.lower() == "none":
        return None
    try:
        return float(given)
    except ValueError:
        raise RasterError(f"{name}: nodata {given!r} is neither a number, nan nor none") from None


def _mask_bands(
    dataset: DatasetReader, bands: Sequence[int], nodata_given: bool
) -> tuple[int, ...]:
    """Return the bands whose mask bands must be read: one when all share it."""
    flags = dataset.mask_flag_enums
    found = [band for band in sorted(set(bands)) if _has_mask(flags[band - 1], nodata_given)]
    shared = [band for band in found if MaskFlags.per_dataset in flags[band - 1]]
    return tuple(shared[:1] or found)


def _has_mask(flags: list[MaskFlags], nodata_given: bool) -> bool:
    """Return whether GDAL has a mask beside nodata of the band and alpha, which are read here."""
    if MaskFlags.nodata in flags:
        # NODATA_VALUES of the dataset
        return MaskFlags.per_dataset in flags and not nodata_given
    return not {MaskFlags.all_valid, MaskFlags.alpha} & set(flags)


def _alpha(dataset: DatasetReader, name: str, bands: Sequence[int]) -> int | None:
    """Return the alpha band; a band that is read as a colour, or described as one, is none."""
    flagged = [i for i, colour in enumerate(dataset.colorinterp, 1) if colour == ColorInterp.alpha]
    for band in flagged:
        if band in bands:
            continue
        if (told := says_light(dataset, band)) is not None:
            logger.warning(
                "%s: band %d is flagged alpha but described %s, so it hides no pixel",
                redact(name),
                band,
                told,
            )
            continue
        _warn_of_an_image(dataset, name, band)
        return band
    return None


def _warn_of_an_image(dataset: DatasetReader, name: str, band: int) -> None:
    """Say so when a band that is flagged alpha holds an image, as near infrared often does."""
    whole = Window(0, 0, dataset.height, dataset.width)
    looks = (dataset.read(band, window=part.rasterio()) for part in spread_windows(whole))
    values = np.concatenate([look.ravel() for look in looks])
    levels, counts = np.unique(values, return_counts=True)
    ends = {0.0, float(levels.max())}
    between = sum(int(n) for level, n in zip(levels, counts, strict=True) if level not in ends)
    if len(levels) <= _LEVELS or between < values.size / 2 or not math.isfinite(levels.max()):
        return
    colours = [each.name for each in dataset.colorinterp]
    colours[band - 1] = "undefined"
    logger.warning(
        "%s: band %d is flagged alpha, yet holds an image of %d values: its zeros are missing "
        "pixels; if it is a colour such as near infrared: rio edit-info --colorinterp %s %s",
        redact(name),
        band,
        len(levels),
        ",".join(colours),
        shlex.quote(redact(name)),
    )
