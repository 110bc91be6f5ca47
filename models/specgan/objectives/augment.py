"""Differentiable augmentation of what a discriminator sees.

After Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training", NeurIPS 2020:
the same kinds of change on real and generated images, inside the graph, so that a discriminator
cannot learn few images by heart and the generator does not learn the changes.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from specgan.errors import ShapeError

Change = Literal["colour", "translation", "cutout"]
CHANGES: tuple[Change, ...] = ("colour", "translation", "cutout")

DRAWS = 7
"""Random numbers that one image needs."""


def augment(images: Tensor, draws: Tensor, changes: tuple[Change, ...] = CHANGES) -> Tensor:
    """Change images at random, all channels alike.

    Args:
        images: N x C x H x W in [-1, 1]; C a multiple of 3 (an octave and its coarser image).
        draws: N x `DRAWS` uniform numbers in [0, 1): they alone decide the change.
        changes: Which changes: "colour" (brightness, saturation, contrast; the same for every
            group of three channels), "translation" (up to an eighth of a side, zeros outside),
            "cutout" (a window of half a side set to 0).

    Returns:
        N x C x H x W, differentiable with respect to `images`.

    Raises:
        ShapeError: `draws` or the channels do not fit.
    """
    if images.shape[1] % 3 or draws.shape != (images.shape[0], DRAWS):
        raise ShapeError(
            f"augment takes N x 3k x H x W images and N x {DRAWS} draws, got "
            f"{tuple(images.shape)} and {tuple(draws.shape)}"
        )
    if "colour" in changes:
        images = _colour(images, draws[:, :3])
    if "translation" in changes:
        images = _translate(images, draws[:, 3:5])
    if "cutout" in changes:
        images = _cut(images, draws[:, 5:7])
    return images


def _colour(images: Tensor, draws: Tensor) -> Tensor:
    count, channels, height, width = images.shape
    brightness, saturation, contrast = (draws[:, i, None, None, None, None] for i in range(3))
    x = images.view(count, channels // 3, 3, height, width)
    x = x + (brightness - 0.5)
    grey = x.mean(dim=2, keepdim=True)
    x = grey + (x - grey) * (2 * saturation)
    mean = x.mean(dim=(2, 3, 4), keepdim=True)
    x = mean + (x - mean) * (contrast + 0.5)
    return x.reshape(count, channels, height, width)


def _translate(images: Tensor, draws: Tensor) -> Tensor:
    count, _, height, width = images.shape
    reach_y, reach_x = max(1, height // 8), max(1, width // 8)
    padded = functional.pad(images, (reach_x, reach_x, reach_y, reach_y))
    rows = (draws[:, 0] * (2 * reach_y + 1)).long()
    columns = (draws[:, 1] * (2 * reach_x + 1)).long()
    shifted = [
        padded[i, :, rows[i] : rows[i] + height, columns[i] : columns[i] + width]
        for i in range(count)
    ]
    return torch.stack(shifted)


def _cut(images: Tensor, draws: Tensor) -> Tensor:
    _, _, height, width = images.shape
    rows = torch.arange(height, device=images.device)[None, :]
    columns = torch.arange(width, device=images.device)[None, :]
    middle_y, middle_x = draws[:, :1] * height, draws[:, 1:] * width
    inside_y = (rows + 0.5 - middle_y).abs() < height / 4  # N x H
    inside_x = (columns + 0.5 - middle_x).abs() < width / 4  # N x W
    hole = inside_y[:, None, :, None] & inside_x[:, None, None, :]
    return images.masked_fill(hole, 0.0)
