"""A picture to judge a result by: scene, bicubic enlargement and output, side by side.

Beside them what the output should look like, where the user has it; captions and a scale below.
"""

import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from specgan_cli.errors import MismatchError
from specgan_cli.inference.job import Job
from specgan_cli.inference.plan import RunPlan
from specgan_cli.pictures.captions import captioned
from specgan_cli.pictures.sheet import arrange
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.radiometry import fill_invalid
from specgan_cli.raster.scene import Scene
from specgan_cli.raster.validation import read_back
from specgan_cli.redaction import redact
from specgan_cli.resampling.geometry import PixelMap
from specgan_cli.resampling.resample import resample_window
from specgan_cli.types import F64, Mask, Pixels

PANEL = 512
"""Output pixels along the side of a panel."""

CANDIDATES = 8
"""Windows along each axis that the one of highest contrast is chosen from."""

GAP = 8
"""White pixels between panels."""


def draw_preview(job: Job, plan: RunPlan, output_path: Path) -> NDArray[np.uint8]:
    """Draw the picture of a finished job.

    Args:
        job: The scene.
        plan: Scale and crop.
        output_path: The complete output, wherever it lies.

    Returns:
        H x W x 3.

    Raises:
        RasterError: The reference cannot be read.
        MismatchError: It does not cover any of the ground that is shown.
    """
    window = highest_contrast_window(job.scene, plan.crop, max(PANEL // plan.scale, 2))
    lr_values, lr_valid = job.scene.read(window)
    hr_window = window.shifted(-plan.crop.row, -plan.crop.col).scaled(plan.scale)
    with read_back(output_path) as read:
        (hr_values,) = read(lambda output: [output.read((1, 2, 3), window=hr_window.rasterio())])
    grid = job.scene.grid.window(window)
    fine = grid.refine(plan.scale)
    images = panels(lr_values, lr_valid, hr_values, plan.scale)
    captions = [f"scene, {grid.gsd:.3g} m", "bicubic", f"x{plan.scale}, {fine.gsd:.3g} m"]
    if job.request.output.reference is not None:
        images.append(read_reference(job.request.output.reference, fine))
        captions.append("reference")
    low, high = (0.0, 255.0) if lr_values.dtype == np.uint8 else _ends(lr_values[:, lr_valid])
    row = arrange(images, len(images), high, gap=GAP)
    picture = ((row - low) * (255 / (high - low))).round().clip(0, 255).astype(np.uint8)
    places = [i * (images[0].shape[2] + GAP) for i in range(len(images))]
    pixel = None if grid.crs is None else fine.gsd
    return captioned(picture.transpose(1, 2, 0), captions, places, pixel)


def read_reference(path: str, grid: Grid) -> F64:
    """Read what an output should look like on the output's pixels, 3 x H x W in file units.

    Raises:
        RasterError: It cannot be read.
        MismatchError: It lies elsewhere.
    """
    with Scene.open(path) as reference:
        values, valid = resample_window(
            reference.read,
            reference.grid.shape_yx,
            PixelMap(grid, reference.grid),
            Window(0, 0, *grid.shape_yx),
            3,
        )
    if not valid.any():
        raise MismatchError(f"{redact(path)} shows none of the preview's ground; check --reference")
    return values.astype(np.float64)


def highest_contrast_window(scene: Scene, crop: Window, side: int) -> Window:
    """Return the window with the strongest contrast of a lattice over the crop.

    Args:
        scene: The open scene.
        crop: Where to look.
        side: LR pixels of the window's side; less where the crop is smaller.
    """
    height, width = min(side, crop.height), min(side, crop.width)
    rows = _positions(crop.row, crop.height, height)
    cols = _positions(crop.col, crop.width, width)
    windows = [Window(r, c, height, width) for r, c in itertools.product(rows, cols)]
    return max(windows, key=lambda window: _contrast(*scene.read(window)))


def _positions(start: int, size: int, side: int) -> list[int]:
    count = min(CANDIDATES, -(-size // side))
    return sorted({start + round(p) for p in np.linspace(0, size - side, count)})


def _contrast(values: Pixels, valid: Mask) -> float:
    """Return the mean step between neighbours, in which missing pixels count as no step."""
    grey = np.where(valid, values.astype(np.float64).mean(axis=0), 0.0)
    steps = 0.0
    for axis in (0, 1):
        both = valid & np.roll(valid, 1, axis)
        step = np.abs(grey - np.roll(grey, 1, axis)) * both
        steps += float(np.delete(step, 0, axis).sum())
    return steps / valid.size


def panels(lr_values: Pixels, lr_valid: Mask, hr_values: Pixels, scale: int) -> list[F64]:
    """Return three panels of equal size: nearest, bicubic, output.

    Args:
        lr_values: 3 x H x W in file units.
        lr_valid: H x W; missing pixels are black.
        hr_values: 3 x sH x sW in file units.
        scale: s.

    Returns:
        3 x sH x sW each, in file units.
    """
    lr = np.where(lr_valid, lr_values, 0).astype(np.float64)
    filled = fill_invalid(lr, lr_valid)
    nearest = lr.repeat(scale, axis=1).repeat(scale, axis=2)
    bicubic = np.stack(
        [ndimage.zoom(b, scale, order=3, mode="nearest", grid_mode=True) for b in filled]
    )
    known = lr_valid.repeat(scale, axis=0).repeat(scale, axis=1)
    output = np.where(known, hr_values, 0).astype(np.float64)
    return [nearest, bicubic * known, output]


def _ends(values: F64) -> tuple[float, float]:
    if values.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(values, (1, 99))
    return float(low), float(high) if high > low else float(low) + 1.0
