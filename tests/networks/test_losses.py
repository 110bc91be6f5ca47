"""Laws of the scene recipe's losses and of its discriminator heads."""

import pytest
import torch

from specgan.objectives import losses
from specgan.objectives.feature_heads import (
    SETTLING,
    FeatureHead,
    FeatureHeads,
    discriminator_hinge,
    generator_hinge,
    power,
)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_masked_l1_averages_valid_pixels_sample_by_sample() -> None:
    output = torch.zeros(2, 3, 1, 2)
    truth = torch.tensor([1.0, 5.0]).view(1, 1, 1, 2).expand(2, 3, 1, 2)
    mask = torch.tensor([[[[1.0, 0.0]]], [[[1.0, 1.0]]]])
    assert float(losses.masked_l1(output, truth, mask)) == pytest.approx((1.0 + 3.0) / 2)
    assert float(losses.masked_l1(output, truth, mask * 0)) == 0


def test_masked_rms_goes_to_the_mean_where_l1_goes_to_the_median() -> None:
    truth = torch.tensor([0.0, 0.0, 3.0, 100.0]).view(1, 1, 1, 4)
    mask = torch.tensor([1.0, 1.0, 1.0, 0.0]).view(1, 1, 1, 4)
    found = []
    for loss in (losses.masked_l1, losses.masked_rms):
        values = torch.linspace(0, 3, 31)
        costs = [float(loss(value.expand(1, 1, 1, 4), truth, mask)) for value in values]
        found.append(float(values[costs.index(min(costs))]))
    assert found == pytest.approx([0.0, 1.0])
    assert float(losses.masked_rms(truth + 2, truth, mask)) == pytest.approx(2.0)


def test_masked_rms_of_a_perfect_sample_has_a_gradient() -> None:
    output = noise(2, 3, 4, 4).requires_grad_(True)
    losses.masked_rms(output, output.detach(), torch.ones(2, 1, 4, 4)).backward()
    assert output.grad is not None and bool(output.grad.isfinite().all())


def test_composite_hides_the_output_outside_the_mask() -> None:
    output = noise(1, 3, 2, 2).requires_grad_(True)
    truth = noise(1, 3, 2, 2, seed=1)
    mask = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    mixed = losses.composite(output, truth, mask)
    torch.testing.assert_close(mixed[..., 0, 0], output[..., 0, 0])
    torch.testing.assert_close(mixed[..., 0, 1], truth[..., 0, 1])
    mixed.sum().backward()
    assert torch.equal(output.grad, mask.expand(1, 3, 2, 2))


def test_unevenness_sees_the_grid_of_a_doubling() -> None:
    even = noise(2, 3, 64, 64).cumsum(2).cumsum(3).requires_grad_(True)
    flat = torch.ones(1, 1, 2, 2)
    squares = torch.kron(noise(2, 3, 32, 32, seed=1), flat)
    assert float(losses.unevenness(even).detach()) < 0.01
    assert float(losses.unevenness(squares)) > 10
    # Half of the energy in squares: larger steps across than within.
    assert float(losses.unevenness(noise(2, 3, 64, 64) + squares)) > 0.05
    losses.unevenness(even).backward()
    assert float(even.grad.abs().sum()) > 0
    assert float(losses.unevenness(torch.ones(1, 3, 2, 2))) == 0


def cells(count: int, factor: int) -> torch.Tensor:
    """Return detail that has nothing to do with its position in the cell."""
    return 0.1 * noise(8, 3, count * factor, count * factor, seed=4)


def test_lattice_sees_what_every_cell_repeats() -> None:
    given, truth = torch.zeros(8, 3, 32, 32), cells(8, 4)
    assert losses.lattice(truth.flip(2), truth, given, 4).item() < 0.02
    dots = torch.zeros(4, 4)
    dots[1, 2] = 0.3
    repeated = losses.lattice(truth + dots.repeat(8, 8), truth, given, 4).item()
    # The dots' mean square over the cell, as a share of the truth's energy.
    assert repeated > 0.09 / 16 / 0.01


def test_lattice_sees_a_pattern_that_follows_the_ground() -> None:
    # Stripes of two pixels whose sign is that of a blob: no position has a mean.
    given, truth = torch.zeros(4, 3, 32, 32), cells(8, 4)[:4]
    stripes = torch.tensor([1.0, -1.0]).repeat(16)
    signs = torch.ones(32, 32)
    signs[:, 16:] = -1
    pattern = (0.1 * stripes * signs).expand(4, 3, 32, 32)
    assert pattern.reshape(4, 3, 16, 2, 16, 2).mean((0, 2, 4)).abs().max() < 1e-6
    # Along rows, columns and both diagonals, at lags of two and four pixels; along columns and
    # diagonals the share of pairs across the change of sign is lost.
    kept = [((32 - 3 * lag) / (32 - lag)) ** 2 for lag in (2, 4)]
    expected = sum(0.5 * (1 + 3 * share) for share in kept)
    found = losses.lattice(pattern, truth, given, 4).item()
    assert found == pytest.approx(expected, rel=0.05)
    natural = truth + pattern
    assert losses.lattice(natural, natural.roll(1, 0), given, 4).item() < 0.02


def test_hinge_losses_are_two_at_chance() -> None:
    real, fake = [torch.full((1, 1, 2, 2), 0.5)], [torch.full((1, 1, 2, 2), -0.25)]
    assert float(discriminator_hinge(real, fake)) == pytest.approx(0.5 + 0.75)
    assert float(discriminator_hinge([real[0] * 0], [fake[0] * 0])) == 2
    assert float(generator_hinge(fake)) == 0.25


def test_heads_compare_features_with_those_of_the_input() -> None:
    heads = FeatureHeads(channels=(3, 5), width=4)
    true = [noise(2, 3, 6, 6), 10 * noise(2, 5, 3, 3)]
    given = [noise(2, 3, 6, 6, seed=1), noise(2, 5, 3, 3, seed=1)]
    heads.measure([power(features) for features in true])
    torch.testing.assert_close(
        heads.heads[1].get_buffer("size"), true[1].square().mean((0, 2, 3)).sqrt() + 1e-3
    )
    logits = heads(true, given, 3)
    assert [tuple(x.shape) for x in logits] == [(2, 1, 6, 6), (2, 1, 3, 3)]
    assert not torch.allclose(heads(given, given, 3)[0], logits[0])
    assert not torch.allclose(heads(true, true, 3)[0], logits[0])


def test_sizes_are_measured_for_a_while_only() -> None:
    head = FeatureHead(channels=3, octaves=5, width=4)
    for _ in range(SETTLING):
        head.measure(power(noise(1, 3, 4, 4)))
    before = head.get_buffer("size").clone()
    head.measure(power(100 * noise(1, 3, 4, 4)))
    assert torch.equal(head.get_buffer("size"), before)
