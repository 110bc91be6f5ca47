"""Pictures are PNG files that GDAL reads back to the byte."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from specgan_cli import png
from specgan_cli.errors import OutputError


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_come_back_from_gdal(tmp_path: Path, channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 9, channels)).astype(np.uint8)
    png.write(tmp_path / "a.png", image)
    with warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning):
        picture = rasterio.open(tmp_path / "a.png")
    with picture:
        np.testing.assert_array_equal(picture.read(), image.transpose(2, 0, 1))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_other_arrays_are_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="H x W x 1, 3 or 4"):
        png.encode(image)


def test_a_picture_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"nowhere/a\.png: cannot be written"):
        png.write(tmp_path / "nowhere" / "a.png", np.zeros((1, 1, 3), np.uint8))
