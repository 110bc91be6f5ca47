"""The published network's public call: what it takes, what it refuses."""

import pytest
import torch
from torch import Tensor

from specgan.errors import ShapeError
from specgan.published.network import PublishedNetwork

TINY = {"features": 8, "fusion_channels": 4, "growth": 2, "layers": 2, "blocks": 1}


@pytest.fixture(scope="module", params=[32, 16], ids=["x32", "x16"])
def network(request: pytest.FixtureRequest) -> PublishedNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return PublishedNetwork(scale=request.param, **TINY).eval().requires_grad_(False)


def inputs(network: PublishedNetwork, count: int = 2) -> tuple[Tensor, Tensor]:
    """Return RGB in [-1, 1] and HSI in [-0.25, 0.25]."""
    generator = torch.Generator().manual_seed(2)
    size = network.in_size
    rgb = torch.rand(count, 3, size, size, generator=generator) * 2 - 1
    hsi = torch.rand(count, 48, size, size, generator=generator) / 2 - 0.25
    return rgb, hsi


def test_published_makes_tiles_of_256(network: PublishedNetwork) -> None:
    rgb, hsi = inputs(network)
    output = network(rgb, hsi, gsd=3.2, scale=network.scale, origin_yx=(8, 0), seed=3)
    assert output.shape == (2, 3, 256, 256)
    assert output.abs().max() <= 1
    assert network.in_size * network.scale == 256


def test_published_call_scales_rgb_as_published(network: PublishedNetwork) -> None:
    """8-bit white is 0.25 to the published code, black is -0.25, and HSI comes before RGB."""
    rgb, hsi = inputs(network)
    eight_bit = torch.randint(0, 256, rgb.shape, generator=torch.Generator().manual_seed(3))
    published = (eight_bit / 255 - 0.5) * 0.5
    expected = network.synthesise(torch.cat([hsi, published], dim=1))
    torch.testing.assert_close(network(eight_bit / 127.5 - 1, hsi), expected)


def test_published_is_the_same_in_training(network: PublishedNetwork) -> None:
    rgb, hsi = inputs(network, 1)
    expected = network(rgb, hsi)
    found = network.train()(rgb, hsi)
    network.eval()
    assert torch.equal(found, expected)


def test_published_images_do_not_see_each_other(network: PublishedNetwork) -> None:
    rgb, hsi = inputs(network)
    both = network(rgb, hsi)
    torch.testing.assert_close(network(rgb.flip(0), hsi.flip(0)).flip(0), both)


def test_published_masked_cube_is_the_middle_of_its_range(network: PublishedNetwork) -> None:
    rgb, hsi = inputs(network)
    mask = torch.ones(2, 1, network.in_size, network.in_size)
    mask[:, :, 2:5, 1:4] = 0
    spoilt = hsi.clone()
    spoilt[:, :, 2:5, 1:4] = float("nan")
    assert torch.equal(network(rgb, spoilt, mask), network(rgb, hsi * mask))


def test_published_refuses_another_tile_size(network: PublishedNetwork) -> None:
    rgb, hsi = inputs(network)
    size = network.in_size
    with pytest.raises(ShapeError, match=rf"\(2, 3, 12, {size}\).*\(2, 3, {size}, {size}\)"):
        network(torch.zeros(2, 3, 12, size), hsi)
    with pytest.raises(ShapeError, match=rf"hsi has shape \(2, 47.*\(2, 48, {size}, {size}\)"):
        network(rgb, hsi[:, 1:])
    with pytest.raises(ShapeError, match="hsi is a list"):
        network(rgb, hsi.tolist())
    with pytest.raises(ShapeError, match="hsi_mask"):
        network(rgb, hsi, torch.ones(2, size, size))


def test_published_refuses_what_is_no_batch_of_images(network: PublishedNetwork) -> None:
    _, hsi = inputs(network)
    with pytest.raises(ShapeError, match=r"\(\)"):
        network(torch.tensor(1.0), hsi)
    with pytest.raises(ShapeError, match="rgb has shape"):
        network(torch.zeros(0, 3, network.in_size, network.in_size), hsi[:0])


def test_published_refuses_rgb_alone(network: PublishedNetwork) -> None:
    rgb, _ = inputs(network)
    with pytest.raises(ShapeError, match="needs hsi of shape N x 48"):
        network(rgb)


def test_published_refuses_another_scale(network: PublishedNetwork) -> None:
    rgb, hsi = inputs(network)
    with pytest.raises(ShapeError, match=f"upscale {network.scale} times, not 8"):
        network(rgb, hsi, scale=8)
    with pytest.raises(ValueError, match="16 and 32, not 64"):
        PublishedNetwork(scale=64)


def test_published_refuses_values_that_are_not_finite(network: PublishedNetwork) -> None:
    rgb, hsi = inputs(network)
    rgb[0, 0, 0, 0] = float("nan")
    with pytest.raises(ShapeError, match="rgb holds values that are not finite"):
        network(rgb, hsi)


def test_published_refuses_other_types(network: PublishedNetwork) -> None:
    rgb, hsi = inputs(network)
    with pytest.raises(ShapeError, match=r"rgb has type torch.uint8.*torch.float32"):
        network(rgb.byte(), hsi)


def test_published_network_has_the_published_size() -> None:
    with torch.device("meta"):
        count = sum(p.numel() for p in PublishedNetwork().parameters())
    # The published 205 M include 2,101,248 of a mapping network that is never called.
    assert count + 2_101_248 == 205_197_766
