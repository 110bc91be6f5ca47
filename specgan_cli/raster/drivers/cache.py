"""GDAL's block cache, bounded so that memory does not grow with the raster."""

import os

MEGABYTES = 128
"""GDAL's own default is 5 per cent of the machine's memory."""


def bound_cache() -> None:
    """Set GDAL_CACHEMAX, unless the user did; GDAL reads it when it is first used."""
    os.environ.setdefault("GDAL_CACHEMAX", str(MEGABYTES))
