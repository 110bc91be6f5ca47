"""Weights with the keys of torchvision's VGG-16 and few channels."""

import torch
from torch import Tensor

VGG_INDICES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)


def vgg16_state(width: int = 4) -> dict[str, Tensor]:
    """Return a state dict with torchvision's keys and few channels."""
    generator = torch.Generator().manual_seed(3)
    state, inputs = {}, 3
    for index in VGG_INDICES:
        shape = (width, inputs, 3, 3)
        state[f"features.{index}.weight"] = torch.randn(shape, generator=generator) / inputs**0.5
        state[f"features.{index}.bias"] = torch.randn(width, generator=generator) / 10
        inputs = width
    return state
