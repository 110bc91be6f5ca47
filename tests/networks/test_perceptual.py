"""Laws of the perceptual backbones; references are written here from the published formulas."""

import importlib.util
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from specgan.errors import ShapeError, WeightsError
from specgan.objectives import perceptual
from support.vgg import VGG_INDICES, vgg16_state


@pytest.fixture(scope="module")
def weights_folder() -> Path:
    spec = importlib.util.find_spec("stlpips_pytorch")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("stlpips-pytorch is not installed")
    return Path(spec.submodule_search_locations[0]) / "weights" / "vST0.0"


def pictures(seed: int, shape: tuple[int, ...] = (2, 3, 40, 56)) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def blurred_half(x: Tensor) -> Tensor:
    """Blur with [1, 2, 1]/4 on both axes and keep every second pixel, two mirrored pixels wide."""
    x = functional.pad(x, (2, 2, 2, 2), mode="reflect")
    rows = (x[:, :, :-2] + 2 * x[:, :, 1:-1] + x[:, :, 2:]) / 4
    both = (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 4
    return both[:, :, ::2, ::2]


def reference_alex(state: dict[str, Tensor], x: Tensor) -> list[Tensor]:
    def conv(x: Tensor, key: str, padding: int) -> Tensor:
        return functional.conv2d(x, state[f"{key}.weight"], state[f"{key}.bias"], 1, padding)

    x = (x - state["scaling_layer.shift"]) / state["scaling_layer.scale"]
    features = [blurred_half(conv(x, "net.slice1.0", 2)).relu()]
    for key, padding in (("net.slice2.5", 2), ("net.slice3.9", 1)):
        x = blurred_half(functional.max_pool2d(features[-1], 3, 1))
        features.append(conv(x, key, padding).relu())
    features.append(conv(features[-1], "net.slice4.11", 1).relu())
    features.append(conv(features[-1], "net.slice5.13", 1).relu())
    return features


def reference_vgg(state: dict[str, Tensor], x: Tensor) -> list[Tensor]:
    x = (x - state["scaling_layer.shift"]) / state["scaling_layer.scale"]
    features = []
    for stage, indices in enumerate([(0, 2), (6, 8), (12, 14, 16), (20, 22, 24), (28, 30, 32)], 1):
        if stage > 1:
            x = blurred_half(functional.max_pool2d(x, 2, 1))
        for index in indices:
            key = f"net.slice{stage}.{index}"
            x = functional.conv2d(x, state[f"{key}.weight"], state[f"{key}.bias"], padding=1)
            x = x.relu()
        features.append(x)
    return features


def reference_distance(state: dict[str, Tensor], a: list[Tensor], b: list[Tensor]) -> Tensor:
    total = torch.zeros(a[0].shape[0])
    for index, (x, y) in enumerate(zip(a, b, strict=True)):
        x = x / (x.pow(2).sum(1, keepdim=True).sqrt() + 1e-10)
        y = y / (y.pow(2).sum(1, keepdim=True).sqrt() + 1e-10)
        head = state[f"lin{index}.model.1.weight"]
        total += functional.conv2d((x - y) ** 2, head).mean((1, 2, 3))
    return total


@pytest.mark.parametrize(("name", "reference"), [("alex", reference_alex), ("vgg", reference_vgg)])
def test_distance_follows_the_published_formulas(weights_folder, name, reference) -> None:
    path = weights_folder / f"{name}_shift_tolerant.pth"
    state = torch.load(path, map_location="cpu", weights_only=True)
    backbone = perceptual.load_backbone(path)
    a, b = pictures(1), pictures(2)
    with torch.no_grad():
        expected = reference_distance(state, reference(state, a), reference(state, b))
        assert backbone.name == name
        torch.testing.assert_close(
            perceptual.distance(backbone, a, b), expected, rtol=1e-4, atol=1e-6
        )


def test_distance_orders_degradations_and_is_zero_for_equal_images(weights_folder) -> None:
    backbone = perceptual.load_backbone(weights_folder / "alex_shift_tolerant.pth")
    image = functional.interpolate(pictures(5, (1, 3, 16, 16)), size=96, mode="bicubic")
    image = (image + 0.2 * pictures(6, (1, 3, 96, 96))).clamp(-1, 1)
    little = functional.avg_pool2d(functional.pad(image, (1, 1, 1, 1), "reflect"), 3, 1)
    much = functional.avg_pool2d(functional.pad(image, (4, 4, 4, 4), "reflect"), 9, 1)
    values = [float(perceptual.distance(backbone, image, x)) for x in (image, little, much)]
    assert values[0] == 0 < values[1] < values[2]


def test_gradients_are_finite_where_features_vanish(tmp_path) -> None:
    state = {key: value * 0 for key, value in vgg16_state().items()}
    torch.save(state, tmp_path / "vgg16.pth")
    backbone = perceptual.load_backbone(tmp_path / "vgg16.pth")
    image = pictures(1, (1, 3, 32, 32)).requires_grad_(True)
    perceptual.distance(backbone, image, pictures(2, (1, 3, 32, 32))).sum().backward()
    assert torch.isfinite(image.grad).all()


def test_torchvision_layout_reaches_conv4_3_before_its_relu(tmp_path) -> None:
    state = vgg16_state()
    torch.save(state, tmp_path / "vgg16.pth")
    backbone = perceptual.load_backbone(tmp_path / "vgg16.pth")
    x = image = pictures(4, (1, 3, 32, 32))
    for index in VGG_INDICES[:10]:
        if index in (5, 10, 17):
            x = functional.max_pool2d(x, 2)
        weight, bias = state[f"features.{index}.weight"], state[f"features.{index}.bias"]
        x = functional.conv2d(x, weight, bias, padding=1)
        last, x = x, x.relu()
    torch.testing.assert_close(backbone.before_relu(image, "features.21"), last)
    assert backbone.heads == 0


def test_unknown_and_missing_files_are_refused_with_their_name(tmp_path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("hello")
    torch.save(torch.zeros(1), tmp_path / "tensor.pth")
    cases = {"other.pth": "no known layout", "text.pth": "not a file", "tensor.pth": "holds a"}
    for name, words in cases.items():
        with pytest.raises(WeightsError, match=words) as caught:
            perceptual.load_backbone(tmp_path / name)
        assert name in str(caught.value)
    with pytest.raises(WeightsError, match="no such"):
        perceptual.load_backbone(tmp_path / "missing.pth")


def test_images_too_small_or_unequal_are_refused(tmp_path) -> None:
    torch.save(vgg16_state(), tmp_path / "vgg16.pth")
    backbone = perceptual.load_backbone(tmp_path / "vgg16.pth")
    with pytest.raises(ShapeError, match="at least 24"):
        backbone(torch.zeros(1, 3, 23, 40))
    with pytest.raises(ShapeError, match="one shape"):
        perceptual.distance(backbone, torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 33))
