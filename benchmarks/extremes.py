"""Scenes at the limits of the formats, through the real command: a long strip, and beyond 4 GiB.

    python benchmarks/extremes.py                 # both, with the shipped weights
    python benchmarks/extremes.py --weights FILE  # a small network is enough to try the files

The strip has 4,096 x 64 LR pixels, 131,072 x 2,048 at x32; the large scene 1,280 x 1,280, which
make 5.0 GB.  Both are empty but for a few islands, so that hours of network are not needed: what
is tried are offsets, sizes, sparse blocks, overviews and memory.  Every row of the table is checked
on the written file; the exit code is 1 if one does not hold.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.windows import Window
from rio_cogeo import cog_validate

SCALE = 32
NODATA = 0
ISLAND = 12
TRANSFORM = Affine(3.2, 0, 691200, 0, -3.2, 5334400)
SCENES = {"strip": (4096, 64), "large": (1280, 1280)}


def main() -> None:
    """Make each scene, upscale it as GTiff or as COG, and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", default=list(SCENES), help="strip, large")
    parser.add_argument("--weights", default="specgan-scene")
    arguments = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.what:
            for driver in ("GTiff", "COG"):
                found = check(Path(folder), name, driver, arguments.weights)
                for what, (holds, value) in found.items():
                    print(f"{name:6} {driver:6} {what:16} {value:>28}  {'ok' if holds else 'NOT'}")
                    failed |= not holds
                sys.stdout.flush()
    sys.exit(failed)


def islands(shape_yx: tuple[int, int]) -> list[tuple[int, int]]:
    """Return first rows and columns of the valid squares: corners, edges and the middle."""
    rows, cols = ([0, (side - ISLAND) // 2 + 1, side - ISLAND] for side in shape_yx)
    return sorted({(rows[i], cols[j]) for i, j in ((0, 0), (0, 2), (1, 1), (2, 0), (2, 2))})


def make_scene(path: Path, shape_yx: tuple[int, int]) -> Path:
    """Write a uint8 scene that is nodata but for its islands of texture."""
    random = np.random.default_rng(0)
    values = np.full((3, *shape_yx), NODATA, np.uint8)
    for row, col in islands(shape_yx):
        island = random.integers(60, 200, (3, ISLAND, ISLAND))
        values[:, row : row + ISLAND, col : col + ISLAND] = island
    profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "nodata": NODATA}
    with rasterio.open(
        path,
        "w",
        height=shape_yx[0],
        width=shape_yx[1],
        crs="EPSG:32632",
        transform=TRANSFORM,
        compress="deflate",
        **profile,
    ) as scene:
        scene.write(values)
    return path


def check(folder: Path, name: str, driver: str, weights: str) -> dict[str, tuple[bool, str]]:
    """Run the command and return what holds on its file, and the figure that shows it."""
    shape_yx = SCENES[name]
    scene = make_scene(folder / f"{name}.tif", shape_yx)
    out = folder / f"{name}_{driver}.tif"
    words = ["upscale", str(scene), "-x", str(SCALE), "-o", str(out), "-f", driver]
    command = [sys.executable, "-m", "specgan_cli", *words, "--weights", weights, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"exit code": (False, f"{done.returncode}: {done.stderr.strip()[-120:]}")}
    report = json.loads(done.stdout)
    expected = (shape_yx[0] * SCALE, shape_yx[1] * SCALE)
    with rasterio.open(out) as result:
        raw = 3 * result.height * result.width
        fine = TRANSFORM * Affine.scale(1 / SCALE)
        rows = {
            "size": (result.shape == expected, f"{result.height} x {result.width}"),
            "raw bytes": (True, f"{raw:,}"),
            "file bytes": (True, f"{out.stat().st_size:,}"),
            "transform": (result.transform.almost_equals(fine, 1e-12), "exact to 1e-12"),
            "crs": (result.crs.to_epsg() == 32632, str(result.crs)),
            "peak memory": (True, f"{report['peak_memory_bytes'] / 2**20:.0f} MiB"),
            "block means": means(result, scene),
            "nodata between": empty(result, scene),
        }
    with out.open("rb") as file:
        version = int.from_bytes(file.read(4)[2:], "little")
    if raw > 2**32:
        rows["BigTIFF"] = (version == 43, f"version {version}")
    if driver == "COG":
        valid, errors, _ = cog_validate(out, quiet=True)
        rows["rio cogeo"] = (valid, "; ".join(errors)[:28] or "valid")
    out.unlink()
    return rows


def means(result: rasterio.DatasetReader, scene: Path) -> tuple[bool, str]:
    """Compare the block means of every island with the scene: equal, since rounding keeps them."""
    worst = 0.0
    with rasterio.open(scene) as source:
        for row, col in islands(source.shape):
            window = Window(col, row, ISLAND, ISLAND)
            lr = source.read(window=window).astype(float)
            fine = Window(col * SCALE, row * SCALE, ISLAND * SCALE, ISLAND * SCALE)
            blocks = result.read(window=fine).reshape(3, ISLAND, SCALE, ISLAND, SCALE)
            worst = max(worst, float(np.abs(blocks.mean((2, 4)) - lr).max()))
    return worst < 0.01, f"{worst:.4f} grey levels off"


def empty(result: rasterio.DatasetReader, scene: Path) -> tuple[bool, str]:
    """Look at the LR pixels around every island: nothing may have been written there."""
    count = 0
    with rasterio.open(scene) as source:
        valid = source.dataset_mask() > 0
    for row, col in islands(valid.shape):
        top, left = max(row - 2, 0), max(col - 2, 0)
        part = valid[top : row + ISLAND + 2, left : col + ISLAND + 2]
        height, width = part.shape
        window = Window(left * SCALE, top * SCALE, width * SCALE, height * SCALE)
        made = result.dataset_mask(window=window) > 0
        count += int((made != np.kron(part, np.ones((SCALE, SCALE), bool))).sum())
    return count == 0, f"{count} pixels differ"


if __name__ == "__main__":
    main()
