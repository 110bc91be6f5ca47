"""What a file says of its bands and of itself, fit to be said of a raster made from it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_OWN = re.compile(
    r"SPECGAN_|STATISTICS_|AREA_OR_POINT$|NODATA_VALUES$|OVR_RESAMPLING_ALG$|_FillValue$"
    r"|NETCDF_(DIM|VARNAME)|TIFFTAG_(SOFTWARE|[XY]RESOLUTION|RESOLUTIONUNIT|M(IN|AX)SAMPLEVALUE)",
    re.IGNORECASE,
)
"""Tags that speak of one file's pixels alone: their statistics, nodata, resolution, maker."""


@dataclass(frozen=True)
class Metadata:
    """What is said of some bands of a raster, and of the raster."""

    descriptions: tuple[str | None, ...] = ()
    """Description of each band."""
    units: tuple[str | None, ...] = ()
    """Unit of each band's physical values."""
    band_tags: tuple[Mapping[str, str], ...] = ()
    """Tags of each band."""
    imagery: tuple[Mapping[str, str], ...] = ()
    """Tags of each band in the IMAGERY domain: wavelengths in micrometres."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the dataset."""


def read_metadata(dataset: Any, bands: Sequence[int]) -> Metadata:
    """Read what holds for every raster made of some bands.

    Left out is what holds for the file alone: statistics, nodata, resolution, the maker.

    Args:
        dataset: A `rasterio.DatasetReader`.
        bands: 1-based numbers.
    """
    return Metadata(
        tuple(dataset.descriptions[band - 1] or None for band in bands),
        tuple(dataset.units[band - 1] or None for band in bands),
        tuple(kept_tags(dataset.tags(band)) for band in bands),
        tuple(dataset.tags(band, ns="IMAGERY") for band in bands),
        kept_tags(dataset.tags()),
    )


def kept_tags(tags: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the tags that hold for every raster made of a raster."""
    return {key: value for key, value in tags.items() if not _OWN.match(str(key))}
