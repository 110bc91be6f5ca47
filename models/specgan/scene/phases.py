"""Octaves as a graph computes them: the same numbers in fewer passes over memory.

Runtimes keep features in blocks of channels, and leave that layout for whatever is not a
convolution.  So every octave computes its fine grid as channels of the coarse one: the convolution
to RGB is one on the coarse grid whose channels are the four pixels (phases) of each 2 x 2 block,
means of blocks are means of channels, and only RGB is laid out by pixels, with what the next octave
takes of the features.  Pixels are taken off the features by convolutions, too.  Sizes are those of
the image: OpenVINO asks a convolution for its size before the activation that follows, and could
not compute both in one.  Eager torch gains nothing by it; ONNX Runtime takes a quarter less time at
x32.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specgan.consistency import REACH, crop, doubling_kernel
from specgan.layers import SLOPE
from specgan.scene.context import Margins
from specgan.scene.network import SceneNetwork
from specgan.scene.octave import Octave

_COLOURS = 3


def with_phases(network: SceneNetwork, octaves: int) -> SceneNetwork:
    """Return a network of so many octaves that shares the weights, each a `PhaseOctave`."""
    other = copy.copy(network)
    other._modules = dict(network._modules)
    other.octave = nn.ModuleList(
        PhaseOctave(octave, last=level == octaves)
        for level, octave in enumerate(network.octave[:octaves], start=1)
        if isinstance(octave, Octave)
    )
    return other


class PhaseOctave(nn.Module):
    """An octave with the EXACT border.

    Args:
        octave: The weights.
        last: No octave follows that takes the fine features.
    """

    def __init__(self, octave: Octave, *, last: bool) -> None:
        super().__init__()
        self.inner = octave
        self.last = last
        up, to_rgb = octave.up.conv, octave.to_rgb
        assert up.bias is not None
        assert to_rgb.bias is not None
        self.up_weight = nn.Parameter(_phases_first(up.weight))
        self.up_bias = nn.Parameter(_phases_first(up.bias))
        weight = phase_weight(to_rgb.weight).transpose(0, 1)
        self.weight = nn.Parameter(_phases_first(weight).transpose(0, 1).contiguous())
        self.bias = nn.Parameter(to_rgb.bias.detach().repeat_interleave(4))
        centre = torch.zeros(up.weight.shape[1], 1, 3, 3, dtype=up.weight.dtype)
        centre[:, :, 1, 1] = 1
        self.register_buffer("centre", centre)
        kernel = torch.zeros(_COLOURS, 4, _COLOURS, 2 * REACH + 1, 2 * REACH + 1)
        for colour in range(_COLOURS):
            kernel[colour, :, colour] = doubling_kernel(kernel.device, kernel.dtype)[:, 0]
        self.register_buffer("kernel", kernel.flatten(0, 1))

    def forward(
        self,
        features: Tensor,
        image: Tensor,
        margins: Margins,
        spectral: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Compute what `Octave` computes; the last one gives the coarse features for the fine."""
        level = self.inner.level
        x = self.inner.deepen(features, margins, spectral, noise, self._cut)
        fine = F.leaky_relu(F.conv2d(x, self.up_weight, self.up_bias), SLOPE)  # [N 4C H W]
        held = (margins.up[level] - margins.detail[level]) // 2
        detail = F.conv2d(crop(fine, held - 1), self.weight, self.bias)  # [N 12 H W]
        fixed = self._keep_coarse(detail.to(image.dtype), image, margins)
        if self.last:
            return x, fixed
        sides = _inner(image, margins.image[level - 1] - margins.up[level] // 2)
        return _lay_out(fine, sides, margins.up[level] - margins.feature[level]), fixed

    def _cut(self, image: Tensor, margin: int) -> Tensor:
        """Take pixels off every side as convolutions do, in their layout."""
        assert isinstance(self.centre, Tensor)
        return F.conv2d(image, self.centre, dilation=margin, groups=len(self.centre))

    def _keep_coarse(self, detail: Tensor, coarse: Tensor, margins: Margins) -> Tensor:
        """Add detail to the smoothly interpolated coarse image, whose 2x2 means the result keeps.

        Args:
            detail: N x 12 x H x W: the four pixels of each colour.
            coarse: N x 3 x H' x W' with `margins.image` of the coarser level around.
            margins: Context.
        """
        level = self.inner.level
        held, around = margins.image[level - 1], margins.detail[level] // 2
        sides = _inner(coarse, held - around)
        rest = crop(coarse, held - around) - _blocks(detail, sides).mean(dim=2)
        assert isinstance(self.kernel, Tensor)
        smooth = F.conv2d(rest, self.kernel.to(rest.dtype))
        sides = _inner(coarse, held - around + REACH)
        proposal = _blocks((smooth + crop(detail, REACH)).clamp(-1, 1), sides)
        level_mean = crop(coarse, held - around + REACH)[:, :, None]
        mean = proposal.mean(dim=2, keepdim=True)
        top = (proposal.amax(dim=2, keepdim=True) - mean).clamp_min(1e-12)
        bottom = (mean - proposal.amin(dim=2, keepdim=True)).clamp_min(1e-12)
        room = torch.minimum((1 - level_mean) / top, (1 + level_mean) / bottom).clamp(0, 1)
        fixed = proposal * room + (level_mean - mean * room)
        fine = F.pixel_shuffle(fixed.reshape(-1, 4 * _COLOURS, *sides), 2)
        return crop(fine, 2 * (around - REACH) - margins.image[level])


def phase_weight(weight: Tensor) -> Tensor:
    """Turn a 3 x 3 convolution after a pixel shuffle into one before it.

    Args:
        weight: O x C x 3 x 3 on the fine grid.

    Returns:
        4 O x 4 C x 3 x 3 on the coarse grid, channels in the order of the pixel shuffle.
    """
    outputs, inputs = weight.shape[:2]
    phases = torch.zeros(outputs, 2, 2, inputs, 2, 2, 3, 3, dtype=weight.dtype)
    taps = [
        (out, into, at + 1, 2 * at + into - out + 1)
        for out in range(2)
        for into in range(2)
        for at in (-1, 0, 1)
        if 0 <= 2 * at + into - out + 1 < 3
    ]
    for p, r, i, k in taps:
        for q, s, j, m in taps:
            phases[:, p, q, :, r, s, i, j] = weight.detach()[:, :, k, m]
    return phases.reshape(4 * outputs, 4 * inputs, 3, 3)


def _phases_first(channels: Tensor) -> Tensor:
    """Order channels by phase and then by feature, where the pixel shuffle has features first."""
    parts = channels.detach().reshape(-1, 4, *channels.shape[1:]).transpose(0, 1)
    return parts.flatten(0, 1).contiguous()


def _inner(image: Tensor, margin: int) -> tuple[int, int]:
    """Return height and width of an image without `margin` pixels on every side."""
    return image.shape[2] - 2 * margin, image.shape[3] - 2 * margin


def _lay_out(fine: Tensor, sides: tuple[int, int], margin: int) -> Tensor:
    """Turn phases into pixels, whole features at a time, and take `margin` off every side.

    Args:
        fine: N x 4C x H x W, phase by phase.
        sides: H and W.
        margin: Pixels of the fine grid.

    Returns:
        N x C x (2H - 2 margin) x (2W - 2 margin).
    """
    pixels = fine.permute(0, 2, 3, 1)  # [N H W 4C]
    (height, width), channels = sides, fine.shape[1]
    rows = pixels.reshape(-1, height, width, 2, channels // 2).permute(0, 1, 3, 2, 4)
    image = rows.reshape(-1, 2 * height, 2 * width, channels // 4)
    if margin:
        image = image[:, margin:-margin, margin:-margin]
    return image.permute(0, 3, 1, 2)


def _blocks(phases: Tensor, sides: tuple[int, int]) -> Tensor:
    """Return N x 3 x 4 x H x W of N x 12 x H x W."""
    return phases.reshape(-1, _COLOURS, 4, *sides)
