"""Rounding with exact block means, against the same rules written for one block of integers."""

import numpy as np
import pytest
import torch

from specgan.quantise import quantise


def by_hand(values: list[float], level: int, low: int, high: int) -> list[int]:
    """Round one block: nearest first, then one unit for the largest remainders, then the rest."""
    values = [min(max(value, low), high) for value in values]
    whole = [int(np.rint(value)) for value in values]
    missing = level * len(values) - sum(whole)
    up = 1 if missing > 0 else -1
    movable = [i for i, w in enumerate(whole) if w != (high if up > 0 else low)]
    movable.sort(key=lambda i: (-round(64 * up * (values[i] - whole[i])), i))
    for i in movable[: abs(missing)]:
        whole[i] += up
    while (missing := level * len(values) - sum(whole)) != 0:
        up = 1 if missing > 0 else -1
        movable = [i for i, w in enumerate(whole) if (w < high if up > 0 else w > low)]
        movable.sort(key=lambda i: (-up * (values[i] - whole[i]), i))
        each, more = divmod(abs(missing), len(movable))
        for rank, i in enumerate(movable):
            whole[i] = min(max(whole[i] + up * (each + (rank < more)), low), high)
    return whole


def in_blocks(image: torch.Tensor, factor: int) -> np.ndarray:
    """Return H x W x factor**2 of one band."""
    rows, cols = image.shape[-2] // factor, image.shape[-1] // factor
    parts = image.reshape(rows, factor, cols, factor).transpose(1, 2)
    return parts.reshape(rows, cols, factor**2).numpy()


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("spread", [0.2, 3.0, 20.0])
@pytest.mark.parametrize("seed", range(3))
def test_blocks_are_rounded_as_by_hand(factor: int, spread: float, seed: int) -> None:
    """Near the limits 0 and 20 too, where not every pixel can move."""
    random = torch.Generator().manual_seed(seed)
    lr = torch.randint(0, 21, (1, 1, 6, 7), generator=random).double()
    low = torch.randint(0, 6, lr.shape, generator=random).double().minimum(lr)
    image = lr.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
    image += spread * torch.randn(image.shape, generator=random, dtype=torch.float64)
    image = (image * 32).floor() / 32 + 1 / 100  # remainders differ by a step, or are equal
    found = in_blocks(quantise(image, lr, low, 20), factor)
    given = in_blocks(image, factor)
    for row, col in np.ndindex(6, 7):
        level, floor = int(lr[0, 0, row, col]), int(low[0, 0, row, col])
        expected = by_hand(given[row, col].tolist(), level, floor, 20)
        assert found[row, col].tolist() == expected, (row, col)


def test_flat_ground_in_another_tiling_is_rounded_alike() -> None:
    """Rounding errors alone decide nothing: what is missing goes to the first of the flat ones."""
    found = set()
    for seed in range(8):
        noise = torch.rand((1, 1, 4, 4), generator=torch.Generator().manual_seed(seed)) * 1e-3
        image = torch.full((1, 1, 4, 4), 100.44) + noise
        image[..., 0, :] = 99.3 + noise[..., 0, :]
        whole = quantise(image, torch.full((1, 1, 1, 1), 100.0), 0, 255)
        found.add(tuple(whole.flatten().tolist()))
    assert found == {(99.0,) * 4 + (101.0,) * 4 + (100.0,) * 8}


def test_what_is_nearest_stays_when_nothing_is_missing() -> None:
    image = torch.tensor([[[[1.4, 2.6], [3.4, 4.6]]]])
    assert quantise(image, torch.tensor([[[[3.0]]]]), 0, 9).flatten().tolist() == [1, 3, 3, 5]


def test_a_limit_of_the_type_stops_no_other_pixel() -> None:
    """Worked by hand: two pixels are full, so the other two take three units between them."""
    image = torch.tensor([[[[255.0, 255.0], [249.4, 250.4]]]])
    found = quantise(image, torch.tensor([[[[253.0]]]]), 0, 255)
    assert found.flatten().tolist() == [255, 255, 251, 251]
