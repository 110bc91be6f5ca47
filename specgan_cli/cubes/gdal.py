"""Cubes in a format that GDAL reads."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from specgan.bands import Bands
from specgan_cli.cubes.layout import CubeLayout
from specgan_cli.cubes.light import LightBands, stored_bad
from specgan_cli.cubes.wavelengths import bands_of_dataset, envi_list, sidecar_header
from specgan_cli.errors import RasterError
from specgan_cli.raster.drivers import sentinel2
from specgan_cli.raster.drivers.rereading import Rereading
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.missing import MissingRule, missing_rule
from specgan_cli.raster.validation import reading, redact
from specgan_cli.types import Mask

__all__ = ["RasterStore"]


class RasterStore:
    """A cube in a format that GDAL reads."""

    def __init__(self, name: str, count: int | None = None) -> None:
        self._dataset = _open(name)
        dataset = self._dataset
        if dataset.count == 0 or (dataset.transform.is_identity and dataset.gcps[0]):
            message = _unplaced(redact(name), dataset.count)
            dataset.close()
            raise RasterError(message)
        with reading(name):
            self._rereading = Rereading(redact(name), dataset, lambda: _open(name))
            envi = {**sidecar_header(name), **dataset.tags(ns="ENVI")}
            gains, offsets = _stored_scale(dataset, envi)
            self.name = redact(name)
            self._light = LightBands.of(dataset, count)
            numbers = self._light.numbers
            self._missing = missing_rule(dataset, name, numbers)
            self.layout = CubeLayout(
                grid=Grid(dataset.crs, dataset.transform, dataset.shape),
                count=len(numbers),
                bad=stored_bad(self._light, envi, self.name),
                gains=None if gains is None else tuple(gains[i - 1] for i in numbers),
                offsets=None if offsets is None else tuple(offsets[i - 1] for i in numbers),
                nodata=_stored_nodata(self._missing, envi),
                dtype=dataset.dtypes[0],
                numbers=numbers,
            )

    def find_bands(self) -> Bands:
        """The bands that the file's metadata describes."""
        return bands_of_dataset(self._light, self.name)

    def read(self, window: Window, indices: Sequence[int]) -> NDArray[Any]:
        """Stored values: bands x height x width."""
        numbers = [self._light.numbers[i] for i in indices]

        def stored(dataset: Any) -> list[NDArray[Any]]:
            return [dataset.read(numbers, window=window.rasterio())]

        first = stored(self._dataset)
        self._rereading.confirm(first, stored)
        return first[0]

    def mask(self, window: Window) -> Mask | None:
        """Where masks and alpha say that pixels are measured; None for everywhere."""

        def stored(dataset: Any) -> list[Mask]:
            mask = self._missing.mask(dataset, window, window.shape_yx)
            return [] if mask is None else [mask]

        first = stored(self._dataset)
        self._rereading.confirm(first, stored)
        return first[0] if first else None

    def close(self) -> None:
        """Give the file back."""
        self._rereading.close()
        self._dataset.close()


def _open(name: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            return sentinel2.open_raster(name)
    except RasterioError as error:
        raise RasterError(f"{redact(name)}: cannot open the cube ({error})") from error


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


def _stored_nodata(missing: MissingRule, envi: dict[str, str]) -> tuple[float | None, ...]:
    values = envi_list(envi.get("data_ignore_value", ""))
    if values and missing.value is None:
        return (values[0],) * len(missing.nodata)
    return missing.nodata
