"""The loss terms of the scene recipe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from specgan.objectives.losses import composite, lattice, masked_l1, masked_rms, unevenness
from specgan_cli.training.config.schema import StageConfig
from specgan_cli.training.data.batch import Batch

SHORT_SIDE = 48
"""Images below this many pixels are enlarged for the perceptual backbone."""


@dataclass(frozen=True)
class Term:
    """One loss and what it weighs."""

    value: Tensor
    """The loss, a scalar."""

    weight: float
    """Its weight in the sum."""


def total(terms: Mapping[str, Term]) -> Tensor:
    """Sum the weighted losses."""
    return torch.stack([term.value * term.weight for term in terms.values()]).sum()


def gather(losses: dict[str, float], terms: Mapping[str, Term], parts: int) -> None:
    """Add one micro-batch's unweighted losses to their means over `parts` micro-batches."""
    for name, term in terms.items():
        losses[name] = losses.get(name, 0.0) + float(term.value.detach()) / parts


@dataclass(frozen=True)
class Finest:
    """The finest octave of a batch, made, true and interpolated."""

    octave: int
    """1 is x2."""

    output: Tensor
    """N x 3 x H x W, the truth outside the mask."""

    truth: Tensor
    """N x 3 x H x W."""

    given: Tensor
    """N x 3 x H x W: the LR image, interpolated bicubically."""

    draws: Tensor
    """N x 2: where the backbone's lattice lies."""

    def for_backbone(self, image: Tensor) -> Tensor:
        """Make an image of this octave large enough, and roll it around."""
        return rolled(enlarged(image), self.draws)


def finest_of(batch: Batch, output: Tensor) -> Finest:
    """Put the last octave beside its truth and the interpolated input.

    Args:
        batch: The samples.
        output: The network's last octave.
    """
    halo, octave = batch.halo, len(batch.truths)
    rows, cols = (slice(halo, side - halo) for side in batch.lr_rgb.shape[2:])
    given = functional.interpolate(
        batch.lr_rgb[:, :, rows, cols], scale_factor=2**octave, mode="bicubic", align_corners=False
    )
    output = composite(output, batch.truths[-1], batch.masks[-1])
    return Finest(octave, output, batch.truths[-1], given, batch.draws)


def pixel_terms(
    outputs: Sequence[Tensor], batch: Batch, finest: Finest, stage: StageConfig
) -> dict[str, Term]:
    """Weigh the differences in place, and what the LR cell repeats.

    Args:
        outputs: The network's octaves.
        batch: The samples.
        finest: The last octave.
        stage: The weights.
    """
    terms = {}
    pairs = zip(outputs, batch.truths, batch.masks, strict=True)
    for octave, (output, truth, mask) in enumerate(pairs, start=1):
        share = 1.0 if octave == finest.octave else stage.coarse
        if stage.l1 * share:
            terms[f"l1/x{2**octave}"] = Term(masked_l1(output, truth, mask), stage.l1 * share)
        if stage.rms * share:
            terms[f"rms/x{2**octave}"] = Term(masked_rms(output, truth, mask), stage.rms * share)
        if stage.even:
            uneven = unevenness(composite(output, truth, mask))
            terms[f"even/x{2**octave}"] = Term(uneven, stage.even)
    if stage.lattice:
        factor = 2**finest.octave
        printed = lattice(finest.output, finest.truth, finest.given, factor)
        terms[f"lattice/x{factor}"] = Term(printed, stage.lattice)
    return terms


def enlarged(image: Tensor, short_side: int = SHORT_SIDE) -> Tensor:
    """Enlarge a small N x C x H x W by the least power of two that reaches `short_side`."""
    factor = 1
    while factor * min(image.shape[2:]) < short_side:
        factor *= 2
    if factor == 1:
        return image
    return functional.interpolate(image, scale_factor=factor, mode="bilinear", align_corners=False)


def rolled(image: Tensor, draws: Tensor) -> Tensor:
    """Roll each of N x C x H x W around by up to 15 pixels on both axes.

    A backbone's strides put a lattice on what it likes; a lattice that always lies on the octave's
    own grid is learnt, and shows.  15 is one less than the strides of either backbone together.

    Args:
        image: N x C x H x W.
        draws: N x 2 uniform numbers.
    """
    shifts = (draws * 16).long().tolist()
    moved = [torch.roll(one, shift, dims=(1, 2)) for one, shift in zip(image, shifts, strict=True)]
    return torch.stack(moved)
