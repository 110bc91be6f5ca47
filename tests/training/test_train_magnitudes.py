"""What no other loss sees of an octave is held within bounds."""

import torch

from specgan_cli.training.recipes.feature_penalty import LARGEST, Magnitudes
from support.tiny_networks import tiny_network


def excess(scale: float = 1.0, hidden: float = 0.0) -> float:
    """Return the excess of a network with larger decoders, or with a constant in its proposals."""
    network = tiny_network()
    magnitudes = Magnitudes(network)
    with torch.no_grad():
        for octave in network.octave:
            octave.decode[1].weight.mul_(scale)
            octave.to_rgb.weight.mul_(0.0)
            octave.to_rgb.bias.fill_(hidden)
    network.octaves(torch.zeros(1, 3, 4, 4), scale=4, local=True)
    return float(magnitudes.take().detach())


def test_what_stays_small_costs_nothing() -> None:
    assert excess() == 0


def test_hidden_means_cost_their_mean_square() -> None:
    # Of the two terms an octave, the bank's is zero here.
    assert abs(excess(hidden=0.5) - 0.25) < 1e-6


def test_large_features_cost() -> None:
    small, large = excess(scale=100.0), excess(scale=200.0)
    assert large > small > LARGEST**2


def test_only_calls_with_gradients_count() -> None:
    network = tiny_network()
    magnitudes = Magnitudes(network)
    rgb = torch.zeros(1, 3, 4, 4)
    network.octaves(rgb, scale=2, local=True)
    with torch.no_grad():
        network.octaves(rgb, scale=32, local=True)
    once = magnitudes.take()
    assert once.requires_grad
    network.octaves(rgb, scale=2, local=True)
    torch.testing.assert_close(magnitudes.take(), once)
