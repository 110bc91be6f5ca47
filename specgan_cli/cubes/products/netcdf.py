"""Cubes in NetCDF-4 whose wavelengths are not the first dimension, as xarray often writes them.

GDAL takes the last two dimensions for rows and columns, so it reads such a cube side-on.  The names
of dimensions, coordinates and grid mappings are those of the CF conventions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from specgan.bands import Bands
from specgan_cli.cubes.layout import CubeLayout
from specgan_cli.cubes.products.hdf5 import Hdf5Store, attribute, bad_bands, crs_of, text_of
from specgan_cli.raster.drivers.units import found_bands
from specgan_cli.raster.grid import Grid, Window

__all__ = ["NetcdfStore", "is_side_on"]

_LIGHT = ("wavelength", "wavelengths", "wl", "lambda")
_COLUMNS = ("x", "lon", "longitude", "easting")
_ROWS = ("y", "lat", "latitude", "northing")


class _Variable(NamedTuple):
    """A variable of rows, columns and wavelengths, in any order."""

    data: Any
    axes: tuple[int, int, int]
    """Which of its dimensions are wavelengths, rows and columns."""
    scales: tuple[Any, Any, Any]
    """The coordinates of wavelengths, rows and columns."""


class NetcdfStore(Hdf5Store):
    """A variable whose wavelengths are its second or third dimension."""

    def __init__(self, name: str, file: Any) -> None:
        variable = _side_on(file)
        assert variable is not None
        self._variable = variable
        light, rows, cols = variable.scales
        widths = file["fwhm"][:] if "fwhm" in file and file["fwhm"].shape == light.shape else None
        bands = found_bands(
            [float(each) for each in light[:]],
            None if widths is None else [float(each) for each in widths],
            text_of(light.attrs["units"]) if "units" in light.attrs else None,
        )
        super().__init__(name, file, Bands.from_wavelengths(*bands))
        data, count = variable.data, len(light)
        scaled = "scale_factor" in data.attrs or data.dtype.kind == "f"
        fill = attribute(data, "_FillValue", np.nan)
        self.layout = CubeLayout(
            grid=Grid(_crs(file, variable), _transform(cols[:], rows[:]), (len(rows), len(cols))),
            count=count,
            bad=bad_bands(file, count),
            gains=(attribute(data, "scale_factor", 1.0),) * count if scaled else None,
            offsets=(attribute(data, "add_offset", 0.0),) * count,
            nodata=(None if np.isnan(fill) else fill,) * count,
            dtype=str(data.dtype),
        )

    def read(self, window: Window, indices: Sequence[int]) -> NDArray[Any]:
        """Stored values: bands x height x width."""
        low, high = min(indices), max(indices) + 1
        wanted = (slice(low, high), *window.slices)
        where = tuple(wanted[self._variable.axes.index(axis)] for axis in range(3))
        values = np.transpose(self._variable.data[where], self._variable.axes)
        return np.ascontiguousarray(values[np.asarray(indices) - low])


def is_side_on(file: Any) -> bool:
    """Return whether a file holds a variable that GDAL reads side-on."""
    return _side_on(file) is not None


def _side_on(file: Any) -> _Variable | None:
    """Return the largest variable whose wavelengths are a dimension, and not the first."""
    variables = [each for each in (_variable(file[name]) for name in file) if each is not None]
    found = [each for each in variables if each.axes[0] != 0]
    return max(found, key=lambda each: int(each.data.size)) if found else None


def _variable(node: Any) -> _Variable | None:
    if len(getattr(node, "shape", ())) != 3 or not all(len(dim) for dim in node.dims):
        return None
    scales = [dim[0] for dim in node.dims]
    names = [scale.name.rpartition("/")[2].lower() for scale in scales]
    kinds = (_LIGHT, _ROWS, _COLUMNS)
    axes = [next((i for i, name in enumerate(names) if name in kind), None) for kind in kinds]
    if None in axes:
        return None
    first, second, third = (axis for axis in axes if axis is not None)
    return _Variable(node, (first, second, third), (scales[first], scales[second], scales[third]))


def _crs(file: Any, variable: _Variable) -> CRS | None:
    mapping = variable.data.attrs.get("grid_mapping")
    if mapping is not None and text_of(mapping) in file:
        attributes = file[text_of(mapping)].attrs
        for key in ("crs_wkt", "spatial_ref"):
            if key in attributes:
                return crs_of(text_of(attributes[key]))
    is_degrees = variable.scales[2].name.rpartition("/")[2].lower() in ("lon", "longitude")
    return CRS.from_epsg(4326) if is_degrees else None


def _transform(x: NDArray[Any], y: NDArray[Any]) -> Affine:
    """Return the transform through the centres of the first and last pixels."""
    if len(x) < 2 or len(y) < 2:
        raise ValueError("one row or column alone has no pixel size")
    width, height = (float(c[-1] - c[0]) / (len(c) - 1) for c in (x, y))
    for axis, step in ((x, width), (y, height)):
        if not np.allclose(np.diff(axis.astype(np.float64)), step, rtol=1e-2):
            raise ValueError("its coordinates are not evenly spaced")
    return Affine(width, 0, float(x[0]) - width / 2, 0, height, float(y[0]) - height / 2)
