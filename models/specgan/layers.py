"""Layers that the networks share: StyleGAN2's equalised, modulated and filtered convolutions.

Equalised layers keep weights of unit variance and scale them by 1/sqrt(fan-in) when used
(Karras et al. 2018, section 4.1); modulation and demodulation are those of Karras et al. 2020,
section 2.2, written as scaling of the input and the output around one shared convolution.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from specgan.errors import ShapeError, WeightsError

SLOPE = 0.2
"""Negative slope of every leaky ReLU."""

DEMODULATION_EPSILON = 1e-8
"""Keeps the demodulation finite where a style is zero."""


def leaky(x: Tensor) -> Tensor:
    """Return the leaky ReLU of slope 0.2, without gain."""
    return F.leaky_relu(x, SLOPE)


def biased_leaky(x: Tensor, bias: Tensor) -> Tensor:
    """Add a bias per channel, then apply the leaky ReLU with the gain sqrt(2).

    Args:
        x: N x C or N x C x H x W.
        bias: C.

    Returns:
        A tensor of the shape of `x`.
    """
    gain = math.sqrt(2)
    shaped = bias.view(1, -1, *[1] * (x.dim() - 2))
    # The gain commutes with the leaky ReLU: one pass and one new tensor for all but the ReLU.
    return F.leaky_relu(torch.add(shaped * gain, x, alpha=gain), SLOPE, inplace=True)


def fir_kernel(x: Tensor) -> Tensor:
    """Return the 4 x 4 binomial filter of sum 1, outer([1, 3, 3, 1]) / 64, as `x` is typed."""
    row = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype, device=x.device)
    return torch.outer(row, row) / 64


def fir_down(x: Tensor, padding: int, stride: int = 1) -> Tensor:
    """Filter each channel by the binomial 4 x 4 filter, zero beyond the border.

    Args:
        x: N x C x H x W.
        padding: Zeros on every side.
        stride: Keep every `stride`-th result.

    Returns:
        N x C x (H + 2 padding - 4) // stride + 1 x the same of W.
    """
    channels = x.shape[1]
    weight = fir_kernel(x).expand(channels, 1, 4, 4)
    return F.conv2d(x, weight, padding=padding, stride=stride, groups=channels)


def fir_up(x: Tensor) -> Tensor:
    """Double height and width by the binomial filter, zero beyond the border.

    Per axis, out[2i] = (x[i-1] + 3 x[i]) / 4 and out[2i+1] = (3 x[i] + x[i+1]) / 4.

    Args:
        x: N x C x H x W.

    Returns:
        N x C x 2H x 2W.
    """
    channels = x.shape[1]
    weight = (fir_kernel(x) * 4).expand(channels, 1, 4, 4)
    return F.conv_transpose2d(x, weight, stride=2, padding=1, groups=channels)


def bilinear_up(x: Tensor) -> Tensor:
    """Double height and width bilinearly on pixel areas, edges repeated.

    Args:
        x: N x C x H x W.

    Returns:
        N x C x 2H x 2W.
    """
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def demodulation(weight: Tensor, style: Tensor) -> Tensor:
    """Return d = rsqrt(sum_i style_i^2 sum_k weight_oik^2 + 1e-8).

    Args:
        weight: O x I x k x k, as it is convolved.
        style: N x I x H x W; 1 x 1 in space for one style an image.

    Returns:
        N x O x H x W.
    """
    energy = weight.square().sum(dim=(2, 3), keepdim=True)
    return torch.rsqrt(F.conv2d(style.square(), energy) + DEMODULATION_EPSILON)


class EqualConv2d(nn.Module):
    """Equalised convolution; with a bias it ends in `biased_leaky`.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernel.
        stride: Step of the kernel.
        padding: Zeros on every side.
        activate: Add a bias and apply the leaky ReLU with gain sqrt(2).
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        activate: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if activate else None
        self.gain = 1 / math.sqrt(in_channels * kernel_size**2)
        self.stride = stride
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        """Convolve N x I x H x W into N x O x H' x W'."""
        x = F.conv2d(x, self.weight * self.gain, stride=self.stride, padding=self.padding)
        return x if self.bias is None else biased_leaky(x, self.bias)


class EqualLinear(nn.Module):
    """Equalised linear layer.

    Args:
        in_features: Length of the input.
        out_features: Length of the output.
        bias: The first value of the bias.
        activate: End in `biased_leaky` in place of the plain bias.
    """

    def __init__(
        self, *, in_features: int, out_features: int, bias: float = 0.0, activate: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features))
        self.bias = nn.Parameter(torch.full((out_features,), bias))
        self.gain = 1 / math.sqrt(in_features)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        """Map N x I to N x O."""
        if self.activate:
            return biased_leaky(F.linear(x, self.weight * self.gain), self.bias)
        return F.linear(x, self.weight * self.gain, self.bias)


class ModulatedConv2d(nn.Module):
    """Convolution whose input channels are scaled by a style (Karras et al. 2020).

    Scaling the weights by the style, image by image, is the same as scaling the input, convolving
    once with shared weights, and scaling the output by the demodulation.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Odd; the padding keeps the size.
        style_channels: Length of the latent code.
        demodulate: Bring each output channel back to unit variance.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        style_channels: int,
        demodulate: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.style = EqualLinear(in_features=style_channels, out_features=in_channels, bias=1.0)
        self.gain = 1 / math.sqrt(in_channels * kernel_size**2)
        self.demodulate = demodulate

    def forward(self, x: Tensor, latent: Tensor, *, up: bool = False) -> Tensor:
        """Convolve with the style of each image.

        Args:
            x: N x I x H x W.
            latent: N x style_channels.
            up: Double the size bilinearly between the modulation and the convolution.

        Returns:
            N x O x H x W, or twice the size.
        """
        style = self.style(latent)[:, :, None, None]  # [N I 1 1]
        weight = self.weight * self.gain
        x = x * style
        x = F.conv2d(bilinear_up(x) if up else x, weight, padding=self.weight.shape[-1] // 2)
        return x * demodulation(weight, style) if self.demodulate else x


def pad_edge(image: Tensor, margin: int) -> Tensor:
    """Extend N x C x H x W by `margin` pixels on every side that repeat the edge pixels."""
    if not margin or not image.is_cuda:
        return F.pad(image, (margin,) * 4, mode="replicate") if margin else image
    # On CUDA the gradient of `F.pad` is slow, and differs from run to run.
    rows = [image[:, :, :1]] * margin + [image] + [image[:, :, -1:]] * margin
    image = torch.cat(rows, 2)
    return torch.cat([image[..., :1]] * margin + [image] + [image[..., -1:]] * margin, 3)


def pad_mirrored(image: Tensor, margin: int, axes: Sequence[int] = (2, 3)) -> Tensor:
    """Extend N x C x H x W by `margin` pixels on both sides of axes, as `specgan.edges` says."""
    for axis in axes if margin else ():
        size = image.shape[axis]
        folded = torch.arange(-margin, size + margin, device=image.device) % (2 * size)
        image = image.index_select(axis, torch.minimum(folded, 2 * size - 1 - folded))
    return image


def check_tensors(**given: object) -> None:
    """Raise unless everything that is given is a tensor; None stands for what is not.

    Raises:
        ShapeError: Names what is not, and its type.
    """
    for name, value in given.items():
        if value is not None and not isinstance(value, Tensor):
            raise ShapeError(
                f"{name} is a {type(value).__name__}, expected a torch tensor; "
                "specgan.enhance takes arrays"
            )


def check_numbers(image: Tensor) -> None:
    """Raise unless every value that a network made is finite.

    Weights are checked when they are read; finite ones that damage made huge overflow only here.

    Raises:
        WeightsError: A value is not a number or is infinite.
    """
    if not bool(torch.isfinite(image).all()):
        raise WeightsError(
            "the weights make values that are no numbers, as damaged weights do; take others, or "
            "fetch these again"
        )
