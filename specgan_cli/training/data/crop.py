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
        The sample; beyond the chip it is mirrored.
    """
    dataset = reader.dataset
    unit = dataset.hsi_factor(record) or 1
    rows, cols = (
        _span(start, pixels, window, length, unit)
        for start, pixels, length in zip(
            (window.row, window.column), window.shape_yx, record.shape_yx, strict=True
        )
    )
    sample = dataset.read(record, (rows.start, cols.start, rows.length, cols.length))
    rgb = _unit_range(sample, dataset)
    lr_rgb, lr_mask = dataset.degradation.apply(
        rgb, sample.mask, window.factor, rng, value_range=2.0
    )
    hsi, hsi_mask = _cubes(reader, record, sample, (rows, cols), window.factor, last)
    crop = rows.crop, cols.crop
    truths, masks = pyramid(rgb[:, *crop], sample.mask[crop], window.factor, last)
    return CroppedSample(
        lr_rgb=_surrounded(_filled(lr_rgb, lr_mask), (rows, cols)),
        hsi=hsi,
        hsi_mask=hsi_mask,
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


@dataclass(frozen=True)
class _Span:
    """What is read of a chip along one axis: whole cube pixels under a crop and its halo."""

    start: int
    """First HR pixel in the chip."""

    length: int
    """HR pixels."""

    crop: slice
    """Where the crop lies in what is read, HR pixels."""

    lr_part: slice
    """Where the crop and what there is of its halo lie in what is read, LR pixels."""

    lr_pad: tuple[int, int]
    """LR pixels of the halo before and after that, beyond the chip."""


def _span(start: int, pixels: int, window: CropWindow, length: int, unit: int) -> _Span:
    """Return what is read along one axis.

    Args:
        start: First HR pixel of the crop in the chip.
        pixels: LR pixels of the crop.
        window: The crop, for its factor and its halo.
        length: HR pixels of the chip.
        unit: HR pixels of a cube pixel.
    """
    factor, halo = window.factor, window.halo
    end = start + pixels * factor
    before, after = min(halo, start // factor), min(halo, (length - end) // factor)
    first = (start - before * factor) // unit * unit
    last = min(length, -(-(end + after * factor) // unit) * unit)
    lr_first = (start - before * factor - first) // factor
    return _Span(
        first,
        last - first,
        slice(start - first, end - first),
        slice(lr_first, lr_first + before + pixels + after),
        (halo - before, halo - after),
    )


def _surrounded(image: F32, spans: tuple[_Span, _Span], level: int = 0) -> F32:
    """Take the crop and its halo out of C x h x w; beyond the chip it is mirrored.

    Args:
        image: What was read, on a grid 2^level times finer than the LR grid.
        spans: What was read, by rows and by columns.
        level: Of the grid.
    """
    rows, cols = (slice(s.lr_part.start << level, s.lr_part.stop << level) for s in spans)
    part = image[:, rows, cols]
    pads = [(before << level, after << level) for before, after in (s.lr_pad for s in spans)]
    return np.pad(part, [(0, 0), *pads], mode="symmetric") if any(map(sum, pads)) else part


def _cubes(
    reader: SampleReader,
    record: ChipRecord,
    sample: ChipArrays,
    spans: tuple[_Span, _Span],
    factor: int,
    last: int,
) -> tuple[tuple[F32, ...], tuple[F32, ...]]:
    """Return the cube and its mask on the LR grid and on the finer ones that it resolves."""
    hsi, hsi_mask = [], []
    bands = record.known_bands(len(reader.standardization.mean)).astype(np.float32)
    lr_shape = (spans[0].length // factor, spans[1].length // factor)
    for level in range(resolved_levels(sample.hsi_factor, factor, last) + 1):
        shape_yx = (lr_shape[0] << level, lr_shape[1] << level)
        image, known = _cube(reader.standardization, sample, factor >> level, shape_yx)
        hsi.append(_surrounded(image * bands, spans, level))
        hsi_mask.append(_surrounded(known * bands, spans, level))
    return tuple(hsi), tuple(hsi_mask)


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
