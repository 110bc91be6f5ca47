"""Laws of the layers that the networks share."""

import math

import numpy as np
import torch
from torch.nn import functional as F

from specgan.layers import (
    EqualConv2d,
    EqualLinear,
    ModulatedConv2d,
    biased_leaky,
    demodulation,
    fir_down,
    fir_up,
)
from specgan.published.fusion import TileAttention


def seeded(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_layers_modulation_equals_modulated_weights() -> None:
    """The definition (Karras et al. 2020, equations 1 and 3), image by image."""
    conv = ModulatedConv2d(in_channels=5, out_channels=4, kernel_size=3, style_channels=6).double()
    x, latent = seeded(2, 5, 7, 9), seeded(2, 6)
    for image, code, found in zip(x, latent, conv(x, latent), strict=True):
        style = conv.style.weight @ code / math.sqrt(6) + conv.style.bias
        weight = conv.weight / math.sqrt(5 * 9) * style[None, :, None, None]
        weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        expected = F.conv2d(image[None], weight, padding=1)[0]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_layers_modulation_may_be_left_as_it_is() -> None:
    conv = ModulatedConv2d(
        in_channels=2, out_channels=1, kernel_size=1, style_channels=3, demodulate=False
    )
    torch.nn.init.zeros_(conv.style.weight)
    torch.nn.init.ones_(conv.weight)
    x = torch.tensor([[[[1.0]], [[2.0]]]])
    found = conv(x, torch.zeros(1, 3))
    assert math.isclose(found.item(), 3 / math.sqrt(2), rel_tol=1e-6)


def test_layers_modulation_doubles_before_it_convolves() -> None:
    conv = ModulatedConv2d(in_channels=3, out_channels=2, kernel_size=3, style_channels=4).double()
    x, latent = seeded(1, 3, 4, 5), seeded(1, 4)
    doubled = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(conv(x, latent, up=True), conv(doubled, latent))


def test_layers_demodulation_follows_a_map_of_styles() -> None:
    weight, style = seeded(4, 3, 3, 3), seeded(2, 3, 5, 6)
    found = demodulation(weight, style)
    one = (weight[1] * style[0, :, 2, 4][:, None, None]).square().sum() + 1e-8
    assert found.shape == (2, 4, 5, 6)
    assert math.isclose(found[0, 1, 2, 4].item(), 1 / math.sqrt(one.item()), rel_tol=1e-12)


def test_layers_fir_up_is_the_stated_filter() -> None:
    row = torch.tensor([1.0, 5.0, 2.0])
    found = fir_up(row.view(1, 1, 1, 3))[0, 0]
    # Rows: one source row, zero beyond, gives the weight 3/4 in both output rows.
    expected = np.array([3, 1 * 3 + 5, 1 + 5 * 3, 5 * 3 + 2, 5 + 2 * 3, 2 * 3]) / 4 * 3 / 4
    np.testing.assert_allclose(found, np.stack([expected, expected]), rtol=1e-6)


def test_layers_fir_down_is_the_stated_filter() -> None:
    point = torch.zeros(1, 1, 5, 5)
    point[0, 0, 2, 2] = 64
    found = fir_down(point, padding=2)[0, 0]
    row = np.array([0, 1, 3, 3, 1, 0])
    np.testing.assert_allclose(found, np.outer(row, row), rtol=1e-6)
    torch.testing.assert_close(fir_down(point, padding=2, stride=2)[0, 0], found[::2, ::2])


def test_layers_activation_has_its_gain() -> None:
    found = biased_leaky(torch.tensor([[1.0, -4.0]]), torch.tensor([2.0, 3.0]))
    np.testing.assert_allclose(found, [[3 * math.sqrt(2), -0.2 * math.sqrt(2)]], rtol=1e-6)


def test_layers_activation_can_be_differentiated_twice() -> None:
    """As the gradient penalty of a discriminator does."""
    x, bias = seeded(2, 3, 2, 2).requires_grad_(), seeded(3).requires_grad_()
    assert torch.autograd.gradcheck(biased_leaky, (x, bias))
    assert torch.autograd.gradgradcheck(biased_leaky, (x, bias))


def test_layers_equalised_scale_is_one_over_root_fan_in() -> None:
    conv = EqualConv2d(in_channels=4, out_channels=1, kernel_size=3, padding=1, activate=False)
    torch.nn.init.ones_(conv.weight)
    # Sum of 36 ones over sqrt(36).
    assert math.isclose(conv(torch.ones(1, 4, 3, 3))[0, 0, 1, 1].item(), 6, rel_tol=1e-6)
    linear = EqualLinear(in_features=16, out_features=1, bias=0.5)
    torch.nn.init.ones_(linear.weight)
    assert math.isclose(linear(torch.ones(1, 16)).item(), 4.5, rel_tol=1e-6)


def test_layers_attention_gathers_what_is_alike() -> None:
    attention = TileAttention(channels=2).double()
    reference, source = seeded(1, 2, 2, 3), seeded(1, 2, 2, 3) + 1
    query = attention.query(reference)[0].reshape(-1)
    key = attention.key(reference)[0].reshape(-1)
    value = attention.value(source)[0].reshape(2, -1)
    expected = torch.empty(2, 6, dtype=torch.float64)
    for i in range(6):
        weights = torch.exp(query[i] * key)
        expected[:, i] = (value * weights).sum(dim=1) / weights.sum()
    torch.testing.assert_close(attention(reference, source)[0].reshape(2, -1), expected)
