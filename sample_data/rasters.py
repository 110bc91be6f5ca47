"""Write the simulator's pictures as georeferenced files."""

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from simulator import Spectrometer

CRS = "EPSG:32632"
CUBE_NODATA = -9999
CUBE_SCALE = 10000.0


def write_rgb(
    path: Path,
    rgb: NDArray[np.uint8],
    corner_en: tuple[float, float],
    resolution: float,
    *,
    nodata: int | None = None,
    jpeg_quality: int | None = None,
) -> None:
    """Write an 8-bit colour picture, lossless or as tiled JPEG.

    Args:
        path: GeoTIFF to write.
        rgb: 3 x H x W.
        corner_en: Easting and northing of the upper left corner.
        resolution: Pixel size in metres.
        nodata: Value that stands for no data.
        jpeg_quality: 1 to 100, lossless when None.
    """
    options: dict[str, object] = {"compress": "deflate", "predictor": 2, "zlevel": 9}
    if jpeg_quality is not None:
        options = {"compress": "jpeg", "photometric": "ycbcr", "jpeg_quality": jpeg_quality}
        options |= {"tiled": True, "blockxsize": 256, "blockysize": 256}
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        dtype="uint8",
        count=3,
        height=rgb.shape[1],
        width=rgb.shape[2],
        crs=CRS,
        transform=_north_up(corner_en, resolution),
        nodata=nodata,
        **options,
    ) as target:
        target.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
        target.write(rgb)


def write_cube(
    path: Path,
    reflectance: NDArray[np.float32],
    sensor: Spectrometer,
    corner_en: tuple[float, float],
    resolution: float,
) -> None:
    """Write a cube as int16 reflectance x 10000 with its wavelengths in the metadata.

    Args:
        path: GeoTIFF to write.
        reflectance: B x H x W, 0 to 1.
        sensor: Source of the wavelengths and widths.
        corner_en: Easting and northing of the upper left corner.
        resolution: Pixel size in metres.
    """
    values = np.clip(np.rint(reflectance * CUBE_SCALE), 0, 16000).astype(np.int16)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        dtype="int16",
        count=values.shape[0],
        height=values.shape[1],
        width=values.shape[2],
        crs=CRS,
        transform=_north_up(corner_en, resolution),
        nodata=CUBE_NODATA,
        compress="deflate",
        predictor=2,
        zlevel=9,
        interleave="pixel",
    ) as target:
        target.write(values)
        target.scales = [1.0 / CUBE_SCALE] * target.count
        for band, (centre, width) in enumerate(
            zip(sensor.centres_nm, sensor.fwhm_nm, strict=True), start=1
        ):
            target.set_band_description(band, f"{centre:.2f} nm")
            target.update_tags(
                band, wavelength=f"{centre:.2f}", wavelength_units="Nanometers", fwhm=f"{width:.2f}"
            )
            target.update_tags(
                band,
                ns="IMAGERY",
                CENTRAL_WAVELENGTH_UM=f"{centre / 1000:.5f}",
                FWHM_UM=f"{width / 1000:.5f}",
            )


def _north_up(corner_en: tuple[float, float], resolution: float) -> Affine:
    return Affine(resolution, 0.0, corner_en[0], 0.0, -resolution, corner_en[1])
