"""Classes of ground without labels: k-means of a cube's spectra, and whether outputs show them."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from specgan_cli.evaluation.perceptual.features import Features
from specgan_cli.evaluation.perceptual.probe import fit
from specgan_cli.measures import Pixels

CLASSES = 6
ROUNDS = 50


def kmeans(spectra: Pixels, count: int = CLASSES, seed: int = 0) -> np.ndarray:
    """Group spectra by Lloyd's algorithm, started by k-means++ from a fixed seed.

    Args:
        spectra: N x B; bands are standardised here.
        count: Classes, at most N.
        seed: Of the start.

    Returns:
        N class numbers.
    """
    spread = spectra.std(0)
    data = (spectra - spectra.mean(0)) / np.where(spread > 0, spread, 1.0)
    rng = np.random.default_rng(seed)
    centres = data[[int(rng.integers(len(data)))]]
    while len(centres) < count:
        nearest = _squared(data, centres).min(1)
        total = nearest.sum()
        weights = nearest / total if total > 0 else None
        centres = np.concatenate([centres, data[[rng.choice(len(data), p=weights)]]])
    classes = np.full(len(data), -1)
    for _ in range(ROUNDS):
        found = _squared(data, centres).argmin(1)
        if (found == classes).all():
            break
        classes = found
        for index in range(count):
            if (classes == index).any():
                centres[index] = data[classes == index].mean(0)
    return classes


def _squared(data: Pixels, centres: Pixels) -> Pixels:
    cross = data @ centres.T
    squares = (data**2).sum(1)[:, None] - 2 * cross + (centres**2).sum(1)
    return np.asarray(np.maximum(squares, 0.0))


def cell_features(features: Features, shape_yx: tuple[int, int]) -> Pixels:
    """Average the trunk's features inside every LR pixel.

    Args:
        features: What the trunk sees.
        shape_yx: LR rows and columns.

    Returns:
        (rows times columns) x C, float32.
    """
    height, width = features.grid_yx
    map_ = torch.from_numpy(features.positions.T.reshape(1, -1, height, width))
    pooled = functional.adaptive_avg_pool2d(map_, shape_yx)
    return np.asarray(pooled[0].flatten(1).T.float().numpy())


def agreement(
    truth: Pixels, outputs: dict[str, Pixels], classes: np.ndarray, groups: Sequence[str]
) -> dict[str, float]:
    """Return the share of cells whose class a probe names, trained on the truth of other groups.

    Args:
        truth: N x C features of the truth's cells.
        outputs: By method, features of the same cells.
        classes: N class numbers.
        groups: N group names; groups are dealt into two folds in order of appearance.

    Returns:
        By method; empty with fewer than two groups, or where a fold has a single class.
    """
    order = {name: place for place, name in enumerate(dict.fromkeys(groups))}
    if len(order) < 2:
        return {}
    fold = np.array([order[name] % 2 for name in groups])
    names = np.array([str(number) for number in classes])
    hits: dict[str, list[Pixels]] = {method: [] for method in outputs}
    for held in (0, 1):
        train, test = fold != held, fold == held
        if len(set(names[train])) < 2:
            return {}
        probe = fit(truth[train], list(names[train]))
        for method, features in outputs.items():
            predicted = np.array(probe.predict(features[test]))
            hits[method].append(predicted == names[test])
    return {method: float(np.concatenate(parts).mean()) for method, parts in hits.items()}
