"""How many pixels of context every part of the scene network needs around the wanted ones.

Counted backwards from the last octave, whose image needs none, so that each octave is computed on
just what the next one takes and the halo costs little.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from specgan.consistency import REACH
from specgan.scene.layers import Border
from specgan.scene.style import STYLE_REACH

# 3x3 convolutions of an octave's decoder.
DECODER_CONVS = 2


@dataclass(frozen=True)
class Margins:
    """Context around the wanted pixels, in pixels of the level's own grid; index 0 is the LR grid.

    With the LOCAL border every margin is zero but that of the style codes.
    """

    border: Border
    """What the layers do at their border."""
    image: tuple[int, ...]
    """Of each level's image, as the next level needs it."""
    feature: tuple[int, ...]
    """Of each level's bank and decoder features."""
    proposal: tuple[int, ...]
    """Of each level's image before it is made to keep the coarser one; even."""
    bank_input: tuple[int, ...]
    """Of the coarser level's bank feature that a level starts from."""
    decoder_input: tuple[int, ...]
    """Of what a level's decoder convolves."""
    decoder_before: tuple[int, ...]
    """Of the coarser level's decoder feature that is doubled."""
    image_before: tuple[int, ...]
    """Of the coarser level's image that is interpolated."""
    codes: int
    """Of the style codes on the LR grid."""
    encoder: int
    """Of the fusion encoder's output on the LR grid."""


def plan_margins(bank_convs: Sequence[int], border: Border) -> Margins:
    """Count the margins of a network that stops after `len(bank_convs)` octaves.

    Args:
        bank_convs: Styled convolutions of each octave.
        border: LOCAL needs no margins.
    """
    count = len(bank_convs)
    zeros = (0,) * (count + 1)
    if border is Border.LOCAL:
        return Margins(border, *(zeros,) * 7, codes=1, encoder=0)
    image, feature, proposal = [0] * (count + 1), [0] * (count + 1), [0] * (count + 1)
    bank_input = [0] * (count + 1)
    decoder_input, decoder_before = [0] * (count + 1), [0] * (count + 1)
    image_before = [0] * (count + 1)
    codes = 1
    for level in range(count, 0, -1):
        proposal[level] = 2 * (_half(image[level]) + REACH)
        feature[level] = max(feature[level], proposal[level])
        decoder_input[level] = feature[level] + DECODER_CONVS
        decoder_before[level] = _half(decoder_input[level]) + 1
        image_before[level] = _half(decoder_input[level]) + REACH
        convs = bank_convs[level - 1]
        bank_input[level] = _half(decoder_input[level] + convs) + 1
        feature[level - 1] = max(bank_input[level], decoder_before[level])
        image[level - 1] = max(image_before[level], proposal[level] // 2)
        codes = max(codes, -(-bank_input[level] // 2 ** (level - 1)) + 1)
    codes = max(codes, feature[0] + 1)
    return Margins(
        border,
        tuple(image),
        tuple(feature),
        tuple(proposal),
        tuple(bank_input),
        tuple(decoder_input),
        tuple(decoder_before),
        tuple(image_before),
        codes=codes,
        encoder=max(feature[0] + 1, codes + STYLE_REACH),
    )


def _half(pixels: int) -> int:
    """Return the coarse pixels that cover `pixels` fine ones."""
    return -(-pixels // 2)
