"""The scene network: SpecGAN made fully convolutional and progressive, x2 to x32.

A scene of any shape is computed as if in one piece.  Two branches, RGB and whatever spectral bands
there are, are fused on the LR grid.  Every doubling (an octave) then has its depth in residual
blocks on its coarse grid, lets the latent bank add texture by place, and adds RGB detail to the
smoothly interpolated coarser image, whose pixels are kept as 2x2 means.  So block means equal the
input and coarser results are the finer ones' averages, by construction.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from specgan.consistency import crop
from specgan.scene.config import BASE, OCTAVES, PRESETS, SMALL, SceneConfig
from specgan.scene.context import Margins, plan_margins
from specgan.scene.inputs import (
    Guides,
    check_guides,
    check_rgb,
    fit,
    fit_guides,
    gsd_tensor,
    octave_count,
    origin_pairs,
)
from specgan.scene.layers import Border, Conv
from specgan.scene.noise import octave_noises
from specgan.scene.octave import Octave
from specgan.scene.spectrum import Fusion, SpectralEncoder

__all__ = ["BASE", "PRESETS", "SMALL", "SceneConfig", "SceneNetwork"]


class SceneNetwork(nn.Module):
    """SpecGAN for whole scenes: one network for x2, x4, x8, x16 and x32.

    Built from the numbers of `SceneConfig`, given as keywords.

    Raises:
        ValueError: Numbers that make no network.
    """

    scale = 2**OCTAVES

    def __init__(self, **config: Any) -> None:
        super().__init__()
        lists = {key: tuple(v) for key, v in config.items() if isinstance(v, list | tuple)}
        self.config = SceneConfig(**{**config, **lists})
        first, guide = self.config.channels[0], self.config.guide
        self.spectrum = SpectralEncoder(bands=self.config.bands, features=guide)
        self.head = Conv(inputs=4, outputs=first, size=3)
        self.fusion = Fusion(guide=guide, channels=first)
        self.octave = nn.ModuleList(
            Octave(config=self.config, level=level) for level in range(1, OCTAVES + 1)
        )
        self._margins = {
            (count, border): plan_margins(self.config.blocks[:count], border)
            for count in range(1, OCTAVES + 1)
            for border in Border
        }
        self.halo = max(self._margins[count, Border.EXACT].halo for count in range(1, OCTAVES + 1))

    @classmethod
    def preset(cls, name: str) -> "SceneNetwork":
        """Build a network of a named size, `small` or `base`, with fresh weights."""
        return cls(**asdict(PRESETS[name]))

    def margins(self, octaves: int) -> Margins:
        """Return the context that `octaves` doublings need where tiles have to agree."""
        return self._margins[octaves, Border.EXACT]

    @torch.no_grad()
    def wake_noise(self, gain: float = 0.5) -> None:
        """Give the latent banks of a network that was trained without noise first weights.

        Started at zero, a short training finds its texture in the grid of pixels instead of in the
        noise, and a lattice shows.  Banks that have a voice already keep it.
        """
        for octave in self.octave:
            assert isinstance(octave, Octave)
            octave.bank.wake(gain)

    def forward(
        self,
        rgb: Tensor,
        hsi: Tensor | Sequence[Tensor] | None = None,
        hsi_mask: Tensor | Sequence[Tensor] | None = None,
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
                checkpoint's header; or a list of it and the same bands on the grids 2, 4, ... times
                finer, as far as the cube resolves them; None where there is no cube.
            hsi_mask: For each `hsi`, N x 1 or N x bands x H x W, 1 where it is known; all of it
                when None.
            gsd: The LR pixel in metres, one number or N; 3.2 when None.
            scale: 2, 4, 8, 16 or 32 (the default).
            origin_yx: Absolute row and column of the first LR pixel: anchors the noise, so that
                windows of a scene agree. One pair, or N.
            seed: Of the invented detail; one, or an integer tensor of N.

        Returns:
            N x 3 x scale H x scale W in [-1, 1], in single precision at least; the mean of every
            scale x scale block is the input pixel.

        Raises:
            ShapeError: If a tensor has the wrong shape, or `scale` is not one of those above.
        """
        return self.octaves(
            rgb, hsi, hsi_mask, gsd=gsd, scale=scale, origin_yx=origin_yx, seed=seed
        )[-1]

    def octaves(
        self,
        rgb: Tensor,
        hsi: Tensor | Sequence[Tensor] | None = None,
        hsi_mask: Tensor | Sequence[Tensor] | None = None,
        *,
        gsd: float | Sequence[float] | Tensor | None = None,
        scale: int | None = None,
        origin_yx: tuple[int, int] | Sequence[tuple[int, int]] = (0, 0),
        seed: int | Tensor | None = 0,
        padded: bool = False,
        local: bool = False,
    ) -> list[Tensor]:
        """Compute every octave from x2 to `scale`; arguments as for `forward`, and these.

        Args:
            rgb: As for `forward`; with `padded`, N x 3 x (H + 2 halo) x (W + 2 halo).
            hsi: As for `forward`, padded like `rgb`, by `halo` LR pixels on every grid.
            hsi_mask: As for `forward`, padded like `hsi`.
            gsd: As for `forward`.
            scale: As for `forward`.
            origin_yx: As for `forward`; with `padded` of the first pixel that is not halo.
            seed: As for `forward`; None for no noise (training for fidelity).
            padded: The inputs carry `halo` pixels of context on every side; the outputs do not.
                Otherwise the images are mirrored at their edges.
            local: Repeat edge pixels inside every layer instead (training on small crops: cheaper,
                and the same away from the edges).

        Returns:
            N x 3 x 2^k H x 2^k W in [-1, 1] for k = 1, 2, ...; each is the 2x2 mean of the next.

        Raises:
            ShapeError: As for `forward`.
        """
        count = octave_count(scale)
        check_rgb(rgb)
        guides = check_guides(rgb, hsi, hsi_mask, self.config.bands)[: count + 1]
        metres = gsd_tensor(gsd, rgb)
        margins = self._margins[count, Border.LOCAL if local else Border.EXACT]
        held = self.halo if padded else 0
        shape_yx = (rgb.shape[2] - 2 * held, rgb.shape[3] - 2 * held)
        origins = origin_pairs(origin_yx, len(rgb))
        noises = None
        if seed is not None:
            noises = octave_noises(seed, origins, shape_yx, margins.noise, device=rgb.device)
        rgb = fit(rgb, held, margins.halo)
        guides = fit_guides(guides, held, margins.halo)
        return self.compute(rgb, guides, metres, noises, margins)

    def compute(
        self,
        rgb: Tensor,
        guides: Guides,
        metres: Tensor,
        noises: Sequence[Tensor] | None,
        margins: Margins,
    ) -> list[Tensor]:
        """Compute the octaves of checked inputs: floating point alone, no choice by value.

        Args:
            rgb: N x 3 x (H + 2 halo) x (W + 2 halo), with the halo of `margins`.
            guides: For each grid from the LR one on, the bands (0 where unknown) and what is known
                of them, N x bands x h x w each, with the same halo.
            metres: N LR pixel sizes.
            noises: For each octave N x 1 x h x w (or 1 x 1), with `margins.noise`; None for none.
            margins: Context of every part; says how many octaves there are.

        Returns:
            As `octaves`.
        """
        dtype, border, count = self.head.weight.dtype, margins.border, len(margins.feature) - 1
        halo, feature = margins.halo, margins.feature
        plane = (metres.log2() / OCTAVES)[:, None, None, None].expand(-1, 1, *rgb.shape[2:])
        inputs = torch.cat((rgb.to(dtype), plane.to(dtype)), 1)  # [N 4 H W]
        features = self.head(
            channels_last(crop(inputs, halo - feature[0] - border.shrink(1))), border
        )
        spectral = [self.spectrum(*(channels_last(g.to(dtype)) for g in guide)) for guide in guides]
        if spectral:
            near = crop(spectral[0], halo - feature[0] - border.shrink(1))
            features = self.fusion(features, near, border)
        image = crop(rgb, halo - margins.image[0]).to(torch.promote_types(rgb.dtype, torch.float32))
        results = []
        for level, octave in enumerate(self.octave[:count], start=1):
            finer = None
            if level < len(spectral):
                finer = crop(spectral[level], (halo << level) - 2 * feature[level - 1])
            noise = None if noises is None else channels_last(noises[level - 1].to(dtype))
            features, image = octave(features, image, margins, finer, noise)
            results.append(crop(image, margins.image[level]))
        return results


def channels_last(image: Tensor) -> Tensor:
    """Lay an image out pixel by pixel, which is what a CPU's convolutions like best."""
    return image.contiguous(memory_format=torch.channels_last)
