"""The exponential moving average of a network's weights."""

import copy

import torch
from torch import nn


class WeightAverage:
    """A copy of a network that follows its weights slowly.

    Args:
        network: The network that is trained.
        decay: Share of the old average that a step keeps, once enough steps were made.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards the trained weights.

        Args:
            network: The network that is trained.
            step: Steps made before this one: the decay is at most (1 + step) / (10 + step), so
                that the first weights, which are noise, are soon forgotten.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        for mean, value in zip(self.network.parameters(), network.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)
        for old, new in zip(self.network.buffers(), network.buffers(), strict=True):
            old.copy_(new)
