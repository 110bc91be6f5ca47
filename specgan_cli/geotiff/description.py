"""What a raster holds, and what its file says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rasterio.enums import ColorInterp

from specgan_cli.raster.bands import RGB
from specgan_cli.raster.grid import Grid
from specgan_cli.raster.masks import MaskKind

ALPHA_DTYPES = ("uint8", "uint16")
"""Types in which GDAL takes an alpha band for a mask; others get an internal mask."""


@dataclass(frozen=True)
class BandMetadata:
    """Metadata of one band, or of the dataset, beside its tags."""

    band: int
    """Band from 1; 0 for the dataset."""
    namespace: str | None
    """GDAL metadata namespace; None for the default one."""
    values: Mapping[str, str]
    """Names and values."""


@dataclass(frozen=True)
class Description:
    """What a raster holds, and what its file says of it.

    Alpha is decided here: the fields speak of the bands without it, the properties with it.
    """

    grid: Grid
    """Grid of the whole raster."""
    count: int = 3
    """Bands, without alpha."""
    dtype: str = "uint8"
    """Name of the numpy dtype."""
    nodata: float | None = None
    """Value of missing pixels in file units."""
    mask: MaskKind | None = None
    """How missing pixels are marked: "nodata", "alpha" (a band more), "mask" (an internal mask
    band) or "none"; by default "nodata" when there is a value."""
    scales: tuple[float, ...] | None = None
    """Factor from file units to physical ones, of every band."""
    offsets: tuple[float, ...] | None = None
    """Offset from file units to physical ones, of every band."""
    descriptions: tuple[str | None, ...] = ()
    """Description of every band."""
    units: tuple[str | None, ...] = ()
    """Unit of every band's physical values."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Dataset tags, such as those of provenance."""
    metadata: Sequence[BandMetadata] = ()
    """Further metadata, of bands and in namespaces."""

    @property
    def mask_kind(self) -> MaskKind:
        """How missing pixels are marked in this type."""
        if self.mask == "alpha" and self.dtype not in ALPHA_DTYPES:
            return "mask"
        return self.mask or ("none" if self.nodata is None else "nodata")

    @property
    def nodata_tag(self) -> float | None:
        """Value of missing pixels where that is what marks them."""
        return self.nodata if self.mask_kind == "nodata" else None

    @property
    def all_bands(self) -> int:
        """Bands, alpha included."""
        return self.count + self._alpha

    @property
    def all_colours(self) -> tuple[ColorInterp, ...]:
        """Red, green and blue for three bands or more, then alpha if any; empty for fewer."""
        if self.count < 3:
            return ()
        further = [ColorInterp.undefined] * (self.count - 3)
        return (*RGB, *further, *[ColorInterp.alpha] * self._alpha)

    @property
    def all_scales(self) -> tuple[float, ...]:
        """Factor of every band, alpha included; empty where all are 1."""
        scales = self.scales or ()
        return (*scales, *[1.0] * self._alpha) if any(each != 1 for each in scales) else ()

    @property
    def all_offsets(self) -> tuple[float, ...]:
        """Offset of every band, alpha included; empty where all are 0."""
        offsets = self.offsets or ()
        return (*offsets, *[0.0] * self._alpha) if any(offsets) else ()

    @property
    def _alpha(self) -> int:
        return int(self.mask_kind == "alpha")
