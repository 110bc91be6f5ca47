"""Small rasters: places on the ground, values that tell where they are, files."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

from specgan_cli.raster.drivers.vrt import write_vrt
from specgan_cli.raster.grid import Grid

UTM = "EPSG:32618"
COMPOUND = "EPSG:32618+5773"
CAMERA_NM = [380 + 14.25 * band for band in range(1, 49)]

NORTH_UP = Affine(3.2, 0, 726491.0, 0, -3.2, 4699078.4)
SOUTH_UP = Affine(3.2, 0, 726491.0, 0, 3.2, 4699000.0)
ROTATED = Affine.translation(500000, 4600000) @ Affine.rotation(30) @ Affine.scale(3.0, -3.0)
GEOGRAPHIC = Affine(1e-4, 0, -72.2, 0, -0.5e-4, 42.5)


def coordinates(shape: tuple[int, int, int], dtype: str) -> np.ndarray:
    """Return C x H x W values that tell their own band, row and column (below 250)."""
    bands, rows, cols = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    return ((bands * 83 + rows * 7 + cols * 3) % 249 + 1).astype(dtype)


def write_raster(
    path: Path,
    values: np.ndarray,
    *,
    crs: str | None = UTM,
    transform: Affine | None = NORTH_UP,
    mask: np.ndarray | None = None,
    colorinterp: tuple[ColorInterp, ...] | None = None,
    **profile: Any,
) -> Path:
    """Write C x H x W as a GeoTIFF, or as what `driver` says; the rest is rasterio's profile."""
    profile = {"driver": "GTiff", "dtype": str(values.dtype), **profile}
    if crs is not None:
        profile["crs"] = CRS.from_user_input(crs)
    if transform is not None:
        profile["transform"] = transform
    count, height, width = values.shape
    with (
        warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning),
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", count=count, height=height, width=width, **profile) as dataset,
    ):
        if colorinterp is not None:
            dataset.colorinterp = colorinterp
        dataset.write(values)
        if mask is not None:
            dataset.write_mask(mask)
    return path


def tag_bands(path: Path, **lists: list[Any]) -> Path:
    """Give every band of a raster its item of each list as a tag."""
    with rasterio.open(path, "r+") as dataset:
        for index in dataset.indexes:
            dataset.update_tags(index, **{key: items[index - 1] for key, items in lists.items()})
    return path


def as_vrt(path: Path, source: Path) -> Path:
    """Write a VRT that shows a raster."""
    with rasterio.open(source) as dataset:
        grid = Grid(dataset.crs, dataset.transform, dataset.shape)
    write_vrt(path, grid, [source], {})
    return path


def write_cube(
    path: Path, *, left: float, nm: Sequence[float] = CAMERA_NM, noise: bool = False
) -> Path:
    """Write a cube with a band at each wavelength on a 20 x 20 grid of 3.2 m."""
    values = np.random.default_rng(0).integers(500, 4000, (len(nm), 20, 20)).astype("int16")
    if not noise:
        values[:] = np.arange(20)[:, None] * 100 + 500
    write_raster(path, values, transform=Affine(3.2, 0, left, 0, -3.2, 4699080.0))
    return tag_bands(path, wavelength=[str(each) for each in nm], wavelength_units=["nm"] * len(nm))
