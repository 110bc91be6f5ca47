"""The scene network: SpecGAN made fully convolutional and progressive, x2 to x32.

A scene of any shape is computed as if in one piece.  Every doubling (an octave) proposes an RGB
residual on the smoothly interpolated coarser image and is then made to keep the coarser image's
pixels as its 2x2 means, so block means equal the input and coarser results are the finer ones'
averages by construction.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from specgan.consistency import REACH, crop, keep_coarse, mirror, smooth_upsample
from specgan.errors import ShapeError
from specgan.fusion import FusionEncoder
from specgan.margins import Margins, plan_margins
from specgan.scene_layers import Border, Conv, SpatialStyledConv, act, double
from specgan.style import STYLE_REACH, GsdEmbedding, StyleMap, enlarge

# The LR pixel in metres that is assumed when the caller does not say.
DEFAULT_GSD = 3.2
OCTAVES = 5


@dataclass(frozen=True)
class SceneConfig:
    """Numbers that define a scene network; JSON-able, kept in the checkpoint's header."""

    bands: int = 48
    """Canonical hyperspectral bands."""
    channels: tuple[int, ...] = (64, 64, 64, 48, 32, 24)
    """Channels of latent bank and decoder on the LR grid and at x2, x4, x8, x16, x32."""
    bank_convs: tuple[int, ...] = (2, 2, 2, 1, 1)
    """Styled convolutions of each octave in the latent bank."""
    encoder_channels: int = 64
    """Channels of the fusion encoder's branches."""
    growth: int = 32
    """Channels that a dense layer adds."""
    dense_layers: int = 3
    """Dense layers in a residual dense block."""
    dense_blocks: int = 2
    """Residual dense blocks in a branch."""
    window: int = 7
    """Side of the attention's neighbourhood in LR pixels, odd."""
    code: int = 64
    """Channels of each octave's style code."""
    consistency: Literal["smooth", "block"] = "smooth"
    """How an octave keeps the coarser one: smooth correction before the block fix, or without."""


SMALL = SceneConfig()
BASE = SceneConfig(
    channels=(256, 256, 192, 128, 96, 64),
    bank_convs=(2, 2, 2, 2, 2),
    encoder_channels=128,
    growth=64,
    dense_layers=4,
    code=128,
)
PRESETS = {"small": SMALL, "base": BASE}


class Octave(nn.Module):
    """One doubling: the latent bank's layers, the decoder's, and the RGB residual."""

    def __init__(self, *, config: SceneConfig, level: int) -> None:
        super().__init__()
        coarse, fine = config.channels[level - 1 : level + 1]
        convs = config.bank_convs[level - 1]
        self.bank = nn.ModuleList(
            SpatialStyledConv(
                inputs=coarse if i == 0 else fine,
                outputs=fine,
                code=config.code,
                layer=2 * level + i,
                up=i == 0,
            )
            for i in range(convs)
        )
        self.narrow = Conv(inputs=coarse, outputs=fine, size=1)
        self.decode = nn.ModuleList(
            (
                Conv(inputs=2 * fine + 3, outputs=fine, size=3),
                Conv(inputs=fine, outputs=fine, size=3),
            )
        )
        self.to_rgb = Conv(inputs=fine, outputs=3, size=1, gain=0.1)


@dataclass
class _State:
    """What one octave hands to the next: features, image and their place."""

    bank: Tensor
    decoder: Tensor
    image: Tensor


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
        origin_yx: tuple[int, int] = (0, 0),
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
                that windows of a scene agree.
            seed: Of the invented detail; one, or an integer tensor of N.

        Returns:
            N x 3 x scale H x scale W in [-1, 1]; the mean of every scale x scale block is the
            input pixel.

        Raises:
            ShapeError: If a tensor has the wrong shape, or `scale` is not one of those above.
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
        origin_yx: tuple[int, int] = (0, 0),
        seed: int | Tensor = 0,
        padded: bool = False,
        local: bool = False,
        fidelity: float = 0.0,
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
                Otherwise the images are mirrored at their edges.
            local: Repeat edge pixels inside every layer instead (training on small crops: cheaper,
                and the same away from the edges).
            fidelity: 0 gives the network's full detail, 1 none but the smooth interpolation.
            coarse: True images at x2, x4, ... (None to use the network's own): octave k + 1 is
                then computed from the true octave k (teacher forcing). Not with `padded`.

        Returns:
            N x 3 x 2^k H x 2^k W in [-1, 1] for k = 1, 2, ...; each is the 2x2 mean of the next.

        Raises:
            ShapeError: As for `forward`.
        """
        count = _octave_count(scale)
        hsi, hsi_mask = self._check(rgb, hsi, hsi_mask)
        border = Border.LOCAL if local else Border.EXACT
        margins = self._margins[count, border]
        halo = margins.encoder + self.encoder.reach if border is Border.EXACT else 0
        held = self.halo if padded else 0
        rgb, hsi, hsi_mask = (_fit(image, held, halo) for image in (rgb, hsi, hsi_mask))
        metres = _gsd_tensor(gsd, rgb)
        codes, state = self._enter(rgb, hsi, hsi_mask, metres, origin_yx, seed, margins)
        results = []
        for level in range(1, count + 1):
            bank = self._bank(level, state.bank, codes[level], origin_yx, seed, margins)
            state = self._decode(level, bank, state, fidelity, margins)
            results.append(crop(state.image, margins.image[level]))
            given = coarse[level - 1] if coarse is not None and level <= len(coarse) else None
            if given is not None:
                state.image = _fit(given, 0, margins.image[level])
        return results

    def _enter(
        self,
        rgb: Tensor,
        hsi: Tensor,
        mask: Tensor,
        metres: Tensor,
        origin_yx: tuple[int, int],
        seed: int | Tensor,
        margins: Margins,
    ) -> tuple[list[Tensor], _State]:
        """Run the encoder: each level's style codes, and the state on the LR grid."""
        border = margins.border
        scaled = metres.log2()[:, None, None, None] / OCTAVES
        feature_x, feature_y = self.encoder(rgb, hsi, mask, scaled, border)
        reach = margins.codes + STYLE_REACH
        wide = border.pad(feature_x, reach)
        codes = self.style_map(wide, max(margins.encoder, reach), origin_yx, margins.codes)
        codes = [
            code + self.gsd_embedding(metres / 2**level) for level, code in enumerate(codes)
        ]
        inner = crop(feature_x, margins.encoder - margins.feature[0] - border.shrink(1))
        constant = self.constant[None, :, None, None].expand(
            len(inner), -1, inner.shape[2], inner.shape[3]
        )
        bank = self.fuse(torch.cat((constant, inner), 1))
        bank = self._styled(self.enter, bank, codes[0], (0, 0), margins, origin_yx, seed)
        decoder = act(self.enter_decoder(crop(feature_y, margins.encoder - margins.feature[0])))
        image = crop(rgb, margins.encoder + border.shrink(self.encoder.reach) - margins.image[0])
        return codes, _State(bank=bank, decoder=decoder, image=image)

    def _styled(
        self,
        layer: SpatialStyledConv,
        image: Tensor,
        codes: Tensor,
        levels: tuple[int, int],
        margins: Margins,
        origin_yx: tuple[int, int],
        seed: int | Tensor,
    ) -> Tensor:
        """Run a styled layer from level `levels[0]` to `levels[1]` with maps enlarged to both."""
        style, demodulation = layer.styles(codes)
        before, after = levels
        inner = (codes.shape[2] - 2 * margins.codes, codes.shape[3] - 2 * margins.codes)
        margin = (image.shape[-1] - (inner[1] << before)) // 2
        result = margin << (after - before)
        result -= margins.border.shrink(2 if layer.up else 0) + margins.border.shrink(1)
        return layer(
            image,
            enlarge(style, before, margins.codes, margin),
            enlarge(demodulation, after, margins.codes, result),
            origin_yx=tuple((start << after) - result for start in origin_yx),
            seed=seed,
            border=margins.border,
        )

    def _bank(
        self,
        level: int,
        bank: Tensor,
        codes: Tensor,
        origin_yx: tuple[int, int],
        seed: int | Tensor,
        margins: Margins,
    ) -> Tensor:
        """Run the latent bank's layers of one octave."""
        bank = crop(bank, margins.feature[level - 1] - margins.bank_input[level])
        for i, layer in enumerate(self.octave[level - 1].bank):
            before = level - 1 if i == 0 else level
            bank = self._styled(layer, bank, codes, (before, level), margins, origin_yx, seed)
        return bank

    def _decode(
        self, level: int, bank: Tensor, state: _State, fidelity: float, margins: Margins
    ) -> _State:
        """Decode one octave: the next decoder feature and image."""
        octave, border = self.octave[level - 1], margins.border
        wanted = margins.decoder_input[level]
        bank_size = bank.shape[-1]
        feature = crop(state.decoder, margins.feature[level - 1] - margins.decoder_before[level])
        feature = double(act(octave.narrow(feature)), border)
        base = crop(state.image, margins.image[level - 1] - margins.image_before[level])
        base = smooth_upsample(border.pad(base, REACH))
        inner = bank_size - 2 * margins.bank_output[level]
        parts = [
            crop(part, (part.shape[-1] - inner) // 2 - wanted) for part in (feature, bank, base)
        ]
        base = parts[2]
        feature = torch.cat(parts, 1)
        for layer in octave.decode:
            feature = act(layer(feature, border))
        detail = octave.to_rgb(feature) * (1 - fidelity)
        margin = margins.proposal[level]
        proposal = crop(base, wanted - margin) + crop(detail, margins.feature[level] - margin)
        image = keep_coarse(
            proposal,
            crop(state.image, margins.image[level - 1] - margin // 2),
            smooth=self.config.consistency == "smooth",
            repeat_edge=border is Border.LOCAL,
        )
        surplus = (image.shape[-1] - inner) // 2 - margins.image[level]
        keep = margins.feature[level]
        bank = crop(bank, (bank.shape[-1] - inner) // 2 - keep)
        return _State(bank=bank, decoder=feature, image=crop(image, surplus))

    def _check(
        self, rgb: Tensor, hsi: Tensor | None, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Check the inputs' shapes and values, and fill in what is not given."""
        if rgb.ndim != 4 or rgb.shape[1] != 3 or not rgb.is_floating_point():
            raise ShapeError(
                f"rgb is {rgb.dtype} {tuple(rgb.shape)}, expected floating point N x 3 x H x W"
            )
        bands = self.config.bands
        if hsi is None:
            zeros = rgb.new_zeros(len(rgb), bands, *rgb.shape[2:])
            return zeros, zeros[:, :1]
        if hsi.ndim != 4 or hsi.shape != (len(rgb), bands, *rgb.shape[2:]):
            raise ShapeError(
                f"hsi is {tuple(hsi.shape)}, expected "
                f"{(len(rgb), bands, *rgb.shape[2:])} to go with rgb {tuple(rgb.shape)}"
            )
        if mask is None:
            mask = torch.ones_like(hsi[:, :1])
        if mask.shape != (len(rgb), 1, *rgb.shape[2:]):
            raise ShapeError(
                f"hsi_mask is {tuple(mask.shape)}, expected {(len(rgb), 1, *rgb.shape[2:])}"
            )
        mask = mask.to(hsi.dtype)
        return torch.where(mask > 0, hsi, 0.0), mask


def _octave_count(scale: int | None) -> int:
    scales = [2**k for k in range(1, OCTAVES + 1)]
    if scale is not None and scale not in scales:
        raise ShapeError(f"scale is {scale}, expected one of {', '.join(map(str, scales))}")
    return OCTAVES if scale is None else scale.bit_length() - 1


def _gsd_tensor(gsd: float | Sequence[float] | Tensor | None, rgb: Tensor) -> Tensor:
    metres = torch.as_tensor(
        DEFAULT_GSD if gsd is None else gsd, dtype=torch.float32, device=rgb.device
    )
    metres = metres.reshape(-1).expand(len(rgb)) if metres.numel() == 1 else metres.reshape(-1)
    if metres.shape != (len(rgb),) or not bool((metres > 0).all()):
        raise ShapeError(f"gsd is {gsd!r}, expected one or {len(rgb)} positive numbers of metres")
    return metres.to(rgb.dtype)


def _fit(image: Tensor, held: int, wanted: int) -> Tensor:
    """Bring an image that carries `held` pixels of context to `wanted`, mirroring its edges."""
    if held >= wanted:
        return crop(image, held - wanted)
    rows = mirror(image.shape[2], wanted, image.device)
    cols = mirror(image.shape[3], wanted, image.device)
    return image.index_select(2, rows).index_select(3, cols)
