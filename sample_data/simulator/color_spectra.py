"""Guess reflectance spectra from colours: regularised mixtures of measured and analytic spectra.

A colour does not decide a spectrum.  The mixture is the one nearest to a prior over materials
(in Kullback-Leibler divergence) that explains the colour up to a tolerance, so grey may be asphalt,
concrete or dead grass in the proportions of the prior; the result is a plausible spectrum, not a
measurement.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from simulator.materials import NAMES, WAVELENGTHS_NM, spectra
from simulator.sensors import CAMERA_FWHM_NM, CAMERA_NM

Array = NDArray[np.float32]

LEVELS = 17
"""Colours per axis at which mixtures are solved; between them spectra are interpolated."""

TOLERANCE = 0.06
"""Standard deviation of chromaticity (shares of red, green and blue) that needs no explanation."""

BRIGHTNESS_SPREAD = 0.5
"""Standard deviation of log brightness within one material: sun, shade, wet, dry."""

WHITE = 0.52
"""Reflectance of the brightest colour."""

GAMMA = 2.2
"""Exponent of the tone curve that the pictures were processed with."""

MEASURED: dict[str, tuple[tuple[str, ...], float]] = {
    "tree": (("LiveOakLeaves", "FriendshipOak", "LeavesBarkMixed"), 1.0),
    "grass": (("GrassByBuilding", "GrassClumpInSun"), 1.0),
    "dry plant": (("DriedLeaves", "GroundLitter", "DeadWees"), 0.5),
    "bark": (("Bark",), 0.1),
    "wood": (("BeachStairWood",), 0.1),
    "soil": (("Dirt",), 0.6),
    "sand": (("BeachSand", "SandInSun"), 0.3),
    "asphalt": (("Asphalt",), 0.8),
    "concrete": (("Sidewalk", "ConcreteAndMetalSquare"), 0.6),
    "wall": (("Building", "Pillar", "Powder"), 0.3),
    "yellow paint": (("YellowCurb",), 0.01),
}
"""Groups of the measured library and their weights in the prior."""

ANALYTIC: dict[str, float] = {
    "water": 0.02,
    "bright water": 0.005,
    "muddy water": 0.01,
    "clear water": 0.01,
    "red_tile": 0.25,
    "brown_tile": 0.25,
    "metal": 0.2,
    "bitumen": 0.3,
    "paint": 0.1,
    "pool": 0.01,
    "blue_paint": 0.01,
    "red_paint": 0.01,
    "crop": 0.3,
    "dry_soil": 0.4,
}
"""Materials that the measured library lacks, or holds from one place only."""

_PAVED = {"asphalt": 4.0, "concrete": 3.0, "tree": 0.4, "grass": 0.4, "crop": 0.05}

LABEL_FACTORS: dict[str, dict[str, float]] = {
    "agricultural": {"crop": 5, "soil": 2, "dry_soil": 2, "asphalt": 0.05, "wall": 0.05},
    "beach": {
        "water": 100,
        "bright water": 800,
        "sand": 10,
        "asphalt": 0.1,
        "tree": 0.1,
        "grass": 0.1,
    }
    | {"metal": 0.02, "bitumen": 0.02, "concrete": 0.05, "wall": 0.05, "crop": 0.02},
    "chaparral": {"dry plant": 4, "soil": 3, "sand": 3, "asphalt": 0.02, "wall": 0.02},
    "forest": {"tree": 5, "bark": 4, "asphalt": 0.02, "wall": 0.02, "metal": 0.02},
    "golfcourse": {"grass": 5, "sand": 3, "water": 5},
    "harbor": {
        "water": 150,
        "blue_paint": 0.02,
        "bright water": 200,
        "tree": 0.05,
        "paint": 5,
        "wood": 3,
    },
    "river": {"water": 60, "muddy water": 150, "bright water": 100, "tree": 3},
    "parkinglot": _PAVED | {"paint": 4, "red_paint": 10, "blue_paint": 10},
    "runway": _PAVED,
    "freeway": _PAVED,
    "airplane": _PAVED | {"paint": 3},
    "overpass": _PAVED,
    "intersection": _PAVED,
    "buildings": _PAVED | {"wall": 3},
    "storagetanks": _PAVED | {"paint": 3, "dry_soil": 2},
}
"""What a scene's label makes more or less likely."""


@dataclass(frozen=True)
class Library:
    """Spectra of one picture's materials."""

    reflectance: Array
    """M x T reflectances on the bands of the cube."""

    colour: Array
    """M x 3 reflectances that the camera sees, red, green, blue."""

    prior: Array
    """M weights that sum to 1."""


@dataclass(frozen=True)
class Responses:
    """Bands of the cube that is simulated."""

    centres_nm: Array
    """T band centres."""

    fwhm_nm: Array
    """T full widths at half maximum."""


def draw_library(
    measured_nm: Array,
    measured: Array,
    groups: NDArray[np.str_],
    bands: Responses,
    label: str,
    rng: np.random.Generator,
) -> Library:
    """Draw the spectra of one picture: two measured ones a group, another choice every time.

    Args:
        measured_nm: Wavelengths of the measured spectra.
        measured: N x wavelengths reflectances.
        groups: N group names.
        bands: Bands of the cube.
        label: Class of the scene, empty when unknown.
        rng: Decides the choice.
    """
    factors = LABEL_FACTORS.get(label, {})
    curves: list[Array] = []
    priors: list[float] = []
    for name, (members, weight) in MEASURED.items():
        candidates = np.flatnonzero(np.isin(groups, members))
        for index in rng.choice(candidates, 2, replace=False):
            curves.append(np.clip(measured[index], 0.001, 1.0))
            priors.append(weight * factors.get(name, 1.0) / 2)
    for name, weight in ANALYTIC.items():
        gain = rng.uniform(0.85, 1.15)
        analytic = gain * _analytic(name)
        curves.append(np.interp(measured_nm, WAVELENGTHS_NM, analytic).astype(np.float32))
        priors.append(weight * factors.get(name, 1.0))
    stacked = np.stack(curves)
    prior = np.array(priors, dtype=np.float32)
    return Library(
        stacked @ _responses(measured_nm, bands.centres_nm, bands.fwhm_nm).T,
        stacked @ _responses(measured_nm, CAMERA_NM, CAMERA_FWHM_NM).T,
        prior / prior.sum(),
    )


def _analytic(name: str) -> Array:
    """Return an analytic spectrum at `WAVELENGTHS_NM`."""
    if name == "bright water":
        return spectra()[NAMES.index("water")] * 1.3 + np.float32(0.05)
    if name == "clear water":
        blue = np.exp(-0.5 * ((WAVELENGTHS_NM - 475.0) / 50.0) ** 2)
        return (0.003 + 0.045 * blue).astype(np.float32)
    if name == "muddy water":
        rise = 1.0 / (1.0 + np.exp(-(WAVELENGTHS_NM - 520.0) / 45.0))
        fall = 1.0 / (1.0 + np.exp((WAVELENGTHS_NM - 735.0) / 30.0))
        return (0.03 + 0.11 * rise * fall).astype(np.float32)
    return spectra()[NAMES.index(name)]


def spectra_of(rgb: NDArray[np.uint8], library: Library, bands: Responses) -> Array:
    """Return a spectrum for every pixel.

    Args:
        rgb: 3 x H x W, 8 bits.
        library: Materials.
        bands: Bands of the spectra.

    Returns:
        T x H x W reflectances whose red, green and blue are those of the picture.
    """
    table = _solve_table(library)
    flat = rgb.reshape(3, -1).astype(np.float32)
    position = flat * ((LEVELS - 1) / 255.0)
    colour = linear(flat)
    brightness = colour.sum(axis=0)
    seen = np.stack(
        [
            ndimage.map_coordinates(table[..., index], position, order=1)
            for index in range(table.shape[-1])
        ]
    )
    mixed, wanted = seen[:-3], colour / np.maximum(brightness, 1e-6)
    factor = np.clip(wanted / np.maximum(seen[-3:], 1e-4), 0.25, 4.0)
    spread = _colour_weights(bands.centres_nm)
    spectrum = mixed * np.exp(spread @ np.log(factor)) * brightness
    return np.clip(spectrum, 0.0, 1.2).reshape(-1, *rgb.shape[1:]).astype(np.float32)


def linear(grey: Array) -> Array:
    """Return the reflectance of grey levels 0 to 255."""
    return (WHITE * (np.maximum(grey, 1.0) / 255.0) ** GAMMA).astype(np.float32)


def _solve_table(library: Library) -> Array:
    """Return, for a cube of colours, the mixture's spectrum and colour at brightness 1."""
    axis = linear(np.linspace(0.0, 255.0, LEVELS, dtype=np.float32))
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    own = library.colour.sum(axis=1)
    chroma = library.colour / own[:, None]
    log_ratio = np.log(grid.sum(axis=1))[:, None] - np.log(own)[None, :]
    log_prior = np.log(library.prior)[None, :] - 0.5 * (log_ratio / BRIGHTNESS_SPREAD) ** 2
    weights = mixtures(grid / grid.sum(axis=1, keepdims=True), chroma, log_prior)
    both = np.concatenate([library.reflectance / own[:, None], chroma], axis=1)
    return (weights @ both).reshape(LEVELS, LEVELS, LEVELS, -1).astype(np.float32)


def mixtures(wanted: Array, chroma: Array, log_prior: Array) -> Array:
    """Return the weights w that minimise |wanted - w chroma|^2 / (2 t^2) + KL(w | prior).

    The minimum has the form w_i ~ prior_i exp(chroma_i . n), with three unknowns n per colour,
    found by Newton's method on the concave dual.

    Args:
        wanted: N x 3 chromaticities.
        chroma: M x 3 chromaticities of the materials.
        log_prior: N x M log weights, up to a constant.

    Returns:
        N x M weights, rows of unit sum.
    """
    dual = np.zeros((len(wanted), 3))
    ridge = TOLERANCE**2 * np.eye(3)
    for _ in range(40):
        weights = _softmax(log_prior + dual @ chroma.T)
        mean = weights @ chroma
        gradient = wanted - mean - TOLERANCE**2 * dual
        second = np.einsum("nm,mi,mj->nij", weights, chroma, chroma, optimize=True)
        curvature = second - mean[:, :, None] * mean[:, None, :] + ridge
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        dual += step * np.minimum(1.0, 8.0 / np.maximum(length, 1e-9))
        if length.max() < 1e-5:
            break
    return _softmax(log_prior + dual @ chroma.T).astype(np.float32)


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def _colour_weights(centres_nm: Array) -> Array:
    """Return T x 3 weights that carry the camera's three factors to bands; none beyond 760 nm."""
    order = np.argsort(CAMERA_NM)
    inside = np.clip(centres_nm, CAMERA_NM.min(), CAMERA_NM.max())
    weights = np.zeros((len(centres_nm), 3), dtype=np.float32)
    for band in range(3):
        hat = np.interp(inside, CAMERA_NM[order], np.eye(3)[band][order])
        weights[:, band] = hat
    fade = np.clip((760.0 - centres_nm) / 80.0, 0.0, 1.0)
    return weights * fade[:, None].astype(np.float32)


def _responses(source_nm: Array, centres_nm: Array, fwhm_nm: Array) -> Array:
    """Return T x wavelengths Gaussian responses of unit sum."""
    sigma = np.asarray(fwhm_nm)[:, None] / 2.3548
    weights = np.exp(-0.5 * ((source_nm[None, :] - np.asarray(centres_nm)[:, None]) / sigma) ** 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
