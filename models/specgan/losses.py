"""Losses of the scene recipe: masked, and averaged sample by sample.

Every loss is a mean over samples of a per-sample mean, so that two processes with a batch each
have the mean gradient of one process with both.
"""

import torch
from torch import Tensor
from torch.nn import functional

from specgan.errors import ShapeError


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
