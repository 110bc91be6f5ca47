"""Layers of the scene network: convolutions that know their border, and spatially styled ones.

Two borders exist.  EXACT layers compute only what their input covers, so an image shrinks and any
tiling gives the same pixels.  LOCAL layers repeat the edge pixel, so an image keeps its size: half
the work on small training crops, and the same values away from the edges.
"""

from collections.abc import Sequence
from enum import Enum

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specgan.consistency import crop
from specgan.layers import SLOPE, biased_leaky, bilinear_up, demodulation, pad_edge
from specgan.scene.noise import position_noise


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


def leaky_(image: Tensor) -> Tensor:
    """Apply the leaky ReLU of slope 0.2 in place, to what nothing else reads: memory is time."""
    return F.leaky_relu_(image, SLOPE)


class Conv(nn.Module):
    """A 1x1 or 3x3 convolution, He-initialised, whose border is chosen by the call."""

    def __init__(self, *, inputs: int, outputs: int, size: int, gain: float = 1.0) -> None:
        super().__init__()
        self.reach = size // 2
        self.weight = nn.Parameter(torch.empty(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.kaiming_normal_(self.weight, a=SLOPE, nonlinearity="leaky_relu")
        with torch.no_grad():
            self.weight.mul_(gain)

    def forward(self, image: Tensor, border: Border = Border.EXACT) -> Tensor:
        """Convolve N x C x H x W; EXACT shrinks it by `reach` pixels on every side."""
        return F.conv2d(border.pad(image, self.reach), self.weight, self.bias)

    def join(self, images: Sequence[Tensor], border: Border) -> Tensor:
        """Convolve images as if concatenated along their channels, without the copy.

        Args:
            images: N x C_i x H x W each; the C_i sum to the layer's inputs.
            border: As for `forward`.
        """
        weights = torch.split(self.weight, [image.shape[1] for image in images], dim=1)
        result = F.conv2d(border.pad(images[0], self.reach), weights[0], self.bias)
        for image, weight in zip(images[1:], weights[1:], strict=True):
            result = result + F.conv2d(border.pad(image, self.reach), weight)
        return result


def double(image: Tensor, border: Border) -> Tensor:
    """Double N x C x H x W bilinearly; EXACT drops what would need pixels outside.

    Returns:
        N x C x 2H x 2W (LOCAL) or N x C x 2(H - 1) x 2(W - 1) (EXACT).
    """
    return crop(bilinear_up(image), border.shrink(2))


class SpatialStyledConv(nn.Module):
    """StyleGAN2's modulated 3x3 convolution with a style for every pixel.

    Modulates the input pixel by pixel, convolves with shared weights, and multiplies by the
    demodulation d = rsqrt(sum_i s_i^2 sum_k w_oik^2 + 1e-8), which is computed on the style grid
    and interpolated like the style.  With a constant style this equals the published layer
    (`specgan.layers`).  Then position-keyed noise, bias and the gained leaky ReLU.
    """

    def __init__(self, *, inputs: int, outputs: int, code: int, layer: int, up: bool) -> None:
        super().__init__()
        self.layer = layer
        self.up = up
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3) / (9 * inputs) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(outputs))
        # StyleGAN2 starts at zero; then a short training finds its texture in the grid instead of
        # in the noise, and a lattice shows.
        self.noise_strength = nn.Parameter(0.25 * torch.randn(outputs))
        self.affine = nn.Conv2d(code, inputs, 1)
        nn.init.normal_(self.affine.weight, std=0.5 / code**0.5)
        assert self.affine.bias is not None
        nn.init.ones_(self.affine.bias)

    def styles(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return style and demodulation maps on the grid of `codes` (N x code x h x w).

        Returns:
            N x inputs x h x w and N x outputs x h x w.
        """
        style = self.affine(codes)
        return style, demodulation(self.weight, style)

    def forward(
        self,
        image: Tensor,
        style: Tensor,
        demodulation: Tensor,
        *,
        origins_yx: Sequence[tuple[int, int]],
        seed: int | Tensor,
        border: Border,
    ) -> Tensor:
        """Compute the layer on N x inputs x H x W.

        Args:
            image: The features, doubled first when the layer is an up-convolution.
            style: N x inputs x H x W, on the grid of `image`.
            demodulation: N x outputs x H' x W', on the grid of the result.
            origins_yx: Absolute row and column of the result's first pixel, for the noise: one
                pair, or N.
            seed: One seed, or N.
            border: How the border is treated.

        Returns:
            N x outputs x H' x W'.
        """
        image = image * style
        if self.up:
            image = double(image, border)
        image = F.conv2d(border.pad(image, 1), self.weight) * demodulation
        noise = position_noise(
            seed,
            self.layer,
            origins_yx,
            (image.shape[-2], image.shape[-1]),
            device=image.device,
            dtype=image.dtype,
        )
        strength = self.noise_strength[:, None, None]
        return biased_leaky(torch.addcmul(image, noise, strength), self.bias)
