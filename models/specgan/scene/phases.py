"""The last doubling as channels of the coarse grid: the same numbers in fewer passes over memory.

The features of the finest grid serve its RGB detail alone.  In a graph they need not be laid out:
the convolution to RGB is one on the coarse grid whose channels are the four pixels (phases) of each
2 x 2 block, so means of blocks are means of channels, and only RGB is laid out in the end.  Eager
torch gains nothing by it; ONNX Runtime takes a sixth less time at x32.
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


def with_phases(network: SceneNetwork, octaves: int) -> SceneNetwork:
    """Return a network that shares the weights and ends with a `PhaseOctave` after so many."""
    other = copy.copy(network)
    other._modules = dict(network._modules)
    parts = list(network.octave[:octaves])
    last = parts.pop()
    assert isinstance(last, Octave)
    other.octave = nn.ModuleList([*parts, PhaseOctave(last)])
    return other


class PhaseOctave(nn.Module):
    """An octave after which none follows, with the EXACT border.

    Args:
        octave: The weights.
    """

    def __init__(self, octave: Octave) -> None:
        super().__init__()
        self.inner = octave
        self.weight = nn.Parameter(phase_weight(octave.to_rgb.weight))
        assert octave.to_rgb.bias is not None
        self.bias = nn.Parameter(octave.to_rgb.bias.repeat_interleave(4))

    def forward(
        self,
        features: Tensor,
        image: Tensor,
        margins: Margins,
        spectral: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Compute what `Octave` computes, but for the fine features: the coarse ones are given."""
        level = self.inner.level
        x = self.inner.deepen(features, margins, spectral, noise)
        fine = F.leaky_relu(self.inner.up.conv(x, margins.border), SLOPE)  # [N 4C H W]
        held = (margins.up[level] - margins.detail[level]) // 2
        detail = F.conv2d(crop(fine, held - 1), self.weight, self.bias)  # [N 12 H W]
        return x, _keep_coarse(detail.to(image.dtype), image, margins, level)


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


def _keep_coarse(detail: Tensor, coarse: Tensor, margins: Margins, level: int) -> Tensor:
    """Add detail to the smoothly interpolated coarse image, whose 2x2 means the result keeps.

    Args:
        detail: N x 12 x H x W: the four pixels of each colour.
        coarse: N x 3 x H' x W' with `margins.image[level - 1]` pixels around.
        margins: Context.
        level: Of this octave.
    """
    n, _, height, width = detail.shape
    held, around = margins.image[level - 1], margins.detail[level] // 2
    blocks = detail.reshape(n, 3, 4, height, width)
    rest = crop(coarse, held - around) - blocks.mean(dim=2)
    kernel = doubling_kernel(rest.device, rest.dtype)
    smooth = F.conv2d(rest.reshape(n * 3, 1, height, width), kernel)
    smooth = smooth.reshape(n, 3, 4, height - 2 * REACH, width - 2 * REACH)
    proposal = (smooth + crop(blocks, REACH)).clamp(-1, 1)
    level_mean = crop(coarse, held - around + REACH)[:, :, None]
    deviation = proposal - proposal.mean(dim=2, keepdim=True)
    top = deviation.amax(dim=2, keepdim=True).clamp_min(1e-12)
    bottom = (-deviation).amax(dim=2, keepdim=True).clamp_min(1e-12)
    room = torch.minimum((1 - level_mean) / top, (1 + level_mean) / bottom)
    fixed = (level_mean + deviation * room.clamp(0, 1)).flatten(1, 2)
    return crop(F.pixel_shuffle(fixed, 2), 2 * (around - REACH) - margins.image[level])
