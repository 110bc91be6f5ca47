"""Cutting one training sample out of a chip."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specgan_cli.datasets.dataset import ChipArrays, ChipRecord, Dataset
from specgan_cli.datasets.degradation import hsi_to_lr, resolved_levels
from specgan_cli.types import F32


@dataclass(frozen=True)
class CroppedSample:
    """One sample on the LR grid of a factor, with its truths; channels first."""

    lr_rgb: F32
    """3 x p x q in [-1, 1], surroundings included."""

    hsi: tuple[F32, ...]
    """48 x 2^k p x 2^k q for k = 0, 1, ... as far as the cube resolves; 0 where unknown."""

    hsi_mask: tuple[F32, ...]
    """Of the same shapes, 1 where a band is known."""

    truths: tuple[F32, ...]
    """3 x 2h x 2w, 3 x 4h x 4w ..., in [-1, 1]."""

    masks: tuple[F32, ...]
    """1 x 2h x 2w, ..."""

    gsd: float
    """Size of an LR pixel, metres."""


@dataclass(frozen=True)
class CropWindow:
    """Where a sample lies in its chip."""

    row: int
    """First HR row of the crop."""

    column: int
    """First HR column of the crop."""

    shape_yx: tuple[int, int]
    """LR pixels of the crop."""

    factor: int
    """HR pixels an LR pixel."""

    halo: int = 0
    """LR pixels of surroundings on every side."""


@dataclass(frozen=True)
class Standardization:
    """How reflectance becomes the network's input: (reflectance - mean) / std."""

    mean: tuple[float, ...]
    """One number a band, reflectance 0..1."""

    std: tuple[float, ...]
    """One number a band, reflectance; above 0."""


@dataclass(frozen=True)
class SampleReader:
    """A dataset and what a network expects of its pixels."""

    dataset: Dataset
    """Where the chips lie."""

    standardization: Standardization
    """How cubes are scaled."""


def read_crop(
    reader: SampleReader,
    record: ChipRecord,
    window: CropWindow,
    last: int,
    rng: np.random.Generator,
) -> CroppedSample:
    """Read, degrade and scale one sample.

    Args:
        reader: Where the chip lies, and how its pixels are scaled.
        record: The chip.
        window: The part of it.
        last: Finest octave whose truth is wanted; 2**last is at most the factor.
        rng: Source of the degradation's noise.

    Returns:
        The sample; beyond the chip its edge pixels are repeated.
    """
    dataset = reader.dataset
    rows = _extent(window.row, window.shape_yx[0], window, record.shape_yx[0])
    columns = _extent(window.column, window.shape_yx[1], window, record.shape_yx[1])
    unit = dataset.hsi_factor(record) or 1
    (top, bottom), (left, right) = (
        _aligned(extent, unit, length)
        for extent, length in zip((rows, columns), record.shape_yx, strict=True)
    )
    sample = dataset.read(record, (top, left, bottom - top, right - left))
    rgb = _unit_range(sample, dataset)
    part = (
        slice((rows[0] - top) // window.factor, (rows[1] - top) // window.factor),
        slice((columns[0] - left) // window.factor, (columns[1] - left) // window.factor),
    )
    pads = [_margins(window.row, rows, window, 0), _margins(window.column, columns, window, 1)]
    lr_rgb, lr_mask = dataset.degradation.apply(
        rgb, sample.mask, window.factor, rng, value_range=2.0
    )
    hsi, hsi_mask, bands = [], [], _known_bands(record, len(reader.standardization.mean))
    for level in range(resolved_levels(sample.hsi_factor, window.factor, last) + 1):
        shape_yx = (lr_mask.shape[0] << level, lr_mask.shape[1] << level)
        image, known = _cube(reader.standardization, sample, window.factor >> level, shape_yx)
        known, image = known * bands, image * bands
        fine = tuple(slice(part.start << level, part.stop << level) for part in part)
        wide = [(before << level, after << level) for before, after in pads]
        hsi.append(_surround(image[:, *fine], wide))
        hsi_mask.append(_surround(known[:, *fine], wide))
    height, width = window.shape_yx[0] * window.factor, window.shape_yx[1] * window.factor
    row, column = window.row - top, window.column - left
    inner = (slice(row, row + height), slice(column, column + width))
    truths, masks = pyramid(rgb[:, *inner], sample.mask[inner], window.factor, last)
    return CroppedSample(
        lr_rgb=_surround(_filled(lr_rgb, lr_mask)[:, *part], pads),
        hsi=tuple(hsi),
        hsi_mask=tuple(hsi_mask),
        truths=truths,
        masks=masks,
        gsd=sample.gsd * window.factor,
    )


def pyramid(
    rgb: F32, mask: NDArray[Any], factor: int, last: int
) -> tuple[tuple[F32, ...], tuple[F32, ...]]:
    """Average an image down to the octaves x2, x4, ... of its `factor` times coarser LR.

    Args:
        rgb: C x H x W; H and W multiples of `factor`.
        mask: H x W, 1 where valid; a mean is known where all its pixels are.
        factor: HR pixels an LR pixel.
        last: Finest octave wanted.

    Returns:
        Images and masks (1 x h x w), coarsest first.
    """
    images = [_reduce(rgb, factor >> last)]
    known = [_reduce_mask(mask[None] != 0, factor >> last)]
    for _ in range(last - 1):
        images.append(_reduce(images[-1], 2))
        known.append(_reduce_mask(known[-1], 2))
    return tuple(images[::-1]), tuple(m.astype(np.float32) for m in known[::-1])


def _reduce(image: F32, step: int) -> F32:
    while step > 1:
        rows = image[:, 0::2] + image[:, 1::2]
        image = (rows[:, :, 0::2] + rows[:, :, 1::2]) * np.float32(0.25)
        step //= 2
    return image


def _reduce_mask(mask: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    while step > 1:
        rows = mask[:, 0::2] & mask[:, 1::2]
        mask = rows[:, :, 0::2] & rows[:, :, 1::2]
        step //= 2
    return mask


def _extent(start: int, pixels: int, window: CropWindow, length: int) -> tuple[int, int]:
    """Return the HR pixels to read along one axis: the crop and what there is of its halo."""
    end = start + pixels * window.factor
    before = min(window.halo, start // window.factor)
    after = min(window.halo, (length - end) // window.factor)
    return start - before * window.factor, end + after * window.factor


def _aligned(extent: tuple[int, int], unit: int, length: int) -> tuple[int, int]:
    return extent[0] // unit * unit, min(length, -(-extent[1] // unit) * unit)


def _margins(start: int, extent: tuple[int, int], window: CropWindow, axis: int) -> tuple[int, int]:
    end = start + window.shape_yx[axis] * window.factor
    before = (start - extent[0]) // window.factor
    after = (extent[1] - end) // window.factor
    return window.halo - before, window.halo - after


def _surround(image: F32, pads: list[tuple[int, int]]) -> F32:
    if not any(sum(pad) for pad in pads):
        return image
    return np.pad(image, [(0, 0), *pads], mode="edge")


def _unit_range(sample: ChipArrays, dataset: Dataset) -> F32:
    low, high = dataset.statistics.rgb_low, dataset.statistics.rgb_high
    scale = np.float32(2.0 / (high - low))
    rgb = sample.rgb.astype(np.float32) * scale - np.float32(1.0 + low * scale)
    if not sample.mask.all():
        rgb *= sample.mask
    return rgb


def _filled(lr_rgb: F32, lr_mask: NDArray[np.uint8]) -> F32:
    """Give invalid LR pixels the mean colour of the valid ones."""
    if lr_mask.all() or not lr_mask.any():
        return lr_rgb
    mean = lr_rgb[:, lr_mask > 0].mean(axis=1)
    return np.where(lr_mask[None] > 0, lr_rgb, mean[:, None, None]).astype(np.float32)


def _known_bands(record: ChipRecord, count: int) -> F32:
    """Return 1 for the bands that a chip's cube measures and 0 for others: count x 1 x 1."""
    known = np.ones(count, np.float32)
    if record.hsi_known is not None:
        known[:] = 0
        known[list(record.hsi_known)] = 1
    return known[:, None, None]


def _cube(
    standardization: Standardization, sample: ChipArrays, factor: int, shape_yx: tuple[int, ...]
) -> tuple[F32, F32]:
    reflectance = sample.reflectance
    if reflectance is None or sample.hsi_mask is None or sample.hsi_factor is None:
        bands = len(standardization.mean)
        empty = np.zeros((bands, *shape_yx), np.float32)
        return empty, empty
    hsi, mask = hsi_to_lr(reflectance, sample.hsi_mask, sample.hsi_factor, factor)
    mean = np.asarray(standardization.mean, np.float32)[:, None, None]
    std = np.asarray(standardization.std, np.float32)[:, None, None]
    known = np.broadcast_to(mask[None], hsi.shape).astype(np.float32)
    return (hsi - mean) / std * known, known
