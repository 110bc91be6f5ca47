"""Arrays as rasters: what Python hands over instead of a path, and what it gets back."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.io import DatasetReader, MemoryFile

from specgan_cli.errors import MissingExtraError, RasterError
from specgan_cli.raster.drivers.metadata import kept_tags
from specgan_cli.types import Pixels


class GeoArray(NamedTuple):
    """An array, and where its pixels lie on the ground."""

    array: Pixels
    """C x H x W in file units; a masked array where pixels are missing."""
    transform: Affine
    """(column, row) of a pixel corner to CRS coordinates."""
    crs: CRS | None
    """Coordinate reference system; None for pixels that lie nowhere."""


@contextmanager
def as_path(source: Any) -> Iterator[str]:
    """Yield a path that GDAL opens, for as long as the context lasts.

    Args:
        source: A path or URL, an open dataset of rasterio, an `xarray.DataArray` with `rio`, or
            (array, transform, CRS).

    Raises:
        RasterError: It is something else, or an array that no raster holds.
    """
    if isinstance(source, str | os.PathLike):
        yield os.fspath(source)
    elif isinstance(source, DatasetReader):
        yield source.name
    else:
        with in_memory(to_geo_array(source)) as path:
            yield path


def to_geo_array(source: Any) -> GeoArray:
    """Take the array out of a dataset, a DataArray, or (array, transform, CRS).

    Raises:
        RasterError: It is something else.
        MissingExtraError: A DataArray is given and rioxarray is not installed.
    """
    if is_dataarray(source):
        values = source.transpose(*_dims(source)).values
        return GeoArray(values, _transform_of(source), source.rio.crs)
    if hasattr(source, "read") and hasattr(source, "transform"):
        values = source.read(masked=source.nodata is None)
        return GeoArray(values, source.transform, source.crs)
    if isinstance(source, tuple) and len(source) == 3:
        array, transform, crs = source
        return GeoArray(
            np.asanyarray(array), transform, None if crs is None else CRS.from_user_input(crs)
        )
    raise RasterError(
        f"a {type(source).__name__} is no raster; give a path, an open dataset, a DataArray with "
        "rio, or (array, transform, crs)"
    )


@contextmanager
def in_memory(raster: GeoArray) -> Iterator[str]:
    """Yield the path of a raster in memory that holds an array.

    Raises:
        RasterError: The array is not C x H x W, empty, or of a type that GeoTIFFs do not hold.
    """
    array = raster.array
    dtype = str(array.dtype)
    if array.ndim != 3 or not array.size:
        raise RasterError(f"an array of shape {array.shape} is no raster; give C x H x W")
    if array.dtype.kind not in "iuf" or not rasterio.dtypes.check_dtype(dtype):
        raise RasterError(f"an array of {dtype} is no raster; give whole numbers or float32")
    count, height, width = array.shape
    profile = {"count": count, "height": height, "width": width, "dtype": dtype}
    # Four bands of 8 bits would be taken for RGB and alpha.
    plain = {"driver": "GTiff", "BIGTIFF": "IF_SAFER", "PHOTOMETRIC": "MINISBLACK", "ALPHA": "NO"}
    with MemoryFile(filename="array.tif") as memory, rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        with memory.open(crs=raster.crs, transform=raster.transform, **profile, **plain) as target:
            target.write(np.ma.getdata(array))
            if np.ma.is_masked(array):
                target.write_mask(~np.ma.getmaskarray(array).any(axis=0))
        yield memory.name


def is_dataarray(source: Any) -> bool:
    """Tell whether something is an `xarray.DataArray`; xarray is not imported for it."""
    return any(
        (kind.__module__.partition(".")[0], kind.__name__) == ("xarray", "DataArray")
        for kind in type(source).__mro__
    )


def nodata_of(source: Any) -> float | None:
    """Return the value of missing pixels that a DataArray or a dataset names, or None."""
    if is_dataarray(source):
        _dims(source)
        source = source.rio
    nodata = getattr(source, "nodata", None)
    return None if nodata is None else float(nodata)


def to_dataarray(raster: GeoArray, like: Any) -> Any:
    """Return an array as a DataArray with the dimensions, name and attributes of another.

    Args:
        raster: The array; missing pixels hold the nodata value of `like`.
        like: The DataArray that it was made from.
    """
    import xarray

    band, y, x = _dims(like)
    values = np.ma.getdata(raster.array)
    coords: dict[Any, Any] = {}
    if raster.transform.b == raster.transform.d == 0:
        t, (rows, cols) = raster.transform, values.shape[1:]
        coords = {x: t.c + t.a * (np.arange(cols) + 0.5), y: t.f + t.e * (np.arange(rows) + 0.5)}
    if band in like.coords and like.sizes[band] == len(values):
        coords[band] = like.coords[band].values
    made = xarray.DataArray(
        values, dims=(band, y, x), coords=coords, name=like.name, attrs=kept_tags(like.attrs)
    )
    made = made.transpose(*like.dims)
    if raster.crs is not None:
        made = made.rio.write_crs(raster.crs)
    if like.rio.nodata is not None:
        made = made.rio.write_nodata(like.rio.nodata)
    return made.rio.set_spatial_dims(x, y).rio.write_transform(raster.transform)


def _transform_of(source: Any) -> Affine:
    """Return where a DataArray's pixels lie: its coordinates, not what it was cut out of.

    rioxarray keeps the pixel size of the file through steps, flips and `coarsen`.

    Raises:
        RasterError: The coordinates are not evenly spaced.
    """
    stored: Affine = source.rio.transform()
    if stored.b or stored.d:
        return stored
    x, left = _axis(source, source.rio.x_dim, stored.a, stored.c)
    y, top = _axis(source, source.rio.y_dim, stored.e, stored.f)
    return Affine(x, 0, left, 0, y, top)


def _axis(source: Any, dim: Any, step: float, start: float) -> tuple[float, float]:
    """Return step and outer edge of the pixels along an axis; as stored, if that is about so."""
    if dim not in source.coords or source.sizes[dim] < 2:
        return step, start
    middles = np.asarray(source.coords[dim].values, np.float64)
    steps = np.diff(middles)
    mean = float(steps.mean())
    if not np.abs(steps - mean).max() < abs(mean) / 2:
        raise RasterError(
            f"the coordinate {dim!r} of the DataArray is not evenly spaced, so it is no raster; "
            "give a regular grid (rio.reproject makes one)"
        )
    if abs(mean - step) * len(steps) < abs(step) / 2:
        return step, start
    return mean, float(middles[0]) - mean / 2


def _dims(source: Any) -> tuple[Any, Any, Any]:
    """Return the names of a DataArray's band, row and column dimensions."""
    try:
        import rioxarray  # noqa: F401  (it registers `rio`)
    except ImportError as error:
        raise MissingExtraError(
            "a DataArray needs rioxarray, which is not installed; pip install rioxarray"
        ) from error
    y, x = source.rio.y_dim, source.rio.x_dim
    others = [dim for dim in source.dims if dim not in (y, x)]
    if len(others) != 1:
        raise RasterError(f"a DataArray of {source.dims} is no raster; give band, row and column")
    return others[0], y, x
