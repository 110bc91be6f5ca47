"""The two sensors: a colour camera and an imaging spectrometer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from simulator.light import sky_share
from simulator.materials import band_reflectance, band_response
from simulator.truth import Truth

Array = NDArray[np.float32]

CAMERA_NM: Array = np.array([612.0, 545.0, 465.0], dtype=np.float32)
CAMERA_FWHM_NM: Array = np.array([75.0, 80.0, 70.0], dtype=np.float32)
WHITE = 0.52
"""Reflectance that the camera's processing maps to 255."""

GAMMA = 1.7
"""Exponent of the camera's tone curve."""


@dataclass(frozen=True)
class Spectrometer:
    """Bands and optics of an imaging spectrometer."""

    centres_nm: Array
    """B band centres, nanometres."""

    fwhm_nm: Array
    """B full widths at half maximum, nanometres."""

    blur: float = 1.1
    """Full width at half maximum of its point-spread function, in its own pixels."""

    def noise(self, reflectance: Array) -> Array:
        """Return the standard deviation of noise: more at dark, at the ends, at 940 nm."""
        ends = np.exp(-(self.centres_nm - 400.0) / 30.0) + np.exp((self.centres_nm - 1000.0) / 35.0)
        vapour = np.exp(-0.5 * ((self.centres_nm - 940.0) / 14.0) ** 2)
        floor = 0.0012 + 0.006 * ends + 0.006 * vapour
        return floor[:, None, None] + 0.006 * np.abs(reflectance)


def default_spectrometer() -> Spectrometer:
    """Return a prism spectrometer: 64 bands, 402 to 998 nm, closer together in the blue."""
    position = np.linspace(0.0, 1.0, 64)
    centres = 402.0 + 596.0 * (0.72 * position + 0.28 * position**2)
    return Spectrometer(
        np.round(centres, 2).astype(np.float32),
        np.round(1.15 * np.gradient(centres), 2).astype(np.float32),
    )


def camera_rgb(truth: Truth, rng: np.random.Generator, noise: float = 0.9) -> NDArray[np.uint8]:
    """Return the camera's picture, 3 x H x W, 8 bits, on the grid of the truth.

    Args:
        truth: The ground.
        rng: Source of the noise.
        noise: Standard deviation in grey levels at mid grey.
    """
    surface = band_reflectance(CAMERA_NM, CAMERA_FWHM_NM)
    share = band_response(CAMERA_NM, CAMERA_FWHM_NM) @ sky_share()
    picture = np.empty((3, *truth.shape_yx), dtype=np.float32)
    for band in range(3):
        light = (1.0 - share[band]) * truth.direct + share[band] * truth.sky
        bright = np.tensordot(surface[:, band], truth.abundance, axes=1) * truth.albedo * light
        seen = ndimage.gaussian_filter(bright, 0.55, mode="nearest")
        grey = 255.0 * (np.clip(seen, 0.0, WHITE) / WHITE) ** (1.0 / GAMMA)
        picture[band] = grey + noise * rng.standard_normal(grey.shape, dtype=np.float32)
    return np.clip(np.rint(picture), 1, 255).astype(np.uint8)


def spectrometer_cube(
    truth: Truth,
    sensor: Spectrometer,
    rng: np.random.Generator,
    *,
    resolution: float,
    shape_yx: tuple[int, int],
    corner_yx: tuple[float, float] = (0.0, 0.0),
) -> Array:
    """Return the spectrometer's reflectance, B x h x w.

    Args:
        truth: The ground.
        sensor: Bands and optics.
        rng: Source of the noise.
        resolution: Pixel size in metres.
        shape_yx: Rows and columns of the cube.
        corner_yx: Metres south and east from the truth's upper left corner to the point that the
            cube's upper left corner really looks at.
    """
    rows, columns = (
        sampling_weights(
            truth.shape_yx[axis],
            truth.gsd,
            shape_yx[axis],
            resolution,
            sensor.blur * resolution,
            corner_yx[axis],
        )
        for axis in (0, 1)
    )
    surface = band_reflectance(sensor.centres_nm, sensor.fwhm_nm)
    share = (band_response(sensor.centres_nm, sensor.fwhm_nm) @ sky_share())[:, None, None]
    cube = np.zeros((len(sensor.centres_nm), *shape_yx), dtype=np.float32)
    for material, reflectance in enumerate(surface):
        part = truth.abundance[material] * truth.albedo
        if not part.any():
            continue
        sunlit = rows @ (part * truth.direct) @ columns.T
        skylit = rows @ (part * truth.sky) @ columns.T
        cube += reflectance[:, None, None] * ((1.0 - share) * sunlit + share * skylit)
    return cube + sensor.noise(cube) * rng.standard_normal(cube.shape, dtype=np.float32)


def sampling_weights(
    count: int, gsd: float, samples: int, resolution: float, fwhm: float, corner: float
) -> Array:
    """Return samples x count weights of a Gaussian footprint along one axis, rows of unit sum."""
    fine = (np.arange(count) + 0.5) * gsd
    middle = corner + (np.arange(samples) + 0.5) * resolution
    weights = np.exp(-0.5 * ((fine[None, :] - middle[:, None]) / (fwhm / 2.3548)) ** 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
