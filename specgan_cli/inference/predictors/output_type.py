"""The values that an output file can hold."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class OutputType:
    """The values that an output file can hold."""

    dtype: str
    """A numpy type name; the input's."""

    nodata: float | None
    """The value that means no data in the file; None where a mask says it, or nothing."""

    @property
    def integer(self) -> bool:
        """True where the file holds whole numbers."""
        return np.dtype(self.dtype).kind in "iu"

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and highest whole number that the type holds."""
        info = np.iinfo(self.dtype)
        return float(info.min), float(info.max)
