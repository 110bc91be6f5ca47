"""The published discriminator: golden logits, groups, bad input."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from specgan.errors import ShapeError
from specgan.published.discriminator import PublishedDiscriminator, group_deviation
from specgan.published.names import convert, published_name
from support.published_fill import (
    DISCRIMINATOR_RULES,
    GOLDEN,
    crc32,
    fill_published,
    read_inventory,
    uniform,
)


@pytest.fixture(scope="module")
def discriminator() -> Iterator[PublishedDiscriminator]:
    with torch.device("meta"):
        network = PublishedDiscriminator()
    conversion = convert(fill_published("discriminator_256"), network, DISCRIMINATOR_RULES)
    assert conversion.problems() == ""
    network.load_state_dict(conversion.tensors, assign=True)
    yield network.requires_grad_(False)


def images(kind: str, count: int) -> Tensor:
    if kind == "noise":
        return torch.from_numpy(uniform(2022, (8, 3, 256, 256))[:count])
    coarse = uniform(2023, (8, 3, 16, 16))[:count]
    return torch.from_numpy(coarse.repeat(16, axis=2).repeat(16, axis=3))


def golden(name: str) -> np.ndarray:
    with np.load(GOLDEN / "discriminator_small.npz") as file:
        return file[name]


def test_discriminator_fill_has_every_crc(discriminator: PublishedDiscriminator) -> None:
    inventory = read_inventory("discriminator_256")
    found = {
        published_name(name, DISCRIMINATOR_RULES): crc32(value)
        for name, value in discriminator.state_dict().items()
    }
    expected = {key: row[2] for key, row in inventory.items() if row[1] != "KEEP"}
    assert found == expected


def test_discriminator_logit_agrees_in_float32(discriminator: PublishedDiscriminator) -> None:
    found = discriminator(images("smooth", 2))
    np.testing.assert_allclose(found, golden("smooth_n2_output_f64"), rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "dtype", "counts", "tolerance"),
    [("noise", torch.float64, (1, 2, 4), 1e-9), ("smooth", torch.float32, (1, 2, 4, 8), 1e-5)],
)
def test_discriminator_logits_agree_in_every_batch(
    discriminator: PublishedDiscriminator,
    kind: str,
    dtype: torch.dtype,
    counts: tuple[int, ...],
    tolerance: float,
) -> None:
    """Images see each other only through their group, so its input is computed once."""
    network = discriminator.to(dtype)
    x = images(kind, max(counts)).to(dtype)
    for stage in network.stages:
        x = stage(x)
    for count in counts:
        grouped = group_deviation(x[:count])
        # The golden channel was made in float32.
        np.testing.assert_allclose(
            grouped[:, -1], golden(f"{kind}_n{count}_mbstd_channel"), rtol=1e-5
        )
        found = network.score(network.hidden(network.last(grouped).flatten(1)))
        expected = golden(f"{kind}_n{count}_output_f64")
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
    discriminator.float()


@pytest.mark.slow
def test_discriminator_gradient_agrees(discriminator: PublishedDiscriminator) -> None:
    """In norm: both are float32, where values near the kink of a leaky ReLU may change sides."""
    image = images("noise", 2).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(image).sum(), image)
    expected = golden("noise_n2_grad_input__dec")
    difference = np.linalg.norm(gradient.numpy()[:, :, ::8, ::8] - expected)
    assert difference < 0.01 * np.linalg.norm(expected)


def test_discriminator_groups_interleave() -> None:
    """Of 8 images, 0 2 4 6 are one group and 1 3 5 7 the other."""
    values = torch.tensor([0.0, 1, 0, 1, 4, 1, 4, 1]).view(8, 1, 1, 1)
    found = group_deviation(values)[:, 1, 0, 0]
    np.testing.assert_allclose(found, [2, 1e-4] * 4, rtol=1e-4)


def test_discriminator_alone_has_the_least_deviation() -> None:
    found = group_deviation(torch.ones(1, 2, 3, 3))
    np.testing.assert_allclose(found[:, 2], np.full((1, 3, 3), 1e-4), rtol=1e-5)


def test_discriminator_refuses_uneven_batches() -> None:
    with pytest.raises(ShapeError, match="multiples of 4, not 6"):
        group_deviation(torch.zeros(6, 1, 4, 4))


def test_discriminator_refuses_other_sizes() -> None:
    network = PublishedDiscriminator(features=16, size=32)
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 1)
    with pytest.raises(ShapeError, match=r"N x 3 x 32 x 32, found \(2, 3, 64, 64\)"):
        network(torch.zeros(2, 3, 64, 64))
