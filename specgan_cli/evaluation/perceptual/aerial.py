"""Distance on a network that learned from aerial images: a second judge, of other kin."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from specgan.errors import WeightsError
from specgan_cli.types import F64

SMALLEST_SIDE = 64
"""Below it layer 4 has fewer cells than the embedding averages to."""

EMBEDDING_CELLS = 4
"""Cells a side that layer 4 is averaged to before the embedding."""

BLOCKS = tuple(f"layer{layer}.{block}" for layer in (1, 2, 3, 4) for block in (0, 1))

AerialFeatures = tuple[Tensor, ...]
"""Layers 3 and 4, C x h x w, and the embedding, C: unit length along C."""


@dataclass(frozen=True)
class AerialModel:
    """The ResNet-18 for aerial images of the PyPI package `geoembed` (MIT), batch norms folded.

    Its shallow layers follow shifts of a pixel and are left out.
    """

    weights: Mapping[str, Tensor]
    """Kernels (`NAME.weight`) and biases (`NAME.bias`)."""
    low: float
    """File value of black."""
    high: float
    """File value of white."""

    @classmethod
    def load(cls, path: str | Path, low: float, high: float, device: torch.device) -> "AerialModel":
        """Read the network from geoembed's `weights/v3.npz`.

        Args:
            path: The file.
            low: File value of black.
            high: File value of white.
            device: Where it runs.

        Raises:
            WeightsError: The file is missing or of another layout.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                weights = _fold(arrays)
        except FileNotFoundError:
            raise WeightsError(f"{path}: no such file") from None
        except (OSError, EOFError, ValueError, KeyError, AttributeError, zipfile.BadZipFile):
            raise WeightsError(
                f"{path}: not the weights of the PyPI package geoembed (geoembed/weights/v3.npz)"
            ) from None
        return cls({name: value.to(device) for name, value in weights.items()}, low, high)

    def features(self, image: F64) -> AerialFeatures | None:
        """Compute the features of a 3 x H x W image in file units; None where it is too small."""
        if image.shape[0] != 3 or min(image.shape[1:]) < SMALLEST_SIDE:
            return None
        unit = np.clip((image - self.low) / (self.high - self.low) * 2 - 1, -1, 1)
        device = self.weights["embedding.bias"].device
        with torch.inference_mode():
            x = torch.from_numpy(unit).to(device, torch.float32)[None]
            x = functional.relu(self._convolve(x, "stem", padding=1))
            kept = []
            for name in BLOCKS:
                x = self._block(x, name)
                if name in ("layer3.1", "layer4.1"):
                    kept.append(x[0])
            cells = functional.adaptive_avg_pool2d(x, EMBEDDING_CELLS).flatten(1)
            embedding = self.weights["embedding.weight"], self.weights["embedding.bias"]
            kept.append(functional.linear(cells, *embedding)[0])
            return tuple(functional.normalize(values, dim=0, eps=1e-8) for values in kept)

    def distance(self, first: AerialFeatures, second: AerialFeatures) -> float:
        """Return the mean of the three features' 1 - cosine, the layers' averaged over places."""
        parts = [1 - float((a * b).sum(0).mean()) for a, b in zip(first, second, strict=True)]
        return sum(parts) / len(parts)

    def _block(self, x: Tensor, name: str) -> Tensor:
        stride = 2 if f"{name}.short.weight" in self.weights else 1
        inner = functional.relu(self._convolve(x, f"{name}.conv1", stride, 1))
        inner = self._convolve(inner, f"{name}.conv2", padding=1)
        return functional.relu(
            inner + (self._convolve(x, f"{name}.short", 2) if stride == 2 else x)
        )

    def _convolve(self, x: Tensor, name: str, stride: int = 1, padding: int = 0) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return functional.conv2d(x, weight, bias, stride, padding)


def _fold(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Return convolutions that do what the file's convolutions and batch norms do."""
    pairs = {"stem": ("bb.stem.0", "bb.stem.1")}
    for name in BLOCKS:
        for part in ("1", "2"):
            pairs[f"{name}.conv{part}"] = (f"bb.{name}.conv{part}", f"bb.{name}.bn{part}")
        if f"bb.{name}.short.0.weight" in arrays:
            pairs[f"{name}.short"] = (f"bb.{name}.short.0", f"bb.{name}.short.1")
    folded: dict[str, np.ndarray] = {
        "embedding.weight": arrays["fc.weight"].T,
        "embedding.bias": arrays["fc.bias"],
    }
    for name, (kernel, norm) in pairs.items():
        gain = arrays[f"{norm}.weight"] / np.sqrt(arrays[f"{norm}.running_var"] + 1e-5)
        folded[f"{name}.weight"] = arrays[f"{kernel}.weight"] * gain[:, None, None, None]
        folded[f"{name}.bias"] = arrays[f"{norm}.bias"] - arrays[f"{norm}.running_mean"] * gain
    return {name: torch.tensor(value, dtype=torch.float32) for name, value in folded.items()}
