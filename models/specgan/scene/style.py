"""Styles as a map: the published Flatten and Linear on a 4x4 feature, slid over the scene.

Flattening a 4x4 feature and multiplying it by a matrix is a 4x4 valid convolution.  Slid over a
stride-2 grid that is anchored at absolute even LR coordinates, it gives style codes at odd ones;
between these they are interpolated.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specgan.consistency import crop
from specgan.scene.layers import Conv, leaky_

# LR pixels on every side of a code that it depends on, interpolation included.
STYLE_REACH = 5


class StyleMap(nn.Module):
    """Style codes on the LR grid, one set a level, from the encoder's feature."""

    def __init__(self, *, inputs: int, code: int, count: int) -> None:
        super().__init__()
        self.count = count
        self.stride = Conv(inputs=inputs, outputs=inputs, size=3)
        self.slide = nn.Conv2d(inputs, count * code, 4)

    def forward(
        self, feature: Tensor, margin: int, origin_yx: tuple[int, int], wanted: int
    ) -> list[Tensor]:
        """Compute the codes.

        Args:
            feature: N x inputs x H x W on the LR grid.
            margin: LR pixels of `feature` around the wanted part, at least `wanted` and
                `STYLE_REACH` together.
            origin_yx: Absolute LR row and column of the wanted part's first pixel.
            wanted: LR pixels around the wanted part that the codes shall cover.

        Returns:
            `count` maps, N x code x h x w, on the LR grid with `wanted` pixels of margin.
        """
        shape = [side - 2 * (margin - wanted) for side in feature.shape[2:]]
        spans = [
            _Span(start - wanted, size, start - margin)
            for start, size in zip(origin_yx, shape, strict=True)
        ]
        rows, cols = spans
        part = feature[..., rows.first : rows.last, cols.first : cols.last]
        strided = leaky_(F.conv2d(part, self.stride.weight, self.stride.bias, stride=2))
        nodes = self.slide(strided)
        for axis, span in ((-2, rows), (-1, cols)):
            nodes = _between(nodes, axis).narrow(axis, span.offset, span.size)
        return list(nodes.chunk(self.count, dim=1))


class _Span:
    """Which pixels of one axis make the codes of which others."""

    def __init__(self, start: int, size: int, feature_start: int) -> None:
        node_first = (start - 1) // 2
        node_last = (start + size - 2) // 2 + 1
        self.first = 2 * (node_first - 1) - 1 - feature_start
        self.last = 2 * (node_last + 2) + 2 - feature_start
        self.offset = start - (2 * node_first + 1)
        self.size = size


def _between(nodes: Tensor, axis: int) -> Tensor:
    """Insert the mean of neighbours between the nodes of an axis: n become 2 n - 1."""
    length = nodes.shape[axis]
    left, right = nodes.narrow(axis, 0, length - 1), nodes.narrow(axis, 1, length - 1)
    place = nodes.ndim + axis
    pairs = torch.stack((left, (left + right) / 2), dim=place + 1).flatten(place, place + 1)
    return torch.cat((pairs, nodes.narrow(axis, length - 1, 1)), dim=axis)


def enlarge(codes: Tensor, level: int, held: int, margin: int) -> Tensor:
    """Interpolate an LR map bilinearly to the grid of an octave.

    Args:
        codes: N x C x h x w on the LR grid, with `held` pixels around the wanted part.
        level: The octave; 0 is the LR grid itself.
        held: LR pixels of margin in `codes`.
        margin: Pixels of the octave's grid around the wanted part that the result shall cover.
    """
    if level == 0:
        return crop(codes, held - margin)
    needed = -(-margin // 2**level) + 1
    part = crop(codes, held - needed)
    fine = F.interpolate(part, scale_factor=2**level, mode="bilinear", align_corners=False)
    return crop(fine, (needed << level) - margin)


class GsdEmbedding(nn.Module):
    """What a level's own ground sampling distance adds to its style code."""

    def __init__(self, *, code: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, code))

    def forward(self, metres: Tensor) -> Tensor:
        """Map N pixel sizes in metres to N x code x 1 x 1."""
        octaves = metres.log2()[:, None] / 5
        features = torch.cat((octaves, octaves.square()), 1)
        result: Tensor = self.layers(features)[:, :, None, None]
        return result
