"""Classes of ground without labels: k-means of a cube's spectra, and whether outputs show them."""

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from torch.nn import functional

from specgan_cli.evaluation.perceptual.features import Features
from specgan_cli.evaluation.perceptual.probe import fit
from specgan_cli.types import F64

CLASSES = 6
ROUNDS = 50


def kmeans(spectra: F64, count: int = CLASSES, seed: int = 0) -> NDArray[np.intp]:
    """Group spectra by k-means, started by k-means++ from a fixed seed.

    Args:
        spectra: N x B; bands are standardised here.
        count: Classes, at most N.
        seed: Of the start.

    Returns:
        N class numbers, of at most as many classes as there are distinct spectra.
    """
    spread = spectra.std(0)
    data = (spectra - spectra.mean(0)) / np.where(spread > 0, spread, 1.0)
    count = min(count, len(np.unique(data, axis=0)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One of the clusters is empty")
        _, classes = kmeans2(data, count, iter=ROUNDS, minit="++", seed=seed)
    return np.asarray(classes, np.intp)


def cell_features(features: Features, shape_yx: tuple[int, int]) -> F64:
    """Average the backbone's features inside every LR pixel.

    Args:
        features: The features.
        shape_yx: LR rows and columns.

    Returns:
        (rows times columns) x C, float32.
    """
    height, width = features.grid_yx
    map_ = torch.from_numpy(features.positions.T.reshape(1, -1, height, width))
    pooled = functional.adaptive_avg_pool2d(map_, shape_yx)
    return np.asarray(pooled[0].flatten(1).T.float().numpy())


def agreement(
    reference: F64, outputs: dict[str, F64], classes: NDArray[np.intp], groups: Sequence[str]
) -> dict[str, float]:
    """Return the share of cells whose class a probe names that saw the reference of other groups.

    Args:
        reference: N x C features of the reference's cells.
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
    hits: dict[str, list[F64]] = {method: [] for method in outputs}
    for held in (0, 1):
        train, test = fold != held, fold == held
        if len(set(names[train])) < 2:
            return {}
        probe = fit(reference[train], list(names[train]))
        for method, features in outputs.items():
            predicted = np.array(probe.predict(features[test]))
            hits[method].append(predicted == names[test])
    return {method: float(np.concatenate(parts).mean()) for method, parts in hits.items()}
