"""What is known of a cube beyond its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from specgan.bands import Bands

__all__ = ["CubeOptions"]


@dataclass(frozen=True)
class CubeOptions:
    """What is known of a cube beyond its file; a field that is None takes what the file says."""

    wavelengths: str | Path | Bands | None = None
    """A table of wavelengths, or the bands themselves."""
    scale: float | None = None
    """Stored value of reflectance 1 (10000 for most products)."""
    bad_bands: str | None = None
    """Further bands without use, such as ``1-4,1340-1445nm``."""
    nodata: float | str | None = None
    """Stored value that means nothing; "none" for no value."""
    crs: str | None = None
    """The CRS, such as ``EPSG:32618``."""
    origin: tuple[float, float] | None = None
    """Coordinates of the outer corner of the first pixel."""

    @property
    def table(self) -> str | Path | None:
        """What may be the path of a table of wavelengths."""
        return None if isinstance(self.wavelengths, Bands) else self.wavelengths
