"""The guide's branch: whatever bands a sensor has become features, pixel by pixel."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specgan.scene.layers import Border, Conv

HIDDEN = 64


class SpectralEncoder(nn.Module):
    """Canonical bands, each with its own availability, to spectral features.

    Works on single pixels, so one set of weights serves every grid; the features are zero where no
    band is known, so a scene without a guide and unknown ground cost nothing and change nothing.
    """

    def __init__(self, *, bands: int, features: int) -> None:
        super().__init__()
        self.mix = Conv(inputs=2 * bands, outputs=HIDDEN, size=1)
        self.features = Conv(inputs=HIDDEN, outputs=features, size=1)

    def forward(self, hsi: Tensor, known: Tensor) -> Tensor:
        """Encode one grid.

        Args:
            hsi: N x bands x H x W, standardised, 0 where unknown.
            known: N x bands x H x W, 1 where the band is known.

        Returns:
            N x features x H x W.
        """
        hidden = F.relu_(self.mix(torch.cat((hsi, known), 1)))
        encoded: Tensor = self.features(hidden)
        return encoded * known.amax(1, keepdim=True)


class Fusion(nn.Module):
    """Joins the guide to the features on the LR grid: added, then as scale and shift.

    Without biases: where nothing is known of the guide, the features stay as they are.

    The scale and shift of a normalisation-free FiLM layer (Perez et al. 2018): the guide can change
    what an RGB feature means, not only add to it.
    """

    def __init__(self, *, guide: int, channels: int) -> None:
        super().__init__()
        self.enter = Conv(inputs=guide, outputs=channels, size=3, gain=0.5, bias=False)
        self.look = Conv(inputs=guide, outputs=guide, size=3, bias=False)
        self.modulate = Conv(inputs=guide, outputs=2 * channels, size=1, gain=0.1, bias=False)

    def forward(self, features: Tensor, spectral: Tensor, border: Border) -> Tensor:
        """Join the guide.

        Args:
            features: N x channels x H x W.
            spectral: N x guide x H x W; with a pixel more on every side when EXACT.
            border: What happens at the border.

        Returns:
            N x channels x H x W.
        """
        features = features + self.enter(spectral, border)
        scale, shift = self.modulate(F.relu_(self.look(spectral, border))).chunk(2, 1)
        fused: Tensor = features * (1 + scale) + shift
        return fused
