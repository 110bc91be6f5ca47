"""What lies around an output: how large it gets, and the files beside it."""

from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from rasterio.crs import CRS

from specgan import files
from specgan_cli.geotiff.description import Description
from specgan_cli.geotiff.options import WriteOptions

COMPRESSED = 0.7
"""Share of its plain size that 8-bit imagery keeps under DEFLATE with a predictor, cautiously."""

SIDECARS = (".aux.xml", ".ovr", ".msk")
"""Files beside a raster that GDAL would read with a new one of the same name."""


def expected_bytes(description: Description, options: WriteOptions) -> int:
    """Return about how much disk an output takes while it is made.

    Compressed pixels are counted at 70 per cent; overviews add a third; a COG is copied from a
    GeoTIFF, so that both are there for a while.
    """
    rows, cols = description.grid.shape_yx
    plain = rows * cols * description.all_bands * np.dtype(description.dtype).itemsize
    given = {key.upper(): value.upper() for key, value in options.co.items()}
    share = 1.0 if given.get("COMPRESS") == "NONE" else COMPRESSED
    is_cog = options.of == "COG"
    size = plain * share * (4 / 3 if options.overviews or is_cog else 1)
    return int(size * (2 if is_cog else 1))


def remove_sidecars(path: Path) -> None:
    """Remove what an earlier raster of this name left beside it."""
    for ending in SIDECARS:
        files.remove(path.with_name(path.name + ending))


def write_crs_sidecar(path: Path, crs: CRS) -> None:
    """Write a CRS that GeoTIFF keys cannot say where GDAL looks for it: PATH.aux.xml."""
    wkt = escape(crs.to_wkt(version="WKT2_2019"))
    axes = "2,1" if crs.is_geographic else "1,2"
    text = f'<PAMDataset>\n  <SRS dataAxisToSRSAxisMapping="{axes}">{wkt}</SRS>\n</PAMDataset>\n'
    files.write(path.with_name(path.name + ".aux.xml"), text)
