"""A linear probe: multinomial logistic regression on frozen features."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.nn import functional

from specgan_cli.errors import ShapeError
from specgan_cli.types import F64

PENALTY = 1e-2
"""Weight of half the squared norm of the coefficients, beside the mean cross-entropy."""


@dataclass(frozen=True)
class Probe:
    """A trained linear classifier."""

    classes: tuple[str, ...]
    """Class names, sorted."""
    mean: F64
    """Feature means of the training set, C."""
    spread: F64
    """Feature standard deviations of the training set, C, 1 where a feature is constant."""
    weights: F64
    """C x classes."""
    bias: F64
    """One a class."""

    def predict(self, features: ArrayLike) -> list[str]:
        """Return the most likely class of each of N x C feature vectors."""
        scaled = (np.asarray(features, np.float64) - self.mean) / self.spread
        return [self.classes[k] for k in (scaled @ self.weights + self.bias).argmax(1)]

    def accuracy(self, features: ArrayLike, labels: Sequence[str]) -> float:
        """Return the share of N x C vectors whose predicted class is their label, 0..1."""
        pairs = zip(self.predict(features), labels, strict=True)
        return float(np.mean([predicted == label for predicted, label in pairs]))


def fit(features: ArrayLike, labels: Sequence[str], penalty: float = PENALTY) -> Probe:
    """Train a probe on standardised features: convex, so the result depends on the data alone.

    Args:
        features: N x C.
        labels: N class names, at least two different ones.
        penalty: Weight of the ridge term.

    Raises:
        ShapeError: Fewer than two classes, or as many labels as vectors are missing.
    """
    data = np.asarray(features, np.float64)
    classes = tuple(sorted(set(labels)))
    if len(classes) < 2 or len(labels) != len(data):
        raise ShapeError(
            f"a probe needs two classes or more and a label for each vector; got {len(classes)} "
            f"classes, {len(labels)} labels and {len(data)} vectors"
        )
    mean, spread = data.mean(0), data.std(0)
    spread = np.where(spread > 0, spread, 1.0)
    x = torch.from_numpy((data - mean) / spread)
    y = torch.tensor([classes.index(label) for label in labels])
    weights = torch.zeros(x.shape[1], len(classes), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(len(classes), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weights, bias], max_iter=200, tolerance_grad=1e-7, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = functional.cross_entropy(x @ weights + bias, y)
        loss = loss + penalty / 2 * weights.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return Probe(classes, mean, spread, weights.detach().numpy(), bias.detach().numpy())
