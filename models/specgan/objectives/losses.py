"""Losses of the scene recipe: masked, and averaged sample by sample.

Every loss is a mean over samples of a per-sample mean, so that two processes with a batch each
have the mean gradient of one process with both.
"""

import torch
from torch import Tensor
from torch.nn import functional

from specgan.errors import ShapeError

# Steps are compared down to a quarter of a grey level of 8 bits, in [-1, 1] units.
_STEP_FLOOR = 0.002


def masked_l1(output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Average the absolute difference over valid pixels.

    Args:
        output: N x C x H x W.
        truth: N x C x H x W.
        mask: N x 1 x H x W, 1 where the truth is known.

    Returns:
        A scalar; a sample without a valid pixel counts as 0.
    """
    difference = (output - truth).abs().mean(dim=1, keepdim=True) * mask
    return (difference.sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3)).clamp(min=1)).mean()


def masked_chroma(output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Average the absolute difference of colour, whatever the brightness, over valid pixels.

    The colour of a pixel is its bands less their mean.  Within an LR pixel it varies far less than
    the brightness, so this term can be weighed heavily: it takes away coloured speckle, which
    perceptual trunks tolerate, and leaves the texture to the others.

    Args:
        output: N x C x H x W.
        truth: N x C x H x W.
        mask: N x 1 x H x W, 1 where the truth is known.

    Returns:
        A scalar.
    """
    difference = output - truth
    colour = difference - difference.mean(dim=1, keepdim=True)
    return masked_l1(colour, torch.zeros_like(colour), mask)


def masked_steps(output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Compare how much neighbouring pixels differ, across 2x2 blocks and inside them.

    Four figures a sample, across and inside, along rows and along columns: the mean absolute step
    between neighbours.  Their logarithms are compared, so an octave that invents too little detail
    loses as much as one that invents too much, and one that prints its grid loses as well; where
    the detail lies does not matter.

    Args:
        output: N x C x 2H x 2W in [-1, 1].
        truth: N x C x 2H x 2W.
        mask: N x 1 x 2H x 2W, 1 where the truth is known.

    Returns:
        A scalar, the mean absolute difference of natural logarithms; where no two neighbours are
        known, a figure counts as 0.
    """
    figures = []
    for axis in (2, 3):
        pairs = [
            [image.narrow(axis, start, image.shape[axis] - 1) for start in (0, 1)]
            for image in (output, truth, mask)
        ]
        known = pairs[2][0] * pairs[2][1]
        steps = [(a - b).abs().mean(dim=1, keepdim=True) * known for a, b in pairs[:2]]
        for phase in (0, 1):
            places = torch.arange(phase, known.shape[axis], 2, device=known.device)
            made, true, count = (
                image.index_select(axis, places).sum(dim=(1, 2, 3)) for image in (*steps, known)
            )
            floor = _STEP_FLOOR * count.clamp(min=1)
            figures.append(((made + floor) / (true + floor)).log().abs())
    return torch.stack(figures).mean()


def composite(output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Put the truth where it is not known to be one, so that no loss sees a difference there.

    Args:
        output: N x C x H x W.
        truth: N x C x H x W, filled with anything finite where unknown.
        mask: N x 1 x H x W, 1 where the truth is known.

    Returns:
        N x C x H x W: the output inside the mask, the truth's filling outside.
    """
    return truth + (output - truth) * mask


def generator_gan(logits: Tensor) -> Tensor:
    """Compute the non-saturating generator loss (Goodfellow et al., 2014): softplus(-D(fake))."""
    return functional.softplus(-logits).mean(dim=(1, 2, 3)).mean()


def discriminator_gan(real: Tensor, fake: Tensor) -> Tensor:
    """Compute the discriminator's logistic loss: softplus(-D(real)) + softplus(D(fake))."""
    both = functional.softplus(-real).mean(dim=(1, 2, 3)) + functional.softplus(fake).mean(
        dim=(1, 2, 3)
    )
    return both.mean()


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Compute half the squared gradient of D at real images (Mescheder et al., ICML 2018).

    Args:
        logits: N x 1 x h x w from `images`; each sample's mean logit is differentiated.
        images: The discriminator's input, N x C x H x W, requiring gradients.

    Returns:
        A scalar: the squared gradient of the mean logit times the number of logits, which for
        patches far apart is the mean over patches, so that it does not depend on the crop.
    """
    count = logits[0].numel()
    (gradient,) = torch.autograd.grad(logits.mean(dim=(1, 2, 3)).sum(), images, create_graph=True)
    return 0.5 * count * gradient.square().sum(dim=(1, 2, 3)).mean()


def feature_matching(fake: list[Tensor], real: list[Tensor]) -> Tensor:
    """Average the absolute difference of discriminator features (Wang et al., pix2pixHD, 2018).

    Args:
        fake: Features of generated images, one tensor N x C x h x w a level.
        real: The same of the truth; no gradient flows into them.

    Returns:
        A scalar, the mean over levels.

    Raises:
        ShapeError: The two lists differ in length.
    """
    if len(fake) != len(real):
        raise ShapeError(f"feature matching of {len(fake)} levels against {len(real)}")
    terms = [(a - b.detach()).abs().mean() for a, b in zip(fake, real, strict=True)]
    return torch.stack(terms).mean()
