"""Laws of the position-keyed noise."""

import pytest
import torch

from specgan.scene.noise import position_noise


def test_same_place_has_same_noise_in_any_window() -> None:
    whole = position_noise(7, 3, [(-5, 100)], (40, 50))
    part = position_noise(7, 3, [(2, 117)], (9, 11))
    assert torch.equal(part, whole[:, :, 7:16, 17:28])


def test_one_seed_a_sample_equals_seed_alone() -> None:
    both = position_noise(torch.tensor([4, 2**40 + 1]), 0, [(0, 0)], (8, 8))
    assert torch.equal(both[1:], position_noise(2**40 + 1, 0, [(0, 0)], (8, 8)))


def test_one_origin_a_sample_equals_origin_alone() -> None:
    both = position_noise(4, 1, [(0, 7), (-3, 2**20)], (5, 8))
    assert torch.equal(both[:1], position_noise(4, 1, [(0, 7)], (5, 8)))
    assert torch.equal(both[1:], position_noise(4, 1, [(-3, 2**20)], (5, 8)))


@pytest.mark.parametrize("other", [{"seed": 2}, {"layer": 1}, {"origins_yx": [(1, 0)]}])
def test_seed_layer_and_place_change_noise(other: dict[str, object]) -> None:
    first = {"seed": 1, "layer": 0, "origins_yx": [(0, 0)], "shape_yx": (64, 64)}
    a = position_noise(**first).flatten()  # type: ignore[arg-type]
    b = position_noise(**{**first, **other}).flatten()  # type: ignore[arg-type]
    assert abs(torch.corrcoef(torch.stack((a, b)))[0, 1]) < 0.05


def test_noise_is_standard_normal_and_white() -> None:
    noise = position_noise(11, 5, [(1000, -3000)], (512, 512))[0, 0].double()
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 1) < 0.01
    # Kurtosis of a sum of four uniforms: 3 - 1.2 / 4.
    assert abs(noise.pow(4).mean() - 2.7) < 0.05
    for dy, dx in ((0, 1), (1, 0), (1, 1), (0, 2), (7, 16)):
        here = noise[: 512 - dy, : 512 - dx]
        there = noise[dy:, dx:]
        assert abs((here * there).mean()) < 0.01


def test_noise_is_stated_by_value() -> None:
    """Fixed values: weights are only reproducible while these stay."""
    found = position_noise(0, 0, [(0, 0)], (2, 3)).flatten()
    expected = torch.tensor(EXPECTED)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


EXPECTED = [0.1826786, 0.0, 0.7171828, -1.5426196, -2.0162308, 0.9066273]
