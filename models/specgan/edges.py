"""The one edge convention: beyond its edges an image is continued by its mirror image.

The edge pixel comes twice, as in numpy's "symmetric" padding.  `specgan.layers.pad_mirrored` does
the same to tensors.  Reading a scene, calling a network, training and evaluation all continue
images in this way, so that they agree at a scene's border.
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
        `count` indices, `start`, `start` + 1, ... folded into 0..`size` - 1.
    """
    folded = np.arange(start, start + count) % (2 * size)
    return np.minimum(folded, 2 * size - 1 - folded)
