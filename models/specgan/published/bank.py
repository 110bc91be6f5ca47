"""The latent bank of the published network: StyleGAN2 synthesis with encoder features."""

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from specgan.layers import ModulatedConv2d, biased_leaky, fir_up
from specgan.published.fusion import conv3

OUT_SIZE = 256
"""Height and width of what the bank makes, and so of every published output tile."""


def bank_channels(size: int, features: int) -> int:
    """Return the bank's channels at a resolution: `features` up to 64, then half, then a quarter.

    Args:
        size: Height and width, a power of two from 4 to 256.
        features: Channels at the lower resolutions (512 as published).
    """
    return features // max(1, size // 64)


class StyledConv(nn.Module):
    """Modulated 3 x 3 convolution, stored noise, bias and leaky ReLU.

    The noise is a buffer, drawn once: the published network never draws it again.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        style_channels: Length of a latent code.
        size: Height and width of the output.
        up: Double the size first, bilinearly.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        style_channels: int,
        size: int,
        up: bool = False,
    ) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(
            in_channels=in_channels,
            out_channels=out_channels,
            kernel_size=3,
            style_channels=style_channels,
        )
        self.noise_strength = nn.Parameter(torch.zeros(1))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.noise: Tensor
        self.register_buffer("noise", torch.randn(1, 1, size, size))
        self.up = up

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        """Map N x I x H x W and N x style_channels to N x O x size x size."""
        x = self.conv(x, latent, up=self.up)
        return biased_leaky(torch.addcmul(x, self.noise_strength, self.noise), self.bias)


class ToRGB(nn.Module):
    """Modulated 1 x 1 convolution to three channels, added to the up-sampled image so far.

    Args:
        in_channels: Channels of the input.
        style_channels: Length of a latent code.
    """

    def __init__(self, *, in_channels: int, style_channels: int) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(
            in_channels=in_channels,
            out_channels=3,
            kernel_size=1,
            style_channels=style_channels,
            demodulate=False,
        )
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor, latent: Tensor, skip: Tensor | None = None) -> Tensor:
        """Return N x 3 x H x W; `skip` is the image of half the size."""
        rgb: Tensor = self.conv(x, latent) + self.bias
        return rgb if skip is None else rgb + fir_up(skip)


class PublishedBank(nn.Module):
    """StyleGAN2's synthesis network from 4 to 256, fed with features up to the tile's resolution.

    Args:
        features: Channels at the lower resolutions and length of a latent code.
        in_size: Height and width of the LR tile; encoder features are fused up to it.
    """

    def __init__(self, *, features: int, in_size: int) -> None:
        super().__init__()
        self.in_size = in_size
        self.steps = int(math.log2(OUT_SIZE)) - 2
        self.constant = nn.Parameter(torch.randn(1, features, 4, 4))
        styled = partial(StyledConv, style_channels=features)
        to_rgb = partial(ToRGB, style_channels=features)
        self.first = styled(in_channels=features, out_channels=features, size=4)
        self.first_rgb = to_rgb(in_channels=features)
        self.convs = nn.ModuleList()
        self.rgbs = nn.ModuleList()
        for i in range(self.steps):
            size = 8 * 2**i
            before, after = bank_channels(size // 2, features), bank_channels(size, features)
            self.convs.append(styled(in_channels=before, out_channels=after, size=size, up=True))
            self.convs.append(styled(in_channels=after, out_channels=after, size=size))
            self.rgbs.append(to_rgb(in_channels=after))
        fused = int(math.log2(in_size)) - 1
        self.fuse_features = nn.ModuleList(conv3(2 * features, features) for _ in range(fused))
        self.fuse_skips = nn.ModuleList(conv3(features + 3, 3) for _ in range(fused))

    def forward(self, latent: Tensor, encoded: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Synthesise an image and the decoder's features.

        Args:
            latent: N x (2 steps + 2) x features.
            encoded: Encoder features at 4, 8, ... up to the tile's size, coarsest first.

        Returns:
            The RGB skip, N x 3 x 256 x 256, and the features above the tile's size, coarsest
            first.
        """
        out = self.constant.expand(len(latent), -1, -1, -1)
        out = self.first(out, latent[:, 0])
        skip = self.first_rgb(out, latent[:, 1])
        features = []
        for i in range(self.steps):
            if i < len(encoded):
                out = self.fuse_features[i](torch.cat([out, encoded[i]], dim=1))
                skip = self.fuse_skips[i](torch.cat([skip, encoded[i]], dim=1))
            out = self.convs[2 * i](out, latent[:, 2 * i + 1])
            out = self.convs[2 * i + 1](out, latent[:, 2 * i + 2])
            skip = self.rgbs[i](out, latent[:, 2 * i + 3], skip)
            if out.shape[-1] > self.in_size:
                features.append(out)
        return skip, features
