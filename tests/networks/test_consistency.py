"""Laws of consistency: smooth corrections, block fixes, exact rounding."""

import pytest
import torch
import torch.nn.functional as F

from specgan.consistency import (
    REACH,
    _bilinear_taps,
    block_fix,
    crop,
    doubling_kernel,
    keep_above,
    project,
    smooth_upsample,
)
from specgan.errors import ShapeError
from specgan.layers import pad_edge
from specgan.quantise import quantise


@pytest.fixture
def random() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def uniform(shape: tuple[int, ...], random: torch.Generator) -> torch.Tensor:
    return torch.rand(shape, generator=random) * 2 - 1


def test_smooth_upsample_reproduces_quartics() -> None:
    """Pixels that are the means of x**4 over unit cells give the means over half cells."""
    edges = torch.arange(-6.0, 7.0, dtype=torch.float64)
    coarse = (edges**5 / 5).diff().expand(1, 2, 12, 12)
    halves = torch.arange(-4.0, 4.25, 0.5, dtype=torch.float64)
    expected = 2 * (halves**5 / 5).diff()
    fine = smooth_upsample(coarse)
    torch.testing.assert_close(fine[0, 0, 3], expected)
    torch.testing.assert_close(smooth_upsample(coarse.mT)[0, 1, :, 5], expected)


def test_smooth_upsample_keeps_means(random: torch.Generator) -> None:
    coarse = uniform((1, 3, 24, 24), random)
    means = F.avg_pool2d(smooth_upsample(coarse), 2)
    torch.testing.assert_close(means, coarse[..., 2:-2, 2:-2], atol=1e-6, rtol=0)


@pytest.mark.parametrize("factor", [2, 8, 32])
def test_block_fix_is_exact_and_in_range(factor: int, random: torch.Generator) -> None:
    coarse = uniform((2, 3, 5, 4), random)
    coarse[0, 0, 0, 0], coarse[1, 2, 3, 3] = 1.0, -1.0
    fine = 3 * uniform((2, 3, 5 * factor, 4 * factor), random)
    fixed = block_fix(fine, coarse)
    torch.testing.assert_close(F.avg_pool2d(fixed, factor), coarse, atol=2e-6, rtol=0)
    assert fixed.abs().max() <= 1 + 1e-6


def test_block_fix_leaves_a_consistent_image_alone(random: torch.Generator) -> None:
    fine = uniform((1, 3, 8, 8), random)
    torch.testing.assert_close(block_fix(fine, F.avg_pool2d(fine, 2)), fine)


def test_smooth_correction_prints_less_grid_than_blocks(random: torch.Generator) -> None:
    """A constant error per block: blocks print steps at their edges, the smooth way does not."""
    rough = 0.2 * uniform((1, 1, 10, 10), random)
    coarse = F.interpolate(rough, size=(40, 40), mode="bicubic")
    flat = torch.zeros(1, 1, 80, 80)

    def edge_ratio(image: torch.Tensor) -> float:
        steps = image.diff(dim=-1).abs()
        return float(steps[..., 1::2].mean() / steps[..., 0::2].mean())

    assert edge_ratio(block_fix(flat, coarse)) > 100
    assert edge_ratio(smooth_upsample(coarse)) < 1.05


@pytest.mark.parametrize("factor", [2, 16, 32])
def test_project_gives_exact_means(factor: int, random: torch.Generator) -> None:
    lr = uniform((1, 3, 7, 13), random)
    lr[0, :, 2, 2] = 1.0
    sr = uniform((1, 3, 7 * factor, 13 * factor), random)
    result = project(sr, lr)
    torch.testing.assert_close(F.avg_pool2d(result, factor), lr, atol=1e-5, rtol=0)
    assert result.abs().max() <= 1


def test_project_of_a_window_with_context_is_that_of_the_whole(random: torch.Generator) -> None:
    lr = 0.5 * uniform((1, 1, 40, 40), random)
    sr = 0.1 * uniform((1, 1, 160, 160), random)
    whole = project(sr, lr)
    part = project(sr[..., :112, 16:128], lr[..., :28, 4:32])
    torch.testing.assert_close(part[..., :64, 48:64], whole[..., :64, 64:80], atol=1e-5, rtol=0)


@pytest.mark.parametrize("sign", [1, -1])
def test_project_clips_and_corrects_in_turn(sign: int) -> None:
    """What one clipped pixel lacks is taken from its block evenly, before steps are scaled down."""
    lr, sr = torch.zeros(1, 1, 15, 15), torch.zeros(1, 1, 30, 30)
    lr[..., 7, 7] = -0.2
    sr[..., 14:16, 14:16] = torch.tensor([[-3.0, 1.0], [1.0, 0.2]])
    block = sign * project(sign * sr, sign * lr)[0, 0, 14:16, 14:16]
    assert block[0, 0] == -1
    assert block[0, 1] == block[1, 0]
    assert 0.45 < block[0, 1] - block[1, 1] < 0.8


def test_project_stays_in_range_where_the_input_does_not() -> None:
    lr = torch.tensor([[1.5, -1.5], [0.0, 0.0]]).reshape(1, 1, 2, 2)
    assert project(torch.zeros(1, 1, 8, 8), lr).abs().max() == 1


def test_filters_first_made_while_inferring_can_be_trained_with() -> None:
    doubling_kernel.cache_clear()
    _bilinear_taps.cache_clear()
    with torch.inference_mode():
        made = doubling_kernel(torch.device("cpu"), torch.float32), _bilinear_taps(2)
    assert not any(filters.is_inference() for filters in made)


def test_project_refuses_other_sizes() -> None:
    with pytest.raises(ShapeError, match=r"\(1, 3, 9, 8\).*\(1, 3, 4, 4\)"):
        project(torch.zeros(1, 3, 9, 8), torch.zeros(1, 3, 4, 4))


def octaves_of(
    lr: torch.Tensor, high: float, detail: float, random: torch.Generator, count: int = 4
) -> list[torch.Tensor]:
    """Return smooth octaves with detail, each the 2x2 mean of the next, in [0, high]."""
    octaves = [lr]
    for _ in range(count):
        coarse = octaves[-1] / (high / 2) - 1
        fine = smooth_upsample(pad_edge(coarse, REACH))
        noise = torch.rand(fine.shape, generator=random, dtype=torch.float64) - 0.5
        octaves.append((block_fix((fine + detail * noise).clamp(-1, 1), coarse) + 1) * (high / 2))
    return octaves[1:]


@pytest.mark.parametrize("high", [255.0, 65535.0])
def test_quantise_keeps_the_means_of_blocks_exactly(high: float, random: torch.Generator) -> None:
    lr = torch.randint(0, int(high) + 1, (2, 3, 4, 6), generator=random).double()
    lr[0, 0, 0, :2] = torch.tensor([0.0, high])
    octaves = octaves_of(lr, high, 1.0, random)
    whole = quantise(octaves[-1], lr, 0, high)
    assert torch.equal(whole, whole.round())
    assert whole.min() >= 0
    assert whole.max() <= high
    assert torch.equal(F.avg_pool2d(whole, 16), lr)
    assert (whole - octaves[-1]).abs().mean() < 0.5


def test_quantise_rounds_to_the_nearest_but_for_a_few(random: torch.Generator) -> None:
    lr = torch.randint(60, 190, (1, 3, 6, 6), generator=random).double()
    octaves = octaves_of(lr, 255.0, 0.05, random)
    whole = quantise(octaves[-1], lr, 0, 255)
    assert (whole - octaves[-1]).abs().max() < 1.5
    # Rounding each pixel for itself has a mean error of 1/4; what keeps the means costs little.
    assert (whole - octaves[-1]).abs().mean() < 0.27
    smaller = quantise(octaves[-2], lr, 0, 255)
    assert (F.avg_pool2d(whole, 2) - smaller).abs().max() <= 1


def test_a_gentle_slope_has_no_squares(random: torch.Generator) -> None:
    # 0.3 grey levels per input pixel: rounding octave by octave would print steps and specks.
    lr = (100 + 0.3 * torch.arange(20, dtype=torch.float64)).expand(1, 1, 20, 20).round()
    octaves = octaves_of(lr, 255.0, 0.0, random)
    whole = quantise(octaves[-1], lr, 0, 255)
    steps = (whole[..., 1:] - whole[..., :-1]).abs()
    assert steps.max() <= 1
    assert (whole - octaves[-1]).abs().max() < 0.75


def test_quantise_fills_blocks_next_to_the_limits() -> None:
    lr = torch.tensor([[[[1.0]]]])
    octave = torch.tensor([[[[-0.4, 0.3], [3.9, 0.2]]]])
    whole = quantise(octave, lr, 0, 255)
    assert whole.sum() == 4
    assert whole.min() >= 0


def noisy_octaves(random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return an image of factor 8 that goes far below a floor, its block means and the floor."""
    fine = torch.randn((2, 3, 32, 40), generator=random, dtype=torch.float64)
    coarse = F.avg_pool2d(fine, 8)
    floor = torch.full_like(coarse, -0.4).minimum(coarse)
    return fine, coarse, floor


def test_keep_above_keeps_means_and_the_floor(random: torch.Generator) -> None:
    fine, coarse, floor = noisy_octaves(random)
    above = keep_above(fine, coarse, floor)
    torch.testing.assert_close(F.avg_pool2d(above, 8), coarse)
    assert (above >= F.interpolate(floor, scale_factor=8)).all()


@pytest.mark.parametrize("shape_yx", [(8, 80), (80, 8)])
def test_keep_above_takes_strips(shape_yx: tuple[int, int], random: torch.Generator) -> None:
    fine = torch.randn((1, 1, *shape_yx), generator=random, dtype=torch.float64)
    coarse = F.avg_pool2d(fine, 8)
    above = keep_above(fine, coarse, coarse - 0.1)
    torch.testing.assert_close(F.avg_pool2d(above, 8), coarse)
    assert (above >= F.interpolate(coarse - 0.1, scale_factor=8)).all()


def test_keep_above_of_an_octave_is_the_mean_of_the_next(random: torch.Generator) -> None:
    fine, coarse, floor = noisy_octaves(random)
    smaller = keep_above(F.avg_pool2d(fine, 2), coarse, floor)
    torch.testing.assert_close(F.avg_pool2d(keep_above(fine, coarse, floor), 2), smaller)


def test_keep_above_takes_the_nearest_block() -> None:
    """Worked by hand: the mean 5 of 9, 8, 5, -2 above 0; the three share what the fourth gained."""
    fine = torch.tensor([[[[9.0, 8.0], [5.0, -2.0]]]])
    above = keep_above(fine, torch.full((1, 1, 1, 1), 5.0), torch.zeros(1, 1, 1, 1))
    expected = torch.tensor([[[[9 - 2 / 3, 8 - 2 / 3], [5 - 2 / 3, 0.0]]]])
    torch.testing.assert_close(above, expected)


def test_keep_above_holds_below_zero() -> None:
    """Worked by hand: the mean -4 of -1, -3, -3, -9 above -5; the three share what is gained."""
    fine = torch.tensor([[[[-1.0, -3.0], [-3.0, -9.0]]]])
    above = keep_above(fine, torch.full((1, 1, 1, 1), -4.0), torch.full((1, 1, 1, 1), -5.0))
    expected = torch.tensor([[[[-1 - 4 / 3, -3 - 4 / 3], [-3 - 4 / 3, -5.0]]]])
    torch.testing.assert_close(above, expected)


def test_keep_above_of_what_is_above_is_the_same(random: torch.Generator) -> None:
    fine, coarse, _ = noisy_octaves(random)
    assert keep_above(fine, coarse, torch.full_like(coarse, -9.0)) is fine


def test_quantise_keeps_a_floor_of_each_pixel(random: torch.Generator) -> None:
    lr = torch.tensor([[[[1000.0, 1003.0], [995.0, 1400.0]]]])
    low = lr.clamp_max(1000.0)
    image = F.interpolate(lr, scale_factor=4) + 60 * torch.randn(1, 1, 8, 8, generator=random)
    whole = quantise(image, lr, low, 65535.0)
    assert torch.equal(F.avg_pool2d(whole, 4), lr)
    assert (whole >= F.interpolate(low, scale_factor=4)).all()


def test_a_consistent_octave_is_kept(random: torch.Generator) -> None:
    """Nothing is to correct where means agree already, whatever the values are."""
    fine = 0.9 * uniform((1, 2, 24, 28), random)
    coarse = F.avg_pool2d(fine, 2)
    torch.testing.assert_close(project(fine, coarse), fine)


@pytest.mark.parametrize("margin", [0, 1, 2])
def test_cropping_takes_a_margin_off_every_side(margin: int) -> None:
    image = torch.arange(36.0).reshape(1, 1, 6, 6)
    assert crop(image, margin).shape == (1, 1, 6 - 2 * margin, 6 - 2 * margin)
    assert crop(image, margin)[0, 0, 0, 0] == 7 * margin


def test_a_window_needs_no_more_than_twelve_pixels_around_it(random: torch.Generator) -> None:
    lr = 0.5 * uniform((1, 1, 31, 31), random).double()
    sr = 0.1 * uniform((1, 1, 62, 62), random).double()
    changed = lr.clone()
    changed[..., 0, :] = changed[..., :, 0] = -changed[..., 15, :]
    difference = (project(sr, changed) - project(sr, lr)).abs()
    assert difference[..., 26:, 26:].max() < 1e-8
    assert difference.max() > 0.1
