"""The scene network: SpecGAN made fully convolutional and progressive, x2 to x32.

A scene of any shape is computed as if in one piece.  Every doubling (an octave) proposes an RGB
residual on the smoothly interpolated coarser image and is then made to keep the coarser image's
pixels as its 2x2 means, so block means equal the input and coarser results are the finer ones'
averages by construction.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor, nn

from specgan.scene.config import BASE, OCTAVES, PRESETS, SMALL, SceneConfig
from specgan.scene.context import plan_margins
from specgan.scene.encoder import FusionEncoder
from specgan.scene.inputs import check_images, fit, gsd_tensor, octave_count, origin_pairs
from specgan.scene.layers import Border, Conv, SpatialStyledConv, leaky_
from specgan.scene.octave import Frame, Octave, State, channels_last, styled
from specgan.scene.style import STYLE_REACH, GsdEmbedding, StyleMap

__all__ = ["BASE", "PRESETS", "SMALL", "SceneConfig", "SceneNetwork"]


class SceneNetwork(nn.Module):
    """SpecGAN for whole scenes: one network for x2, x4, x8, x16 and x32.

    Built from the numbers of `SceneConfig`, given as keywords.
    """

    scale = 2**OCTAVES

    def __init__(self, **config: Any) -> None:
        super().__init__()
        lists = {key: tuple(v) for key, v in config.items() if isinstance(v, list | tuple)}
        self.config = SceneConfig(**{**config, **lists})
        widths = self.config.channels
        self.encoder = FusionEncoder(
            bands=self.config.bands,
            channels=self.config.encoder_channels,
            growth=self.config.growth,
            layers=self.config.dense_layers,
            blocks=self.config.dense_blocks,
            window=self.config.window,
        )
        features, code = self.config.encoder_channels, self.config.code
        self.style_map = StyleMap(inputs=features, code=code, count=OCTAVES + 1)
        self.gsd_embedding = GsdEmbedding(code=code)
        self.constant = nn.Parameter(torch.randn(widths[0]))
        self.fuse = Conv(inputs=widths[0] + features, outputs=widths[0], size=1)
        self.enter = SpatialStyledConv(
            inputs=widths[0], outputs=widths[0], code=code, layer=0, up=False
        )
        self.enter_decoder = Conv(inputs=features, outputs=widths[0], size=1)
        self.octave = nn.ModuleList(
            Octave(config=self.config, level=level) for level in range(1, OCTAVES + 1)
        )
        self._margins = {
            (count, border): plan_margins(self.config.bank_convs[:count], border)
            for count in range(1, OCTAVES + 1)
            for border in Border
        }
        self.halo = self._margins[OCTAVES, Border.EXACT].encoder + self.encoder.reach

    @classmethod
    def preset(cls, name: str) -> "SceneNetwork":
        """Build a network of a named size, `small` or `base`, with fresh weights."""
        return cls(**asdict(PRESETS[name]))

    def forward(
        self,
        rgb: Tensor,
        hsi: Tensor | None = None,
        hsi_mask: Tensor | None = None,
        *,
        gsd: float | Sequence[float] | Tensor | None = None,
        scale: int | None = None,
        origin_yx: tuple[int, int] | Sequence[tuple[int, int]] = (0, 0),
        seed: int | Tensor = 0,
    ) -> Tensor:
        """Super-resolve images of any size.

        Args:
            rgb: N x 3 x H x W in [-1, 1], on the LR grid.
            hsi: N x bands x H x W on the same grid, standardised with the statistics of the
                checkpoint's header; None where there is no cube.
            hsi_mask: N x 1 x H x W, 1 where `hsi` is valid; all of it when None.
            gsd: The LR pixel in metres, one number or N; 3.2 when None.
            scale: 2, 4, 8, 16 or 32 (the default).
            origin_yx: Absolute row and column of the first LR pixel: anchors noise and styles, so
                that windows of a scene agree. One pair, or N pairs that are all even or odd alike.
            seed: Of the invented detail; one, or an integer tensor of N.

        Returns:
            N x 3 x scale H x scale W in [-1, 1], in single precision at least; the mean of every
            scale x scale block is the input pixel.

        Raises:
            ShapeError: If a tensor has the wrong shape, `scale` is not one of those above, or the
                origins differ in parity.
        """
        return self.octaves(
            rgb, hsi, hsi_mask, gsd=gsd, scale=scale, origin_yx=origin_yx, seed=seed
        )[-1]

    def octaves(
        self,
        rgb: Tensor,
        hsi: Tensor | None = None,
        hsi_mask: Tensor | None = None,
        *,
        gsd: float | Sequence[float] | Tensor | None = None,
        scale: int | None = None,
        origin_yx: tuple[int, int] | Sequence[tuple[int, int]] = (0, 0),
        seed: int | Tensor = 0,
        padded: bool = False,
        local: bool = False,
        coarse: Sequence[Tensor | None] | None = None,
    ) -> list[Tensor]:
        """Compute every octave from x2 to `scale`; arguments as for `forward`, and these.

        Args:
            rgb: As for `forward`; with `padded`, N x 3 x (H + 2 halo) x (W + 2 halo).
            hsi: As for `forward`, padded like `rgb`.
            hsi_mask: As for `forward`, padded like `rgb`.
            gsd: As for `forward`.
            scale: As for `forward`.
            origin_yx: As for `forward`; with `padded` of the first pixel that is not halo.
            seed: As for `forward`.
            padded: The inputs carry `halo` pixels of context on every side; the outputs do not.
                Otherwise the images' edge pixels are repeated.
            local: Repeat edge pixels inside every layer instead (training on small crops: cheaper,
                and the same away from the edges).
            coarse: True images at x2, x4, ... (None to use the network's own): octave k + 1 is
                then computed from the true octave k (teacher forcing). Not with `padded`.

        Returns:
            N x 3 x 2^k H x 2^k W in [-1, 1] for k = 1, 2, ...; each is the 2x2 mean of the next.

        Raises:
            ShapeError: As for `forward`.
        """
        count = octave_count(scale)
        hsi, hsi_mask = check_images(rgb, hsi, hsi_mask, self.config.bands)
        margins = self._margins[count, Border.LOCAL if local else Border.EXACT]
        halo = 0 if local else margins.encoder + self.encoder.reach
        held = self.halo if padded else 0
        shape_yx = (rgb.shape[2] - 2 * held, rgb.shape[3] - 2 * held)
        frame = Frame(shape_yx, origin_pairs(origin_yx, len(rgb)), seed, margins)
        rgb, hsi, hsi_mask = (fit(image, held, halo) for image in (rgb, hsi, hsi_mask))
        codes, state = self._enter(rgb, hsi, hsi_mask, gsd_tensor(gsd, rgb), frame)
        results = []
        for level, octave in enumerate(self.octave[:count], start=1):
            state = octave(state, codes[level], frame)
            results.append(frame.trim(state.image, level, 0))
            given = coarse[level - 1] if coarse is not None and level <= len(coarse) else None
            if given is not None:
                state = replace(state, image=fit(given, 0, margins.image[level]))
        return results

    def _enter(
        self, rgb: Tensor, hsi: Tensor, mask: Tensor, metres: Tensor, frame: Frame
    ) -> tuple[list[Tensor], State]:
        """Run the encoder: each level's style codes, and the state on the LR grid."""
        margins, border = frame.margins, frame.margins.border
        metres = metres.to(self.constant.dtype)
        scaled = metres.log2()[:, None, None, None] / OCTAVES
        images = (image.to(self.constant.dtype) for image in (rgb, hsi, mask))
        feature_x, feature_y = (
            channels_last(feature) for feature in self.encoder(*images, scaled, border)
        )
        reach = margins.codes + STYLE_REACH
        wide = border.pad(feature_x, reach)
        codes = [
            channels_last(code + self.gsd_embedding(metres / 2**level))
            for level, code in enumerate(
                self.style_map(wide, frame.margin(wide, 0), frame.origins_yx[0], margins.codes)
            )
        ]
        inner = frame.trim(feature_x, 0, margins.feature[0] + border.shrink(1))
        constant = self.constant[None, :, None, None].expand(
            len(inner), -1, inner.shape[2], inner.shape[3]
        )
        bank = channels_last(self.fuse.join((constant, inner), border))
        state = State(
            bank=styled(self.enter, bank, codes[0], frame, 0),
            decoder=leaky_(self.enter_decoder(frame.trim(feature_y, 0, margins.feature[0]))),
            image=frame.trim(rgb, 0, margins.image[0]).to(
                torch.promote_types(rgb.dtype, torch.float32)
            ),
        )
        return codes, state
