"""A batch of training samples."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class SamplingSpec:
    """How the samples of one micro-batch are drawn."""

    crop: int
    """LR pixels a side at most."""

    batch: int
    """Samples a process."""

    factors: tuple[int, ...]
    """Factors between LR and the stored truth that may be drawn."""

    weights: tuple[float, ...]
    """Their shares."""

    last: int
    """Finest octave whose truth is needed, counted from 1 = x2."""

    halo: int = 0
    """LR pixels of real surroundings on every side of the crop."""

    noise: float = 0.0
    """Standard deviation of the noise for true coarser images, in [-1, 1] units."""

    exact: bool = False
    """Only chips that hold a whole crop."""

    whole_cubes: bool = False
    """No cube is dropped or cut into, whatever the configuration says."""

    turns: int = 7
    """Which symmetries may be drawn: 1 transposes, 2 turns rows over, 4 columns; their sum."""


@dataclass(frozen=True)
class Batch:
    """Samples of one shape; h and w are the crop's LR pixels, p = h + 2 * halo."""

    lr_rgb: Tensor
    """N x 3 x p x q in [-1, 1]."""

    hsi: Tensor
    """N x 48 x p x q, standardised, 0 where invalid."""

    hsi_mask: Tensor
    """N x 1 x p x q, 1 where the cube is valid."""

    gsd: Tensor
    """N: size of an LR pixel in metres."""

    truths: tuple[Tensor, ...]
    """The true images at x2, x4, ...: N x 3 x 2h x 2w and so on, in [-1, 1]."""

    masks: tuple[Tensor, ...]
    """Where they are known: N x 1 x 2h x 2w and so on, 1 or 0."""

    noises: tuple[Tensor, ...]
    """Noise for the true images but the finest, of their shapes; empty without noise."""

    draws: Tensor
    """N x octaves x augment.DRAWS uniform numbers for the discriminators' augmentation."""

    factor: int
    """Factor between LR and the stored truth."""

    seed: int
    """Seed of the network's noise in this step."""

    origin_yx: tuple[int, int]
    """Absolute LR row and column of the crop's first pixel."""

    halo: int = 0
    """LR pixels of surroundings on every side."""

    def to(self, device: torch.device) -> "Batch":
        """Move every tensor to a device."""
        if device.type == "cpu":
            return self

        def move(tensor: Tensor) -> Tensor:
            if device.type == "cuda":  # a copy from pinned memory does not hold the device up
                tensor = tensor.pin_memory()
            return tensor.to(device, non_blocking=True)

        def move_all(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            return tuple(move(tensor) for tensor in tensors)

        return replace(
            self,
            lr_rgb=move(self.lr_rgb),
            hsi=move(self.hsi),
            hsi_mask=move(self.hsi_mask),
            gsd=move(self.gsd),
            truths=move_all(self.truths),
            masks=move_all(self.masks),
            noises=move_all(self.noises),
            draws=move(self.draws),
        )
