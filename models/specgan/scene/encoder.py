"""The scene network's fusion encoder: two branches that inform each other, fully convolutional.

As published (section III-A of the paper), with attention over a neighbourhood instead of the whole
tile, scaled by 1/sqrt(d), and with mostly 1x1 convolutions, so that it reaches 12 LR pixels.  Both
modalities of a stage read the state before the stage: reading the updated one, as published, would
add the attention's reach twice.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from specgan.consistency import crop
from specgan.scene.layers import Border, Conv, leaky_

# Standard deviations at which spectra saturate: ground that training never saw (snow, metal roofs
# among forests) lies far outside, and would print patterns.
_HSI_RANGE = 4.0


class ResidualDenseBlock(nn.Module):
    """Densely connected layers, the first 3x3 and the others 1x1, around a residual; reach 1."""

    reach = 1

    def __init__(self, *, channels: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Conv(inputs=channels + i * growth, outputs=growth, size=3 if i == 0 else 1)
            for i in range(layers)
        )
        self.merge = Conv(inputs=channels + layers * growth, outputs=channels, size=1, gain=0.3)

    def forward(self, image: Tensor, border: Border) -> Tensor:
        """Map N x C x H x W to the same channels; EXACT takes one pixel off every side."""
        first = leaky_(self.layers[0](image, border))
        image = crop(image, border.shrink(1))
        features = [image, first]
        for layer in list(self.layers)[1:]:
            features.append(leaky_(layer(torch.cat(features, 1))))
        result: Tensor = image + self.merge(torch.cat(features, 1))
        return result


class DenseBranch(nn.Module):
    """Residual dense blocks in series whose outputs are merged, around a residual."""

    def __init__(self, *, channels: int, growth: int, layers: int, blocks: int) -> None:
        super().__init__()
        self.reach = blocks * ResidualDenseBlock.reach
        self.blocks = nn.ModuleList(
            ResidualDenseBlock(channels=channels, growth=growth, layers=layers)
            for _ in range(blocks)
        )
        self.merge = Conv(inputs=blocks * channels, outputs=channels, size=1, gain=0.3)

    def forward(self, image: Tensor, border: Border) -> Tensor:
        """Map N x C x H x W to the same channels; EXACT takes `reach` pixels off every side."""
        states = [image]
        for block in self.blocks:
            states.append(block(states[-1], border))
        size = states[-1].shape[-1]
        outputs = [crop(state, (state.shape[-1] - size) // 2) for state in states]
        result: Tensor = outputs[0] + self.merge(torch.cat(outputs[1:], 1))
        return result


class NeighbourhoodAttention(nn.Module):
    """Attention of every pixel over the window around it; query and key from a reference."""

    def __init__(self, *, channels: int, window: int) -> None:
        super().__init__()
        self.reach = window // 2
        self.window = window
        self.query = Conv(inputs=channels, outputs=channels // 2, size=1)
        self.key = Conv(inputs=channels, outputs=channels // 2, size=1)
        self.value = Conv(inputs=channels, outputs=channels, size=1)

    def forward(self, reference: Tensor, source: Tensor, border: Border) -> Tensor:
        """Return N x C x H x W of attended values; EXACT takes `reach` pixels off every side."""
        margin = border.shrink(self.reach)
        query = crop(self.query(reference), margin)
        scale = query.shape[1] ** -0.5
        key = border.pad(self.key(reference), self.reach)
        value = border.pad(self.value(source), self.reach)
        scores = [(query.unsqueeze(-1) * rows).sum(1) for rows in self._rows(key, query.shape[-2])]
        weights = (torch.cat(scores, -1) * scale).softmax(-1).unsqueeze(1)
        attended: Tensor = torch.zeros_like(value[..., : query.shape[-2], : query.shape[-1]])
        for i, rows in enumerate(self._rows(value, query.shape[-2])):
            share = weights[..., i * self.window : (i + 1) * self.window]
            attended = attended + (rows * share).sum(-1)
        return attended

    def _rows(self, image: Tensor, height: int) -> list[Tensor]:
        """Return `window` views N x C x H x W x window: each pixel's neighbours, row by row."""
        slid = image.unfold(3, self.window, 1)
        return [slid[:, :, i : i + height] for i in range(self.window)]


class FusionStage(nn.Module):
    """One exchange between the branches: attention plus a scale and a shift from both.

    As published: the multiplier is not squashed; here it starts at one.
    """

    def __init__(self, *, channels: int, window: int) -> None:
        super().__init__()
        widths = (2 * channels + 2, channels, channels)
        self.inform = nn.ModuleList(Conv(inputs=a, outputs=b, size=1) for a, b in pairwise(widths))
        self.reference = nn.ModuleList(
            Conv(inputs=channels, outputs=channels, size=1) for _ in range(2)
        )
        self.scale = nn.ModuleList(
            Conv(inputs=channels, outputs=channels, size=1, gain=0.1) for _ in range(2)
        )
        self.shift = nn.ModuleList(
            Conv(inputs=channels, outputs=channels, size=1, gain=0.1) for _ in range(2)
        )
        self.attend = nn.ModuleList(
            NeighbourhoodAttention(channels=channels, window=window) for _ in range(2)
        )
        self.reach = window // 2

    def forward(self, x: Tensor, y: Tensor, border: Border) -> tuple[Tensor, Tensor]:
        """Return both branches, N x C x H x W each; EXACT takes `reach` pixels off every side."""
        results = []
        for i, source in enumerate((x, y)):
            flags = torch.zeros_like(x[:, :2])
            flags[:, 1 - i] = 1
            state = torch.cat((x, y, flags), 1)
            for layer in self.inform:
                state = leaky_(layer(state))
            attended = self.attend[i](self.reference[i](state), source, border)
            margin = border.shrink(self.reach)
            state, source = crop(state, margin), crop(source, margin)
            results.append(attended + source * (1 + self.scale[i](state)) + self.shift[i](state))
        return results[0], results[1]


class FusionEncoder(nn.Module):
    """Both branches, two dense stages and two exchanges between them.

    X is the hyperspectral branch, Y the RGB branch, as published.  X's output feeds styles and
    latent bank, Y's the decoder.
    """

    def __init__(
        self,
        *,
        bands: int,
        channels: int,
        growth: int,
        layers: int,
        blocks: int,
        window: int,
    ) -> None:
        super().__init__()
        self.enter_x = Conv(inputs=bands + 1, outputs=channels, size=1)
        self.deepen_x = Conv(inputs=channels, outputs=channels, size=3)
        self.enter_y = Conv(inputs=4, outputs=channels, size=3)
        self.deepen_y = Conv(inputs=channels, outputs=channels, size=1)
        self.branches = nn.ModuleList(
            DenseBranch(channels=channels, growth=growth, layers=layers, blocks=blocks)
            for _ in range(4)
        )
        self.stages = nn.ModuleList(FusionStage(channels=channels, window=window) for _ in range(2))
        self.leave_x = Conv(inputs=2 * channels, outputs=channels, size=3)
        self.leave_y = Conv(inputs=2 * channels, outputs=channels, size=3)
        self.reach = 2 + 2 * blocks * ResidualDenseBlock.reach + 2 * (window // 2)

    def forward(
        self, rgb: Tensor, hsi: Tensor, mask: Tensor, gsd: Tensor, border: Border
    ) -> tuple[Tensor, Tensor]:
        """Fuse both modalities on the LR grid.

        Args:
            rgb: N x 3 x H x W in [-1, 1].
            hsi: N x bands x H x W, standardised.
            mask: N x 1 x H x W, 1 where `hsi` is valid; `hsi` counts only there.
            gsd: N x 1 x 1 x 1, the scaled logarithm of the LR pixel.
            border: EXACT takes `reach` pixels off every side.

        Returns:
            The style feature and the decoder feature, N x channels x H' x W' each.
        """
        hsi = _HSI_RANGE * torch.tanh(hsi / _HSI_RANGE) * mask
        x = leaky_(self.enter_x(torch.cat((hsi, mask), 1)))
        first_x = leaky_(self.deepen_x(x, border))
        y = torch.cat((rgb, gsd.expand_as(rgb[:, :1])), 1)
        first_y = self.deepen_y(leaky_(self.enter_y(y, border)))
        x, y = first_x, first_y
        for i, stage in enumerate(self.stages):
            x, y = self.branches[2 * i](x, border), self.branches[2 * i + 1](y, border)
            x, y = stage(x, y, border)
        used = (first_x.shape[-1] - x.shape[-1]) // 2
        both = torch.cat((x + crop(first_x, used), y + crop(first_y, used)), 1)
        return leaky_(self.leave_x(both, border)), leaky_(self.leave_y(both, border))
