"""How many pixels of context every part of the scene network needs around the wanted ones.

Counted backwards from the last octave, whose image needs none, so that each octave is computed on
just what the next one takes and the halo costs little: deep on the coarse grids, where pixels are
few, and a handful of pixels on the fine ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from specgan.consistency import REACH
from specgan.scene.layers import Border, ResidualBlock


@dataclass(frozen=True)
class Margins:
    """Context around the wanted pixels, in pixels of the level's own grid; index 0 is the LR grid.

    With the LOCAL border every margin is zero.
    """

    border: Border
    """What the layers do at their border."""
    image: tuple[int, ...]
    """Of each level's image, as the next level needs it."""
    feature: tuple[int, ...]
    """Of each level's features, as the next level's blocks need them."""
    up: tuple[int, ...]
    """Of each level's features as they leave the doubling; even."""
    detail: tuple[int, ...]
    """Of each level's RGB detail; even."""
    noise: tuple[int, ...]
    """Of each level's noise; even."""

    @property
    def halo(self) -> int:
        """LR pixels of context that the inputs need."""
        return max(self.image[0], self.feature[0] + self.border.shrink(1))


def plan_margins(blocks: Sequence[int], border: Border) -> Margins:
    """Count the margins of a network that stops after `len(blocks)` octaves.

    Args:
        blocks: Residual blocks of each octave.
        border: LOCAL needs no margins.
    """
    count = len(blocks)
    if border is Border.LOCAL:
        return Margins(border, *((0,) * (count + 1),) * 5)
    image, feature, up, detail, noise = ([0] * (count + 1) for _ in range(5))
    for level in range(count, 0, -1):
        detail[level] = 2 * (_half(image[level]) + REACH)
        up[level] = 2 * _half(max(feature[level], detail[level] + 1))
        after_blocks = up[level] // 2 + 1
        noise[level] = 2 * (after_blocks + 1)
        feature[level - 1] = after_blocks + ResidualBlock.reach * blocks[level - 1]
        image[level - 1] = detail[level] // 2
    return Margins(border, *(tuple(m) for m in (image, feature, up, detail, noise)))


def _half(pixels: int) -> int:
    """Return the coarse pixels that cover `pixels` fine ones."""
    return -(-pixels // 2)
