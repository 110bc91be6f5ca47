"""Panels of equal size put together to one picture."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Kind = TypeVar("Kind", bound=np.generic)


def arrange(
    panels: Sequence[NDArray[Kind]], cols: int, paper: float, *, gap: int = 0, border: int = 0
) -> NDArray[Kind]:
    """Put panels together, row by row.

    Args:
        panels: Each 3 x H x W.
        cols: Panels in a row.
        paper: Value between and around panels, and where the last row has none.
        gap: Pixels between panels.
        border: Pixels around all of them.

    Returns:
        3 x rows of panels x columns of panels, in the panels' type.
    """
    height, width = panels[0].shape[1:]
    rows = -(-len(panels) // cols)
    shape = (rows * (height + gap) - gap, cols * (width + gap) - gap)
    sheet = np.full((3, shape[0] + 2 * border, shape[1] + 2 * border), paper, panels[0].dtype)
    for index, panel in enumerate(panels):
        row, col = divmod(index, cols)
        top, left = border + row * (height + gap), border + col * (width + gap)
        sheet[:, top : top + height, left : left + width] = panel
    return sheet
