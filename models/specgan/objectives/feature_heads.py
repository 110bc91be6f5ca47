"""Discriminator heads on the features of a frozen perceptual backbone.

Pixel discriminators of an octave stand at chance on aerial images; small heads that see what the
output changes in a backbone's features, beside the features of the interpolated input, find
structure within some hundred steps and cost one backbone pass more (compare Sauer et al.,
"Projected GANs", NeurIPS 2021).  Conditioned on the interpolated input, they cannot ask for other
ground, only for the detail that belongs to this one.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from specgan.layers import leaky

SETTLING = 200
"""Batches over which the size of true features is measured."""


class FeatureHead(nn.Module):
    """Patch logits from one stage of the backbone.

    Args:
        channels: Of the stage's features.
        octaves: Largest octave that is judged; each has its own offset.
        width: Hidden channels.
    """

    def __init__(self, *, channels: int, octaves: int, width: int) -> None:
        super().__init__()
        self.enter = spectral_norm(nn.Conv2d(2 * channels, width, 1))
        self.octave = nn.Parameter(torch.zeros(octaves + 1, width))
        self.around = spectral_norm(nn.Conv2d(width, width, 3, padding=1))
        self.judge = spectral_norm(nn.Conv2d(width, 1, 1))
        self.register_buffer("size", torch.ones(channels))
        self.register_buffer("seen", torch.zeros(()))

    @torch.no_grad()
    def measure(self, power: Tensor) -> None:
        """Take the mean squares of one batch's true features into the running size, for a while."""
        seen, size = self.get_buffer("seen"), self.get_buffer("size")
        if seen < SETTLING:
            size.lerp_(power.sqrt() + 1e-3, 1 / (float(seen) + 1))
            seen.add_(1)

    def forward(self, features: Tensor, given: Tensor, octave: int) -> Tensor:
        """Judge features beside those of the interpolated input.

        Args:
            features: N x channels x h x w of the output or of the truth.
            given: The same of the interpolated input.
            octave: 1 for x2, 2 for x4, and so on.

        Returns:
            N x 1 x h x w logits: positive for what looks true.
        """
        size = self.get_buffer("size")[:, None, None]
        features, given = features.float(), given.float()
        x = self.enter(torch.cat([(features - given) / size, given / size], 1))
        x = leaky(x + self.octave[octave][:, None, None])
        logits: Tensor = self.judge(leaky(self.around(x)))
        return logits


class FeatureHeads(nn.Module):
    """One head for each stage of a backbone.

    Args:
        channels: Of the stages' features.
        octaves: Largest octave that is judged.
        width: Hidden channels of each head.
    """

    def __init__(self, *, channels: Sequence[int], octaves: int = 5, width: int = 96) -> None:
        super().__init__()
        self.config = {"channels": list(channels), "octaves": octaves, "width": width}
        self.heads = nn.ModuleList(
            FeatureHead(channels=count, octaves=octaves, width=width) for count in channels
        )

    def measure(self, powers: Sequence[Tensor]) -> None:
        """Take the `power` of one batch's true features, one tensor a stage, into the sizes."""
        for head, power in zip(self.heads, powers, strict=True):
            assert isinstance(head, FeatureHead)
            head.measure(power)

    def forward(
        self, features: Sequence[Tensor], given: Sequence[Tensor], octave: int
    ) -> list[Tensor]:
        """Judge every stage; arguments as for `FeatureHead`, one tensor a stage."""
        return [head(f, g, octave) for head, f, g in zip(self.heads, features, given, strict=True)]


def power(features: Tensor) -> Tensor:
    """Return the mean square of each channel of N x C x h x w."""
    return features.float().square().mean((0, 2, 3))


def generator_hinge(fake: Sequence[Tensor]) -> Tensor:
    """Compute the generator's hinge loss: minus the mean logit, averaged over heads."""
    return -torch.stack([logits.mean() for logits in fake]).mean()


def discriminator_hinge(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Compute max(0, 1 - real) + max(0, 1 + fake), averaged over patches and heads; 2 at chance."""
    terms = [
        functional.relu(1 - r).mean() + functional.relu(1 + f).mean()
        for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(terms).mean()
