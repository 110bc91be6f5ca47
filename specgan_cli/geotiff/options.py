"""How a raster is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from specgan_cli.geotiff.creation_options import block_of
from specgan_cli.geotiff.overviews import count_levels

Format = Literal["GTiff", "COG"]


@dataclass(frozen=True)
class WriteOptions:
    """How a raster is written."""

    of: Format = "GTiff"
    """GDAL's name of the format."""
    co: Mapping[str, str] = field(default_factory=dict)
    """GDAL creation options that replace the defaults."""
    overviews: bool | int = False
    """Add overviews, exact means of 2 x 2 blocks of valid pixels, down to 256 pixels; a number
    says how many.  A COG always has them."""
    block: int | None = None
    """Rows and columns of a block, a multiple of 16; `co` can say it too."""
    lossy: bool = False
    """Allow creation options that change pixel values."""
    overwrite: bool = False
    """Replace a file that exists, when the new one is complete."""
    resume: bool = False
    """Go on with what a killed run of the same `job` committed, if any."""
    keep_partial: bool = False
    """Keep what was committed when the work is interrupted (Ctrl-C) or fails in a way that was not
    foreseen; not when it cannot go on, as on a full disk."""
    job: str = ""
    """Says what is being made and from what; a run resumes only its like."""

    def block_of(self, shape_yx: tuple[int, int]) -> int:
        """Return the rows and columns of a block of a raster of this shape.

        Raises:
            OutputError: If the creation options name a side that cannot be.
        """
        return self.block or block_of(shape_yx, self.co)

    def levels_of(self, shape_yx: tuple[int, int]) -> int:
        """Return how many overviews a raster of this shape gets."""
        if isinstance(self.overviews, bool):
            return count_levels(shape_yx) if self.overviews or self.of == "COG" else 0
        return self.overviews
