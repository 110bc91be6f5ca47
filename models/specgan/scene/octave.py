"""One doubling of the scene network: depth on the coarse grid, detail on the fine one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specgan.consistency import REACH, block_fix, crop, smooth_upsample
from specgan.layers import SLOPE
from specgan.scene.config import SceneConfig
from specgan.scene.context import Margins
from specgan.scene.layers import Border, Conv, Cut, ResidualBlock, UpConv


class LatentBank(nn.Module):
    """Noise by place, filtered and let through where the features ask for it.

    Args:
        channels: Of the features.
        width: Filters of the bank.
    """

    def __init__(self, *, channels: int, width: int) -> None:
        super().__init__()
        self.filter = Conv(inputs=4, outputs=width, size=3)
        self.gate = Conv(inputs=channels, outputs=width, size=1, gain=0.1)
        # Silent until training for texture wakes it: fidelity has no use for noise.
        self.join = Conv(inputs=width, outputs=channels, size=1, gain=0.0)

    def wake(self, gain: float) -> None:
        """Draw first weights of this gain for a bank that is silent."""
        if not self.join.weight.any():
            nn.init.kaiming_normal_(self.join.weight, a=SLOPE, nonlinearity="leaky_relu")
            self.join.weight.mul_(gain)
            assert self.gate.bias is not None
            nn.init.constant_(self.gate.bias, gain)

    def forward(self, features: Tensor, noise: Tensor, border: Border) -> Tensor:
        """Add texture to the features.

        Args:
            features: N x channels x H x W.
            noise: N x 4 x H x W, the fine grid's noise folded onto the coarse one; with a pixel
                more on every side when EXACT.
            border: What happens at the border.

        Returns:
            N x channels x H x W.
        """
        texture = F.leaky_relu_(self.filter(noise, border), SLOPE)
        result: Tensor = features + self.join(texture * self.gate(features))
        return result


class Octave(nn.Module):
    """Residual blocks and latent bank on the coarse grid; features and RGB detail twice as fine.

    Args:
        config: The network's numbers.
        level: 1 for x2, 2 for x4, and so on.
    """

    def __init__(self, *, config: SceneConfig, level: int) -> None:
        super().__init__()
        coarse, fine = config.channels[level - 1 : level + 1]
        self.level = level
        self.guide = Conv(inputs=4 * config.guide, outputs=coarse, size=1, gain=0.5, bias=False)
        self.body = nn.ModuleList(ResidualBlock(coarse) for _ in range(config.blocks[level - 1]))
        self.bank = LatentBank(channels=coarse, width=config.bank)
        self.up = UpConv(inputs=coarse, outputs=fine)
        self.to_rgb = Conv(inputs=fine, outputs=3, size=3, gain=0.0)

    def forward(
        self,
        features: Tensor,
        image: Tensor,
        margins: Margins,
        spectral: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Compute the level from the coarser one.

        Args:
            features: N x coarse x H x W with `margins.feature[level - 1]` pixels around.
            image: N x 3 x H x W, in single precision at least, with `margins.image[level - 1]`.
            margins: Context around the wanted pixels.
            spectral: N x guide x 2H x 2W on the fine grid, over the ground of `features`; None
                where the guide does not resolve it.
            noise: N x 1 x 2H x 2W on the fine grid, with `margins.noise[level]` fine pixels; None
                for no texture.

        Returns:
            N x fine x 2H x 2W with `margins.feature[level]` pixels around, and N x 3 x 2H x 2W with
            `margins.image[level]`, whose 2x2 means are `image`.
        """
        border, level = margins.border, self.level
        fine = self.up(self.deepen(features, margins, spectral, noise), border)
        held = margins.up[level]
        detail = self.to_rgb(crop(fine, held - margins.detail[level] - border.shrink(1)), border)
        return (
            crop(fine, held - margins.feature[level]),
            _keep_coarse(detail, image, margins, level),
        )

    def deepen(
        self,
        features: Tensor,
        margins: Margins,
        spectral: Tensor | None,
        noise: Tensor | None,
        cut: Cut = crop,
    ) -> Tensor:
        """Compute the features on the coarse grid that the doubling takes.

        Args:
            features: As for `forward`, and what follows.
            margins: Context.
            spectral: On the fine grid.
            noise: On the fine grid.
            cut: What takes pixels off every side of the features.
        """
        border = margins.border
        if spectral is not None:
            features = features + self.guide(F.pixel_unshuffle(spectral, 2))
        x = features
        for block in self.body:
            x = block(x, border, cut)
        x = x + cut(features, border.shrink(ResidualBlock.reach * len(self.body)))
        if noise is not None:
            x = self.bank(x, F.pixel_unshuffle(noise, 2), border)
        return x


def _keep_coarse(detail: Tensor, coarse: Tensor, margins: Margins, level: int) -> Tensor:
    """Add detail to the smoothly interpolated coarse image, whose 2x2 means the result keeps.

    Means are kept in single precision, whatever the layers compute in.
    """
    border = margins.border
    with torch.autocast(coarse.device.type, enabled=False):
        detail = detail.to(coarse.dtype).contiguous()
        held = margins.image[level - 1]
        rest = crop(coarse, held - margins.detail[level] // 2) - F.avg_pool2d(detail, 2)
        proposal = smooth_upsample(border.pad(rest, REACH))
        proposal = proposal + crop(detail, border.shrink(2 * REACH))
        kept = margins.detail[level] // 2 - border.shrink(REACH)
        fine = block_fix(proposal.clamp(-1, 1), crop(coarse, held - kept))
    return crop(fine, 2 * kept - margins.image[level])
