"""The image in a partial file: its blocks and overviews, with missing pixels marked."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from rasterio.io import DatasetReader

from specgan_cli.geotiff.blocks import pad_to_blocks
from specgan_cli.geotiff.description import Description
from specgan_cli.geotiff.encoder import Encoding, encode
from specgan_cli.geotiff.overviews import halve
from specgan_cli.geotiff.partial import PartialFile, temporary_of
from specgan_cli.raster.grid import Window
from specgan_cli.raster.masks import mark_missing, valid_values
from specgan_cli.raster.validation import read_back
from specgan_cli.types import Mask, Pixels

CHUNK = 4
"""Blocks that are averaged and compressed together for the overviews."""


@dataclass(frozen=True)
class Image:
    """Appends pixels, block by block, and averages them to overviews."""

    file: PartialFile
    """Where the blocks go."""
    encoding: Encoding
    """How they are stored."""
    description: Description
    """What the raster holds, and how missing pixels are marked."""

    def append(self, values: Pixels, valid: Mask, window: Window, level: int = 0) -> None:
        """Compress a window of whole blocks and append them.

        Args:
            values: C x H x W, colour bands in file units.
            valid: H x W.
            window: Where, in pixels of the level; it begins at a block's corner.
            level: 0 for the full resolution, k for the overview 2 ** k times coarser.
        """
        block = self.encoding.block
        stored = mark_missing(values, valid, self.description.mask_kind, self.description.nodata)
        known = pad_to_blocks(valid, block) if self.encoding.masked else None
        rows, cols = (-(-size // block) for size in window.shape_yx)
        kinds = encode(self.encoding, pad_to_blocks(stored, block), known)
        for kind, compressed in enumerate(kinds):
            table = level * len(kinds) + kind
            full_rows, full_cols = self.file.tables[table].blocks_yx
            for i, data in enumerate(compressed):
                plane, inside = divmod(i, rows * cols)
                row = window.row // block + inside // cols
                col = window.col // block + inside % cols
                self.file.append(table, (plane * full_rows + row) * full_cols + col, data)

    def add_overview(self, level: int) -> None:
        """Append an overview: means of the next finer level, which is read back from the file.

        Raises:
            RasterError: It cannot be read back.
        """
        self.file.save_tables()
        finer = {} if level == 1 else {"overview_level": level - 2}
        with read_back(temporary_of(self.file.path), **finer) as read:
            for window in _block_chunks(self._shape_at(level), self.encoding.block):
                source = window.scaled(2).intersection(Window(0, 0, *self._shape_at(level - 1)))
                assert source is not None
                values, valid = self._valid(*read(partial(self._stored, window=source)))
                means, known = halve(values[: self.description.count], valid)
                self.append(means, known, window, level)

    def _shape_at(self, level: int) -> tuple[int, int]:
        rows, cols = self.description.grid.shape_yx
        return -(-rows >> level), -(-cols >> level)

    def _stored(self, dataset: DatasetReader, window: Window) -> list[Pixels]:
        """Read pixels, and the mask where there is one."""
        where = window.rasterio()
        masks = [dataset.read_masks(1, window=where)] * (self.description.mask_kind == "mask")
        return [dataset.read(window=where), *masks]

    def _valid(self, values: Pixels, mask: Pixels | None = None) -> tuple[Pixels, Mask]:
        if mask is not None:
            return values, mask > 0
        if self.description.mask_kind == "alpha":
            return values, values[-1] > 0
        return values, valid_values(values, self.description.nodata_tag)


def _block_chunks(shape_yx: tuple[int, int], block: int) -> Iterator[Window]:
    """Yield windows of one row and up to four columns of blocks, in row-major order."""
    rows, cols = shape_yx
    for row in range(0, rows, block):
        for col in range(0, cols, CHUNK * block):
            yield Window(row, col, min(block, rows - row), min(CHUNK * block, cols - col))
