"""A small patch discriminator of one octave, conditioned on the coarser image.

It judges an octave beside the interpolated image one octave coarser (a Laplacian pyramid of
adversarial networks, Denton et al., NeurIPS 2015): it cannot ask for another ground, only for the
detail that belongs to this one.
"""

import itertools
import math

from torch import Tensor, cat, nn
from torch.nn import functional

from specgan.errors import ShapeError

DETAIL_GAIN = 4.0
"""Brings an octave's detail to about the size of the image it lies on."""


class OctaveDiscriminator(nn.Module):
    """Patch logits of one octave.

    Args:
        channels: Width of the first layer; doubles at every halving, up to four times.
        depth: Halvings; the receptive field is 7 * 2**depth pixels.
    """

    def __init__(self, *, channels: int = 32, depth: int = 3) -> None:
        super().__init__()
        self.config = {"channels": channels, "depth": depth}
        widths = [channels * min(2**level, 4) for level in range(depth + 1)]
        self.entry = _convolution(6, widths[0], 3, 1)
        self.levels = nn.ModuleList(_convolution(a, b, 4, 2) for a, b in itertools.pairwise(widths))
        self.last = _convolution(widths[-1], widths[-1], 3, 1)
        self.out = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, octave: Tensor, coarser: Tensor) -> Tensor:
        """Judge an octave beside the coarser image.

        Args:
            octave: N x 3 x 2h x 2w in [-1, 1].
            coarser: N x 3 x h x w in [-1, 1].

        Returns:
            N x 1 x h' x w' logits: positive for what looks real.

        Raises:
            ShapeError: The octave is not twice the coarser image.
        """
        return self.judge(pair(octave, coarser))[0]

    def judge(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Judge images that are already paired (and perhaps augmented).

        Args:
            images: N x 6 x H x W from `pair`.

        Returns:
            The logits, and the features of every level for feature matching.
        """
        x = functional.leaky_relu(self.entry(_at_least(images, 2 << len(self.levels))), 0.2)
        features = []
        for layer in self.levels:
            x = functional.leaky_relu(layer(x), 0.2)
            features.append(x)
        x = functional.leaky_relu(self.last(x), 0.2)
        logits: Tensor = self.out(x)
        return logits, features


def pair(octave: Tensor, coarser: Tensor) -> Tensor:
    """Put an octave's detail beside the bilinearly interpolated coarser image.

    The detail, what the octave adds to that image, is a tenth of its range; shown as it is, a
    discriminator spends its first thousand steps on finding it.

    Args:
        octave: N x 3 x 2h x 2w.
        coarser: N x 3 x h x w.

    Returns:
        N x 6 x 2h x 2w: the detail, enlarged `DETAIL_GAIN` times in value, then the image.

    Raises:
        ShapeError: The octave is not twice the coarser image.
    """
    if octave.shape[2] != 2 * coarser.shape[2] or octave.shape[3] != 2 * coarser.shape[3]:
        raise ShapeError(
            f"an octave has twice the size of its coarser image: {tuple(octave.shape)} "
            f"against {tuple(coarser.shape)}"
        )
    enlarged = functional.interpolate(coarser, scale_factor=2, mode="bilinear", align_corners=False)
    return cat([DETAIL_GAIN * (octave - enlarged), enlarged], dim=1)


def _at_least(images: Tensor, side: int) -> Tensor:
    """Repeat the last rows and columns until each side has `side` pixels."""
    below, right = (max(0, side - length) for length in images.shape[2:])
    if not below and not right:
        return images
    return functional.pad(images, (0, right, 0, below), mode="replicate")


def _convolution(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=1)
    nn.init.normal_(layer.weight, std=math.sqrt(2 / (1.04 * inputs * kernel**2)))
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
