"""Validation: the averaged generator beside bicubic interpolation on whole chips."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from specgan.objectives.perceptual import Backbone, distance
from specgan_cli import measures
from specgan_cli.datasets.dataset import ChipRecord
from specgan_cli.training.data.batch import Batch
from specgan_cli.training.data.crop import CropWindow, SampleReader, read_crop
from specgan_cli.training.data.sampler import stacked
from specgan_cli.training.recipes.losses import enlarged
from specgan_cli.types import F64, Mask

RANGE = 2.0
"""White minus black of images in [-1, 1]."""

MOST_DECIBELS = 100.0
"""A perfect chip must not make the mean over chips infinite."""

HIGHER_IS_BETTER = {"psnr", "ssim", "lr_psnr"}

Predict = Callable[[Batch, int], list[Tensor]]

ImageMeasure = Callable[[F64, F64, Mask], dict[str, float]]
"""Measures an output beside the truth, both 3 x H x W in [-1, 1], where H x W is true."""


@dataclass(frozen=True)
class ValidationResult:
    """What a validation found."""

    octave: int
    """The finest octave measured."""

    values: dict[str, float]
    """Means over chips: "x32/psnr" of the network, "x32/bicubic/psnr" of the interpolation."""

    picture: NDArray[np.uint8]
    """H x W x 3: a row a chip: LR, bicubic, output, truth."""

    def value(self, metric: str) -> float | None:
        """Return a metric of the finest octave, or None when it was not measured."""
        return self.values.get(f"x{2**self.octave}/{metric}")


@dataclass
class Validator:
    """Measures a generator on fixed chips."""

    reader: SampleReader
    """Where the chips lie, and how their pixels are scaled."""

    chips: tuple[ChipRecord, ...]
    """The chips, in order."""

    crop: int
    """LR pixels a side of the centred crop."""

    backbone: Backbone | None
    """Perceptual backbone; None leaves that column out."""

    device: torch.device
    """Where to compute."""

    samples: int
    """Rows of the picture."""

    factor: int
    """Factor between LR and truth."""

    measures: tuple[ImageMeasure, ...] = ()
    """Further measures, of whoever calls the trainer."""

    _baselines: dict[tuple[str, int], dict[str, float]] = field(default_factory=dict)

    def measure(self, predict: Predict, octave: int) -> ValidationResult:
        """Measure every octave up to `octave`.

        Args:
            predict: From a batch of one and the finest octave to the last octaves, that one last.
            octave: The finest octave, 1 is x2.

        Returns:
            Means over chips, and a picture of the first few.
        """
        sums: dict[str, list[float]] = {}
        rows = []
        for index, record in enumerate(self.chips):
            batch = self._batch(record, octave).to(self.device)
            outputs = predict(batch, octave)
            for level, output in enumerate(outputs, start=octave - len(outputs) + 1):
                for name, value in self._values(record, batch, level, output.float()).items():
                    sums.setdefault(name, []).append(value)
            if index < self.samples:
                rows.append(_row(batch, outputs[-1], octave))
        means = {name: float(np.mean(values)) for name, values in sums.items()}
        return ValidationResult(octave, means, _picture(rows))

    def _values(
        self, record: ChipRecord, batch: Batch, level: int, output: Tensor
    ) -> dict[str, float]:
        name = f"x{2**level}"
        values = {f"{name}/{k}": v for k, v in self._compare(output, batch, level).items()}
        if (record.id, level) not in self._baselines:
            enlarged_lr = bicubic(batch.lr_rgb, 2**level)
            self._baselines[record.id, level] = self._compare(enlarged_lr, batch, level)
        baseline = self._baselines[record.id, level]
        return values | {f"{name}/bicubic/{k}": v for k, v in baseline.items()}

    def _compare(self, output: Tensor, batch: Batch, level: int) -> dict[str, float]:
        truth, mask = batch.truths[level - 1], batch.masks[level - 1]
        kept = torch.where(mask > 0, output, truth)
        values = measure(output, truth, mask) | {"lr_psnr": lr_psnr(output, batch.lr_rgb)}
        if self.backbone is not None:
            with torch.no_grad():
                far = distance(self.backbone, enlarged(kept), enlarged(truth))
                values["perceptual"] = float(far.mean())
        if self.measures:
            sr, reference = (image[0].cpu().double().numpy() for image in (kept, truth))
            for further in self.measures:
                values |= further(sr, reference, mask[0, 0].cpu().numpy() > 0)
        return {name: value for name, value in values.items() if not math.isnan(value)}

    def _batch(self, record: ChipRecord, octave: int) -> Batch:
        shape_yx = tuple(min(self.crop, length // self.factor) for length in record.shape_yx)
        unit = max(self.factor, self.reader.dataset.hsi_factor(record) or 1)
        row, column = (
            (length - pixels * self.factor) // 2 // unit * unit
            for length, pixels in zip(record.shape_yx, shape_yx, strict=True)
        )
        window = CropWindow(row, column, (shape_yx[0], shape_yx[1]), self.factor)
        sample = read_crop(self.reader, record, window, octave, np.random.default_rng(0))
        return stacked([sample], np.zeros((1, 2), np.float32), self.factor)


def measure(output: Tensor, truth: Tensor, mask: Tensor) -> dict[str, float]:
    """Measure one image by the definitions that `evaluate` uses too.

    Args:
        output: 1 x 3 x H x W in [-1, 1].
        truth: The same shape.
        mask: 1 x 1 x H x W, 1 where valid.

    Returns:
        l1 (share of the range, 0..1), psnr (dB, at most 100) and ssim; NaN where there is none.
    """
    sr, reference = (image[0].cpu().double().numpy() for image in (output, truth))
    valid = mask[0, 0].cpu().numpy() > 0
    error = np.abs(sr - reference)[:, valid]
    squared = measures.mean_squared_error(sr, reference, valid)
    return {
        "l1": float(error.mean()) / RANGE if error.size else math.nan,
        "psnr": min(measures.psnr(squared, RANGE), MOST_DECIBELS),
        "ssim": measures.ssim(sr, reference, valid, RANGE),
    }


def lr_psnr(output: Tensor, lr_rgb: Tensor) -> float:
    """Return the PSNR of the block means of 1 x 3 x H x W against its input, dB, at most 100."""
    sr, lr = (image[0].cpu().double().numpy() for image in (output, lr_rgb))
    factor = sr.shape[1] // lr.shape[1]
    means, valid = measures.block_means(sr, np.ones(sr.shape[1:], bool), factor)
    squared = measures.mean_squared_error(means, lr, valid)
    return min(measures.psnr(squared, RANGE), MOST_DECIBELS)


def bicubic(lr_rgb: Tensor, factor: int) -> Tensor:
    """Enlarge N x 3 x H x W bicubically (half-pixel centres), limited to [-1, 1]."""
    large = functional.interpolate(lr_rgb, scale_factor=factor, mode="bicubic", align_corners=False)
    return large.clamp(-1, 1)


def choose_chips(
    records: Sequence[ChipRecord], count: int, factor: int, crop: int | None
) -> tuple[ChipRecord, ...]:
    """Choose chips evenly over a split.

    Args:
        records: The split.
        count: At most so many.
        factor: Chips must hold an LR pixel of this factor.
        crop: Or so many a side; None for any.
    """
    side = factor * (crop or 1)
    usable = [record for record in records if min(record.shape_yx) >= side]
    if len(usable) <= count:
        return tuple(usable)
    return tuple(usable[round(i * (len(usable) - 1) / max(1, count - 1))] for i in range(count))


def better(metric: str, new: float, old: float | None) -> bool:
    """Say whether a metric's new value is better than the old one (None: there is none)."""
    if old is None:
        return True
    return new > old if metric in HIGHER_IS_BETTER else new < old


def _row(batch: Batch, output: Tensor, octave: int) -> NDArray[np.uint8]:
    factor = 2**octave
    nearest = batch.lr_rgb.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    smooth = bicubic(batch.lr_rgb, factor)
    line = torch.cat([nearest, smooth, output.float(), batch.truths[octave - 1]], dim=3)[0]
    grey = ((line + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return grey.permute(1, 2, 0).cpu().numpy()


def _picture(rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Stack rows of differing widths, filled with white."""
    width = max((row.shape[1] for row in rows), default=1)
    height = sum(row.shape[0] for row in rows) or 1
    picture = np.full((height, width, 3), 255, np.uint8)
    top = 0
    for row in rows:
        picture[top : top + row.shape[0], : row.shape[1]] = row
        top += row.shape[0]
    return picture
