"""The loss terms of the scene recipe, octave by octave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from specgan.objectives.augment import Change, augment
from specgan.objectives.discriminator import OctaveDiscriminator, pair
from specgan.objectives.losses import (
    composite,
    discriminator_gan,
    feature_matching,
    generator_gan,
    masked_chroma,
    masked_l1,
    masked_steps,
    r1_penalty,
)
from specgan.objectives.perceptual import Trunk, distance
from specgan_cli.training.config.schema import StageConfig
from specgan_cli.training.data.batch import Batch

SHORT_SIDE = 48
"""Images below this many pixels are enlarged for the perceptual trunk."""


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
class Level:
    """One octave of a batch, made and true."""

    octave: int
    """1 is x2."""

    output: Tensor
    """N x 3 x H x W, the truth outside the mask."""

    truth: Tensor
    """N x 3 x H x W."""

    mask: Tensor
    """N x 1 x H x W, 1 where the truth is known."""

    output_coarser: Tensor
    """N x 3 x H/2 x W/2: what the octave was made from, without gradients."""

    truth_coarser: Tensor
    """N x 3 x H/2 x W/2: the true one."""

    draws: Tensor
    """N x augment.DRAWS."""

    def detached(self) -> "Level":
        """Cut the generator's graph off."""
        return replace(self, output=self.output.detach())


def levels_of(
    batch: Batch, outputs: Sequence[Tensor], coarse: Sequence[Tensor] | None, stage: StageConfig
) -> list[Level]:
    """Put the stage's octaves beside their truths.

    With noisy true coarser images (`coarse`) the noise is in the truth too, interpolated: an
    octave keeps its coarser image, so it must not be blamed for it.

    Args:
        batch: The samples.
        outputs: The network's octaves from x2 on.
        coarse: The true coarser images that the network was given, or None.
        stage: Which octaves have losses.
    """
    halo = batch.halo
    size = (slice(halo, batch.lr_rgb.shape[2] - halo), slice(halo, batch.lr_rgb.shape[3] - halo))
    lr_rgb = batch.lr_rgb[:, :, *size]
    levels = []
    for octave in range(stage.octaves[0], len(outputs) + 1):
        i = octave - 1
        truth, mask = batch.truths[i], batch.masks[i]
        true_coarser = batch.truths[i - 1] if i else lr_rgb
        made_coarser = outputs[i - 1].detach() if i else lr_rgb
        if coarse is not None and i:
            made_coarser = coarse[i - 1]
            truth = truth + functional.interpolate(
                made_coarser - true_coarser, scale_factor=2, mode="bilinear", align_corners=False
            )
            true_coarser = made_coarser
        output = composite(outputs[i], truth, mask)
        draws = batch.draws[:, i]
        levels.append(Level(octave, output, truth, mask, made_coarser, true_coarser, draws))
    return levels


def content_terms(
    levels: Sequence[Level], stage: StageConfig, trunk: Trunk | None
) -> dict[str, Term]:
    """Weigh the differences from the truth, averaged over octaves.

    Args:
        levels: The stage's octaves.
        stage: The weights.
        trunk: Perceptual trunk; None leaves that term out.
    """
    terms = {}
    for level in levels:
        name = f"x{2**level.octave}"
        if stage.l1:
            l1 = masked_l1(level.output, level.truth, level.mask)
            terms[f"l1/{name}"] = Term(l1, stage.l1 / len(levels))
        if stage.chroma:
            chroma = masked_chroma(level.output, level.truth, level.mask)
            terms[f"chroma/{name}"] = Term(chroma, stage.chroma / len(levels))
        if stage.texture:
            steps = masked_steps(level.output, level.truth, level.mask)
            terms[f"texture/{name}"] = Term(steps, stage.texture / len(levels))
        if stage.perceptual and trunk is not None:
            output, truth = (
                rolled(enlarged(image), level.draws) for image in (level.output, level.truth)
            )
            far = distance(trunk, output, truth).mean()
            terms[f"perceptual/{name}"] = Term(far, stage.perceptual / len(levels))
    return terms


def adversarial_terms(
    levels: Sequence[Level],
    weight: float,
    matching: float,
    discriminators: nn.ModuleList,
    changes: tuple[Change, ...],
) -> dict[str, Term]:
    """Weigh the generator's adversarial losses, averaged over octaves.

    Args:
        levels: The stage's octaves.
        weight: The adversarial weight at this step.
        matching: The weight of feature matching.
        discriminators: One an octave, frozen.
        changes: Augmentation.
    """
    terms = {}
    for level in levels:
        name = f"x{2**level.octave}"
        judge = _discriminator(discriminators, level)
        fake = pair(level.output, level.output_coarser)
        logits, features = judge.judge(augment(fake, level.draws, changes))
        terms[f"gan/{name}"] = Term(generator_gan(logits), weight / len(levels))
        if matching:
            real = pair(level.truth, level.truth_coarser)
            _, wanted = judge.judge(augment(real, level.draws, changes))
            far = feature_matching(features, wanted)
            terms[f"features/{name}"] = Term(far, matching / len(levels))
    return terms


def discriminator_terms(
    levels: Sequence[Level],
    stage: StageConfig,
    discriminators: nn.ModuleList,
    changes: tuple[Change, ...],
    *,
    penalise: bool,
) -> dict[str, Term]:
    """Compute the discriminators' losses on detached octaves.

    Args:
        levels: The stage's octaves, detached.
        stage: The weight of R1.
        discriminators: One an octave, learning.
        changes: Augmentation.
        penalise: Whether this step has an R1 penalty (lazy regularisation: its weight is
            multiplied by the steps between two).
    """
    terms = {}
    for level in levels:
        name = f"x{2**level.octave}"
        judge = _discriminator(discriminators, level)
        real = pair(level.truth, level.truth_coarser).detach()
        fake = pair(level.output, level.output_coarser).detach()
        real_logits, _ = judge.judge(augment(real, level.draws, changes))
        fake_logits, _ = judge.judge(augment(fake, level.draws, changes))
        terms[f"discriminator/{name}"] = Term(discriminator_gan(real_logits, fake_logits), 1.0)
        if penalise:
            watched = real.requires_grad_(True)
            with torch.autocast(real.device.type, enabled=False):
                penalty = r1_penalty(judge.judge(watched)[0], watched)
            terms[f"r1/{name}"] = Term(penalty, stage.r1 * stage.r1_every)
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

    A trunk's strides put a lattice on what it likes; a lattice that always lies on the octave's
    own grid is learnt, and shows.  15 is one less than the strides of either trunk together.

    Args:
        image: N x C x H x W.
        draws: N x augment.DRAWS uniform numbers, of which the first two decide.
    """
    shifts = (draws[:, :2] * 16).long().tolist()
    moved = [torch.roll(one, shift, dims=(1, 2)) for one, shift in zip(image, shifts, strict=True)]
    return torch.stack(moved)


def _discriminator(discriminators: nn.ModuleList, level: Level) -> OctaveDiscriminator:
    judge = discriminators[level.octave - 1]
    assert isinstance(judge, OctaveDiscriminator)
    return judge
