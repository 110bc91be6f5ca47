"""The discriminator of the published recipe: StyleGAN2's, for 256 x 256 RGB."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from specgan.errors import ShapeError
from specgan.layers import EqualConv2d, EqualLinear, fir_down

GROUP = 4
"""Most images that share one standard deviation."""


def group_deviation(x: Tensor) -> Tensor:
    """Append the mean standard deviation over groups of images as a channel.

    With N images in M = N / G groups of G = min(N, 4), image i is in group i mod M: groups
    interleave, as published.

    Args:
        x: N x C x H x W.

    Returns:
        N x (C + 1) x H x W.

    Raises:
        ShapeError: N is neither at most 4 nor a multiple of 4.
    """
    count, _, height, width = x.shape
    size = min(count, GROUP)
    if count % size:
        raise ShapeError(
            f"the discriminator takes batches of 1 to {GROUP} or multiples of {GROUP}, not {count}"
        )
    groups = x.view(size, count // size, *x.shape[1:])  # [G M C H W]
    deviation = (groups.var(dim=0, unbiased=False) + 1e-8).sqrt()  # [M C H W]
    mean = deviation.mean(dim=(1, 2, 3)).repeat(size)  # [N]
    return torch.cat([x, mean.view(-1, 1, 1, 1).expand(-1, 1, height, width)], dim=1)


class HalvingBlock(nn.Module):
    """Residual block that halves height and width.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
    """

    def __init__(self, *, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = EqualConv2d(
            in_channels=in_channels, out_channels=in_channels, kernel_size=3, padding=1
        )
        self.second = EqualConv2d(
            in_channels=in_channels, out_channels=out_channels, kernel_size=3, stride=2
        )
        self.skip = EqualConv2d(
            in_channels=in_channels, out_channels=out_channels, kernel_size=1, activate=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map N x I x H x W to N x O x H/2 x W/2."""
        main: Tensor = self.second(fir_down(self.first(x), padding=2))
        skip: Tensor = self.skip(fir_down(x, padding=1, stride=2))
        return (skip + main) / math.sqrt(2)


class PublishedDiscriminator(nn.Module):
    """StyleGAN2's residual discriminator, unconditional.

    Args:
        features: Channels at 64 x 64 and below (512 as published); a quarter of it at 256 x 256.
        size: Height and width of the images, a power of two of 8 or more.
    """

    def __init__(self, *, features: int = 512, size: int = 256) -> None:
        super().__init__()
        self.size = size
        sizes = [size // 2**i for i in range(int(math.log2(size)) - 1)]  # size, ..., 8, 4
        widths = [features // max(1, n // 64) for n in sizes]
        self.stages = nn.ModuleList(
            [EqualConv2d(in_channels=3, out_channels=widths[0], kernel_size=1)]
        )
        for before, after in pairwise(widths):
            self.stages.append(HalvingBlock(in_channels=before, out_channels=after))
        self.last = EqualConv2d(
            in_channels=features + 1, out_channels=features, kernel_size=3, padding=1
        )
        self.hidden = EqualLinear(in_features=16 * features, out_features=features, activate=True)
        self.score = EqualLinear(in_features=features, out_features=1)

    def forward(self, image: Tensor) -> Tensor:
        """Score images.

        Args:
            image: N x 3 x size x size in [-1, 1]; N at most 4 or a multiple of 4.

        Returns:
            N x 1, the logit of being real.

        Raises:
            ShapeError: A wrong shape or batch.
        """
        expected = (3, self.size, self.size)
        if tuple(image.shape[1:]) != expected:
            raise ShapeError(
                f"the discriminator takes images of shape N x 3 x {self.size} x {self.size}, "
                f"found {tuple(image.shape)}"
            )
        x = image
        for stage in self.stages:
            x = stage(x)
        x = self.last(group_deviation(x))
        score: Tensor = self.score(self.hidden(x.flatten(1)))
        return score
