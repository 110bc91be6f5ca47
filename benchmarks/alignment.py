"""Accuracy and time of the alignment of cubes with scenes, for known displacements.

    PYTHONPATH=sample_data python benchmarks/alignment.py accuracy --data FOLDER
    PYTHONPATH=sample_data python benchmarks/alignment.py conditions --data FOLDER
    PYTHONPATH=sample_data python benchmarks/alignment.py warp --data FOLDER

FOLDER holds `neon_rgb`. Scenes are real NEON RGB tiles (0.1 m); cubes are made from them with a
known displacement by the simulation that the tests use (`sample_data/displaced_pairs.py`).
`alignment_pairs.py` asks of real cubes whether they are told from those of other plots.

Times are those of `align`, files opened and read included, as processor and as wall time.
"""

from __future__ import annotations

import argparse
import logging
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.warp
from affine import Affine

import displaced_pairs as pairs
from specgan_cli.alignment.estimate import align
from specgan_cli.alignment.options import AlignOptions
from specgan_cli.cubes.cube import Cube
from specgan_cli.raster.scene import Scene
from specgan_cli.resampling.model import Alignment

TILES = ("HARV_001", "HARV_010", "HARV_023", "OSBS_013", "TEAK_050", "JERC_049")
GSD = 0.1


@dataclass(frozen=True)
class Run:
    """One measurement."""

    alignment: Alignment
    """What was found."""
    wall_s: float
    """Seconds on the clock."""
    cpu_s: float
    """Seconds of the processor."""


def measure(scene: Path, cube: Path, **options: Any) -> Run:
    """Align two files, timed."""
    wall, cpu = time.perf_counter(), time.process_time()
    with Scene.open(scene) as opened, Cube.open(cube) as other:
        alignment = align(opened, other, AlignOptions(**options))
    return Run(alignment, time.perf_counter() - wall, time.process_time() - cpu)


def tiles(data: Path, names: tuple[str, ...]) -> Iterator[tuple[str, np.ndarray]]:
    """Real tiles of 400 x 400 pixels: 3 x 400 x 400, 0..255."""
    for name in names:
        with rasterio.open(data / "neon_rgb" / f"{name}.tif") as dataset:
            image = dataset.read([1, 2, 3]).astype(float)
        if image.shape[1:] == (400, 400):
            yield name, image


def residual(run: Run, shift: tuple[float, float], pixel: float) -> float:
    """Metres between what was found and the truth (cube pixels east and north)."""
    east, north = run.alignment.shift_xy
    return math.hypot(east - shift[0] * pixel, north - shift[1] * pixel)


def accuracy(data: Path, folder: Path, names: tuple[str, ...]) -> None:
    """The displacements of the easy and the hard case at three ratios."""
    print("| ratio | case | residual m: median | largest | of a cube pixel | wall s | cpu s |")
    print("|---|---|---|---|---|---|---|")
    cases: dict[str, dict[str, Any]] = {
        "easy: box, SNR 500": {"psf": None, "snr": 500, "ramp": False},
        "hard: Gaussian 0.45 px, ramp, SNR 60": {"psf": 0.45, "snr": 60, "ramp": True},
    }
    for ratio, pad in ((10, 40), (3, 12), (1, 12)):
        for case, kind in cases.items():
            errors, runs = [], []
            for _, image in tiles(data, names):
                for shift in pairs.SHIFTS:
                    seen = pairs.see(image, ratio, pad, shift, kind["psf"])
                    cube = pairs.cube_of(seen, snr=kind["snr"], ramp=kind["ramp"])
                    runs.append(_aligned(folder, image, cube, ratio, pad))
                    errors.append(residual(runs[-1], shift, GSD * ratio))
            print(_row(f"{ratio} | {case}", errors, GSD * ratio, runs), flush=True)


def conditions(data: Path, folder: Path, names: tuple[str, ...]) -> None:
    """Missing pixels, rotation and another CRS, at ratio 10."""
    print("| condition | residual m: median | largest | of a cube pixel | wall s | cpu s |")
    print("|---|---|---|---|---|---|")
    makers: dict[str, Callable[[Path, np.ndarray, tuple[float, float]], Run]] = {
        "30 % of the cube missing, scattered": _missing_scattered,
        "30 % of the cube missing, one block": _missing_block,
        "30 % of the scene missing, one block": _missing_scene,
        "cube turned by 2 degrees": lambda f, i, s: _elsewhere(f, i, s, pairs.UTM, 2.0),
        "cube in the next UTM zone": lambda f, i, s: _elsewhere(f, i, s, "EPSG:32619", 0.0),
    }
    for name, make in makers.items():
        errors, runs = [], []
        for _, image in tiles(data, names):
            for shift in pairs.SHIFTS[:2]:
                runs.append(make(folder, image, shift))
                errors.append(residual(runs[-1], shift, 1.0))
        print(_row(name, errors, 1.0, runs), flush=True)


def warp(data: Path, folder: Path, names: tuple[str, ...]) -> None:
    """A smooth warp of 1.5 cube pixels amplitude, and a plain shift that needs no field."""
    print("| wavelength of the warp, cube px | median residual px | 95 % | wall s |")
    print("|---|---|---|---|")
    pad, size = 20, 36
    rows, cols = np.mgrid[0:size, 0:size] + 0.5
    transform = _cube_transform(10, pad)
    x, y = (np.asarray(values) for values in transform @ (cols, rows))
    for period in (144, 72, 36):

        def bent(r: np.ndarray, c: np.ndarray, k: float = 2 * np.pi / period) -> Any:
            return 1.5 * np.sin(k * c + 0.4), 1.5 * np.cos(k * r + 0.2)

        errors, seconds = [], []
        for _, image in tiles(data, names):
            cube = pairs.cube_of(pairs.see_warped(image, 10, pad, bent))
            run = _aligned(folder, image, cube, 10, pad)
            seconds.append(run.wall_s)
            dx, dy = run.alignment.field.at(x, y) if run.alignment.field else (0.0 * x, 0.0 * y)
            east, north = run.alignment.shift_crs
            by_row, by_col = bent(rows, cols)
            errors.append(np.hypot(east + dx - by_col, north + dy + by_row))
        medians = [float(np.median(error)) for error in errors]
        high = float(np.quantile(np.concatenate(errors), 0.95))
        print(f"| {period} | {max(medians):.4f} (worst tile) | {high:.3f} | {max(seconds):.2f} |")


def _cube_transform(ratio: int, pad: int) -> Affine:
    return pairs.scene_transform() @ Affine.translation(pad, pad) @ Affine.scale(ratio)


def _aligned(
    folder: Path,
    image: np.ndarray,
    cube: np.ndarray,
    ratio: int,
    pad: int,
    invalid: np.ndarray | None = None,
) -> Run:
    scene = pairs.write_scene(folder / "s.tif", image, pairs.scene_transform())
    path = pairs.write_cube(folder / "c.tif", cube, _cube_transform(ratio, pad), invalid=invalid)
    return measure(scene, path)


def _missing(folder: Path, image: np.ndarray, shift: tuple[float, float], lost: np.ndarray) -> Run:
    return _aligned(folder, image, pairs.cube_of(pairs.see(image, 10, 40, shift)), 10, 40, lost)


def _missing_scattered(folder: Path, image: np.ndarray, shift: tuple[float, float]) -> Run:
    return _missing(folder, image, shift, np.random.default_rng(0).random((32, 32)) < 0.3)


def _missing_block(folder: Path, image: np.ndarray, shift: tuple[float, float]) -> Run:
    lost = np.zeros((32, 32), bool)
    lost[:18, :17] = True
    return _missing(folder, image, shift, lost)


def _missing_scene(folder: Path, image: np.ndarray, shift: tuple[float, float]) -> Run:
    cube = pairs.cube_of(pairs.see(image, 10, 40, shift))
    holed = np.maximum(image, 1)
    holed[:, 120:, :170] = 0
    scene = pairs.write_scene(folder / "s.tif", holed, pairs.scene_transform(), nodata=0)
    return measure(scene, pairs.write_cube(folder / "c.tif", cube, _cube_transform(10, 40)))


def _elsewhere(
    folder: Path, image: np.ndarray, shift: tuple[float, float], crs: str, degrees: float
) -> Run:
    """A cube of 30 x 30 pixels on a grid of its own."""
    middle = (pairs.CORNER[0] + 20, pairs.CORNER[1] - 20)
    (x,), (y,) = rasterio.warp.transform(pairs.UTM, crs, [middle[0]], [middle[1]])
    transform = (
        Affine.translation(x, y)
        @ Affine.rotation(degrees)
        @ Affine.scale(1, -1)
        @ Affine.translation(-15, -15)
    )

    def to_scene(xs: np.ndarray, ys: np.ndarray) -> Any:
        moved = rasterio.warp.transform(crs, pairs.UTM, xs.ravel(), ys.ravel())
        return tuple(np.reshape(values, xs.shape) for values in moved)

    seen = pairs.see_anywhere(image, transform, (30, 30), to_scene, shift)
    scene = pairs.write_scene(folder / "s.tif", image, pairs.scene_transform())
    return measure(
        scene, pairs.write_cube(folder / "c.tif", pairs.cube_of(seen), transform, crs=crs)
    )


def _row(name: str, errors: list[float], pixel: float, runs: list[Run]) -> str:
    wall, cpu = (np.median([getattr(run, key) for run in runs]) for key in ("wall_s", "cpu_s"))
    return (
        f"| {name} | {np.median(errors):.4f} | {max(errors):.4f} | {max(errors) / pixel:.4f} | "
        f"{wall:.2f} | {cpu:.2f} |"
    )


def main() -> None:
    """Run one of the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    tables = {f.__name__: f for f in (accuracy, conditions, warp)}
    parser.add_argument("table", choices=[*tables, "all"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tiles", type=int, default=len(TILES), help="how many scenes")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        for name, table in tables.items():
            if arguments.table in (name, "all"):
                print(f"\n{name}\n")
                table(arguments.data, Path(folder), TILES[: arguments.tiles])


if __name__ == "__main__":
    main()
