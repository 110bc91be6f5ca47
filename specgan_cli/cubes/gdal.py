"""Cubes in a format that GDAL reads."""

from __future__ import annotations

import contextlib
import logging
import re
import shlex
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from specgan.bands import Bands
from specgan_cli.cubes.envi_header import envi_list, sidecar_header
from specgan_cli.cubes.layout import CubeLayout
from specgan_cli.cubes.light import LightBands, stored_bad
from specgan_cli.cubes.wavelengths import bands_of_dataset
from specgan_cli.errors import RasterError
from specgan_cli.raster.drivers import sentinel2
from specgan_cli.raster.drivers.blocks import check_blocks
from specgan_cli.raster.drivers.rereading import Rereading
from specgan_cli.raster.drivers.texts import check_texts
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.missing import MissingRule, missing_rule
from specgan_cli.raster.validation import reading
from specgan_cli.redaction import redact
from specgan_cli.types import Mask

__all__ = ["RasterStore"]

logger = logging.getLogger(__name__)

_RADIANCE = re.compile(r"radiance|\b[mµuμn]?W\s*[/ ]?\s*(?:cm|m)\b|\b[mµuμn]?W\s*(?:cm|m)\^?-?2")


class RasterStore:
    """A cube in a format that GDAL reads."""

    def __init__(self, name: str, count: int | None = None) -> None:
        self._dataset = _open(name)
        dataset = self._dataset
        if dataset.count == 0 or (dataset.transform.is_identity and dataset.gcps[0]):
            message = _unplaced(redact(name), dataset)
            dataset.close()
            raise RasterError(message)
        with reading(name):
            self._rereading = Rereading(redact(name), dataset, lambda: _open(name))
            envi = {**sidecar_header(dataset), **dataset.tags(ns="ENVI")}
            gains, offsets = _stored_scale(dataset, envi)
            self.name = redact(name)
            _warn_of_radiance(dataset, envi, self.name)
            self._light = LightBands.of(dataset, count)
            numbers = self._light.numbers
            sentinel2.check_files(dataset, numbers, self.name)
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
            dataset = sentinel2.open_raster(name)
    except RasterioError as error:
        raise RasterError(f"{redact(name)}: cannot open the cube ({error})") from error
    check_texts(dataset, redact(name))
    check_blocks(dataset, redact(name))
    return dataset


def _warn_of_radiance(dataset: Any, envi: dict[str, str], name: str) -> None:
    """Say so when the file's units are those of radiance."""
    tags = {key.rpartition("#")[2].lower(): value for key, value in dataset.tags(1).items()}
    said = [*dataset.units[:1], tags.get("units"), tags.get("long_name"), envi.get("data_units")]
    found = next((text for text in said if text and _RADIANCE.search(text)), None)
    if found is not None:
        logger.warning(
            "%s: its values are %r, which is radiance and not reflectance; use a product of "
            "surface reflectance, or give the value of reflectance 1 with --hsi-scale",
            name,
            found,
        )


def _unplaced(name: str, dataset: Any) -> str:
    if dataset.count:
        return (
            f"{name}: has ground control points but no transform; put it on a grid first: "
            f"gdalwarp -tps {shlex.quote(name)} {shlex.quote(Path(name).stem + '_warped.tif')}"
        )
    if name.startswith("/vsizip/") and dataset.driver.startswith(("HDF5", "netCDF")):
        return f"{name}: is read by its own reader only outside of an archive; unzip it first"
    parts = [redact(part) for part in dataset.subdatasets]
    if not parts:
        return f"{name}: holds no image; give the file of the spectral image"
    if (
        len(parts) > 2
        and len({part.rpartition(":")[2].rstrip("0123456789.") for part in parts}) == 1
    ):
        listed = " ".join(shlex.quote(part) for part in parts[:2])
        return (
            f"{name}: holds {len(parts)} images of a band each; put them together: gdalbuildvrt "
            f"-separate cube.vrt {listed} ..., and give --wavelengths FILE.csv"
        )
    listed = ", ".join(map(shlex.quote, parts[:6]))
    return f"{name}: holds several images; name one of them: {listed}"


def _stored_scale(
    dataset: Any, envi: dict[str, str]
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Gains and offsets as GDAL, ENVI or a plain tag give them; None where nothing is said."""
    gains, offsets = zip(*(sentinel2.scale_of(dataset, i) for i in dataset.indexes), strict=True)
    if any(gain != 1.0 for gain in gains) or any(offsets):
        return gains, offsets
    listed = envi_list(envi.get("data_gain_values", ""))
    if len(listed) == dataset.count and any(gain != 1.0 for gain in listed):
        added = envi_list(envi.get("data_offset_values", ""))
        return tuple(listed), tuple(added) if len(added) == len(listed) else None
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
