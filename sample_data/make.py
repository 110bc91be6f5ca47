#!/usr/bin/env python3
"""Make the sample scene, or simulated training scenes.  Needs numpy, scipy and rasterio.

    python sample_data/make.py                              the files of this folder
    python sample_data/make.py --scenes 40 --into scenes/   40 pairs with pairs.csv

The same arguments make the same bytes again.
"""

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rasters import CRS, write_cube, write_rgb
from simulator import Truth, camera_rgb, default_spectrometer, simulate
from simulator.sensors import spectrometer_cube


@dataclass(frozen=True)
class Sample:
    """Layout of the sample scene."""

    seed: int = 4
    """Decides the village."""

    gsd: float = 0.1
    """Pixel size of the reference in metres."""

    factor: int = 32
    """Pixels of the reference per pixel of the scene, along one axis."""

    shape_yx: tuple[int, int] = (48, 64)
    """Rows and columns of the scene."""

    corner_en: tuple[float, float] = (691200.0, 5334400.0)
    """Easting and northing of the scene's upper left corner, metres."""

    nodata_steps: int = 7
    """Size in pixels of the scene's nodata corner (upper right, a staircase)."""

    scene_noise: float = 0.4
    """Standard deviation of the scene's noise in grey levels, before rounding."""

    cube_resolution: float = 4.0
    """Pixel size of the cube in metres."""

    cube_overhang: tuple[float, float] = (6.7, 5.3)
    """Metres that the cube reaches beyond the scene to the west and to the north."""

    displacement_en: tuple[float, float] = (1.3, -0.9)
    """Metres east and north by which the cube shows the ground at the wrong place."""

    margin: int = 160
    """Pixels simulated around the reference, so that the cube's edges see ground."""


@dataclass(frozen=True)
class Pictures:
    """What the sensors see of the sample."""

    scene: NDArray[np.uint8]
    """3 x 48 x 64, 0 is nodata."""

    reference: NDArray[np.uint8]
    """3 x 1536 x 2048."""

    cube: NDArray[np.float32]
    """B x h x w reflectance."""


def render(sample: Sample) -> Pictures:
    """Simulate the ground of a sample and look at it with both sensors."""
    shape = tuple(length * sample.factor for length in sample.shape_yx)
    margin = sample.margin
    truth = simulate(sample.seed, (shape[0] + 2 * margin, shape[1] + 2 * margin), sample.gsd)
    rng = np.random.default_rng([sample.seed, 10])
    picture = camera_rgb(truth, rng)
    reference = picture[:, margin : margin + shape[0], margin : margin + shape[1]]
    return Pictures(
        scene=_coarse_scene(reference, sample, rng),
        reference=np.ascontiguousarray(reference),
        cube=_displaced_cube(truth, sample, rng),
    )


def write_sample(folder: Path, sample: Sample) -> None:
    """Write scene.tif, cube.tif, reference.tif and truth.json into a folder."""
    pictures = render(sample)
    east, north = sample.corner_en
    coarse = sample.gsd * sample.factor
    write_rgb(folder / "scene.tif", pictures.scene, sample.corner_en, coarse, nodata=0)
    write_rgb(
        folder / "reference.tif", pictures.reference, sample.corner_en, sample.gsd, jpeg_quality=90
    )
    corner = (east - sample.cube_overhang[0], north + sample.cube_overhang[1])
    write_cube(
        folder / "cube.tif", pictures.cube, default_spectrometer(), corner, sample.cube_resolution
    )
    (folder / "truth.json").write_text(json.dumps(_facts(sample), indent=2) + "\n")


def write_scenes(
    folder: Path, count: int, first_seed: int, size: int, gsd: float, held_out: int
) -> None:
    """Write simulated training scenes as RGB at `gsd` and cubes at 1 m, and their pairs.csv.

    Args:
        folder: Where to; it is made when missing.
        count: Scenes.
        first_seed: Seed of the first scene; each scene is another village.
        size: Rows and columns of the RGB picture.
        gsd: Its pixel size in metres.
        held_out: Every n-th scene is for validation; 0 for none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "pairs.csv").open("w", newline="") as table:
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(["rgb", "hsi", "group", "split"])
        for index in range(count):
            seed = first_seed + index
            names = (f"village_{seed:05d}_rgb.tif", f"village_{seed:05d}_hsi.tif")
            _write_scene(folder / names[0], folder / names[1], seed, size, gsd)
            split = "val" if held_out and index % held_out == held_out - 1 else "train"
            rows.writerow([*names, f"village_{seed:05d}", split])


def _write_scene(rgb_path: Path, hsi_path: Path, seed: int, size: int, gsd: float) -> None:
    rng = np.random.default_rng([seed, 20])
    centre = (float(rng.uniform(-95.0, 105.0)), float(rng.uniform(-75.0, 75.0)))
    truth = simulate(seed, (size, size), gsd, centre)
    corner = (600000.0 + 1000.0 * (seed % 97), 5400000.0 + 1000.0 * (seed // 97))
    write_rgb(rgb_path, camera_rgb(truth, rng), corner, gsd)
    sensor, pixels = default_spectrometer(), int(size * gsd)
    cube = spectrometer_cube(truth, sensor, rng, resolution=1.0, shape_yx=(pixels, pixels))
    write_cube(hsi_path, cube, sensor, corner, 1.0)


def _coarse_scene(
    reference: NDArray[np.uint8], sample: Sample, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return the block means of the reference with noise, and 0 in the nodata corner."""
    rows, columns = sample.shape_yx
    blocks = reference.reshape(3, rows, sample.factor, columns, sample.factor)
    means = blocks.mean(axis=(2, 4), dtype=np.float64)
    noisy = means + sample.scene_noise * rng.standard_normal(means.shape)
    scene = np.clip(np.rint(noisy), 1, 255).astype(np.uint8)
    from_right = columns - 1 - np.arange(columns)[None, :]
    scene[:, np.arange(rows)[:, None] + from_right < sample.nodata_steps] = 0
    return scene


def _displaced_cube(truth: Truth, sample: Sample, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the cube; its pixel at a map position shows the ground that lies displaced back."""
    extent = [length * sample.factor * sample.gsd for length in sample.shape_yx]
    west, north = sample.cube_overhang
    step = sample.cube_resolution
    shape = (int((extent[0] + 2 * north) / step) + 1, int((extent[1] + 2 * west) / step) + 1)
    edge = sample.margin * sample.gsd
    return spectrometer_cube(
        truth,
        default_spectrometer(),
        rng,
        resolution=step,
        shape_yx=shape,
        corner_yx=(
            edge - north + sample.displacement_en[1],
            edge - west - sample.displacement_en[0],
        ),
    )


def _facts(sample: Sample) -> dict[str, object]:
    """Return what truth.json tells."""
    east, north = sample.displacement_en
    return {
        "about": "Simulated. Ground that lies at map position (E, N) in scene.tif is seen in "
        "cube.tif at (E + east, N + north); subtracting the displacement from the "
        "cube's origin brings it into place.",
        "crs": CRS,
        "cube_displacement_m": {"east": east, "north": north},
        "cube_displacement_cube_pixels": {
            "right": east / sample.cube_resolution,
            "down": -north / sample.cube_resolution,
        },
        "degradation": "scene.tif is the mean of each 32 x 32 block of reference.tif plus noise of "
        f"{sample.scene_noise} grey levels; 0 is nodata",
        "scale": sample.factor,
        "seed": sample.seed,
    }


def main() -> None:
    """Read the arguments and write the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    here = Path(__file__).resolve().parent
    parser.add_argument("--into", type=Path, default=here, help="folder to write to")
    parser.add_argument("--scenes", type=int, default=0, help="make this many training scenes")
    parser.add_argument("--seed", type=int, default=1000, help="seed of the first training scene")
    parser.add_argument("--size", type=int, default=640, help="their rows and columns")
    parser.add_argument("--gsd", type=float, default=0.1, help="their pixel size in metres")
    parser.add_argument("--held-out", type=int, default=5, help="every n-th is for validation")
    given = parser.parse_args()
    if given.scenes:
        write_scenes(given.into, given.scenes, given.seed, given.size, given.gsd, given.held_out)
    else:
        given.into.mkdir(parents=True, exist_ok=True)
        write_sample(given.into, Sample())


if __name__ == "__main__":
    main()
