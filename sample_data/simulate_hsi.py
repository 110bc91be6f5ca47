#!/usr/bin/env python3
"""Simulate hyperspectral cubes over RGB images that have none.

    python sample_data/simulate_hsi.py ucmerced.csv --root data \
        --spectra data/spectra/muufl_asd.npz --into simulated

writes one cube per image of the list, and a list of the same name beside them whose column
`hsi_kind` says `simulated`: the input of `specgan prepare`.  Every high-resolution pixel gets a
spectrum that explains its colour (see simulator/color_spectra.py); these are blurred and sampled
on the cube's grid, with noise.  The same arguments make the same bytes again.
"""

import argparse
import csv
import hashlib
import multiprocessing
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

from simulator.color_spectra import Array, Responses, draw_library, spectra_of
from simulator.sensors import sampling_weights
from specgan.bands import CANONICAL_BANDS
from specgan_cli.datasets.building.pairs import COLUMNS

SCALE = 10000.0


@dataclass(frozen=True)
class Optics:
    """The spectrometer that is simulated."""

    factor: int = 8
    """RGB pixels per cube pixel, along one axis."""

    blur: float = 1.1
    """Full width at half maximum of its point-spread function, in cube pixels."""

    noise: float = 0.01
    """Standard deviation of noise as a share of the signal, beside a floor of 0.002."""


@dataclass(frozen=True)
class Spectra:
    """Measured spectra."""

    wavelengths_nm: Array
    """Wavelengths."""

    reflectance: Array
    """N x wavelengths."""

    groups: NDArray[np.str_]
    """N group names."""


@dataclass(frozen=True)
class Job:
    """One image."""

    rgb: Path
    """Image to read."""

    cube: Path
    """Cube to write."""

    label: str
    """Class of the scene."""

    seed: int
    """Seed of the run."""

    optics: Optics
    """The spectrometer."""

    spectra: Path
    """File of measured spectra."""


def canonical() -> Responses:
    """Return the canonical bands, as wide as they are apart."""
    centres = np.asarray(CANONICAL_BANDS.wavelengths_nm, np.float32)
    return Responses(centres, np.full(centres.size, centres[1] - centres[0], np.float32))


def load_spectra(path: Path) -> Spectra:
    """Read measured spectra whose names start with their group and a slash."""
    with np.load(path) as stored:
        groups = np.array([name.split("/")[0] for name in stored["name"]])
        return Spectra(stored["wavelength_nm"], stored["reflectance"], groups)


def simulate_cube(
    rgb: NDArray[np.uint8], spectra: Spectra, label: str, optics: Optics, rng: np.random.Generator
) -> Array:
    """Return a simulated cube over an image.

    Args:
        rgb: 3 x H x W, 8 bits.
        spectra: Measured spectra.
        label: Class of the scene, empty when unknown.
        optics: The spectrometer.
        rng: Decides materials and noise.

    Returns:
        48 x H / factor x W / factor reflectances (rounded, at least 1 x 1).
    """
    bands = canonical()
    library = draw_library(
        spectra.wavelengths_nm, spectra.reflectance, spectra.groups, bands, label, rng
    )
    fine = spectra_of(rgb, library, bands)
    weights = []
    for length in rgb.shape[1:]:
        samples = max(1, round(length / optics.factor))
        step = length / samples
        weights.append(sampling_weights(length, 1.0, samples, step, optics.blur * step, 0.0))
    coarse = weights[0] @ fine @ weights[1].T
    deviation = 0.002 + optics.noise * coarse
    noisy: Array = coarse + deviation * rng.standard_normal(coarse.shape, dtype=np.float32)
    return noisy


def run(job: Job) -> None:
    """Simulate and write the cube of one image."""
    digest = hashlib.sha256(f"{job.seed}/{job.rgb.name}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(job.rgb) as source:
            rgb = source.read((1, 2, 3))
            crs, transform = source.crs, source.transform
        values = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
        cube = simulate_cube(values, load_spectra(job.spectra), job.label, job.optics, rng)
        step_yx = (rgb.shape[1] / cube.shape[1], rgb.shape[2] / cube.shape[2])
        write_cube(job.cube, cube, crs, transform @ Affine.scale(step_yx[1], step_yx[0]))


def write_cube(path: Path, cube: Array, crs: object, transform: Affine) -> None:
    """Write a cube as int16 reflectance x 10000 with its wavelengths."""
    bands = canonical()
    values = np.clip(np.rint(cube * SCALE), 0, 32767).astype(np.int16)
    partial = path.with_suffix(".partial")
    with rasterio.open(
        partial,
        "w",
        driver="GTiff",
        dtype="int16",
        count=len(CANONICAL_BANDS),
        height=cube.shape[1],
        width=cube.shape[2],
        crs=crs,
        transform=transform,
        nodata=-9999,
        compress="deflate",
        predictor=2,
        interleave="pixel",
    ) as target:
        target.write(values)
        target.scales = [1.0 / SCALE] * target.count
        target.update_tags(SIMULATED="yes", SIMULATOR="sample_data/simulate_hsi.py")
        for band in range(target.count):
            target.update_tags(
                band + 1,
                wavelength=f"{bands.centres_nm[band]:.3f}",
                wavelength_units="Nanometers",
                fwhm=f"{bands.fwhm_nm[band]:.3f}",
            )
    os.replace(partial, path)


def plan(
    table: Path, root: Path, into: Path, seed: int, optics: Optics, spectra: Path, limit: int | None
) -> tuple[list[dict[str, str]], list[Job]]:
    """Return the rows of the new list and the images that need a cube."""
    with table.open(newline="", encoding="utf-8-sig") as stream:
        rows = [dict(row) for row in csv.DictReader(stream)][:limit]
    jobs = []
    for row in rows:
        if row.get("hsi"):
            continue
        image = Path(row["rgb"])
        cube = into / image.parent.name / f"{image.stem}.tif"
        cube.parent.mkdir(parents=True, exist_ok=True)
        jobs.append(Job(root / image, cube, row.get("label") or "", seed, optics, spectra))
        row["hsi"], row["hsi_kind"] = os.path.relpath(cube, root), "simulated"
    return rows, jobs


def main() -> None:
    """Read the arguments, simulate, write the list."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("list", type=Path, help="CSV of images: rgb, and better label")
    parser.add_argument("--root", type=Path, help="folder that its names start from")
    parser.add_argument("--spectra", type=Path, required=True, help="measured spectra (.npz)")
    parser.add_argument("--into", type=Path, required=True, help="folder for cubes and the list")
    parser.add_argument("--factor", type=int, default=8, help="RGB pixels per cube pixel")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="worker processes")
    parser.add_argument("--limit", type=int, help="only the first images of the list")
    given = parser.parse_args()
    root = given.root or given.list.parent
    optics = Optics(factor=given.factor)
    rows, jobs = plan(given.list, root, given.into, given.seed, optics, given.spectra, given.limit)
    with multiprocessing.Pool(given.jobs) as pool:
        for done, _ in enumerate(pool.imap_unordered(run, jobs, chunksize=4), start=1):
            if done % 100 == 0:
                print(f"{done} of {len(jobs)}", flush=True)
    with (given.into / given.list.name).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
