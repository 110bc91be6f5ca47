"""Cubes in a format that GDAL reads."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from specgan.bands import Bands
from specgan_cli.cubes.layout import CubeLayout
from specgan_cli.cubes.wavelengths import bands_of_dataset, envi_list, sidecar_header
from specgan_cli.errors import RasterError
from specgan_cli.raster.drivers import sentinel2
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.validation import reading, redact

__all__ = ["RasterStore"]


class RasterStore:
    """A cube in a format that GDAL reads."""

    def __init__(self, name: str) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                self._dataset = sentinel2.open_raster(name)
        except RasterioError as error:
            raise RasterError(f"{redact(name)}: cannot open the cube ({error})") from error
        dataset = self._dataset
        if dataset.count == 0 or (dataset.transform.is_identity and dataset.gcps[0]):
            message = _unplaced(redact(name), dataset.count)
            dataset.close()
            raise RasterError(message)
        with reading(name):
            envi = {**sidecar_header(name), **dataset.tags(ns="ENVI")}
            gains, offsets = _stored_scale(dataset, envi)
            self.name = redact(name)
            self.layout = CubeLayout(
                grid=Grid(dataset.crs, dataset.transform, dataset.shape),
                count=dataset.count,
                bad=_stored_bad(dataset, envi),
                gains=gains,
                offsets=offsets,
                nodata=_stored_nodata(dataset, envi),
                dtype=dataset.dtypes[0],
            )

    def find_bands(self) -> Bands:
        """The bands that the file's metadata describes."""
        return bands_of_dataset(self._dataset, self.name)

    def read(self, window: Window, indices: Sequence[int]) -> NDArray[Any]:
        """Stored values: bands x height x width."""
        return np.asarray(self._dataset.read([i + 1 for i in indices], window=window.rasterio()))

    def close(self) -> None:
        """Give the file back."""
        self._dataset.close()


def _unplaced(name: str, count: int) -> str:
    if count == 0:
        return (
            f"{name}: holds several images or none; name one of them, such as "
            f'NETCDF:"{name}":reflectance (see gdalinfo)'
        )
    return (
        f"{name}: has ground control points but no transform; "
        "put it on a grid first: gdalwarp -tps in.tif out.tif"
    )


def _stored_scale(
    dataset: Any, envi: dict[str, str]
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Gains and offsets as GDAL, ENVI or a plain tag give them; None where nothing is said."""
    gains, offsets = zip(*(sentinel2.scale_of(dataset, i) for i in dataset.indexes), strict=True)
    if any(gain != 1.0 for gain in gains) or any(offsets):
        return gains, offsets
    tags = {key.lower(): value for key, value in dataset.tags().items()}
    named = (envi.get("reflectance_scale_factor"), tags.get("scale"), tags.get("scale_factor"))
    for text in named:
        with contextlib.suppress(TypeError, ValueError):
            factor = float(text)  # type: ignore[arg-type]  # None is a TypeError, suppressed
            if factor > 0:
                gain = factor if factor < 1 else 1 / factor
                return (gain,) * dataset.count, None
    return None, None


def _stored_bad(dataset: Any, envi: dict[str, str]) -> tuple[bool, ...]:
    flags = envi_list(envi.get("bbl", ""))
    if len(flags) == dataset.count:
        return tuple(flag == 0 for flag in flags)
    return (False,) * int(dataset.count)


def _stored_nodata(dataset: Any, envi: dict[str, str]) -> float | None:
    if dataset.nodata is not None:
        return float(dataset.nodata)
    if sentinel2.nodata_of(dataset) is not None:
        return sentinel2.nodata_of(dataset)
    values = envi_list(envi.get("data_ignore_value", ""))
    return values[0] if values else None
