"""A canvas of abundances, heights and albedo that objects are painted on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from simulator.materials import NAMES

Array = NDArray[np.float32]
Window = tuple[slice, slice]


@dataclass(frozen=True)
class Canvas:
    """Arrays of one ground, painted in place; metres run east (x) and south (y)."""

    abundance: Array
    """Materials x H x W fractions."""

    height: Array
    """H x W metres."""

    albedo: Array
    """H x W, 1 is the material's own brightness."""

    taken: NDArray[np.bool_]
    """H x W, True where no tree may stand: roads, roofs, water."""

    origin_xy: tuple[float, float]
    """Metres of the centre of the first pixel."""

    gsd: float
    """Pixel size in metres."""

    def axes(self, window: Window) -> tuple[Array, Array]:
        """Return x as a row and y as a column of metres for the pixels of a window."""
        rows, columns = window
        x = self.origin_xy[0] + self.gsd * np.arange(columns.start, columns.stop)
        y = self.origin_xy[1] + self.gsd * np.arange(rows.start, rows.stop)
        return x[None, :].astype(np.float32), y[:, None].astype(np.float32)

    def whole(self) -> Window:
        """Return the window of all pixels."""
        rows, columns = self.height.shape
        return slice(0, rows), slice(0, columns)

    def around(self, x: float, y: float, radius: float) -> Window | None:
        """Return the window within `radius` metres of a position, None when it is outside."""
        column, row = (x - self.origin_xy[0]) / self.gsd, (y - self.origin_xy[1]) / self.gsd
        reach = radius / self.gsd
        rows, columns = self.height.shape
        top, bottom = max(0, int(row - reach)), min(rows, int(row + reach) + 2)
        left, right = max(0, int(column - reach)), min(columns, int(column + reach) + 2)
        if top >= bottom or left >= right:
            return None
        return slice(top, bottom), slice(left, right)

    def cover(self, signed_distance: Array) -> Array:
        """Return the share of each pixel inside a shape, from metres to its edge (inside < 0)."""
        return np.clip(0.5 - signed_distance / self.gsd, 0.0, 1.0).astype(np.float32)

    def paint(self, window: Window, mixture: dict[str, float | Array], alpha: Array) -> None:
        """Cover a window with a mixture of materials, as opaque as `alpha`.

        Args:
            window: Where.
            mixture: Weights by material, numbers or arrays of the window's shape.
            alpha: Opacity, of the window's shape, 0 to 1.
        """
        rows, columns = window
        total = sum(np.asarray(weight, dtype=np.float32) for weight in mixture.values())
        self.abundance[:, rows, columns] *= 1.0 - alpha
        for name, weight in mixture.items():
            self.abundance[NAMES.index(name), rows, columns] += alpha * weight / total

    def shade(self, window: Window, albedo: float | Array, alpha: Array) -> None:
        """Set the albedo of a window, as far as `alpha` goes."""
        part = self.albedo[window]
        part += alpha * (albedo - part)

    def lift(self, window: Window, height: float | Array, inside: Array) -> None:
        """Set the height of a window where `inside` is more than half."""
        part = self.height[window]
        part[...] = np.where(inside > 0.5, height, part)

    def take(self, window: Window, alpha: Array) -> None:
        """Keep trees away from where `alpha` is more than a tenth."""
        self.taken[window] |= alpha > 0.1

    def is_taken(self, x: float, y: float) -> bool:
        """Return whether a position is outside or must stay free of trees."""
        column = round((x - self.origin_xy[0]) / self.gsd)
        row = round((y - self.origin_xy[1]) / self.gsd)
        rows, columns = self.height.shape
        return not (0 <= row < rows and 0 <= column < columns) or bool(self.taken[row, column])


def blank(shape_yx: tuple[int, int], gsd: float, centre_xy: tuple[float, float]) -> Canvas:
    """Return an empty canvas whose middle lies at `centre_xy` metres."""
    rows, columns = shape_yx
    origin = (
        centre_xy[0] - gsd * (columns - 1) / 2,
        centre_xy[1] - gsd * (rows - 1) / 2,
    )
    abundance = np.zeros((len(NAMES), rows, columns), dtype=np.float32)
    abundance[NAMES.index("lawn")] = 1.0
    return Canvas(
        abundance,
        np.zeros(shape_yx, dtype=np.float32),
        np.ones(shape_yx, dtype=np.float32),
        np.zeros(shape_yx, dtype=np.bool_),
        origin,
        gsd,
    )


def noise(rng: np.random.Generator, shape_yx: tuple[int, int], size: float) -> Array:
    """Return smooth noise of about unit variance whose blobs are `size` pixels wide."""
    if size <= 1.0:
        return rng.standard_normal(shape_yx, dtype=np.float32)
    small = tuple(int(length / size) + 4 for length in shape_yx)
    grid = rng.standard_normal(small, dtype=np.float32)
    offset = rng.uniform(0.5, 1.5, 2)
    rows = (np.arange(shape_yx[0]) / size + offset[0]).astype(np.float32)
    columns = (np.arange(shape_yx[1]) / size + offset[1]).astype(np.float32)
    return (1.6 * _cubic(rows, small[0]) @ grid @ _cubic(columns, small[1]).T).astype(np.float32)


def fractal(rng: np.random.Generator, shape_yx: tuple[int, int], sizes: list[float]) -> Array:
    """Return the mean of noises of several sizes, coarse ones weighing more."""
    weights = np.arange(1, len(sizes) + 1)[::-1].astype(np.float32)
    layers = [
        weight * noise(rng, shape_yx, size)
        for weight, size in zip(weights, sorted(sizes, reverse=True), strict=True)
    ]
    return np.sum(layers, axis=0, dtype=np.float32) / np.float32(np.sqrt((weights**2).sum()))


def soften(mask: Array, sigma_px: float) -> Array:
    """Return a mask with its edges blurred."""
    return ndimage.gaussian_filter(mask, sigma_px).astype(np.float32)


def _cubic(positions: Array, count: int) -> Array:
    """Return positions x count weights of a uniform cubic B-spline."""
    distance = np.abs(positions[:, None] - np.arange(count, dtype=np.float32)[None, :])
    near = 2.0 / 3.0 - distance**2 * (1.0 - distance / 2.0)
    far = np.clip(2.0 - distance, 0.0, None) ** 3 / 6.0
    return np.where(distance < 1.0, near, far).astype(np.float32)
