"""Blocks that a file says it is made of: one is decoded as a whole, however little is wanted."""

import math
from typing import Any

import numpy as np
from rasterio.enums import Interleaving

from specgan_cli.errors import RasterError
from specgan_cli.memory import free_memory
from specgan_cli.wording import in_bytes

_PLAIN = {"complex_int16": "complex64"}
"""Types of rasterio that numpy does not know, and what they are read as."""

SHARE = 0.5
"""Of the free memory that a block may take: there is more to hold than it."""


def check_blocks(dataset: Any, shown: str) -> None:
    """Raise if a block of an open raster would not fit into memory.

    Args:
        dataset: Open with rasterio.
        shown: What messages call it.

    Raises:
        RasterError: Says how much it would take, and how much is free.
    """
    together = dataset.count if dataset.interleaving is Interleaving.pixel else 1
    pairs = zip(dataset.dtypes, dataset.block_shapes, strict=True)
    sizes = [np.dtype(_PLAIN.get(kind, kind)).itemsize * math.prod(yx) for kind, yx in pairs]
    check_block(max(sizes, default=0) * together, shown)


def check_block(nbytes: int, shown: str) -> None:
    """Raise if a block of so many bytes would not fit into memory.

    Raises:
        RasterError: Says how much it would take, and how much is free.
    """
    free = free_memory()
    if nbytes > SHARE * free:
        raise RasterError(
            f"{shown}: one block of it takes {in_bytes(nbytes)} of memory, and "
            f"{in_bytes(free)} are free; write it in smaller blocks: "
            "gdal_translate -co TILED=YES"
        )
