"""What a quicklook shows of a cube that does not see red, green and blue."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from specgan_cli.alignment.pair import VISIBLE
from specgan_cli.cubes.cube import Cube, CubeOptions
from specgan_cli.pictures.quicklook import shown_bands


@pytest.mark.parametrize(
    ("wavelengths", "shown"),
    [
        ("845", (845.0, 845.0, 845.0)),
        ("700 740 780 865", (865.0, 740.0, 700.0)),
        ("650:40 865:40", (865.0, 865.0, 650.0)),
    ],
)
def test_own_bands_stand_for_colours(
    wavelengths: str, shown: tuple[float, ...], tmp_path: Path
) -> None:
    with opened(wavelengths, tmp_path) as cube:
        assert shown_bands(cube).wavelengths_nm == shown


def test_visible_bands_are_shown_in_true_colour(tmp_path: Path) -> None:
    with opened("480:70 560:70 650:70 845:70", tmp_path) as cube:
        assert shown_bands(cube) == VISIBLE


def opened(wavelengths: str, folder: Path) -> Cube:
    path = folder / "cube.tif"
    bands = len(wavelengths.split())
    profile = {"driver": "GTiff", "dtype": "uint16", "count": bands, "width": 4, "height": 4}
    with rasterio.open(
        path, "w", crs="EPSG:32618", transform=Affine(10, 0, 5e5, 0, -10, 4e6), **profile
    ) as dataset:
        dataset.write(np.full((bands, 4, 4), 3000, np.uint16))
    return Cube.open(str(path), CubeOptions(wavelengths=wavelengths, scale=10000.0))
