"""Products in HDF5: NEON reflectance, PRISMA L2D, EMIT L2A reflectance.

Layouts after the products' documents: NEON.DOC.001288 (NEON imaging spectrometer reflectance,
DP1/DP3.30006), the PRISMA Products Specification Document (ASI, issue 2.3, L2D), and the EMIT L2A
User Guide (LP DAAC, EMITL2ARFL.001).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import CRSError

from specgan.bands import Bands
from specgan_cli.cubes.layout import CubeLayout, CubeStore
from specgan_cli.raster.grid import Grid, Window

__all__ = ["LAYOUTS", "EmitStore", "NeonStore", "PrismaStore"]

_PRISMA_FIELDS = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields"
_PRISMA_FULL_SCALE = 65535.0


class NeonStore:
    """NEON reflectance: rows x columns x bands under the site's name."""

    def __init__(self, name: str, file: Any) -> None:
        self.name, self._file = name, file
        group = _neon_group(file)
        self._data = group["Reflectance_Data"]
        metadata = group["Metadata"]
        spectral = metadata["Spectral_Data"]
        self._bands = Bands.from_wavelengths(spectral["Wavelength"][:], spectral["FWHM"][:])
        place = metadata["Coordinate_System"]
        rows, cols, count = self._data.shape
        self.layout = CubeLayout(
            grid=Grid(
                _crs(f"EPSG:{int(_text(place['EPSG Code'][()]))}"),
                _map_info(_text(place["Map_Info"][()])),
                (rows, cols),
            ),
            count=count,
            bad=(False,) * count,
            gains=(1.0 / float(_attribute(self._data, "Scale_Factor", 10000.0)),) * count,
            offsets=None,
            nodata=float(_attribute(self._data, "Data_Ignore_Value", -9999.0)),
            dtype=str(self._data.dtype),
        )

    def find_bands(self) -> Bands:
        """The bands that the file describes."""
        return self._bands

    def read(self, window: Window, indices: Sequence[int]) -> NDArray[Any]:
        """Stored values: bands x height x width."""
        rows, cols = window.slices
        low, high = min(indices), max(indices) + 1
        values = self._data[rows, cols, low:high]
        return np.ascontiguousarray(values[..., np.asarray(indices) - low].transpose(2, 0, 1))

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


class PrismaStore:
    """PRISMA L2D: two cubes (rows x bands x columns) with decreasing wavelengths."""

    def __init__(self, name: str, file: Any) -> None:
        self.name, self._file = name, file
        self._places: list[tuple[Any, int]] = []
        centres, widths, gains, offsets = [], [], [], []
        for arm in ("Vnir", "Swir"):
            data = file[f"{_PRISMA_FIELDS}/{arm.upper()}_Cube"]
            low, high = (float(file.attrs[f"L2Scale{arm}{end}"]) for end in ("Min", "Max"))
            listed = zip(file.attrs[f"List_Cw_{arm}"], file.attrs[f"List_Fwhm_{arm}"], strict=True)
            for index, (centre, width) in enumerate(listed):
                if centre <= 0 or width <= 0:
                    continue
                self._places.append((data, index))
                centres.append(float(centre))
                widths.append(float(width))
                gains.append((high - low) / _PRISMA_FULL_SCALE)
                offsets.append(low)
        self._bands = Bands(tuple(centres), tuple(widths))
        rows, _, cols = self._places[0][0].shape
        self.layout = CubeLayout(
            grid=Grid(
                _crs(f"EPSG:{int(file.attrs['Epsg_Code'])}"),
                _prisma_transform(file.attrs, rows, cols),
                (rows, cols),
            ),
            count=len(centres),
            bad=(False,) * len(centres),
            gains=tuple(gains),
            offsets=tuple(offsets),
            nodata=None,
            dtype="uint16",
        )

    def find_bands(self) -> Bands:
        """The bands that the file describes."""
        return self._bands

    def read(self, window: Window, indices: Sequence[int]) -> NDArray[Any]:
        """Stored values: bands x height x width."""
        rows, cols = window.slices
        result = np.empty((len(indices), *window.shape_yx), np.uint16)
        for data in {id(self._places[i][0]): self._places[i][0] for i in indices}.values():
            chosen = [(k, self._places[i][1]) for k, i in enumerate(indices)]
            chosen = [
                (k, band)
                for (k, band), i in zip(chosen, indices, strict=True)
                if self._places[i][0] is data
            ]
            places, bands = (np.asarray(part) for part in zip(*chosen, strict=True))
            low = int(bands.min())
            slab = data[rows, low : int(bands.max()) + 1, cols]
            result[places] = slab[:, bands - low].transpose(1, 0, 2)
        return result

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


class EmitStore:
    """EMIT L2A reflectance: a swath, put on its grid through its geometry lookup table."""

    def __init__(self, name: str, file: Any) -> None:
        self.name, self._file = name, file
        self._data = file["reflectance"]
        self._cols, self._rows = file["location/glt_x"], file["location/glt_y"]
        parameters = file["sensor_band_parameters"]
        self._bands = Bands.from_wavelengths(parameters["wavelengths"][:], parameters["fwhm"][:])
        a, b, c, d, e, f = (file.attrs["geotransform"][i] for i in (1, 2, 0, 4, 5, 3))
        count = self._data.shape[2]
        good = parameters["good_wavelengths"][:] if "good_wavelengths" in parameters else None
        self.layout = CubeLayout(
            grid=Grid(
                _crs(_text(file.attrs["spatial_ref"])),
                Affine(*(float(value) for value in (a, b, c, d, e, f))),
                self._rows.shape,
            ),
            count=count,
            bad=(False,) * count if good is None else tuple((np.asarray(good) == 0).tolist()),
            gains=(1.0,) * count,
            offsets=None,
            nodata=float(_attribute(self._data, "_FillValue", -9999.0)),
            dtype=str(self._data.dtype),
        )

    def find_bands(self) -> Bands:
        """The bands that the file describes."""
        return self._bands

    def read(self, window: Window, indices: Sequence[int]) -> NDArray[Any]:
        """Stored values: bands x height x width; nodata where the swath does not reach."""
        # The table counts from 1, and 0 is no pixel; products mark filled gaps by a minus.
        rows, cols = (np.abs(np.asarray(t[window.slices])) for t in (self._rows, self._cols))
        seen = (rows > 0) & (cols > 0)
        result = np.full((len(indices), *window.shape_yx), self.layout.nodata, self._data.dtype)
        if seen.any():
            r, c = rows[seen] - 1, cols[seen] - 1
            low, high = min(indices), max(indices) + 1
            slab = self._data[r.min() : r.max() + 1, c.min() : c.max() + 1, low:high]
            picked = slab[r - r.min(), c - c.min()]
            result[:, seen] = picked[:, np.asarray(indices) - low].T
        return result

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


def _is_neon(file: Any) -> bool:
    return any("Reflectance/Reflectance_Data" in file[key] for key in file if _is_group(file[key]))


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


def _is_group(node: Any) -> bool:
    return hasattr(node, "keys")


def _neon_group(file: Any) -> Any:
    site = next(key for key in file if _is_group(file[key]) and "Reflectance" in file[key])
    return file[site]["Reflectance"]


def _text(value: Any) -> str:
    item = value.item() if hasattr(value, "item") else value
    return item.decode() if isinstance(item, bytes) else str(item)


def _attribute(node: Any, name: str, default: float) -> float:
    value = node.attrs.get(name, default)
    return float(np.asarray(value).reshape(-1)[0])


def _crs(text: str) -> CRS:
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise ValueError(f"unknown CRS {text[:60]}: {error}") from error


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
