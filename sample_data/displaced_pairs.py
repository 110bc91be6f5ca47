"""Scenes and cubes of the same ground with a known displacement, made independently of specgan."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from scipy.ndimage import gaussian_filter, map_coordinates

UTM = "EPSG:32618"
CORNER = (726491.0, 4699078.0)
SHIFTS = ((1.37, -0.82), (0.23, 0.41), (-3.65, 2.18))
"""Displacements (east, north) in pixels of the cube."""

Warp = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def texture(size: int, seed: int = 0) -> np.ndarray:
    """Natural-looking ground: 3 x size x size, 0..255, with detail at every scale."""
    rng = np.random.default_rng(seed)
    layers = [
        gaussian_filter(rng.normal(size=(3, size, size)), (0, sigma, sigma)) * sigma**1.2
        for sigma in (1, 2, 4, 8, 16)
    ]
    shared = gaussian_filter(rng.normal(size=(size, size)), 5) * 5**1.2
    image = np.sum(layers, axis=0) * 0.4 + shared
    low, high = np.percentile(image, (1, 99))
    return np.clip((image - low) / (high - low) * 255, 0, 255)


def spectra(bands: int) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths, and the share of red, green and blue in every band (bands x 3)."""
    nm = np.linspace(400, 1000, bands)
    weights = np.stack([np.exp(-0.5 * ((nm - c) / 60) ** 2) for c in (640, 550, 460)], axis=1)
    return nm, weights + (nm[:, None] > 700) * np.array([-0.2, 0.9, 0.1])


def area_means(image: np.ndarray, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """Exact means over the cells between fractional edges, from the integral image."""
    integral = np.pad(image.cumsum(axis=1).cumsum(axis=2), ((0, 0), (1, 0), (1, 0)))

    def at(r: np.ndarray, c: np.ndarray) -> np.ndarray:
        grid = np.meshgrid(r, c, indexing="ij")
        return np.stack([map_coordinates(band, grid, order=1) for band in integral])

    top, bottom, left, right = rows[:-1], rows[1:], cols[:-1], cols[1:]
    total = at(bottom, right) + at(top, left) - at(top, right) - at(bottom, left)
    return total / ((bottom - top)[:, None] * (right - left))


def see(
    image: np.ndarray,
    ratio: int,
    pad: int,
    shift: tuple[float, float],
    psf: float | None = None,
) -> np.ndarray:
    """What a sensor with pixels `ratio` times coarser sees, `shift` (east, north) pixels away.

    `psf` is the standard deviation of a Gaussian point spread in its pixels; None is a box.
    """
    size = (image.shape[1] - 2 * pad) // ratio
    rows = pad + (np.arange(size + 1) - shift[1]) * ratio
    cols = pad + (np.arange(size + 1) + shift[0]) * ratio
    if psf is None:
        return area_means(image, rows, cols)
    blurred = gaussian_filter(image, (0, psf * ratio, psf * ratio))
    centres = [(edges[:-1] + edges[1:]) / 2 - 0.5 for edges in (rows, cols)]
    grid = np.meshgrid(*centres, indexing="ij")
    return np.stack([map_coordinates(band, grid, order=3) for band in blurred])


def see_warped(image: np.ndarray, ratio: int, pad: int, warp: Warp, parts: int = 6) -> np.ndarray:
    """The same through a warp: (rows, columns) in coarse pixels to displacements along them."""
    size = (image.shape[1] - 2 * pad) // ratio
    inner = (np.arange(parts) + 0.5) / parts - 0.5
    total = np.zeros((len(image), size, size))
    for by_row in inner:
        for by_col in inner:
            r, c = np.meshgrid(
                np.arange(size) + 0.5 + by_row, np.arange(size) + 0.5 + by_col, indexing="ij"
            )
            dr, dc = warp(r, c)
            at = (r + dr) * ratio + pad - 0.5, (c + dc) * ratio + pad - 0.5
            total += np.stack([map_coordinates(band, at, order=1) for band in image])
    return total / parts**2


def see_anywhere(
    image: np.ndarray,
    transform: Affine,
    shape: tuple[int, int],
    to_scene: Warp,
    shift: tuple[float, float],
) -> np.ndarray:
    """What a box sensor on any grid sees of a scene's ground, `shift` metres (x, y) away.

    `to_scene` takes coordinates of the grid to those of the scene.
    """
    total = np.zeros((3, *shape))
    parts = (np.arange(8) + 0.5) / 8
    for by_row in parts:
        for by_col in parts:
            row, col = np.meshgrid(
                np.arange(shape[0]) + by_row, np.arange(shape[1]) + by_col, indexing="ij"
            )
            x = transform.a * col + transform.b * row + transform.c
            y = transform.d * col + transform.e * row + transform.f
            x, y = to_scene(x, y)
            c, r = ~scene_transform() @ (x + shift[0], y + shift[1])
            at = r - 0.5, c - 0.5
            total += np.stack([map_coordinates(band, at, order=1) for band in image])
    return total / 64


def cube_of(rgb: np.ndarray, bands: int = 64, snr: float = 500, ramp: bool = False) -> np.ndarray:
    """Reflectance (bands x height x width) of what was seen, with noise and a brightness ramp."""
    _, weights = spectra(bands)
    cube = np.einsum("bk,khw->bhw", weights, rgb) / 255 * 0.4 + 0.02
    if ramp:
        cube = cube * np.linspace(0.85, 1.15, cube.shape[2])
    noise = np.random.default_rng(1).normal(size=cube.shape)
    return cube + noise * (cube.mean(axis=(1, 2)) / snr)[:, None, None]


def write_scene(
    path: Path, rgb: np.ndarray, transform: Affine, crs: str | None = UTM, nodata: int | None = None
) -> Path:
    """Write an 8-bit scene."""
    profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "nodata": nodata}
    shape = {"height": rgb.shape[1], "width": rgb.shape[2]}
    with rasterio.open(path, "w", **profile, **shape, crs=crs, transform=transform) as dataset:
        dataset.write(np.rint(rgb).astype(np.uint8))
    return path


def write_cube(
    path: Path,
    cube: np.ndarray,
    transform: Affine,
    crs: str | None = UTM,
    invalid: np.ndarray | None = None,
    nm: np.ndarray | None = None,
) -> Path:
    """Write an int16 cube (reflectance x 10000) with wavelengths in its band tags."""
    values = np.rint(cube * 10000).astype(np.int16)
    if invalid is not None:
        values[:, invalid] = -9999
    profile = {"driver": "GTiff", "count": len(values), "dtype": "int16", "nodata": -9999}
    shape = {"height": values.shape[1], "width": values.shape[2]}
    with rasterio.open(path, "w", **profile, **shape, crs=crs, transform=transform) as dataset:
        dataset.write(values)
        dataset.update_tags(SCALE="10000")
        for index, value in enumerate(spectra(len(values))[0] if nm is None else nm, start=1):
            dataset.update_tags(index, wavelength=f"{value}", wavelength_units="nm")
    return path


def scene_transform(gsd: float = 0.1) -> Affine:
    """The transform of a north-up scene at the usual corner."""
    return Affine(gsd, 0, CORNER[0], 0, -gsd, CORNER[1])
