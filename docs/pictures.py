"""Make the gallery again: every picture by the commands that stand beside it.

python docs/pictures.py, after new weights; a quarter of an hour of a core. Names that follow make
those pictures alone. The page, `gallery.md`, is written by generate.py. The picture of a report
needs chromium.
"""

import base64
import os
import re
import shlex
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

ROOT = Path(__file__).parents[1]
PICTURES = Path(__file__).parent / "pictures"
WIDTH = 1000
"""Pixels; wider pictures are halved, by means of 2 x 2, until they fit."""
PANEL = 240
"""Pixels; the side of a chip in a row out of a report."""
SHOWN = ("LR input", "bicubic", "specgan-scene", "reference")
"""The pictures of such a row."""

GROUND = (4, 8, 32)
"""Factors of the pictures of real ground, `ground_x4.jpg` and so on, which want data that is not
here: benchmarks/ground.py draws them."""

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """One picture of the gallery."""

    title: str
    """What it shows."""
    commands: tuple[str, ...]
    """What makes it; the last one draws `out.png` or writes `report/`."""
    rank: str = ""
    """Which chip of the report it shows: best, median or worst; or `page` for the page's top."""


_SCENE = "specgan upscale sample_data/scene.tif"
_CUBE = f"{_SCENE} --hsi sample_data/cube.tif"
_OUT = "-o out.tif --preview out.png"
_REPORT = (
    "specgan prepare recipes/sample.csv -o dataset/ -x 16 --split-by blocks",
    "specgan evaluate dataset/ -x 16 --metrics psnr,ssim,spectrum,edge_strength -o report/",
)


def _drawn(title: str, command: str) -> Picture:
    return Picture(title, (command,))


GALLERY = {
    "x32": _drawn("32 times, with the cube", f"{_CUBE} -x 32 {_OUT}"),
    "x16": _drawn("16 times, with the cube", f"{_CUBE} -x 16 {_OUT}"),
    "x8": _drawn("8 times, with the cube", f"{_CUBE} -x 8 {_OUT}"),
    "x4": _drawn("4 times, with the cube", f"{_CUBE} -x 4 {_OUT}"),
    "x2": _drawn("Twice, with the cube", f"{_CUBE} -x 2 {_OUT}"),
    "rgb_x32": _drawn("32 times, without a cube", f"{_SCENE} -x 32 {_OUT}"),
    "rgb_x8": _drawn("8 times, without a cube", f"{_SCENE} -x 8 {_OUT}"),
    "fidelity_1": _drawn("The mean of what is likely", f"{_CUBE} -x 32 --fidelity 1 {_OUT}"),
    "fidelity_half": _drawn("Half way to the mean", f"{_CUBE} -x 32 --fidelity 0.5 {_OUT}"),
    "seed_1": _drawn("Other detail", f"{_CUBE} -x 32 --seed 1 {_OUT}"),
    "seed_2": _drawn("Other detail again", f"{_CUBE} -x 32 --seed 2 {_OUT}"),
    "north_west": _drawn("The north-western part", f"{_CUBE} -x 32 --window 0,0,16,16 {_OUT}"),
    "north_east": _drawn("The north-eastern part", f"{_CUBE} -x 32 --window 48,0,16,16 {_OUT}"),
    "south_west": _drawn("The south-western part", f"{_CUBE} -x 32 --window 0,32,16,16 {_OUT}"),
    "south_east": _drawn("The south-eastern part", f"{_CUBE} -x 32 --window 48,32,16,16 {_OUT}"),
    "good": Picture("Good: the best chip of the sample, 16 times, by PSNR", _REPORT, "best"),
    "median": Picture("Median: the chip in the middle", _REPORT, "median"),
    "bad": Picture("Bad: the worst chip", _REPORT, "worst"),
    "alignment": _drawn(
        "The cube on the scene's grid",
        "specgan prepare sample_data/scene.tif --hsi sample_data/cube.tif "
        "-o aligned.tif --quicklook out.png",
    ),
    "report": Picture("A report of evaluate", _REPORT, "page"),
}
"""The pictures, by the name of their file; good, median and bad by rank, not by choice."""


def _shrink(image: Image) -> Image:
    """Return bands x height x width with WIDTH columns at most."""
    while image.shape[2] > WIDTH:
        rows, cols = image.shape[1] // 2 * 2, image.shape[2] // 2 * 2
        whole = image[:, :rows, :cols].reshape(len(image), rows // 2, 2, cols // 2, 2)
        image = whole.mean((2, 4)).round().astype(np.uint8)
    return image


def _read(path: Path) -> Image:
    with rasterio.open(path) as png:
        image: Image = png.read([1, 2, 3])
    return image


def _row(folder: Path, rank: str) -> Image:
    """Return the pictures of the report's first chip of a rank, side by side."""
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    strip = re.split(r"<h3>.*?: (?=\w+ by )", page)
    (found, *_) = (part for part in strip[1:] if part.startswith(f"{rank} by"))
    uris = dict(re.findall(r'<img alt="(.*?)" src="data:image/png;base64,(.*?)"', found))
    panels = []
    for title in SHOWN:
        (folder / "panel.png").write_bytes(base64.b64decode(uris[title]))
        panel = _read(folder / "panel.png")
        at = np.arange(PANEL) * panel.shape[1] // PANEL
        panels += [panel[:, at][:, :, at], np.full((3, PANEL, 8), 255, np.uint8)]
    return np.concatenate(panels[:-1], axis=2)


def _top(folder: Path) -> Image:
    """Return the top of the report's page as a browser shows it."""
    target = folder / "out.png"
    browser = ("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
    page = (folder / "report" / "index.html").as_uri()
    options = (f"--screenshot={target}", f"--window-size={WIDTH},1400")
    subprocess.run([*browser, *options, page], check=True, capture_output=True)
    return _read(target)


def _run(commands: tuple[str, ...], folder: Path) -> None:
    for name in ("sample_data", "recipes"):
        (folder / name).symlink_to(ROOT / name)
    program = [sys.executable, "-m", "specgan_cli", "-q"]
    for command in commands:
        words = shlex.split(command)[1:]
        subprocess.run(program + words, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def _save(name: str, image: Image) -> None:
    shape = {"count": 3, "height": image.shape[1], "width": image.shape[2], "dtype": "uint8"}
    with rasterio.open(
        PICTURES / f"{name}.jpg", "w", driver="JPEG", quality=85, photometric="YCBCR", **shape
    ) as jpeg:
        jpeg.write(image)


def make(commands: tuple[str, ...], names: list[str]) -> None:
    """Run commands in an empty folder, and keep what they draw for every name as JPEG."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        _run(commands, folder)
        for name in names:
            rank = GALLERY[name].rank
            if rank == "page":
                _save(name, _top(folder))
            else:
                _save(name, _row(folder, rank) if rank else _shrink(_read(folder / "out.png")))


def main() -> None:
    """Make the pictures that are named, or all; those of one report together."""
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    os.environ["GDAL_PAM_ENABLED"] = "NO"
    PICTURES.mkdir(exist_ok=True)
    wanted = sys.argv[1:] or list(GALLERY)
    for commands in dict.fromkeys(GALLERY[name].commands for name in wanted):
        names = [name for name in wanted if GALLERY[name].commands == commands]
        print(*names, flush=True)
        make(commands, names)


if __name__ == "__main__":
    main()
