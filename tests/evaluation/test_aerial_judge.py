"""The judge for aerial images: what it computes, which files it takes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from specgan.errors import WeightsError
from specgan_cli.evaluation.perceptual.aerial import AerialModel
from specgan_cli.workflows.train import second_judge

CPU = torch.device("cpu")


class Block(nn.Module):
    """A residual block of ResNet-18 with its batch norms."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.short = nn.Sequential()
        if stride > 1:
            norm = nn.BatchNorm2d(outside)
            self.short = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(y + self.short(x))


class Resnet(nn.Module):
    """The network of the file, from torch's own layers, narrow."""

    def __init__(self) -> None:
        super().__init__()
        widths = (4, 4, 6, 8, 10)
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1, bias=False), nn.BatchNorm2d(4))
        for layer in (1, 2, 3, 4):
            inside, outside = widths[layer - 1], widths[layer]
            blocks = Block(inside, outside, 1 if layer == 1 else 2), Block(outside, outside, 1)
            setattr(self, f"layer{layer}", nn.Sequential(*blocks))
        self.fc = nn.Linear(160, 12)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:  # noqa: D102
        third = self.layer3(self.layer2(self.layer1(functional.relu(self.stem(x)))))
        fourth = self.layer4(third)
        cells = functional.adaptive_avg_pool2d(fourth, 4).flatten(1)
        return third, fourth, self.fc(cells)


@pytest.fixture(scope="module")
def network() -> Resnet:
    torch.manual_seed(5)
    made = Resnet().eval()
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.weight.data, layer.running_var):
                values.uniform_(0.5, 1.5)
            for values in (layer.bias.data, layer.running_mean):
                values.normal_(0, 0.3)
    return made


def save(network: Resnet, path: Path) -> Path:
    """Write an npz in the layout of geoembed's: kernels as torch has them, fc transposed."""
    arrays = {f"bb.{name}": value.numpy() for name, value in network.state_dict().items()}
    np.savez(
        path,
        **{name.replace("bb.fc.", "fc."): value for name, value in arrays.items()}
        | {"fc.weight": network.fc.weight.detach().numpy().T},
    )
    return path


def image(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 255, (3, 64, 72))


def test_training_validates_with_the_same_judge(network: Resnet, tmp_path: Path) -> None:
    path = save(network, tmp_path / "v3.npz")
    sr, reference = image(1) / 127.5 - 1, image(2) / 127.5 - 1
    model = AerialModel.load(path, 0.0, 255.0, CPU)
    features = model.features(image(1)), model.features(image(2))
    assert features[0] is not None and features[1] is not None
    found = second_judge(path, CPU)(sr, reference, np.ones(sr.shape[1:], bool))
    assert found["aerial"] == pytest.approx(model.distance(features[0], features[1]), abs=1e-6)


def test_distance_is_one_minus_cosine_of_three_features(network: Resnet, tmp_path: Path) -> None:
    model = AerialModel.load(save(network, tmp_path / "v3.npz"), 0.0, 255.0, CPU)
    first, second = image(1), image(2)
    with torch.inference_mode():
        seen = [network(torch.from_numpy(x / 127.5 - 1).float()[None]) for x in (first, second)]
    cosines = [functional.cosine_similarity(a, b, dim=1).mean() for a, b in zip(*seen, strict=True)]
    found = model.distance(model.features(first), model.features(second))
    assert found == pytest.approx(1 - float(sum(cosines)) / 3, abs=1e-5)
    assert found > 0.001
    assert model.distance(model.features(first), model.features(first)) == pytest.approx(
        0, abs=1e-6
    )


def test_images_that_are_too_small_have_no_features(network: Resnet, tmp_path: Path) -> None:
    model = AerialModel.load(save(network, tmp_path / "v3.npz"), 0.0, 255.0, CPU)
    assert model.features(np.zeros((3, 60, 80))) is None
    assert model.features(np.zeros((1, 80, 80))) is None


@pytest.mark.parametrize("content", [b"", b"not a zip", None])
def test_other_files_are_refused_by_name(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "v3.npz"
    if content is None:
        np.savez(path, other=np.zeros(3))
    else:
        path.write_bytes(content)
    with pytest.raises(
        WeightsError, match=r"v3\.npz: not the weights of the PyPI package geoembed"
    ):
        AerialModel.load(path, 0.0, 255.0, CPU)
    with pytest.raises(WeightsError, match="no such file"):
        AerialModel.load(tmp_path / "none.npz", 0.0, 255.0, CPU)
