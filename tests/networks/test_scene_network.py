"""Laws of the scene network, on small networks with random weights and loud noise."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from specgan.consistency import smooth_upsample
from specgan.errors import ShapeError
from specgan.layers import pad_mirrored
from specgan.scene.inputs import fit
from specgan.scene.network import BASE, SMALL, SceneConfig, SceneNetwork

TINY = SceneConfig(bands=6, channels=(8, 8, 8, 8, 6, 4), blocks=(2, 2, 1, 1, 1), guide=4, bank=4)


def loud(config: SceneConfig, seed: int = 0) -> SceneNetwork:
    """Build a network whose noise, guide and details all count."""
    torch.manual_seed(seed)
    network = SceneNetwork(**asdict(config)).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("bank.join.weight", "to_rgb.weight", "bias")):
                parameter.normal_(std=0.1)
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
    torch.testing.assert_close(tiled(network, *scene, tile), whole, atol=5e-4, rtol=0)


@pytest.mark.parametrize("shape", [(1, 9), (7, 13), (13, 1)])
def test_odd_shapes_tile_too(shape: tuple[int, int], network: SceneNetwork) -> None:
    scene = images(*shape)
    with torch.no_grad():
        whole = network(*scene, seed=5)
    assert whole.shape[2:] == (32 * shape[0], 32 * shape[1])
    torch.testing.assert_close(tiled(network, *scene, 5), whole, atol=5e-4, rtol=0)


def test_windows_of_a_scene_go_through_as_one_batch(
    network: SceneNetwork, scene_40x56: tuple[tuple[Tensor, Tensor, Tensor], Tensor]
) -> None:
    scene, whole = scene_40x56
    size = 4 + 2 * network.halo
    padded = [fit(image, 0, network.halo) for image in scene]
    origins = [(2, 4), (16, 35), (31, 0)]
    parts = [
        torch.cat([image[..., row : row + size, col : col + size] for row, col in origins])
        for image in padded
    ]
    with torch.no_grad():
        batch = network.octaves(*parts, origin_yx=origins, padded=True, seed=5)[-1]
    expected = [whole[..., 32 * r : 32 * r + 128, 32 * c : 32 * c + 128] for r, c in origins]
    torch.testing.assert_close(batch, torch.cat(expected), atol=5e-4, rtol=0)


def test_origins_that_do_not_fit_are_refused(network: SceneNetwork) -> None:
    with pytest.raises(ShapeError, match="origin_yx"):
        network(*images(4, 4, count=2), origin_yx=[(0, 0)] * 3)


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
        part, whole[..., first : first + 128, first : first + 128], atol=5e-4, rtol=0
    )


def test_means_of_blocks_are_the_input_and_the_coarser_octaves(network: SceneNetwork) -> None:
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
    torch.testing.assert_close(turned, together[order], atol=5e-4, rtol=0)
    torch.testing.assert_close(alone, together[1:2], atol=5e-4, rtol=0)


def test_local_border_agrees_away_from_the_edges(network: SceneNetwork) -> None:
    size = 2 * network.halo + 6
    rgb, hsi, mask = images(size, size)
    with torch.no_grad():
        exact = network.octaves(rgb, hsi, mask, scale=4)[-1]
        local = network.octaves(rgb, hsi, mask, scale=4, local=True)[-1]
    middle = slice(4 * network.halo, -4 * network.halo)
    inner = (..., middle, middle)
    torch.testing.assert_close(local[inner], exact[inner], atol=5e-4, rtol=0)


def finer(hsi: Tensor, mask: Tensor, count: int) -> tuple[list[Tensor], list[Tensor]]:
    """Return the guide on its grid and on `count` finer ones, each with more of its own."""
    random = torch.Generator().manual_seed(9)
    levels, masks = [hsi], [mask.expand_as(hsi)]
    for _ in range(count):
        up = levels[-1].repeat_interleave(2, 2).repeat_interleave(2, 3)
        levels.append(up + 0.3 * torch.randn(up.shape, generator=random))
        masks.append(masks[-1].repeat_interleave(2, 2).repeat_interleave(2, 3))
    return levels, masks


def test_a_finer_guide_counts_and_tiles(network: SceneNetwork) -> None:
    rgb, hsi, mask = images(9, 7)
    levels, masks = finer(hsi, mask, 2)
    with torch.no_grad():
        whole = network(rgb, levels, masks, scale=8)
        assert (whole - network(rgb, hsi, mask, scale=8)).abs().max() > 1e-3
        halo = network.halo
        pad = [fit(image, 0, halo << k) for k, image in enumerate(levels)]
        pad_mask = [fit(image, 0, halo << k) for k, image in enumerate(masks)]
        part = network.octaves(
            fit(rgb, 0, halo)[..., 4:],
            [image[..., 4 << k :] for k, image in enumerate(pad)],
            [image[..., 4 << k :] for k, image in enumerate(pad_mask)],
            scale=8,
            origin_yx=(0, 4),
            padded=True,
        )[-1]
    torch.testing.assert_close(part, whole[..., 32:], atol=5e-4, rtol=0)


def test_each_band_has_its_own_availability(network: SceneNetwork) -> None:
    rgb, hsi, mask = images(6, 6)
    known = mask.expand_as(hsi).clone()
    known[:, 2] = 0
    changed = hsi.clone()
    changed[:, 2] = torch.nan
    with torch.no_grad():
        without = network(rgb, hsi, known)
        assert torch.equal(without, network(rgb, changed, known))
        assert (without - network(rgb, hsi, mask)).abs().max() > 1e-4


def test_no_noise_without_a_seed(network: SceneNetwork) -> None:
    scene = images(5, 5)
    with torch.no_grad():
        still = network.octaves(*scene, seed=None)[-1]
        moved = network.octaves(*scene, seed=None, origin_yx=(3, 1))[-1]
        assert torch.equal(still, moved)
        assert (still - network(*scene)).abs().max() > 1e-3


def test_a_fresh_network_interpolates_smoothly() -> None:
    rgb = 0.5 * images(6, 7)[0]
    with torch.no_grad():
        fine = SceneNetwork(**asdict(TINY))(rgb, scale=2)
    torch.testing.assert_close(fine, smooth_upsample(pad_mirrored(rgb, 2)))


def test_gradients_reach_every_parameter() -> None:
    network = loud(TINY).train()
    rgb, hsi, mask = images(5, 5, count=2)
    outputs = network.octaves(0.5 * rgb, *finer(hsi, mask, 5), local=True)
    torch.stack([(output**2).mean() for output in outputs]).sum().backward()
    missing = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert missing == []


@pytest.mark.parametrize(("config", "most"), [(SMALL, 0.5e6), (BASE, 8e6)])
def test_presets_stay_small(config: SceneConfig, most: float) -> None:
    with torch.device("meta"):
        network = SceneNetwork(**asdict(config))
    assert sum(p.numel() for p in network.parameters()) <= most
    assert network.halo <= 32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rgb": torch.zeros(1, 4, 6, 6)}, r"rgb is torch.float32 \(1, 4, 6, 6\).*N x 3"),
        ({"rgb": torch.zeros(1, 3, 6, 6, dtype=torch.uint8)}, "rgb is torch.uint8"),
        ({"rgb": torch.full((1, 3, 6, 6), 200.0)}, r"magnitude 200, expected \[-1, 1\]"),
        ({"rgb": torch.full((1, 3, 6, 6), torch.nan)}, "magnitude nan"),
        ({"hsi": torch.zeros(1, 5, 6, 6)}, r"hsi is .*\(1, 5, 6, 6\).*\(1, 6, 6, 6\)"),
        ({"hsi": torch.full((1, 6, 6, 6), torch.nan)}, "hsi holds NaN"),
        ({"hsi_mask": torch.ones(1, 5, 6, 6)}, r"hsi_mask is \(1, 5, 6, 6\).*\(1, 6, 6, 6\)"),
        ({"hsi_mask": []}, "hsi_mask is given for 0 grids, hsi for 1"),
        ({"scale": 3}, "scale is 3, expected one of 2, 4, 8, 16, 32"),
        ({"gsd": -1.0}, "gsd is -1.0"),
        ({"gsd": [1.0, 2.0]}, r"gsd is \[1.0, 2.0\], expected one or 1"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], message: str, network: SceneNetwork) -> None:
    inputs: dict[str, object] = {"rgb": torch.zeros(1, 3, 6, 6), "hsi": torch.zeros(1, 6, 6, 6)}
    with pytest.raises(ShapeError, match=message):
        network(**{**inputs, **change})  # type: ignore[arg-type]
