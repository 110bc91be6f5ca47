"""Laws of the scene network, on small networks with random weights and loud noise."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from specgan.errors import ShapeError
from specgan.layers import ModulatedConv2d
from specgan.scene.inputs import fit
from specgan.scene.layers import Border, SpatialStyledConv
from specgan.scene.network import BASE, SMALL, SceneConfig, SceneNetwork

TINY = SceneConfig(
    bands=6,
    channels=(8, 8, 8, 8, 6, 4),
    bank_convs=(2, 2, 1, 1, 1),
    encoder_channels=8,
    growth=4,
    code=8,
)


def loud(config: SceneConfig, seed: int = 0) -> SceneNetwork:
    """Build a network whose noise, styles and details all count."""
    torch.manual_seed(seed)
    network = SceneNetwork(**asdict(config)).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("noise_strength"):
                parameter.normal_(std=0.5)
            if "to_rgb" in name:
                parameter.mul_(2)
    return network


@pytest.fixture(scope="module")
def network() -> SceneNetwork:
    return loud(TINY)


def images(height: int, width: int, count: int = 1, seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Return RGB with saturated pixels, a cube, and its mask with a hole."""
    random = torch.Generator().manual_seed(seed)
    rgb = torch.rand(count, 3, height, width, generator=random) * 2 - 1
    rgb[:, :, height // 2, width // 2] = 1.0
    rgb[:, 0, 0, 0] = -1.0
    hsi = torch.randn(count, 6, height, width, generator=random)
    mask = torch.ones(count, 1, height, width)
    mask[:, :, : height // 3, : width // 2] = 0
    return rgb, hsi, mask


@torch.no_grad()
def tiled(network: SceneNetwork, rgb: Tensor, hsi: Tensor, mask: Tensor, tile: int) -> Tensor:
    """Compute a scene tile by tile, each with its halo."""
    halo = network.halo
    padded = [fit(image, 0, halo) for image in (rgb, hsi, mask)]
    height, width = rgb.shape[2:]
    strips = []
    for row in range(0, height, tile):
        parts = []
        for col in range(0, width, tile):
            h, w = min(tile, height - row), min(tile, width - col)
            window = (..., slice(row, row + h + 2 * halo), slice(col, col + w + 2 * halo))
            rgb_part, hsi_part, mask_part = (image[window] for image in padded)
            parts.append(
                network.octaves(
                    rgb_part, hsi_part, mask_part, origin_yx=(row, col), padded=True, seed=5
                )[-1]
            )
        strips.append(torch.cat(parts, 3))
    return torch.cat(strips, 2)


@pytest.fixture(scope="module")
def scene_40x56(network: SceneNetwork) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
    scene = images(40, 56)
    with torch.no_grad():
        return scene, network(*scene, seed=5)


@pytest.mark.parametrize("tile", [8, 16, 24])
def test_tiles_do_not_show(
    tile: int, network: SceneNetwork, scene_40x56: tuple[tuple[Tensor, Tensor, Tensor], Tensor]
) -> None:
    scene, whole = scene_40x56
    torch.testing.assert_close(tiled(network, *scene, tile), whole, atol=1e-4, rtol=0)


@pytest.mark.parametrize("shape", [(1, 9), (7, 13), (13, 1)])
def test_odd_shapes_tile_too(shape: tuple[int, int], network: SceneNetwork) -> None:
    scene = images(*shape)
    with torch.no_grad():
        whole = network(*scene, seed=5)
    assert whole.shape[2:] == (32 * shape[0], 32 * shape[1])
    torch.testing.assert_close(tiled(network, *scene, 5), whole, atol=1e-4, rtol=0)


def test_windows_of_a_scene_go_through_as_one_batch(
    network: SceneNetwork, scene_40x56: tuple[tuple[Tensor, Tensor, Tensor], Tensor]
) -> None:
    scene, whole = scene_40x56
    size = 4 + 2 * network.halo
    padded = [fit(image, 0, network.halo) for image in scene]
    origins = [(2, 4), (16, 36), (30, 0)]
    parts = [
        torch.cat([image[..., row : row + size, col : col + size] for row, col in origins])
        for image in padded
    ]
    with torch.no_grad():
        batch = network.octaves(*parts, origin_yx=origins, padded=True, seed=5)[-1]
    expected = [whole[..., 32 * r : 32 * r + 128, 32 * c : 32 * c + 128] for r, c in origins]
    torch.testing.assert_close(batch, torch.cat(expected), atol=1e-4, rtol=0)


@pytest.mark.parametrize("origins", [[(0, 0), (1, 0)], [(0, 0), (0, 3)], [(0, 0)] * 3])
def test_origins_that_do_not_fit_are_refused(
    origins: list[tuple[int, int]], network: SceneNetwork
) -> None:
    with pytest.raises(ShapeError, match="origin_yx"):
        network(*images(4, 4, count=2), origin_yx=origins)


def test_context_beyond_the_halo_does_not_count(network: SceneNetwork) -> None:
    halo = network.halo
    rgb, hsi, mask = images(4 + 2 * halo + 2, 4 + 2 * halo + 2)
    inner = (..., slice(1, -1), slice(1, -1))
    with torch.no_grad():
        part = network.octaves(rgb[inner], hsi[inner], mask[inner], padded=True)[-1]
        rgb[..., 0], hsi[..., 0], rgb[..., -1, :] = 0.3, 2.0, -0.7
        whole = network(rgb, hsi, mask, origin_yx=(-halo - 1, -halo - 1))
    first = 32 * (halo + 1)
    torch.testing.assert_close(
        part, whole[..., first : first + 128, first : first + 128], atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("consistency", ["smooth", "block"])
def test_means_of_blocks_are_the_input_and_the_coarser_octaves(consistency: str) -> None:
    network = loud(replace(TINY, consistency=consistency))  # type: ignore[arg-type]
    rgb, hsi, mask = images(7, 9)
    with torch.no_grad():
        octaves = network.octaves(rgb, hsi, mask)
    coarser = rgb
    for level, octave in enumerate(octaves, start=1):
        torch.testing.assert_close(F.avg_pool2d(octave, 2**level), rgb, atol=1e-5, rtol=0)
        torch.testing.assert_close(F.avg_pool2d(octave, 2), coarser, atol=1e-5, rtol=0)
        assert octave.abs().max() <= 1 + 1e-6
        coarser = octave


@pytest.mark.parametrize("autocast", [True, False])
def test_short_types_keep_means_too(autocast: bool) -> None:
    network = loud(TINY)
    if not autocast:
        network = network.to(torch.bfloat16)
    rgb, hsi, mask = images(5, 6)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        fine = network(rgb, hsi, mask)
    torch.testing.assert_close(F.avg_pool2d(fine, 32), rgb, atol=1e-5, rtol=0)


@pytest.mark.parametrize("scale", [2, 4, 8, 16])
def test_smaller_scale_is_the_coarser_octave(scale: int, network: SceneNetwork) -> None:
    scene = images(6, 5)
    with torch.no_grad():
        octaves = network.octaves(*scene)
        alone = network(*scene, scale=scale)
    torch.testing.assert_close(alone, octaves[scale.bit_length() - 2], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["rgb", "hsi", "hsi_mask"])
def test_arrays_are_refused_in_one_line(name: str, network: SceneNetwork) -> None:
    given: dict[str, object] = dict(zip(("rgb", "hsi", "hsi_mask"), images(4, 4), strict=True))
    given[name] = np.asarray(given[name])
    with pytest.raises(ShapeError, match=f"^{name} is a ndarray, expected a torch tensor"):
        network(**given)  # type: ignore[arg-type]


def test_masked_cube_is_no_cube(network: SceneNetwork) -> None:
    rgb, hsi, mask = images(6, 6)
    hsi[:, 2] = torch.nan
    with torch.no_grad():
        masked = network(rgb, hsi, torch.zeros_like(mask))
        assert torch.equal(masked, network(rgb))


def test_values_under_the_mask_do_not_count(network: SceneNetwork) -> None:
    rgb, hsi, mask = images(6, 6)
    other = torch.where(mask > 0, hsi, torch.nan)
    with torch.no_grad():
        assert torch.equal(network(rgb, hsi, mask), network(rgb, other, mask))


@pytest.mark.parametrize(
    "change", ["hsi", "seed", "gsd", "origin_yx"], ids=lambda name: f"{name} counts"
)
def test_every_input_counts(change: str, network: SceneNetwork) -> None:
    rgb, hsi, mask = images(6, 6)
    options: dict[str, object] = {"gsd": 3.2, "seed": 0, "origin_yx": (0, 0)}
    with torch.no_grad():
        first = network(rgb, hsi, mask, **options)  # type: ignore[arg-type]
        if change == "hsi":
            hsi = hsi.flip(1)
        else:
            options[change] = {"gsd": 10.0, "seed": 1, "origin_yx": (1, 0)}[change]
        second = network(rgb, hsi, mask, **options)  # type: ignore[arg-type]
    assert (first - second).abs().max() > 1e-3


def test_order_of_a_batch_does_not_matter(network: SceneNetwork) -> None:
    rgb, hsi, mask = images(6, 5, count=3)
    gsd, seed = torch.tensor([1.0, 3.2, 10.0]), torch.tensor([3, 4, 5])
    order = torch.tensor([2, 0, 1])
    with torch.no_grad():
        together = network(rgb, hsi, mask, gsd=gsd, seed=seed)
        turned = network(rgb[order], hsi[order], mask[order], gsd=gsd[order], seed=seed[order])
        alone = network(rgb[1:2], hsi[1:2], mask[1:2], gsd=3.2, seed=4)
    torch.testing.assert_close(turned, together[order], atol=1e-4, rtol=0)
    torch.testing.assert_close(alone, together[1:2], atol=1e-4, rtol=0)


def test_local_border_agrees_away_from_the_edges(network: SceneNetwork) -> None:
    size = 2 * network.halo + 6
    rgb, hsi, mask = images(size, size)
    with torch.no_grad():
        exact = network.octaves(rgb, hsi, mask, scale=4)[-1]
        local = network.octaves(rgb, hsi, mask, scale=4, local=True)[-1]
    middle = slice(4 * network.halo, -4 * network.halo)
    inner = (..., middle, middle)
    torch.testing.assert_close(local[inner], exact[inner], atol=1e-4, rtol=0)


def test_true_coarser_image_is_kept(network: SceneNetwork) -> None:
    rgb, hsi, mask = images(6, 6)
    true = F.interpolate(rgb, scale_factor=2, mode="bilinear") * 0.9
    with torch.no_grad():
        octaves = network.octaves(rgb, hsi, mask, scale=4, coarse=[true])
    torch.testing.assert_close(F.avg_pool2d(octaves[1], 2), true, atol=1e-5, rtol=0)


@pytest.mark.parametrize("up", [False, True])
def test_constant_style_gives_the_published_modulated_convolution(up: bool) -> None:
    torch.manual_seed(0)
    published = ModulatedConv2d(in_channels=5, out_channels=7, kernel_size=3, style_channels=4)
    layer = SpatialStyledConv(inputs=5, outputs=7, code=4, layer=0, up=up)
    latent, image = torch.randn(2, 4), torch.randn(2, 5, 10, 12)
    factor = 2 if up else 1
    with torch.no_grad():
        layer.weight.copy_(published.weight * published.gain)
        layer.affine.weight.copy_(torch.eye(5)[:, :4, None, None])
        layer.noise_strength.zero_()
        style = published.style(latent)[:, :, None, None]
        expected = published(image, latent, up=up)
        found = layer(
            image,
            style.expand_as(image),
            layer_demodulation(layer, style).expand(-1, -1, 10 * factor, 12 * factor),
            origins_yx=[(0, 0)],
            seed=0,
            border=Border.LOCAL,
        )
    inner = (..., slice(2, -2), slice(2, -2))
    expected = F.leaky_relu(expected, 0.2) * 2**0.5
    torch.testing.assert_close(found[inner], expected[inner], atol=1e-5, rtol=0)


def layer_demodulation(layer: SpatialStyledConv, style: Tensor) -> Tensor:
    """Return what `styles` returns for an affine map that gives `style`, by its definition."""
    weight = layer.weight[None] * style[:, None, :, 0, 0, None, None]
    return torch.rsqrt(weight.square().sum((2, 3, 4)) + 1e-8)[:, :, None, None]


def test_style_map_demodulates_as_defined() -> None:
    torch.manual_seed(0)
    layer = SpatialStyledConv(inputs=5, outputs=7, code=4, layer=0, up=False)
    codes = torch.randn(1, 4, 3, 3)
    style, demodulation = layer.styles(codes)
    here = layer_demodulation(layer, style[:, :, 1:2, 2:3])
    torch.testing.assert_close(demodulation[:, :, 1:2, 2:3], here)


def test_gradients_reach_every_parameter() -> None:
    network = loud(TINY).train()
    rgb, hsi, mask = images(5, 5, count=2)
    outputs = network.octaves(0.5 * rgb, hsi, mask, local=True)
    torch.stack([(output**2).mean() for output in outputs]).sum().backward()
    missing = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert missing == []


@pytest.mark.parametrize(("config", "most"), [(SMALL, 8e6), (BASE, 60e6)])
def test_presets_stay_small(config: SceneConfig, most: float) -> None:
    with torch.device("meta"):
        network = SceneNetwork(**asdict(config))
    assert sum(p.numel() for p in network.parameters()) <= most
    assert network.encoder.reach <= 12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rgb": torch.zeros(1, 4, 6, 6)}, r"rgb is torch.float32 \(1, 4, 6, 6\).*N x 3"),
        ({"rgb": torch.zeros(1, 3, 6, 6, dtype=torch.uint8)}, "rgb is torch.uint8"),
        ({"rgb": torch.full((1, 3, 6, 6), 200.0)}, r"magnitude 200, expected \[-1, 1\]"),
        ({"rgb": torch.full((1, 3, 6, 6), torch.nan)}, "magnitude nan"),
        ({"hsi": torch.zeros(1, 5, 6, 6)}, r"hsi is .*\(1, 5, 6, 6\).*\(1, 6, 6, 6\)"),
        ({"hsi": torch.full((1, 6, 6, 6), torch.nan)}, "hsi holds NaN"),
        ({"hsi_mask": torch.ones(1, 6, 6, 6)}, r"hsi_mask is \(1, 6, 6, 6\).*\(1, 1, 6, 6\)"),
        ({"scale": 3}, "scale is 3, expected one of 2, 4, 8, 16, 32"),
        ({"gsd": -1.0}, "gsd is -1.0"),
        ({"gsd": [1.0, 2.0]}, r"gsd is \[1.0, 2.0\], expected one or 1"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], message: str, network: SceneNetwork) -> None:
    inputs: dict[str, object] = {"rgb": torch.zeros(1, 3, 6, 6), "hsi": torch.zeros(1, 6, 6, 6)}
    with pytest.raises(ShapeError, match=message):
        network(**{**inputs, **change})  # type: ignore[arg-type]
