"""The fusion encoder of the published network: two dense branches that guide each other."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from specgan.layers import SLOPE, leaky

MASK_CHANNELS = 2
"""Constant planes that tell the shared layers which branch they are asked for."""


def conv3(in_channels: int, out_channels: int) -> nn.Conv2d:
    """Return a 3 x 3 convolution that keeps the size by zeros."""
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)


def conv3_stack(*channels: int) -> nn.Sequential:
    """Return 3 x 3 convolutions from width to width, with leaky ReLUs only between them."""
    stack = nn.Sequential()
    for i, (before, after) in enumerate(pairwise(channels)):
        if i:
            stack.append(nn.LeakyReLU(SLOPE))
        stack.append(conv3(before, after))
    return stack


class DenseBlock(nn.Module):
    """Residual dense block: each layer sees all before it, then a 1 x 1 fusion.

    Args:
        channels: Channels in and out.
        growth: Channels that each layer adds.
        layers: Number of layers.
    """

    def __init__(self, *, channels: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(conv3(channels + i * growth, growth) for i in range(layers))
        self.fuse = nn.Conv2d(channels + layers * growth, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map N x C x H x W to the same shape."""
        known = x
        for layer in self.layers:
            known = torch.cat([known, leaky(layer(known))], dim=1)
        fused: Tensor = self.fuse(known)
        return fused + x


class DenseBranch(nn.Module):
    """Dense blocks in series, the outputs of all of them merged, around a skip.

    Args:
        channels: Channels in and out.
        growth: Channels that each layer of a block adds.
        layers: Layers in a block.
        blocks: Number of blocks.
    """

    def __init__(self, *, channels: int, growth: int, layers: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            DenseBlock(channels=channels, growth=growth, layers=layers) for _ in range(blocks)
        )
        self.merge = nn.Sequential(
            nn.Conv2d(blocks * channels, channels, 1), conv3(channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map N x C x H x W to the same shape."""
        outputs = [x]
        for block in self.blocks:
            outputs.append(block(outputs[-1]))
        merged: Tensor = self.merge(torch.cat(outputs[1:], dim=1))
        return merged + x


class TileAttention(nn.Module):
    """Attention of every pixel to the whole tile, unscaled and without a residual, as published.

    Args:
        channels: Channels in and out; queries and keys have half as many.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 2, 1)
        self.key = nn.Conv2d(channels, channels // 2, 1)
        self.value = nn.Conv2d(channels, channels, 1)

    def forward(self, reference: Tensor, source: Tensor) -> Tensor:
        """Gather `source` where `reference` looks alike.

        Args:
            reference: N x C x H x W, gives the queries and the keys.
            source: N x C x H x W, gives the values.

        Returns:
            N x C x H x W.
        """
        query: Tensor = self.query(reference).flatten(2)  # [N C/2 P]
        key: Tensor = self.key(reference).flatten(2)  # [N C/2 P]
        value: Tensor = self.value(source).flatten(2)  # [N C P]
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=2)  # [N P P], rows sum to 1
        return (value @ weights.transpose(1, 2)).view_as(source)


class BranchUpdate(nn.Module):
    """One branch changed by what both know: attention, a factor and an offset per pixel.

    Args:
        channels: Channels of the branch and of the common map.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.reference = conv3(channels, channels)
        self.factor = conv3(channels, channels)
        self.offset = conv3(channels, channels)
        self.attention = TileAttention(channels=channels)

    def forward(self, common: Tensor, x: Tensor) -> Tensor:
        """Return the new branch.

        Args:
            common: N x C x H x W, made of both branches.
            x: N x C x H x W, the branch.
        """
        updated: Tensor = self.attention(self.reference(common), x)
        updated = updated + x * self.factor(common) + self.offset(common)
        return updated


class PublishedFusion(nn.Module):
    """The dual-branch fusion encoder (paper, section on the spectra-guided encoder).

    Both stages use the same `common` and update layers; within a stage RGB sees the HSI branch
    already updated.

    Args:
        bands: Channels of the HSI input.
        channels: Channels of the branches.
        out_channels: Channels of each output.
        growth: Channels that each dense layer adds.
        layers: Layers in a dense block.
        blocks: Dense blocks in a branch.
    """

    def __init__(
        self, *, bands: int, channels: int, out_channels: int, growth: int, layers: int, blocks: int
    ) -> None:
        super().__init__()
        self.hsi_stem = nn.ModuleList([conv3(bands, channels), conv3(channels, channels)])
        self.rgb_stem = nn.ModuleList([conv3(3, channels), conv3(channels, channels)])
        sizes = {"channels": channels, "growth": growth, "layers": layers, "blocks": blocks}
        self.hsi_branches = nn.ModuleList(DenseBranch(**sizes) for _ in range(2))
        self.rgb_branches = nn.ModuleList(DenseBranch(**sizes) for _ in range(2))
        self.common = conv3_stack(2 * channels + MASK_CHANNELS, channels, channels, channels)
        self.hsi_update = BranchUpdate(channels=channels)
        self.rgb_update = BranchUpdate(channels=channels)
        self.to_bank = conv3_stack(2 * channels, out_channels, out_channels, out_channels)
        self.to_decoder = conv3_stack(2 * channels, out_channels, out_channels, out_channels)

    def forward(self, hsi: Tensor, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Fuse a cube and an image of one tile.

        Args:
            hsi: N x bands x H x W, published scaling.
            rgb: N x 3 x H x W, published scaling.

        Returns:
            The input of the style encoder and that of the decoder, each N x out_channels x H x W.
        """
        hsi_first = self.hsi_stem[0](hsi)
        rgb_first = self.rgb_stem[0](rgb)
        x, y = self.hsi_stem[1](hsi_first), self.rgb_stem[1](rgb_first)
        for hsi_branch, rgb_branch in zip(self.hsi_branches, self.rgb_branches, strict=True):
            x, y = hsi_branch(x), rgb_branch(y)
            x = self.hsi_update(self._common(x, y, for_hsi=True), x)
            y = self.rgb_update(self._common(x, y, for_hsi=False), y)
        both = torch.cat([x + hsi_first, y + rgb_first], dim=1)
        return self.to_bank(both), self.to_decoder(both)

    def _common(self, x: Tensor, y: Tensor, *, for_hsi: bool) -> Tensor:
        zeros = torch.zeros_like(x[:, :1])
        masks = [zeros, zeros + 1] if for_hsi else [zeros + 1, zeros]
        common: Tensor = self.common(torch.cat([x, y, *masks], dim=1))
        return common
