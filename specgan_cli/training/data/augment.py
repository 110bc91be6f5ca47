"""Changes of training samples: other sensors' cubes, and the eight symmetries of the square."""

import numpy as np

from specgan_cli.training.config.schema import DataConfig
from specgan_cli.training.data.batch import SamplingSpec
from specgan_cli.training.data.crop import CroppedSample
from specgan_cli.types import F32, F64

Grids = tuple[F32, ...]


def augmented(
    sample: CroppedSample, spec: SamplingSpec, config: DataConfig, rng: np.random.Generator
) -> CroppedSample:
    """Make the cube another sensor's, or lose it; turn and mirror all.

    Args:
        sample: As it was read.
        spec: Whether the cube may change, and which symmetries are allowed.
        config: How often the cube changes.
        rng: Decides.
    """
    turn = int(rng.integers(8)) & spec.turns if config.dihedral else 0
    hsi, hsi_mask = sample.hsi, sample.hsi_mask
    if spec.whole_cubes:
        hsi, hsi_mask = hsi[:1], hsi_mask[:1]
    else:
        hsi, hsi_mask = changed_cube(hsi, hsi_mask, config, rng)
    if sample.lr_rgb.shape[1] != sample.lr_rgb.shape[2]:
        turn = turn // 2 * 2
    return CroppedSample(
        lr_rgb=turned(sample.lr_rgb, turn),
        hsi=tuple(turned(image, turn) for image in hsi),
        hsi_mask=tuple(turned(image, turn) for image in hsi_mask),
        truths=tuple(turned(image, turn) for image in sample.truths),
        masks=tuple(turned(image, turn) for image in sample.masks),
        gsd=sample.gsd,
    )


def changed_cube(
    hsi: Grids, hsi_mask: Grids, config: DataConfig, rng: np.random.Generator
) -> tuple[Grids, Grids]:
    """Make a cube one of another sensor: none, with holes, fewer bands, coarser, in other units.

    Args:
        hsi: The cube on the LR grid and on finer ones, each bands x h x w.
        hsi_mask: Of each, bands x h x w or 1 x h x w.
        config: How often.
        rng: Decides.

    Returns:
        Cubes and masks, bands x h x w each, on as many grids or the first alone.
    """
    lose, hole, some, coarse = rng.random(4)
    gain, offset = rng.uniform(-1, 1, 2) * (config.hsi_gain, config.hsi_gain / 3)
    corners = rng.random(4)
    bands = len(hsi[0])
    known = np.ones(bands, np.float32)
    if some < config.hsi_bands:
        known = sensor_bands(bands, rng)
    if lose < config.hsi_dropout:
        known[:] = 0
    if coarse < config.hsi_coarse:
        hsi, hsi_mask = hsi[:1], hsi_mask[:1]
    masks = []
    for mask in hsi_mask:
        keep = _hole(mask.shape, corners) if hole < config.hsi_holes else np.float32(1)
        masks.append((mask * keep * known[:, None, None]).astype(np.float32))
    images = [
        ((image * np.exp(gain) + offset) * mask).astype(np.float32)
        for image, mask in zip(hsi, masks, strict=True)
    ]
    return tuple(images), tuple(masks)


def sensor_bands(count: int, rng: np.random.Generator) -> F32:
    """Choose the bands that another sensor has: `count` numbers, 1 or 0.

    Near infrared alone (a fourth band), all from some wavelength on, or up to five pieces.
    """
    place = np.arange(count) / max(count - 1, 1)  # 0 at the first band, 1 at the last
    kind = rng.random()
    if kind < 0.3:  # 780 to 890 nm of 380 to 1050 nm
        known = (place >= 0.6) & (place <= 0.76)
    elif kind < 0.6:
        known = place >= rng.uniform(0, 0.5)
    else:
        known = np.zeros(count, bool)
        for _ in range(int(rng.integers(1, 6))):
            known |= np.abs(place - rng.random()) <= rng.uniform(0.015, 0.09)
    return known.astype(np.float32)


def turned(image: F32, turn: int) -> F32:
    """Apply one of the eight symmetries of the square to C x H x W.

    Args:
        image: The image; square if `turn` is odd.
        turn: 0 to 7; bit 0 transposes, bit 1 turns rows over, bit 2 columns.
    """
    if turn & 1:
        image = image.transpose(0, 2, 1)
    if turn & 2:
        image = image[:, ::-1]
    if turn & 4:
        image = image[:, :, ::-1]
    return image


def _hole(shape: tuple[int, ...], corners: F64) -> F32:
    """Return 0 within a rectangle, 1 elsewhere; its rows and columns are shares of the sides."""
    keep = np.ones(shape, np.float32)
    top, bottom = sorted(corners[:2] * shape[1])
    left, right = sorted(corners[2:] * shape[2])
    keep[:, int(top) : int(bottom) + 1, int(left) : int(right) + 1] = 0
    return keep
