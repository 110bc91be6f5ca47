"""Cubes that see nothing of red, green and blue."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from specgan_cli.alignment.estimate import align
from specgan_cli.cubes.cube import Cube
from specgan_cli.raster.scene import Scene

LIST = Path(__file__).parents[2] / "recipes" / "neon_ucmerced" / "naip4.csv"


def split_chip(path: Path, folder: Path, shift: float) -> tuple[Path, Path]:
    """Write a chip's colours, and its near infrared four times coarser, displaced to the east."""
    with rasterio.open(path) as chip:
        values, crs, transform = chip.read(), chip.crs, chip.transform
    infrared = values[3:].reshape(1, 64, 4, 64, 4).mean((2, 4)).round().astype(np.uint8)
    coarse = transform @ Affine.translation(shift, 0) @ Affine.scale(4)
    found = []
    for name, image, place in (("rgb", values[:3], transform), ("nir", infrared, coarse)):
        found.append(folder / f"{name}.tif")
        shape = {"count": len(image), "height": image.shape[1], "width": image.shape[2]}
        with rasterio.open(
            found[-1], "w", driver="GTiff", dtype="uint8", crs=crs, transform=place, **shape
        ) as dataset:
            dataset.write(image)
            if name == "nir":
                dataset.set_band_description(1, "nir")
    return found[0], found[1]


@pytest.mark.parametrize("shift", [0, 20])
def test_near_infrared_lies_within_a_sixth_of_its_pixel(
    shift: int, shared_data: Path, tmp_path: Path
) -> None:
    with LIST.open(newline="") as stream:
        chips = [row["rgb"] for row in csv.DictReader(stream)][::80]
    for chip in chips:
        rgb, nir = split_chip(shared_data / chip, tmp_path, shift)
        with Scene.open(rgb) as scene, Cube.open(nir) as cube:
            found = align(scene, cube)
        east, north = found.shift_xy
        assert math.hypot(east + 0.6 * shift, north) < 2.4 / 6, chip
        assert found.correlation > 0.6
