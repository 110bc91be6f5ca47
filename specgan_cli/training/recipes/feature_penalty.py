"""Keeps what no other loss sees of the scene network within bounds.

An octave is made to keep the coarser image, so the 2x2 means of what it proposes leave no trace in
the result, and no loss holds them.  Left alone they wander with the features that carry them: to
thousands within a few thousand steps, where fixed noise no longer counts and the result is the
rounding error of large numbers.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from specgan.scene.network import SceneNetwork
from specgan.scene.octave import State

LARGEST = 3.0
"""Root mean square over channels up to which features cost nothing; fresh networks have 1 to 2."""


class Magnitudes:
    """Sums up how far features and hidden means of a network's octaves are out of bounds.

    Args:
        network: Watched from now on, in every call that makes gradients.
    """

    def __init__(self, network: SceneNetwork) -> None:
        self._terms: list[Tensor] = []
        for octave in network.octave:
            octave.register_forward_hook(self._see_octave)
            octave.get_submodule("to_rgb").register_forward_hook(self._see_proposal)

    def take(self) -> Tensor:
        """Return the excess of the calls since the last `take`, averaged over octaves: a scalar.

        The mean square of the proposals' 2x2 means, and of bank and decoder features the mean
        square over channels above that of `LARGEST`.
        """
        terms, self._terms = self._terms, []
        return 2 * torch.stack(terms).mean()

    def _see_octave(self, module: nn.Module, inputs: object, state: State) -> None:
        if torch.is_grad_enabled():
            self._terms.append(_excess(state.bank))

    def _see_proposal(self, module: nn.Module, inputs: tuple[Tensor], proposal: Tensor) -> None:
        if torch.is_grad_enabled():
            hidden = functional.avg_pool2d(proposal.float(), 2).square().mean()
            self._terms.append(_excess(inputs[0]) + hidden)


def _excess(feature: Tensor) -> Tensor:
    return functional.relu(feature.float().square().mean(1) - LARGEST**2).mean()
