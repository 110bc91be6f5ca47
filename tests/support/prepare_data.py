"""Small images and cubes that datasets are prepared from."""

from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine

from specgan_cli.alignment.options import AlignOptions
from specgan_cli.workflows.prepare_dataset import DatasetOptions
from support.rasters import UTM, write_raster

TRUSTED = AlignOptions(align=False)
ORIGIN = (726400.0, 4699000.0)


def write(path: Path, values: np.ndarray, transform: Affine | None, **profile: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    crs = None if transform is None else UTM
    return write_raster(path, values, **{"crs": crs, "transform": transform, **profile})


def coordinate_scene(path: Path, rows: int, cols: int, origin: tuple[float, float]) -> Path:
    """Write uint16 whose bands are row, column and a number of the scene."""
    row, col = np.mgrid[:rows, :cols].astype(np.uint16)
    number = np.full((rows, cols), len(path.stem), np.uint16)
    transform = Affine(0.1, 0, origin[0], 0, -0.1, origin[1])
    return write(path, np.stack([row, col, number]), transform)


def textured(seed: int, rows: int = 64, cols: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 255, (3, rows, cols), dtype=np.uint8)


def at(x: float, y: float, gsd: float = 0.1) -> Affine:
    return Affine(gsd, 0, ORIGIN[0] + x, 0, -gsd, ORIGIN[1] + y)


def cube_values(rows: int, cols: int) -> np.ndarray:
    """Reflectance x 10000, 48 bands: each pixel tells its row and column."""
    band, row, col = np.meshgrid(np.arange(48), np.arange(rows), np.arange(cols), indexing="ij")
    return (500 + 10 * band + 100 * row + 7 * col).astype(np.int16)


def digest(path: Path) -> dict[str, bytes]:
    return {
        file.relative_to(path).as_posix(): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


def small(scale: int = 8, **fields: object) -> DatasetOptions:
    return DatasetOptions(scale=scale, **fields)  # type: ignore[arg-type]
