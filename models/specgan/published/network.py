"""The network of the paper, x32 and x16, exactly as its authors published it."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from specgan.errors import ShapeError
from specgan.header import Header
from specgan.layers import SLOPE, bilinear_up, check_tensors
from specgan.published.bank import OUT_SIZE, PublishedBank, bank_channels
from specgan.published.fusion import PublishedFusion, conv3
from specgan.sizes import check_size

INPUT_HALF_RANGE = 0.25
"""The published code scales its 51 input bands to [-0.25, 0.25], its RGB output to [-1, 1]."""

BANDS = 48
"""Channels of the published HSI input."""


class BilinearConv(nn.Module):
    """Doubling by bilinear interpolation, then a 3 x 3 convolution.

    Args:
        channels: Channels in and out.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.conv = conv3(channels, channels)
        nn.init.normal_(self.conv.weight, std=math.sqrt(2 / (9 * channels)))
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]  # Conv2d makes it unless told not to

    def forward(self, x: Tensor) -> Tensor:
        """Map N x C x H x W to N x C x 2H x 2W."""
        doubled: Tensor = self.conv(bilinear_up(x))
        return doubled


def encoder_block(features: int) -> nn.Sequential:
    """Return the halving block of the style encoder."""
    return nn.Sequential(
        nn.Conv2d(features, features, 3, stride=2, padding=1),
        nn.LeakyReLU(SLOPE),
        conv3(features, features),
        nn.LeakyReLU(SLOPE),
    )


def latent_block(features: int, latents: int) -> nn.Sequential:
    """Return the block that turns the 4 x 4 features into the latent codes."""
    return nn.Sequential(
        conv3(features, features),
        nn.LeakyReLU(SLOPE),
        nn.Flatten(),
        nn.Linear(16 * features, latents * features),
    )


def decoder_block(in_channels: int, out_channels: int) -> nn.Sequential:
    """Return a doubling block of the decoder."""
    return nn.Sequential(
        conv3(in_channels, out_channels),
        nn.LeakyReLU(SLOPE),
        BilinearConv(channels=out_channels),
        nn.LeakyReLU(SLOPE),
        conv3(out_channels, out_channels),
        nn.LeakyReLU(SLOPE),
    )


def image_block(in_channels: int, channels: int) -> nn.Sequential:
    """Return the decoder's last block, which ends in a leaky ReLU on three channels."""
    return nn.Sequential(
        conv3(in_channels, channels), nn.LeakyReLU(SLOPE), conv3(channels, 3), nn.LeakyReLU(SLOPE)
    )


class PublishedNetwork(nn.Module):
    """SpecGAN of Meng et al. (TGRS 2022) for tiles of one size, deterministic in every mode.

    The defaults are the published sizes; smaller ones make small networks of the same structure.

    Args:
        scale: 32 (tiles of 8 x 8) or 16 (tiles of 16 x 16); the output is 256 x 256.
        features: Channels of encoder and bank, and length of a latent code.
        fusion_channels: Channels of the fusion branches.
        growth: Channels that each dense layer adds.
        layers: Layers in a dense block.
        blocks: Dense blocks in a branch.

    Raises:
        ValueError: Another scale than 16 and 32, or sizes that make no network.
    """

    header: Header
    """The header of the file that the network was loaded from; set by `specgan.load`."""

    def __init__(
        self,
        *,
        scale: int = 32,
        features: int = 512,
        fusion_channels: int = 128,
        growth: int = 64,
        layers: int = 8,
        blocks: int = 8,
    ) -> None:
        super().__init__()
        check_size("scale", scale)
        check_size("features", features, least=8)
        sizes = {"fusion_channels": fusion_channels, "growth": growth, "layers": layers}
        for name, size in {**sizes, "blocks": blocks}.items():
            check_size(name, size)
        if scale not in (16, 32):
            raise ValueError(f"the published network exists for scales 16 and 32, not {scale!r}")
        self.scale = scale
        self.features = features
        self.in_size = OUT_SIZE // scale
        self.latents = 2 * int(math.log2(OUT_SIZE)) - 2
        self.fusion = PublishedFusion(
            bands=BANDS,
            channels=fusion_channels,
            out_channels=features,
            growth=growth,
            layers=layers,
            blocks=blocks,
        )
        halvings = int(math.log2(self.in_size)) - 2
        self.encoder = nn.ModuleList(encoder_block(features) for _ in range(halvings))
        self.encoder.append(latent_block(features, self.latents))
        self.bank = PublishedBank(features=features, in_size=self.in_size)
        self.decoder = self._make_decoder(features)
        self.image = nn.Sequential(conv3(6, 3), nn.LeakyReLU(SLOPE), conv3(3, 3), nn.Tanh())

    def _make_decoder(self, features: int) -> nn.ModuleList:
        sizes = [self.in_size * 2**i for i in range(int(math.log2(self.scale)) + 1)]
        widths = [bank_channels(size, features) for size in sizes]
        taken = [features, *(2 * width for width in widths[1:])]
        blocks = nn.ModuleList(
            decoder_block(n, after) for n, (_, after) in zip(taken, pairwise(widths), strict=False)
        )
        return blocks.append(image_block(taken[-1], features // 8))

    def forward(
        self,
        rgb: Tensor,
        hsi: Tensor | None = None,
        hsi_mask: Tensor | None = None,
        *,
        gsd: float | Sequence[float] | Tensor | None = None,
        scale: int | None = None,
        origin_yx: tuple[int, int] = (0, 0),
        seed: int = 0,
    ) -> Tensor:
        """Super-resolve tiles of the published size.

        The published code reads RGB and HSI as 8-bit images and gives the network
        (value / 255 - 0.5) / 2 for each of its 51 bands, a range of [-0.25, 0.25]. Here RGB comes
        as for every network of this package, value / 127.5 - 1, and is quartered inside; HSI
        comes in the published scaling itself. That is (reflectance - 0.5) / 2 where the 8-bit
        cube holds 255 times the reflectance: the `hsi_mean` 0.5 and `hsi_std` 2 of the header of
        every imported checkpoint, so that standardising by the header is right.

        Args:
            rgb: N x 3 x S x S in [-1, 1]; S is 8 for scale 32 and 16 for scale 16.
            hsi: N x 48 x S x S in [-0.25, 0.25]; needed, the published network has no RGB-only
                mode.
            hsi_mask: N x 1 x S x S, 1 where `hsi` is valid; elsewhere it is set to 0, the middle
                of the range, since the published network knows no missing values. All valid when
                None.
            gsd: Taken for the sake of the common call, and not used.
            scale: None or the network's own.
            origin_yx: Not used: the noise is stored in the weights.
            seed: Not used: the noise is stored in the weights.

        Returns:
            N x 3 x 256 x 256 in [-1, 1].

        Raises:
            ShapeError: A wrong shape, size, scale or type, a missing cube, or a value that is not
                finite.
        """
        check_tensors(rgb=rgb, hsi=hsi, hsi_mask=hsi_mask)
        if scale not in (None, self.scale):
            raise ShapeError(
                f"these published weights upscale {self.scale} times, not {scale}; "
                f"leave scale out, or use a scene network"
            )
        if hsi is None:
            raise ShapeError(
                f"the published network needs hsi of shape N x {BANDS} x {self.in_size} x "
                f"{self.in_size}, found none; a scene network runs on RGB alone"
            )
        count = max(1, rgb.shape[0] if rgb.dim() else 1)
        self._check("rgb", rgb, count, 3)
        self._check("hsi", hsi, count, BANDS)
        if hsi_mask is not None:
            self._check("hsi_mask", hsi_mask, count, 1, kind="mask")
            hsi = torch.where(hsi_mask > 0, hsi, torch.zeros_like(hsi))
        for name, value in (("rgb", rgb), ("hsi", hsi)):
            if not torch.isfinite(value).all():
                raise ShapeError(f"{name} holds values that are not finite; mask or fill them")
        return self.synthesise(torch.cat([hsi, rgb * INPUT_HALF_RANGE], dim=1))

    def synthesise(self, tile: Tensor) -> Tensor:
        """Run the network on its own input, unchecked: what the published code calls `lq`.

        Args:
            tile: N x 51 x S x S, 48 HSI bands and then RGB, in [-0.25, 0.25].

        Returns:
            N x 3 x 256 x 256 in [-1, 1].
        """
        x, y = self.fusion(tile[:, :BANDS], tile[:, BANDS:])
        encoded = [x]
        for block in self.encoder[:-1]:
            encoded.append(block(encoded[-1]))
        latent = self.encoder[-1](encoded[-1]).view(-1, self.latents, self.features)
        skip, features = self.bank(latent, encoded[::-1])
        for block, feature in zip(self.decoder, [None, *features], strict=True):
            y = block(y if feature is None else torch.cat([y, feature], dim=1))
        image: Tensor = self.image(torch.cat([y, skip], dim=1))
        return image

    def _check(
        self, name: str, value: Tensor, count: int, channels: int, kind: str = "float"
    ) -> None:
        expected = (count, channels, self.in_size, self.in_size)
        if tuple(value.shape) != expected:
            raise ShapeError(
                f"{name} has shape {tuple(value.shape)}, expected {expected}: published x"
                f"{self.scale} takes tiles of exactly {self.in_size} x {self.in_size} pixels"
            )
        parameter = self.image[0].weight
        if kind == "float" and value.dtype != parameter.dtype:
            raise ShapeError(
                f"{name} has type {value.dtype}, expected the network's {parameter.dtype}"
            )
