"""Perceptual backbones: convolutional features that stand in for what an eye compares.

Weights come from a file that the user names; nothing is downloaded.  Three layouts are read:

- `alex_shift_tolerant.pth` and `vgg_shift_tolerant.pth` of the PyPI package `stlpips-pytorch`
  (Ghildyal and Liu, "Shift-tolerant Perceptual Similarity Metric", ECCV 2022): an anti-aliased
  backbone (Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019) with heads;
- the state dict of torchvision's VGG16: no heads, so every channel weighs the same.
"""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from specgan import files
from specgan.errors import ShapeError, WeightsError

SMALLEST_SIDE = 24
"""Images below this many pixels on a side leave the deepest layers empty."""

IMAGENET_SHIFT = (-0.030, -0.088, -0.188)
"""ImageNet's mean colour for images in [-1, 1]: 2 * mean - 1, rounded as LPIPS rounds it."""

IMAGENET_SCALE = (0.458, 0.448, 0.450)
"""Twice ImageNet's standard deviation: for images in [-1, 1]."""

Step = tuple[str, str, int]
"""One operation: ("conv", key, padding), ("pool", "", kernel), ("halve", "", 0), ("blur", "", 0),
("relu", "", 0)."""

_RELU: Step = ("relu", "", 0)
_BLUR: Step = ("blur", "", 0)


def _conv(key: str, padding: int = 1) -> Step:
    return ("conv", key, padding)


def _pool(kernel: int) -> Step:
    return ("pool", "", kernel)


ALEX: tuple[tuple[Step, ...], ...] = (
    (_conv("net.slice1.0", 2), _BLUR, _RELU),
    (_pool(3), _BLUR, _conv("net.slice2.5", 2), _RELU),
    (_pool(3), _BLUR, _conv("net.slice3.9"), _RELU),
    (_conv("net.slice4.11"), _RELU),
    (_conv("net.slice5.13"), _RELU),
)


def _vgg(keys: Sequence[Sequence[str]], down: tuple[Step, ...]) -> tuple[tuple[Step, ...], ...]:
    stages = []
    for index, names in enumerate(keys):
        convolutions = [step for name in names for step in (_conv(name), _RELU)]
        stages.append((*(down if index else ()), *convolutions))
    return tuple(stages)


VGG_SHIFT_TOLERANT = _vgg(
    [
        [f"net.slice{stage}.{index}" for index in indices]
        for stage, indices in enumerate(
            [(0, 2), (6, 8), (12, 14, 16), (20, 22, 24), (28, 30, 32)], start=1
        )
    ],
    (_pool(2), _BLUR),
)
VGG16 = _vgg(
    [
        [f"features.{index}" for index in indices]
        for indices in [(0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)]
    ],
    (("halve", "", 0),),
)


class Backbone(nn.Module):
    """A frozen feature extractor in five stages, each ending in a ReLU.

    Attributes:
        name: "alex", "vgg" (both shift-tolerant) or "vgg16" (torchvision's).
        heads: Number of LPIPS heads kept, 0 or 5.
    """

    def __init__(
        self, *, name: str, stages: tuple[tuple[Step, ...], ...], weights: Mapping[str, Tensor]
    ) -> None:
        super().__init__()
        self.name = name
        self.stages = stages
        self.heads = sum(f"lin{index}.model.1.weight" in weights for index in range(len(stages)))
        kernel = torch.tensor([1.0, 2.0, 1.0])
        self._keep("blur", torch.outer(kernel, kernel)[None, None] / 16)
        self._keep("shift", torch.tensor(IMAGENET_SHIFT)[None, :, None, None])
        self._keep("scale", torch.tensor(IMAGENET_SCALE)[None, :, None, None])
        for kind, key, _ in (step for stage in stages for step in stage):
            if kind == "conv":
                self._keep(_buffer(key, "weight"), weights[f"{key}.weight"].float())
                self._keep(_buffer(key, "bias"), weights[f"{key}.bias"].float())
        for index in range(self.heads):
            self._keep(f"head{index}", weights[f"lin{index}.model.1.weight"].float())

    def _keep(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value.clone(), persistent=False)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each stage's features."""
        last = [[key for kind, key, _ in stage if kind == "conv"][-1] for stage in self.stages]
        return tuple(len(self.get_buffer(_buffer(key, "bias"))) for key in last)

    def forward(self, images: Tensor, stages: int = 5) -> list[Tensor]:
        """Compute the features of the first stages.

        Args:
            images: N x 3 x H x W in [-1, 1], H and W at least `SMALLEST_SIDE`.
            stages: How many stages to compute, 1 to 5.

        Returns:
            One tensor N x C x h x w a stage, after its last ReLU.

        Raises:
            ShapeError: The images are not RGB, or too small.
        """
        _check(images)
        features = []
        x = (images - self.get_buffer("shift")) / self.get_buffer("scale")
        for stage in self.stages[:stages]:
            for step in stage:
                x = self._apply_step(x, step)
            features.append(x)
        return features

    def before_relu(self, images: Tensor, key: str) -> Tensor:
        """Compute what the convolution `key` puts out, before its ReLU.

        Args:
            images: N x 3 x H x W, already normalised: taken as they are.
            key: A convolution's name in the file, such as "features.21" (conv4_3).

        Returns:
            N x C x h x w.

        Raises:
            WeightsError: The backbone has no such convolution.
        """
        x = images
        for step in (step for stage in self.stages for step in stage):
            x = self._apply_step(x, step)
            if step[1] == key:
                return x
        raise WeightsError(f"the perceptual backbone {self.name!r} has no convolution {key!r}")

    def _apply_step(self, x: Tensor, step: Step) -> Tensor:
        kind, key, number = step
        if kind == "conv":
            weight = self.get_buffer(_buffer(key, "weight"))
            return functional.conv2d(x, weight, self.get_buffer(_buffer(key, "bias")), 1, number)
        if kind == "relu":
            return functional.relu(x)
        if kind == "pool":
            return functional.max_pool2d(x, number, stride=1)
        if kind == "halve":
            return functional.max_pool2d(x, 2)
        channels = x.shape[1]
        padded = functional.pad(x, (2, 2, 2, 2), mode="reflect")
        kernel = self.get_buffer("blur").to(x.dtype).expand(channels, 1, 3, 3)
        return functional.conv2d(padded, kernel, stride=2, groups=channels)


def load_backbone(path: str | Path) -> Backbone:
    """Read a perceptual backbone; its layout is recognised by its keys.

    Args:
        path: A file of `stlpips-pytorch` or torchvision's VGG16 state dict.

    Returns:
        The backbone, in eval mode on the CPU.

    Raises:
        WeightsError: The file is missing, damaged, or of no known layout.
    """
    files.check_regular(path)
    try:
        weights = torch.load(Path(path), map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such perceptual weights file; name one that is") from error
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, pickle.PickleError) as error:
        raise WeightsError(
            f"{path}: not a file of perceptual weights ({type(error).__name__}); give a state "
            "dict of stlpips-pytorch or of torchvision's VGG16"
        ) from error
    if not isinstance(weights, Mapping):
        raise WeightsError(f"{path}: holds a {type(weights).__name__}, not a state dict")
    for name, stages in (("alex", ALEX), ("vgg", VGG_SHIFT_TOLERANT), ("vgg16", VGG16)):
        needed = [step[1] for stage in stages for step in stage if step[0] == "conv"]
        if all(f"{key}.weight" in weights and f"{key}.bias" in weights for key in needed):
            return Backbone(name=name, stages=stages, weights=weights).eval()
    raise WeightsError(
        f"{path}: a perceptual backbone of no known layout; give alex_shift_tolerant.pth or "
        "vgg_shift_tolerant.pth of stlpips-pytorch, or torchvision's vgg16 state dict"
    )


def distance(backbone: Backbone, first: Tensor, second: Tensor) -> Tensor:
    """Compute the LPIPS distance of image pairs (Zhang et al., CVPR 2018, equation 1).

    Per stage, features are scaled to unit length along the channels; squared differences are
    weighted by the file's heads (equally where it has none), summed and averaged over space.

    Args:
        backbone: From `load_backbone`.
        first: N x 3 x H x W in [-1, 1].
        second: The same shape; gradients flow into whichever asks for them.

    Returns:
        N distances, 0 for equal images.

    Raises:
        ShapeError: The shapes differ, or the images are too small.
    """
    if first.shape != second.shape:
        raise ShapeError(
            f"the perceptual distance needs images of one shape: {tuple(first.shape)} "
            f"against {tuple(second.shape)}"
        )
    return feature_distance(backbone, _features(backbone, first), _features(backbone, second))


def feature_distance(
    backbone: Backbone, first: Sequence[Tensor], second: Sequence[Tensor]
) -> Tensor:
    """Compute the LPIPS distance from features that are there already.

    Args:
        backbone: What made them.
        first: One tensor N x C x h x w a stage.
        second: The same of the other images.

    Returns:
        N distances.
    """
    total = first[0].new_zeros(len(first[0]), dtype=torch.float32)
    for index, (a, b) in enumerate(zip(first, second, strict=True)):
        difference = (_unit_length(a) - _unit_length(b)).square()
        if index < backbone.heads:
            difference = difference * backbone.get_buffer(f"head{index}")
        total = total + difference.sum(dim=1).mean(dim=(1, 2))
    return total


def _features(backbone: Backbone, images: Tensor) -> list[Tensor]:
    with torch.set_grad_enabled(torch.is_grad_enabled() and images.requires_grad):
        features: list[Tensor] = backbone(images)
        return features


def _unit_length(features: Tensor) -> Tensor:
    wide = features.float()
    unit: Tensor = wide / (torch.linalg.vector_norm(wide, dim=1, keepdim=True) + 1e-10)
    return unit


def _buffer(key: str, part: str) -> str:
    return f"{key}.{part}".replace(".", "_")


def _check(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < SMALLEST_SIDE:
        raise ShapeError(
            f"a perceptual backbone takes N x 3 x H x W with sides of at least {SMALLEST_SIDE} "
            f"pixels, got {tuple(images.shape)}; give larger images"
        )
