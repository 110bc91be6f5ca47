"""The one edge convention: beyond an image's edge, its edge pixels are repeated.

It is numpy's "edge" and torch's "replicate" padding (`specgan.layers.pad_edge`).  Reading a scene,
calling a network, training and evaluation all continue images in this way, so that they agree at a
scene's border.
"""

import numpy as np
from numpy.typing import NDArray


def edge_indices(start: int, count: int, size: int) -> NDArray[np.intp]:
    """Return where the pixels of a window come from, along one axis.

    Args:
        start: The window's first pixel; may lie outside the image.
        count: Pixels of the window.
        size: Pixels of the image.

    Returns:
        `count` indices, `start`, `start` + 1, ... brought into 0..`size` - 1.
    """
    return np.arange(start, start + count).clip(0, size - 1)
