"""Laws of the scene recipe's losses, its discriminators and their augmentation."""

import math

import pytest
import torch

from specgan.errors import ShapeError
from specgan.objectives import augment as changes
from specgan.objectives import losses
from specgan.objectives.discriminator import OctaveDiscriminator, pair


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_masked_l1_averages_valid_pixels_sample_by_sample() -> None:
    output = torch.zeros(2, 3, 1, 2)
    truth = torch.tensor([1.0, 5.0]).view(1, 1, 1, 2).expand(2, 3, 1, 2)
    mask = torch.tensor([[[[1.0, 0.0]]], [[[1.0, 1.0]]]])
    assert float(losses.masked_l1(output, truth, mask)) == pytest.approx((1.0 + 3.0) / 2)
    assert float(losses.masked_l1(output, truth, mask * 0)) == 0


def test_chroma_sees_colour_and_no_brightness() -> None:
    output = torch.zeros(1, 3, 1, 2)
    mask = torch.ones(1, 1, 1, 2)
    brighter = output + 0.7
    assert losses.masked_chroma(output, brighter, mask).item() == pytest.approx(0, abs=1e-7)
    redder = output + torch.tensor([0.3, 0.0, 0.0])[:, None, None]
    # Less its mean, the change is (0.2, -0.1, -0.1).
    assert losses.masked_chroma(output, redder, mask).item() == pytest.approx(0.4 / 3)
    assert losses.masked_chroma(output, redder, mask * 0).item() == 0


def steps_image(across: float, inside: float) -> torch.Tensor:
    """Return an image of 8 x 8 pixels that steps up by these along both axes, in turn."""
    line = torch.tensor([inside, across] * 4)[:7].cumsum(0)
    line = torch.cat((torch.zeros(1), line))
    return (line[:, None] + line[None, :]).expand(1, 3, 8, 8)


def test_steps_compare_how_much_neighbours_differ_and_not_where() -> None:
    truth, mask = steps_image(0.05, 0.05), torch.ones(1, 1, 8, 8)
    assert losses.masked_steps(-truth.flip(2), truth, mask).item() == pytest.approx(0, abs=1e-6)
    # A quarter of a grey level is added to both sides of every ratio.
    doubled = math.log(0.102 / 0.052)
    assert losses.masked_steps(2 * truth, truth, mask).item() == pytest.approx(doubled, rel=1e-4)
    assert losses.masked_steps(truth, 2 * truth, mask).item() == pytest.approx(doubled, rel=1e-4)
    # A printed 2 x 2 grid: as much detail on the whole, but not inside the blocks.
    grid = 0.5 * (math.log(0.092 / 0.052) + math.log(0.052 / 0.012))
    found = losses.masked_steps(steps_image(0.09, 0.01), truth, mask).item()
    assert found == pytest.approx(grid, rel=1e-4)
    assert losses.masked_steps(2 * truth, truth, mask * 0).item() == 0


def test_steps_beyond_the_mask_do_not_count() -> None:
    truth, mask = steps_image(0.05, 0.05), torch.ones(1, 1, 8, 8)
    mask[..., 5:] = 0
    output = truth.clone()
    output[..., 5:] += 10 * noise(1, 3, 8, 3)
    assert losses.masked_steps(output, truth, mask).item() == pytest.approx(0, abs=1e-6)


def test_composite_hides_the_output_outside_the_mask() -> None:
    output = noise(1, 3, 2, 2).requires_grad_(True)
    truth = noise(1, 3, 2, 2, seed=1)
    mask = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    mixed = losses.composite(output, truth, mask)
    torch.testing.assert_close(mixed[..., 0, 0], output[..., 0, 0])
    torch.testing.assert_close(mixed[..., 0, 1], truth[..., 0, 1])
    mixed.sum().backward()
    assert torch.equal(output.grad, mask.expand(1, 3, 2, 2))


def test_gan_losses_are_the_logistic_ones() -> None:
    real, fake = torch.full((1, 1, 1, 1), 2.0), torch.full((1, 1, 1, 1), -1.0)
    expected = math.log1p(math.exp(-2)) + math.log1p(math.exp(-1))
    assert float(losses.discriminator_gan(real, fake)) == pytest.approx(expected)
    assert float(losses.generator_gan(fake)) == pytest.approx(math.log1p(math.e))


def test_discriminators_see_detail_and_the_image_it_lies_on() -> None:
    coarser = noise(1, 3, 4, 4)
    enlarged = torch.nn.functional.interpolate(coarser, scale_factor=2, mode="bilinear")
    detail, image = pair(enlarged + 0.1, coarser).chunk(2, dim=1)
    torch.testing.assert_close(detail, torch.full_like(detail, 0.4))
    torch.testing.assert_close(image, enlarged)


def test_r1_is_half_the_squared_gradient_of_a_patch() -> None:
    # A linear judge of 2 x 2 patches that do not overlap: each patch's gradient is the kernel.
    kernel = noise(1, 3, 2, 2)
    images = noise(2, 3, 8, 8, seed=1).requires_grad_(True)
    logits = torch.nn.functional.conv2d(images, kernel, stride=2)
    expected = 0.5 * float(kernel.square().sum())
    assert losses.r1_penalty(logits, images).item() == pytest.approx(expected, rel=1e-5)


def test_feature_matching_gives_no_gradient_to_the_truth() -> None:
    fake, real = noise(1, 2, 3, 3).requires_grad_(True), noise(1, 2, 3, 3).requires_grad_(True)
    losses.feature_matching([fake * 2], [real]).backward()
    assert real.grad is None
    assert fake.grad is not None
    with pytest.raises(ShapeError, match="1 levels against 2"):
        losses.feature_matching([fake], [real, real])


def test_a_discriminator_sees_octave_and_coarser_image() -> None:
    judge = OctaveDiscriminator(channels=4, depth=2)
    octave, coarser = noise(2, 3, 16, 24), noise(2, 3, 8, 12, seed=1)
    logits = judge(octave, coarser)
    assert logits.shape == (2, 1, 4, 6)
    assert not torch.allclose(judge(octave, coarser + 1), logits)
    assert not torch.allclose(judge(octave + 1, coarser), logits)
    with pytest.raises(ShapeError, match="twice the size"):
        judge(octave, octave)


@pytest.mark.parametrize("side", [2, 4, 6])
def test_a_discriminator_takes_images_smaller_than_its_depth(side: int) -> None:
    judge = OctaveDiscriminator(channels=4, depth=3)
    assert torch.isfinite(judge(noise(1, 3, side, side), noise(1, 3, side // 2, side // 2))).all()


def test_augmentation_changes_octave_and_coarser_image_alike() -> None:
    # The same picture twice: whatever is done to the first three channels is done to the last.
    picture = noise(4, 3, 16, 16)
    draws = torch.rand((4, changes.DRAWS), generator=torch.Generator().manual_seed(3))
    changed = changes.augment(torch.cat([picture, picture], 1), draws)
    torch.testing.assert_close(changed[:, :3], changed[:, 3:])
    assert not torch.allclose(changed[:, :3], picture)


def test_augmentation_is_decided_by_its_draws_alone() -> None:
    images = pair(noise(2, 3, 16, 16), noise(2, 3, 8, 8, seed=1))
    draws = torch.rand((2, changes.DRAWS), generator=torch.Generator().manual_seed(3))
    first = changes.augment(images, draws)
    torch.rand(7)
    assert torch.equal(changes.augment(images, draws), first)
    alone = changes.augment(images[1:], draws[1:])
    torch.testing.assert_close(alone, first[1:])


def test_middle_draws_leave_colour_as_it_is() -> None:
    images = noise(1, 6, 8, 8)
    draws = torch.full((1, changes.DRAWS), 0.5)
    torch.testing.assert_close(changes.augment(images, draws, ("colour",)), images)
    shifted = changes.augment(images, draws, ("translation",))
    torch.testing.assert_close(shifted, images)
    cut = changes.augment(images, draws, ("cutout",))
    assert torch.equal(cut == 0, torch.nn.functional.pad(torch.ones(1, 6, 4, 4), (2,) * 4) == 1)


def test_augmentation_passes_gradients() -> None:
    images = noise(1, 6, 8, 8).requires_grad_(True)
    changes.augment(images, torch.full((1, changes.DRAWS), 0.4)).sum().backward()
    assert float(images.grad.abs().sum()) > 0
    with pytest.raises(ShapeError, match="draws"):
        changes.augment(images, torch.zeros(1, 3))
