"""Perceptual distance and Frechet distance on a frozen convolutional backbone."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from specgan.objectives.perceptual import SMALLEST_SIDE, Backbone, load_backbone
from specgan_cli.types import F64, Mask

FRECHET_STAGE = 4
"""Stage whose position-wise features are compared as distributions."""


@dataclass(frozen=True)
class Features:
    """The features of one image."""

    stages: tuple[Tensor, ...]
    """1 x C x h x w a stage, unit length along the channels."""
    positions: F64
    """N x C: features of every position of the Frechet stage, as the backbone gives them."""
    grid_yx: tuple[int, int]
    """Rows and columns of those positions."""
    summary: F64
    """Mean and standard deviation over space of the last two stages, for linear probes."""


@dataclass
class PerceptualModel:
    """A backbone that takes images in file units."""

    backbone: Backbone
    """Frozen features."""
    low: float
    """File value of black."""
    high: float
    """File value of white."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    """Where the backbone runs."""

    @classmethod
    def load(
        cls, path: str | Path, low: float, high: float, device: torch.device
    ) -> "PerceptualModel":
        """Read the backbone from a weights file.

        Args:
            path: The file.
            low: File value of black.
            high: File value of white.
            device: Where it runs.

        Raises:
            WeightsError: The file is missing or of no known layout.
        """
        return cls(load_backbone(path).to(device), low, high, device)

    def features(self, image: F64) -> Features | None:
        """Compute the features of a 3 x H x W image; None where it is too small."""
        if image.shape[0] != 3 or min(image.shape[1:]) < SMALLEST_SIDE:
            return None
        unit = (image - self.low) / (self.high - self.low) * 2 - 1
        tensor = torch.from_numpy(np.clip(unit, -1, 1)).to(self.device, torch.float32)[None]
        with torch.inference_mode():
            raw = self.backbone(tensor)
            map_ = raw[FRECHET_STAGE - 1][0]
            positions = map_.flatten(1).T.cpu().double().numpy()
            parts = [part for stage in raw[-2:] for part in (stage.mean((2, 3)), stage.std((2, 3)))]
            summary = torch.cat(parts, 1)[0].cpu().double().numpy()
            lengths = [torch.linalg.vector_norm(stage, dim=1, keepdim=True) for stage in raw]
            stages = tuple(
                stage / (length + 1e-10) for stage, length in zip(raw, lengths, strict=True)
            )
        return Features(stages, positions, (map_.shape[1], map_.shape[2]), summary)

    def distance(self, first: Features, second: Features) -> float:
        """Return the LPIPS distance (Zhang et al. 2018, eq. 1) of two images' features.

        With shift-tolerant weights this is ST-LPIPS (Ghildyal and Liu 2022).  0 for equal images.
        """
        total = 0.0
        for index, (a, b) in enumerate(zip(first.stages, second.stages, strict=True)):
            difference = (a - b).square()
            if index < self.backbone.heads:
                difference = difference * self.backbone.get_buffer(f"head{index}")
            total += float(difference.sum(1).mean())
        return total


def blend_invalid(sr: F64, reference: F64, valid: Mask) -> tuple[F64, F64]:
    """Make invalid pixels equal in both images: the mean of the reference's valid pixels.

    Convolutional features need whole images; equal pixels add no difference.
    """
    if valid.all():
        return sr, reference
    mean = reference[:, valid].mean(1) if valid.any() else np.zeros(reference.shape[0])
    fill = mean[:, None, None]
    return np.where(valid, sr, fill), np.where(valid, reference, fill)


@dataclass
class Distribution:
    """Mean and covariance of feature vectors, from sums that merge."""

    count: int = 0
    """Vectors so far."""
    total: F64 = field(default_factory=lambda: np.zeros(0))
    """Sum of the vectors, C."""
    outer: F64 = field(default_factory=lambda: np.zeros((0, 0)))
    """Sum of the vectors' outer products, C x C."""

    def add(self, vectors: F64) -> None:
        """Add N x C vectors."""
        self.merge(Distribution(len(vectors), vectors.sum(0), vectors.T @ vectors))

    def merge(self, other: "Distribution") -> None:
        """Add what another accumulator has seen."""
        if not self.count:
            self.total, self.outer = other.total.copy(), other.outer.copy()
        elif other.count:
            self.total, self.outer = self.total + other.total, self.outer + other.outer
        self.count += other.count

    @property
    def mean(self) -> F64:
        """C means."""
        return self.total / self.count

    @property
    def covariance(self) -> F64:
        """C x C, with the sample correction."""
        centred = self.outer - self.count * np.outer(self.mean, self.mean)
        return np.asarray(centred / max(self.count - 1, 1))


def frechet_distance(first: Distribution, second: Distribution) -> float:
    """Return |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of two Gaussians (Dowson, Landau 1982).

    The features are those of a named backbone, position by position, not Inception's pooled ones:
    this is not FID and cannot be compared with it.  NaN with fewer than two vectors.
    """
    if min(first.count, second.count) < 2:
        return math.nan
    root = _square_root(first.covariance)
    inner = root @ second.covariance @ root
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh((inner + inner.T) / 2), 0)).sum()
    traces = np.trace(first.covariance) + np.trace(second.covariance)
    shift = first.mean - second.mean
    return max(float(shift @ shift + traces - 2 * cross), 0.0)


def _square_root(matrix: F64) -> F64:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
