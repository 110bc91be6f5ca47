"""Short configurations of the trainer, and a backbone, for tests."""

from pathlib import Path

import torch

STAGES = """
recipe = "scene"
checkpoint_every = 4
log_every = 1
precision = "float32"
[network.options]
channels = [8, 8, 8, 8, 8, 8]
blocks = [1, 1, 1, 1, 1]
guide = 4
bank = 4
[validation]
every = 5
chips = 1
crop = 1
[[stages]]
steps = 3
scales = [2]
scale_weights = [1]
side = 8
least = 3
pixels = 128
[[stages]]
steps = 3
scales = [4, 8]
scale_weights = [1, 1]
side = 16
least = 2
pixels = 512
method = "adam"
lr = 2e-4
noise = true
perceptual = 0.5
gan = 0.1
gan_ramp = 1
lattice = 0.3
[[stages]]
steps = 4
scales = [2, 32]
scale_weights = [0, 1]
side = 32
least = 1
pixels = 1024
accumulate = 2
method = "adam"
lr = 2e-4
noise = true
perceptual = 0.5
gan = 0.1
"""
"""Ten steps through every kind of stage."""


def make_backbone(path: Path) -> Path:
    """Write a backbone in the layout of stlpips' AlexNet, with random weights and few channels."""
    random = torch.Generator().manual_seed(3)
    state, inputs = {}, 3
    layers = {"slice1.0": 5, "slice2.5": 5, "slice3.9": 3, "slice4.11": 3, "slice5.13": 3}
    for width, (name, side) in zip((4, 6, 8, 6, 6), layers.items(), strict=True):
        weight = torch.randn((width, inputs, side, side), generator=random)
        state[f"net.{name}.weight"] = weight / (inputs * side**2) ** 0.5
        state[f"net.{name}.bias"] = torch.zeros(width)
        inputs = width
    torch.save(state, path)
    return path
