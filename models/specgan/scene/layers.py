"""Layers of the scene network: convolutions that know their border, and residual blocks.

Two borders exist.  EXACT layers compute only what their input covers, so an image shrinks and any
tiling gives the same pixels.  LOCAL layers repeat the edge pixel, so an image keeps its size: half
the work on small training crops, and the same values away from the edges.
"""

from collections.abc import Callable
from enum import Enum

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specgan.consistency import crop
from specgan.layers import SLOPE, pad_edge

Cut = Callable[[Tensor, int], Tensor]
"""Takes so many pixels off every side of N x C x H x W."""


class Border(Enum):
    """What a layer does at the border of its input."""

    EXACT = "exact"
    LOCAL = "local"

    def pad(self, image: Tensor, margin: int) -> Tensor:
        """Extend N x C x H x W by `margin` repeated edge pixels, or not at all when EXACT."""
        return image if self is Border.EXACT else pad_edge(image, margin)

    def shrink(self, margin: int) -> int:
        """Return how many pixels a layer of reach `margin` takes off every side."""
        return margin if self is Border.EXACT else 0


class Conv(nn.Module):
    """A 1x1 or 3x3 convolution, He-initialised, whose border is chosen by the call.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the result.
        size: 1 or 3.
        gain: Scales the first weights.
        bias: False keeps zeros zero.
    """

    def __init__(
        self, *, inputs: int, outputs: int, size: int, gain: float = 1.0, bias: bool = True
    ) -> None:
        super().__init__()
        self.reach = size // 2
        self.weight = nn.Parameter(torch.empty(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        if not self.weight.is_meta:  # whose draws cost torch's compiler: a second, and a folder
            nn.init.kaiming_normal_(self.weight, a=SLOPE, nonlinearity="leaky_relu")
            with torch.no_grad():
                self.weight.mul_(gain)

    def forward(self, image: Tensor, border: Border = Border.EXACT) -> Tensor:
        """Convolve N x C x H x W; EXACT shrinks it by `reach` pixels on every side."""
        return F.conv2d(border.pad(image, self.reach), self.weight, self.bias)


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))), 3x3 each; the second starts small, a fresh block changes little."""

    reach = 2

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.widen = Conv(inputs=channels, outputs=channels, size=3)
        self.narrow = Conv(inputs=channels, outputs=channels, size=3, gain=0.1)

    def forward(self, x: Tensor, border: Border, cut: Cut = crop) -> Tensor:
        """Compute N x C x H x W; EXACT shrinks it by `reach` pixels on every side.

        Args:
            x: N x C x H x W.
            border: What happens at the border.
            cut: What takes pixels off every side.
        """
        change = self.narrow(F.relu_(self.widen(x, border)), border)
        # [N C H W]
        result: Tensor = cut(x, border.shrink(self.reach)) + change
        return result


class UpConv(nn.Module):
    """Double height and width: a 3x3 convolution whose channels become pixels (pixel shuffle).

    All four pixels of a block start with one kernel (Aitken et al. 2017), so that a fresh layer
    prints no checkerboard.
    """

    def __init__(self, *, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = Conv(inputs=inputs, outputs=4 * outputs, size=3)
        with torch.no_grad():
            phases = self.conv.weight.view(outputs, 4, inputs, 3, 3)
            phases.copy_(phases[:, :1].clone().expand_as(phases))

    def forward(self, x: Tensor, border: Border) -> Tensor:
        """Compute N x outputs x 2H x 2W from N x inputs x H x W; EXACT uses up a pixel first."""
        return F.leaky_relu_(F.pixel_shuffle(self.conv(x, border), 2), SLOPE)
