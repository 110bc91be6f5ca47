"""A second reading of what GDAL may have made up: it passes over some reads that fail.

A line of an ENVI file, a TIFF's table of blocks or a mask in a file of its own that cannot be read
become zeros or nodata without a word.  So pixels that hold such values are read again through a
second handle, and must be the same; and the files are once read from end to end, which a bad
sector does not let pass.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from specgan_cli.errors import RasterError

WHOLE_BYTES = 2**30
"""Files up to this size are read from end to end."""

CHUNK_BYTES = 2**22


class Rereading:
    """A raster opened a second time."""

    def __init__(self, name: str, dataset: Any, reopen: Callable[[], Any]) -> None:
        """Open a local raster again; others, whose drivers count failed reads, only once.

        Args:
            name: What messages call it.
            dataset: The first opening.
            reopen: Makes the second one.

        Raises:
            RasterError: They differ.
        """
        self._name = name
        self._fillers = {0.0, *(value for value in dataset.nodatavals if value is not None)}
        self._files = [Path(file) for file in dataset.files if os.path.isfile(file)]
        self._twin = reopen() if self._files else None
        self._read_whole = False
        if self._twin is not None and _facts(self._twin) != _facts(dataset):
            self.close()
            self._complain()

    def confirm(
        self, first: Sequence[NDArray[Any]], read: Callable[[Any], Sequence[NDArray[Any]]]
    ) -> None:
        """Read arrays again if one holds zeros, as masks do where they mask, or nodata.

        Args:
            first: As they were read.
            read: Reads them from a dataset.

        Raises:
            RasterError: They are others now.
            OSError: A file cannot be read from end to end.
        """
        if self._twin is None or not any(self._may_be_filled(array) for array in first):
            return
        if not self._read_whole:
            self._read_files()
        for array, again in zip(first, read(self._twin), strict=True):
            if not np.array_equal(array, again, equal_nan=array.dtype.kind in "fc"):
                self._complain()

    def _may_be_filled(self, array: NDArray[Any]) -> bool:
        return any(bool((array == filler).any()) for filler in self._fillers)

    def see_through(self, view: Callable[[Any], Any]) -> None:
        """Read through a view of the raster from now on, such as a warped one."""
        if self._twin is not None:
            self._twin = view(self._twin)

    def close(self) -> None:
        """Close the second opening."""
        if self._twin is not None:
            self._twin.close()

    def _read_files(self) -> None:
        for file in self._files:
            if file.stat().st_size <= WHOLE_BYTES:
                with file.open("rb", buffering=0) as stream:
                    while stream.read(CHUNK_BYTES):
                        pass
        self._read_whole = True

    def _complain(self) -> NoReturn:
        raise RasterError(
            f"{self._name}: two readings of it differ: its disk or its network drive fails, or "
            "another program changes it; copy it elsewhere and run again"
        )


def _facts(dataset: Any) -> tuple[object, ...]:
    """Return what the header of a raster and the files beside it say."""
    grid = (dataset.shape, str(dataset.transform), str(dataset.crs), len(dataset.gcps[0]))
    types = (dataset.dtypes, repr(dataset.nodatavals), dataset.mask_flag_enums)
    scale = (repr(dataset.scales), repr(dataset.offsets), dataset.colorinterp)
    tags = [dataset.tags(), dataset.tags(ns="ENVI"), dataset.tags(ns="IMAGERY")]
    bands = [(dataset.tags(band), dataset.overviews(band)) for band in dataset.indexes]
    return grid, types, scale, dataset.descriptions, tags, bands
