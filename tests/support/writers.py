"""Writers of rasters, from the fields of both records that they take."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from specgan_cli.geotiff.description import Description
from specgan_cli.geotiff.options import WriteOptions
from specgan_cli.geotiff.writer import RasterWriter
from specgan_cli.raster.grid import Grid


def raster_writer(path: Path, grid: Grid, **given: Any) -> RasterWriter:
    """Return a writer, not yet opened; what `WriteOptions` does not know describes the raster."""
    options = {f.name: given.pop(f.name) for f in fields(WriteOptions) if f.name in given}
    return RasterWriter(path, Description(grid, **given), WriteOptions(**options))
