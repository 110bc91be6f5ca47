"""A batch of training samples."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Kind:
    """One kind of micro-batch."""

    factor: int
    """Pixels of the stored truth an LR pixel."""

    octaves: int
    """Octaves that are computed and whose truths are needed: 3 for x8."""

    crop: int
    """LR pixels a side at most."""

    batch: int
    """Samples a process."""

    weight: float
    """Share of the micro-batches."""


@dataclass(frozen=True)
class SamplingSpec:
    """How the samples of one micro-batch are drawn."""

    kinds: tuple[Kind, ...]
    """What may be drawn."""

    halo: int = 0
    """LR pixels of real surroundings on every side of the crop."""

    exact: bool = False
    """Only chips that hold a whole crop."""

    whole_cubes: bool = False
    """No cube is dropped, cut into or given on finer grids, whatever the configuration says."""

    turns: int = 7
    """Which symmetries may be drawn: 1 transposes, 2 turns rows over, 4 columns; their sum."""


@dataclass(frozen=True)
class Batch:
    """Samples of one shape; h and w are the crop's LR pixels, p = h + 2 * halo."""

    lr_rgb: Tensor
    """N x 3 x p x q in [-1, 1]."""

    hsi: tuple[Tensor, ...]
    """N x 48 x 2^k p x 2^k q for k = 0, 1, ... as far as the cube resolves: standardised, 0 where
    unknown."""

    hsi_mask: tuple[Tensor, ...]
    """Of the same shapes, 1 where a band is known."""

    gsd: Tensor
    """N: size of an LR pixel in metres."""

    truths: tuple[Tensor, ...]
    """The true images at x2, x4, ...: N x 3 x 2h x 2w and so on, in [-1, 1]."""

    masks: tuple[Tensor, ...]
    """Where they are known: N x 1 x 2h x 2w and so on, 1 or 0."""

    draws: Tensor
    """N x 2 uniform numbers: where the perceptual backbone's lattice lies."""

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
            return tensor.to(device, non_blocking=device.type == "cuda")

        def move_all(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            return tuple(move(tensor) for tensor in tensors)

        return replace(
            self,
            lr_rgb=move(self.lr_rgb),
            hsi=move_all(self.hsi),
            hsi_mask=move_all(self.hsi_mask),
            gsd=move(self.gsd),
            truths=move_all(self.truths),
            masks=move_all(self.masks),
            draws=move(self.draws),
        )
