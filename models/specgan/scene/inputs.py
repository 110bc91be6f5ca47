"""Checks and completion of what a scene network is called with."""

from collections.abc import Sequence

import torch
from torch import Tensor

from specgan.consistency import crop
from specgan.errors import ShapeError
from specgan.layers import check_tensors, pad_mirrored
from specgan.scene.config import OCTAVES, SCALES

Guides = Sequence[tuple[Tensor, Tensor]]
"""For each grid from the LR one on: bands, 0 where unknown, and what is known of them."""

# The LR pixel in metres that is assumed when the caller does not say.
DEFAULT_GSD = 3.2
# RGB values may leave [-1, 1] by rounding only.
_SLACK = 1e-3


def octave_count(scale: int | None) -> int:
    """Return the octaves that make a scale: 5 for 32 or None.

    Raises:
        ShapeError: If `scale` is not 2, 4, 8, 16 or 32.
    """
    if scale is None:
        return OCTAVES
    if scale not in SCALES:
        raise ShapeError(f"scale is {scale}, expected one of {', '.join(map(str, SCALES))}")
    return scale.bit_length() - 1


def gsd_tensor(gsd: float | Sequence[float] | Tensor | None, rgb: Tensor) -> Tensor:
    """Return N pixel sizes in metres for N images.

    Raises:
        ShapeError: If there are neither one nor N, or one is not positive.
    """
    metres = torch.as_tensor(
        DEFAULT_GSD if gsd is None else gsd, dtype=torch.float32, device=rgb.device
    ).reshape(-1)
    if metres.numel() == 1:
        metres = metres.expand(len(rgb))
    if metres.shape != (len(rgb),) or not bool((metres > 0).all()):
        raise ShapeError(f"gsd is {gsd!r}, expected one or {len(rgb)} positive numbers of metres")
    return metres.to(rgb.dtype)


def origin_pairs(
    origin_yx: tuple[int, int] | Sequence[tuple[int, int]], count: int
) -> tuple[tuple[int, int], ...]:
    """Return one absolute LR row and column for all of `count` images, or one for each.

    Raises:
        ShapeError: If there are neither one nor `count`.
    """
    rows = torch.as_tensor(origin_yx, dtype=torch.int64).reshape(-1, 2).tolist()
    pairs = tuple((row, col) for row, col in rows)
    if len(pairs) not in (1, count):
        raise ShapeError(f"origin_yx holds {len(pairs)} pairs, expected one or {count}")
    return pairs


def fit(image: Tensor, held: int, wanted: int) -> Tensor:
    """Bring an image that carries `held` pixels of context to `wanted`, mirroring its edges."""
    return crop(image, held - wanted) if held >= wanted else pad_mirrored(image, wanted - held)


def fit_guides(guides: Guides, held: int, wanted: int) -> list[tuple[Tensor, Tensor]]:
    """Bring the guide on every grid to the context that `fit` would give on the LR grid."""
    return [
        (fit(bands, held << level, wanted << level), fit(known, held << level, wanted << level))
        for level, (bands, known) in enumerate(guides)
    ]


def check_rgb(rgb: Tensor) -> None:
    """Raise unless an image can be super-resolved.

    Args:
        rgb: What should be floating point N x 3 x H x W in [-1, 1].

    Raises:
        ShapeError: Says what was found and what was expected.
    """
    check_tensors(rgb=rgb)
    if rgb.ndim != 4 or rgb.shape[1] != 3 or not rgb.is_floating_point() or not rgb.numel():
        raise ShapeError(
            f"rgb is {rgb.dtype} {tuple(rgb.shape)}, expected floating point N x 3 x H x W"
        )
    largest = float(rgb.detach().abs().amax())
    # Written so that NaN, which compares false, fails too.
    if not largest <= 1 + _SLACK:
        raise ShapeError(f"rgb holds values of magnitude {largest:.6g}, expected [-1, 1]")


def check_guides(
    rgb: Tensor,
    hsi: Tensor | Sequence[Tensor] | None,
    mask: Tensor | Sequence[Tensor] | None,
    bands: int,
) -> list[tuple[Tensor, Tensor]]:
    """Check the guide on every grid that it is given on, and fill in its masks.

    Args:
        rgb: N x 3 x H x W.
        hsi: What should be N x bands x H x W, or a list of it and N x bands x 2^k H x 2^k W.
        mask: For each, what should be N x 1 or N x bands of the same size; None for all known.
        bands: Bands that the network takes.

    Returns:
        For each grid the bands, 0 where unknown, and what is known of them, N x bands each.

    Raises:
        ShapeError: Says what was found and what was expected.
    """
    images = _listed(hsi, "hsi")
    known_all = [torch.ones_like(image[:, :1]) for image in images]
    masks = known_all if mask is None else _listed(mask, "hsi_mask")
    if len(masks) != len(images):
        raise ShapeError(f"hsi_mask is given for {len(masks)} grids, hsi for {len(images)}")
    guides = []
    for level, (image, known) in enumerate(zip(images, masks, strict=True)):
        height, width = (side << level for side in rgb.shape[2:])
        expected = (len(rgb), bands, height, width)
        if tuple(image.shape) != expected or not image.is_floating_point():
            raise ShapeError(
                f"hsi is {image.dtype} {tuple(image.shape)}, expected floating point {expected} "
                f"to go with rgb {tuple(rgb.shape)}"
            )
        if tuple(known.shape) not in (expected, (len(rgb), 1, height, width)):
            raise ShapeError(
                f"hsi_mask is {tuple(known.shape)}, expected {expected} or 1 in place of {bands}"
            )
        values = torch.where(known > 0, image.to(rgb.dtype), 0.0)
        if not bool(torch.isfinite(values).all()):
            raise ShapeError("hsi holds NaN or infinity where hsi_mask says it is known")
        guides.append((values, known.to(rgb.dtype).expand(expected)))
    return guides


def _listed(images: Tensor | Sequence[Tensor] | None, name: str) -> list[Tensor]:
    if images is None:
        return []
    if isinstance(images, list | tuple):
        return list(images)
    check_tensors(**{name: images})
    assert isinstance(images, Tensor)
    return [images]
