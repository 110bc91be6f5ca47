"""Products in HDF5: NEON reflectance, PRISMA L2D, EMIT L2A reflectance.

Layouts after the products' documents: NEON.DOC.001288 (NEON imaging spectrometer reflectance,
DP1/DP3.30006), the PRISMA Products Specification Document (ASI, issue 2.3, L2D), and the EMIT L2A
User Guide (LP DAAC, EMITL2ARFL.001).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import CRSError

from specgan.bands import Bands
from specgan_cli.cubes.layout import CubeLayout, CubeStore
from specgan_cli.raster.drivers.blocks import check_block
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.types import Mask

__all__ = [
    "LAYOUTS",
    "EmitStore",
    "Hdf5Store",
    "NeonStore",
    "PrismaStore",
    "attribute",
    "bad_bands",
    "crs_of",
    "is_group",
    "text_of",
]

_PRISMA_FIELDS = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields"
_PRISMA_FULL_SCALE = 65535.0


class Hdf5Store:
    """An open product; its kinds differ in how they find their layout and read."""

    layout: CubeLayout
    """What the file says."""

    def __init__(self, name: str, file: Any, bands: Bands) -> None:
        self.name, self._file, self._bands = name, file, bands
        file.visititems(self._check_chunks)

    def _check_chunks(self, _: str, node: Any) -> None:
        """Raise if a chunk of a dataset would not fit into memory."""
        if chunks := getattr(node, "chunks", None):
            check_block(math.prod(chunks) * node.dtype.itemsize, self.name)

    def find_bands(self) -> Bands:
        """The bands that the file describes."""
        return self._bands

    def mask(self, window: Window) -> Mask | None:
        """None: stored values alone tell."""
        return None

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


class NeonStore(Hdf5Store):
    """NEON reflectance: rows x columns x bands under the site's name."""

    def __init__(self, name: str, file: Any) -> None:
        group = _neon_group(file)
        self._data = group["Reflectance_Data"]
        metadata = group["Metadata"]
        spectral = metadata["Spectral_Data"]
        bands = Bands.from_wavelengths(spectral["Wavelength"][:], spectral["FWHM"][:])
        super().__init__(name, file, bands)
        place = metadata["Coordinate_System"]
        rows, cols, count = self._data.shape
        self.layout = CubeLayout(
            grid=Grid(
                crs_of(f"EPSG:{int(text_of(place['EPSG Code'][()]))}"),
                _map_info(text_of(place["Map_Info"][()])),
                (rows, cols),
            ),
            count=count,
            bad=(False,) * count,
            gains=(1.0 / float(attribute(self._data, "Scale_Factor", 10000.0)),) * count,
            offsets=None,
            nodata=(float(attribute(self._data, "Data_Ignore_Value", -9999.0)),) * count,
            dtype=str(self._data.dtype),
        )

    def read(self, window: Window, indices: Sequence[int]) -> NDArray[Any]:
        """Stored values: bands x height x width."""
        rows, cols = window.slices
        low, high = min(indices), max(indices) + 1
        values = self._data[rows, cols, low:high]
        return np.ascontiguousarray(values[..., np.asarray(indices) - low].transpose(2, 0, 1))


class PrismaStore(Hdf5Store):
    """PRISMA L2D: two cubes (rows x bands x columns) with decreasing wavelengths."""

    def __init__(self, name: str, file: Any) -> None:
        arms = {arm: file[f"{_PRISMA_FIELDS}/{arm.upper()}_Cube"] for arm in ("Vnir", "Swir")}
        found = [band for arm in arms for band in _prisma_bands(file.attrs, arm)]
        super().__init__(
            name, file, Bands(tuple(b.centre for b in found), tuple(b.width for b in found))
        )
        self._arms = arms
        self._places = [(band.arm, band.plane) for band in found]
        rows, _, cols = arms["Vnir"].shape
        self.layout = CubeLayout(
            grid=Grid(
                crs_of(f"EPSG:{int(file.attrs['Epsg_Code'])}"),
                _prisma_transform(file.attrs, rows, cols),
                (rows, cols),
            ),
            count=len(found),
            bad=(False,) * len(found),
            gains=tuple(band.gain for band in found),
            offsets=tuple(band.offset for band in found),
            nodata=(None,) * len(found),
            dtype="uint16",
        )

    def read(self, window: Window, indices: Sequence[int]) -> NDArray[Any]:
        """Stored values: bands x height x width."""
        rows, cols = window.slices
        result = np.empty((len(indices), *window.shape_yx), np.uint16)
        for arm, data in self._arms.items():
            wanted = [k for k, i in enumerate(indices) if self._places[i][0] == arm]
            if wanted:
                bands = np.array([self._places[indices[k]][1] for k in wanted])
                low = int(bands.min())
                slab = data[rows, low : int(bands.max()) + 1, cols]
                result[wanted] = slab[:, bands - low].transpose(1, 0, 2)
        return result


class EmitStore(Hdf5Store):
    """EMIT L2A reflectance: a swath, put on its grid through its geometry lookup table."""

    def __init__(self, name: str, file: Any) -> None:
        parameters = file["sensor_band_parameters"]
        bands = Bands.from_wavelengths(parameters["wavelengths"][:], parameters["fwhm"][:])
        super().__init__(name, file, bands)
        self._data = file["reflectance"]
        self._cols, self._rows = file["location/glt_x"], file["location/glt_y"]
        a, b, c, d, e, f = (file.attrs["geotransform"][i] for i in (1, 2, 0, 4, 5, 3))
        count = self._data.shape[2]
        self._fill = float(attribute(self._data, "_FillValue", -9999.0))
        self.layout = CubeLayout(
            grid=Grid(
                crs_of(text_of(file.attrs["spatial_ref"])),
                Affine(*(float(value) for value in (a, b, c, d, e, f))),
                self._rows.shape,
            ),
            count=count,
            bad=bad_bands(parameters, count),
            gains=(1.0,) * count,
            offsets=None,
            nodata=(self._fill,) * count,
            dtype=str(self._data.dtype),
        )

    def read(self, window: Window, indices: Sequence[int]) -> NDArray[Any]:
        """Stored values: bands x height x width; nodata where the swath does not reach."""
        # The table counts from 1, and 0 is no pixel; products mark filled gaps by a minus.
        rows, cols = (np.abs(np.asarray(t[window.slices])) for t in (self._rows, self._cols))
        seen = (rows > 0) & (cols > 0)
        result = np.full((len(indices), *window.shape_yx), self._fill, self._data.dtype)
        if seen.any():
            r, c = rows[seen] - 1, cols[seen] - 1
            low, high = min(indices), max(indices) + 1
            slab = self._data[r.min() : r.max() + 1, c.min() : c.max() + 1, low:high]
            picked = slab[r - r.min(), c - c.min()]
            result[:, seen] = picked[:, np.asarray(indices) - low].T
        return result


def _is_neon(file: Any) -> bool:
    return any("Reflectance/Reflectance_Data" in file[key] for key in file if is_group(file[key]))


def _is_prisma(file: Any) -> bool:
    return f"{_PRISMA_FIELDS}/VNIR_Cube" in file


def _is_emit(file: Any) -> bool:
    return "reflectance" in file and "location/glt_x" in file and "sensor_band_parameters" in file


LAYOUTS: tuple[tuple[Callable[[Any], bool], Callable[[str, Any], CubeStore]], ...] = (
    (_is_neon, NeonStore),
    (_is_prisma, PrismaStore),
    (_is_emit, EmitStore),
)
"""How to know each product, and its reader."""


def is_group(node: Any) -> bool:
    """Return whether a node holds others; what is not there holds none."""
    return hasattr(node, "keys")


def _neon_group(file: Any) -> Any:
    site = next(key for key in file if is_group(file[key]) and "Reflectance" in file[key])
    return file[site]["Reflectance"]


def text_of(value: Any) -> str:
    """Return an attribute of text, which may be bytes."""
    item = value.item() if hasattr(value, "item") else value
    return item.decode() if isinstance(item, bytes) else str(item)


def attribute(node: Any, name: str, default: float) -> float:
    """Return an attribute of one number, or a default."""
    value = node.attrs.get(name, default)
    return float(np.asarray(value).reshape(-1)[0])


def bad_bands(group: Any, count: int) -> tuple[bool, ...]:
    """Return which bands `good_wavelengths` in a group calls bad; none without it."""
    good = group.get("good_wavelengths")
    if good is None or good.shape != (count,):
        return (False,) * count
    return tuple((np.asarray(good[:]) == 0).tolist())


def crs_of(text: str) -> CRS:
    """Return the CRS that a text names.

    Raises:
        ValueError: It names none.
    """
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise ValueError(f"unknown CRS {text[:60]}: {error}") from error


class _PrismaBand(NamedTuple):
    """A band that was measured."""

    arm: str
    plane: int
    centre: float
    width: float
    gain: float
    offset: float


def _prisma_bands(attributes: Any, arm: str) -> Iterator[_PrismaBand]:
    """The bands of one arm; those without a wavelength are not in use."""
    low, high = (float(attributes[f"L2Scale{arm}{end}"]) for end in ("Min", "Max"))
    listed = zip(attributes[f"List_Cw_{arm}"], attributes[f"List_Fwhm_{arm}"], strict=True)
    for index, (centre, width) in enumerate(listed):
        if centre > 0 and width > 0:
            gain = (high - low) / _PRISMA_FULL_SCALE
            yield _PrismaBand(arm, index, float(centre), float(width), gain, low)


def _map_info(text: str) -> Affine:
    """The transform of an ENVI map info: reference pixel from 1, its corner, pixel sizes."""
    parts = [part.strip() for part in text.strip("{} ").split(",")]
    col, row, x, y, width, height = (float(part) for part in parts[1:7])
    return Affine(width, 0, x - (col - 1) * width, 0, -height, y + (row - 1) * height)


def _prisma_transform(attributes: Any, rows: int, cols: int) -> Affine:
    """The transform through the corner pixels, whose centres the product names."""
    left, top = (float(attributes[f"Product_ULcorner_{axis}"]) for axis in ("easting", "northing"))
    right, low = (float(attributes[f"Product_LRcorner_{axis}"]) for axis in ("easting", "northing"))
    width = (right - left) / (cols - 1)
    height = (top - low) / (rows - 1)
    return Affine(width, 0, left - width / 2, 0, -height, top + height / 2)
