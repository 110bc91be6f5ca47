"""Types that the packages share; shapes of arrays stand in docstrings."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]
"""Values of a raster in its own type and units."""

Mask = NDArray[np.bool_]
"""True where a pixel is valid."""

F32 = NDArray[np.float32]
"""Values for the networks, and reflectance."""

F64 = NDArray[np.float64]
"""Positions, weights and sums."""

Progress = Callable[[int, int], None]
"""Called with what is done and all there is to do: tiles of a scene, or chips of a dataset."""
