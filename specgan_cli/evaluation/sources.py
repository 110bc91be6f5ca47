"""Rasters that are read on another raster's grid: as they lie, or warped."""

import math
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from specgan_cli.errors import MismatchError
from specgan_cli.raster.bands import BandSpec, choose_bands, light_bands
from specgan_cli.raster.drivers.rereading import Rereading
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.missing import MissingRule, missing_rule
from specgan_cli.raster.validation import open_dataset, reading
from specgan_cli.redaction import redact
from specgan_cli.types import F64, Mask, Pixels

SNAP = 1e-3
"""Pixels: offsets nearer than this to whole ones are taken for whole."""


@dataclass
class GriddedRaster:
    """A raster read by windows of the reference's grid."""

    path: str
    """As it was given."""
    dataset: Any
    """The open rasterio dataset or warped VRT."""
    bands: tuple[int, ...]
    """1-based numbers of red, green and blue, or of all bands where there are fewer."""
    missing: MissingRule
    """How it marks missing pixels."""
    rereading: Rereading
    """The same raster, opened again."""
    grid: Grid
    """The raster's own grid."""
    offset_yx: tuple[int, int] = (0, 0)
    """Row and column of the raster's first pixel on the reference's grid."""
    warped: bool = False
    """Whether pixels are interpolated onto the reference's grid."""

    @property
    def name(self) -> str:
        """The path without credentials or a query, fit for messages."""
        return redact(self.path)

    @property
    def dtype(self) -> str:
        """Name of the numpy dtype of the first band."""
        return str(self.dataset.dtypes[self.bands[0] - 1])

    def read(self, window: Window) -> tuple[F64, Mask]:
        """Read a window of the reference's grid.

        Returns:
            C x H x W in file units, and H x W: false outside the raster, at nodata, where
            masked, and where a band is not finite.
        """
        moved = window.shifted(-self.offset_yx[0], -self.offset_yx[1])
        shape = (self.dataset.height, self.dataset.width)
        inside = moved.intersection(Window(0, 0, *shape))
        values = np.zeros((len(self.bands), *window.shape_yx))
        valid = np.zeros(window.shape_yx, bool)
        if inside is None:
            return values, valid
        part = inside.rasterio()
        with reading(self.path, f" at row {inside.row}, column {inside.col}"):
            found, known = self._stored(inside, window=part)
        place = inside.shifted(-moved.row, -moved.col).slices
        values[:, *place] = np.where(known, found, 0.0)
        valid[place] = known
        return values, valid

    def sample(self, window: Window, side: int = 512) -> F64:
        """Return valid values of a window, thinned to at most `side` pixels along each axis.

        Args:
            window: On the reference's grid.
            side: Most rows and columns to read.

        Returns:
            C x N in file units.
        """
        moved = window.shifted(-self.offset_yx[0], -self.offset_yx[1])
        inside = moved.intersection(Window(0, 0, self.dataset.height, self.dataset.width))
        if inside is None:
            return np.zeros((len(self.bands), 0))
        shape = (len(self.bands), min(inside.height, side), min(inside.width, side))
        options = {"window": inside.rasterio(), "out_shape": shape}
        with reading(self.path):
            found, known = self._stored(inside, **options)
        return np.asarray(found[:, known].astype(np.float64))

    def _stored(self, inside: Window, **options: Any) -> tuple[Pixels, Mask]:
        def read(dataset: Any) -> tuple[Pixels, Mask]:
            found: Pixels = dataset.read(list(self.bands), **options)
            return found, self.missing.valid(dataset, found, inside)

        first = read(self.dataset)
        self.rereading.confirm(first, read)
        return first

    def close(self) -> None:
        """Close the raster."""
        self.rereading.close()
        self.dataset.close()


def open_source(
    path: str | Path, bands: BandSpec | None = None, src_nodata: float | str | None = None
) -> GriddedRaster:
    """Open a raster on its own grid.

    Args:
        path: Anything GDAL opens.
        bands: Red, green and blue, by number, name or wavelength; found as in scenes by default.
            A raster of fewer than three bands of colour is read whole.
        src_nodata: Value of missing pixels, instead of the file's; "none" for no value.

    Raises:
        RasterError: It cannot be read, or has no such bands.
    """
    name = str(path)
    dataset = open_dataset(name)
    try:
        with reading(name):
            plain = light_bands(dataset)
            few = bands is None and len(plain) < 3
            chosen = plain if few else choose_bands(dataset, name, bands)
            missing = missing_rule(dataset, name, chosen, src_nodata)
            rereading = Rereading(redact(name), dataset, lambda: open_dataset(name))
    except BaseException:
        dataset.close()
        raise
    grid = Grid(dataset.crs, dataset.transform, (dataset.height, dataset.width))
    return GriddedRaster(name, dataset, chosen, missing, rereading, grid)


def onto(source: GriddedRaster, grid: Grid) -> GriddedRaster:
    """Return the same raster, to be read on another grid.

    On grids whose pixels coincide the pixels stay as they are; else they are warped bilinearly.

    Raises:
        MismatchError: One of the two has a CRS and the other has none.
    """
    if (source.grid.crs is None) != (grid.crs is None):
        raise MismatchError(
            f"{source.name}: one raster has a CRS and the other has none; "
            "give both one, as with: rio edit-info --crs EPSG:CODE "
            f"{shlex.quote(source.name)}"
        )
    offset = whole_offset(grid, source.grid, 1)
    if offset is not None:
        source.offset_yx = offset
        return source
    if grid.crs is None:
        raise MismatchError(
            f"{source.name}: the rasters have no CRS and their pixels do not coincide; "
            "give them a CRS, or the same grid"
        )
    value = source.missing.value
    masked = bool(source.missing.mask_bands)
    alpha = source.missing.alpha is None and (value is None or masked)
    options = {
        "crs": grid.crs,
        "transform": grid.transform,
        "height": grid.shape_yx[0],
        "width": grid.shape_yx[1],
        "resampling": Resampling.bilinear,
        "add_alpha": alpha,
        # beside a nodata value GDAL would not look at the mask
        "src_nodata": None if masked else value,
        "nodata": None if masked else value,
    }
    vrt = WarpedVRT(source.dataset, **options)
    source.rereading.see_through(lambda twin: WarpedVRT(twin, **options))
    missing = MissingRule(source.missing.nodata, (), vrt.count if alpha else source.missing.alpha)
    return replace(source, dataset=vrt, missing=missing, warped=True)


def whole_offset(reference: Grid, other: Grid, factor: int) -> tuple[int, int] | None:
    """Return where another grid starts, in whole pixels of the reference's.

    Args:
        reference: The grid that counts.
        other: The grid whose pixels should be `factor` times as large.
        factor: Reference pixels along the other's pixel.

    Returns:
        Row and column, or None where CRS, direction, size or position do not fit.
    """
    if reference.crs != other.crs:
        return None
    local: Affine = ~reference.transform @ other.transform
    size = max(other.shape_yx)
    skew = max(abs(local.a - factor), abs(local.e - factor), abs(local.b), abs(local.d))
    row, col = round(local.f), round(local.c)
    if skew * size > SNAP * factor or max(abs(local.f - row), abs(local.c - col)) > SNAP * factor:
        return None
    return row, col


def factor_between(reference: Grid, coarse: Grid) -> int | None:
    """Return how many reference pixels lie along a coarse one, where that is a whole number."""
    if reference.crs != coarse.crs:
        return None
    local: Affine = ~reference.transform @ coarse.transform
    side = math.hypot(local.a, local.d)
    factor = round(side)
    return factor if factor > 1 and abs(side - factor) < SNAP else None


def tag(source: GriddedRaster, name: str) -> str | None:
    """Return a tag of a raster, or None."""
    value = source.dataset.tags().get(name)
    return None if value is None else str(value)
