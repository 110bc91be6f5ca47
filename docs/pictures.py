"""Make the gallery again: every picture by the command that stands beside it.

python docs/pictures.py, after new weights; ten minutes of a core. Names that follow make those
pictures alone. The page, `gallery.md`, is written by generate.py.
"""

import os
import shlex
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning

ROOT = Path(__file__).parents[1]
PICTURES = Path(__file__).parent / "pictures"
WIDTH = 1000
"""Pixels; wider pictures are halved, by means of 2 x 2, until they fit."""

_SCENE = "specgan upscale sample_data/scene.tif"
_CUBE = f"{_SCENE} --hsi sample_data/cube.tif"
_OUT = "-o out.tif --preview out.png"

GALLERY = {
    "x32": ("32 times, with the cube", f"{_CUBE} -x 32 {_OUT}"),
    "x16": ("16 times, with the cube", f"{_CUBE} -x 16 {_OUT}"),
    "x8": ("8 times, with the cube", f"{_CUBE} -x 8 {_OUT}"),
    "x4": ("4 times, with the cube", f"{_CUBE} -x 4 {_OUT}"),
    "x2": ("Twice, with the cube", f"{_CUBE} -x 2 {_OUT}"),
    "rgb_x32": ("32 times, without a cube", f"{_SCENE} -x 32 {_OUT}"),
    "rgb_x8": ("8 times, without a cube", f"{_SCENE} -x 8 {_OUT}"),
    "fidelity_1": ("The mean of what is likely", f"{_CUBE} -x 32 --fidelity 1 {_OUT}"),
    "fidelity_half": ("Half way to the mean", f"{_CUBE} -x 32 --fidelity 0.5 {_OUT}"),
    "seed_1": ("Other detail", f"{_CUBE} -x 32 --seed 1 {_OUT}"),
    "seed_2": ("Other detail again", f"{_CUBE} -x 32 --seed 2 {_OUT}"),
    "north_west": ("The north-western part", f"{_CUBE} -x 32 --window 0,0,16,16 {_OUT}"),
    "north_east": ("The north-eastern part", f"{_CUBE} -x 32 --window 48,0,16,16 {_OUT}"),
    "south_west": ("The south-western part", f"{_CUBE} -x 32 --window 0,32,16,16 {_OUT}"),
    "south_east": ("The south-eastern part", f"{_CUBE} -x 32 --window 48,32,16,16 {_OUT}"),
    "alignment": (
        "The cube on the scene's grid",
        "specgan prepare sample_data/scene.tif --hsi sample_data/cube.tif "
        "-o aligned.tif --quicklook out.png",
    ),
}
"""Title and command of every picture, by the name of its file."""


def _shrink(image: np.ndarray) -> np.ndarray:
    """Return bands x height x width with WIDTH columns at most."""
    while image.shape[2] > WIDTH:
        rows, cols = image.shape[1] // 2 * 2, image.shape[2] // 2 * 2
        whole = image[:, :rows, :cols].reshape(len(image), rows // 2, 2, cols // 2, 2)
        image = whole.mean((2, 4)).round().astype(np.uint8)
    return image


def make(name: str) -> None:
    """Run a picture's command in an empty folder, and keep what it draws as JPEG."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sample_data").symlink_to(ROOT / "sample_data")
        program = [sys.executable, "-m", "specgan_cli", "-q"]
        words = shlex.split(GALLERY[name][1])[1:]
        subprocess.run(program + words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        with rasterio.open(Path(folder) / "out.png") as png:
            image = _shrink(png.read([1, 2, 3]))
    shape = {"count": 3, "height": image.shape[1], "width": image.shape[2], "dtype": "uint8"}
    with rasterio.open(
        PICTURES / f"{name}.jpg", "w", driver="JPEG", quality=85, photometric="YCBCR", **shape
    ) as jpeg:
        jpeg.write(image)


def main() -> None:
    """Make the pictures that are named, or all."""
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    os.environ["GDAL_PAM_ENABLED"] = "NO"
    PICTURES.mkdir(exist_ok=True)
    for name in sys.argv[1:] or GALLERY:
        print(name, flush=True)
        make(name)


if __name__ == "__main__":
    main()
