"""One doubling of the scene network: latent bank, decoder, and an image that keeps the coarser."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from specgan.consistency import REACH, crop, keep_coarse, smooth_upsample
from specgan.scene.config import SceneConfig
from specgan.scene.context import Margins
from specgan.scene.layers import Border, Conv, SpatialStyledConv, double, leaky_
from specgan.scene.style import enlarge


@dataclass(frozen=True)
class Frame:
    """Where on the ground a call computes, and with which context and seed."""

    shape_yx: tuple[int, int]
    """LR rows and columns that are wanted."""
    origins_yx: tuple[tuple[int, int], ...]
    """Absolute LR row and column of the first wanted pixel: one pair, or one a sample."""
    seed: int | Tensor
    """Of the noise: one, or N."""
    margins: Margins
    """Context of every part of the network."""

    def margin(self, image: Tensor, level: int) -> int:
        """Return the pixels around the wanted part that an image of a level carries."""
        return (image.shape[-1] - (self.shape_yx[1] << level)) // 2

    def trim(self, image: Tensor, level: int, margin: int) -> Tensor:
        """Crop an image of a level to `margin` pixels around the wanted part."""
        return crop(image, self.margin(image, level) - margin)


@dataclass(frozen=True)
class State:
    """What one level hands to the next, on its own grid with its own margins."""

    bank: Tensor
    """Feature of the latent bank."""
    decoder: Tensor
    """Feature of the decoder."""
    image: Tensor
    """RGB in [-1, 1], in single precision at least."""


class Octave(nn.Module):
    """One doubling: the latent bank's layers, the decoder's, and the RGB residual.

    Args:
        config: The network's numbers.
        level: 1 for x2, 2 for x4, and so on.
    """

    def __init__(self, *, config: SceneConfig, level: int) -> None:
        super().__init__()
        coarse, fine = config.channels[level - 1 : level + 1]
        self.level = level
        self.smooth = config.consistency == "smooth"
        self.bank = nn.ModuleList(
            SpatialStyledConv(
                inputs=coarse if i == 0 else fine,
                outputs=fine,
                code=config.code,
                layer=2 * level + i,
                up=i == 0,
            )
            for i in range(config.bank_convs[level - 1])
        )
        self.narrow = Conv(inputs=coarse, outputs=fine, size=1)
        self.decode = nn.ModuleList(
            (
                Conv(inputs=2 * fine + 3, outputs=fine, size=3),
                Conv(inputs=fine, outputs=fine, size=3),
            )
        )
        self.to_rgb = Conv(inputs=fine, outputs=3, size=1, gain=0.1)

    def forward(self, state: State, codes: Tensor, frame: Frame) -> State:
        """Compute the level from the coarser one.

        Args:
            state: Of the coarser level.
            codes: N x code x h x w style codes on the LR grid.
            frame: Where the call computes.
        """
        level, margins = self.level, frame.margins
        bank = frame.trim(state.bank, level - 1, margins.bank_input[level])
        for layer in self.bank:
            assert isinstance(layer, SpatialStyledConv)
            bank = styled(layer, bank, codes, frame, level)
        coarse = state.image
        base = frame.trim(coarse, level - 1, margins.image_before[level])
        # Means are kept in single precision, whatever the layers compute in.
        with torch.autocast(coarse.device.type, enabled=False):
            base = smooth_upsample(margins.border.pad(base, REACH))
        feature = self._decode(state.decoder, bank, base.to(bank.dtype), frame)
        detail = self.to_rgb(feature).to(coarse.dtype).contiguous()
        margin = margins.proposal[level]
        with torch.autocast(coarse.device.type, enabled=False):
            image = keep_coarse(
                frame.trim(base, level, margin) + frame.trim(detail, level, margin),
                frame.trim(coarse, level - 1, margin // 2),
                smooth=self.smooth,
                repeat_edge=margins.border is Border.LOCAL,
            )
        return State(
            bank=frame.trim(bank, level, margins.feature[level]),
            decoder=feature,
            image=frame.trim(image, level, margins.image[level]),
        )

    def _decode(self, coarser: Tensor, bank: Tensor, base: Tensor, frame: Frame) -> Tensor:
        """Return the decoder's feature of this level."""
        level, border = self.level, frame.margins.border
        feature = frame.trim(coarser, level - 1, frame.margins.decoder_before[level])
        feature = double(leaky_(self.narrow(feature)), border)
        wanted = frame.margins.decoder_input[level]
        parts = [frame.trim(part, level, wanted) for part in (feature, bank, base)]
        join, refine = self.decode
        assert isinstance(join, Conv)
        result: Tensor = leaky_(refine(leaky_(join.join(parts, border)), border))
        return result


def styled(
    layer: SpatialStyledConv, image: Tensor, codes: Tensor, frame: Frame, level: int
) -> Tensor:
    """Run a styled layer that ends on a level's grid, its style maps enlarged to both grids.

    Args:
        layer: The layer; an up-convolution starts on the coarser grid.
        image: Its input.
        codes: Style codes on the LR grid.
        frame: Where the call computes.
        level: The level of the result.
    """
    style, demodulation = layer.styles(codes)
    before = level - 1 if layer.up else level
    border, held = frame.margins.border, frame.margins.codes
    margin = frame.margin(image, before)
    result = (2 * margin - border.shrink(2) if layer.up else margin) - border.shrink(1)
    found: Tensor = layer(
        image,
        enlarge(style, before, held, margin),
        enlarge(demodulation, level, held, result),
        origins_yx=[
            ((row << level) - result, (col << level) - result) for row, col in frame.origins_yx
        ],
        seed=frame.seed,
        border=border,
    )
    return found


def channels_last(image: Tensor) -> Tensor:
    """Lay an image out pixel by pixel, which is what a CPU's convolutions like best."""
    return image.contiguous(memory_format=torch.channels_last)
