"""Blocks: windows cut along the block grid of a file, and blocks that wait for their parts."""

from collections.abc import Iterator

import numpy as np

from specgan_cli.raster.grid import Window
from specgan_cli.types import Mask, Pixels


def whole_blocks(
    window: Window, shape_yx: tuple[int, int], block: int
) -> tuple[Window | None, list[Window]]:
    """Split a window into the whole blocks that it covers and its parts of others.

    A block at the right or lower edge of the raster is whole when all its pixels within the
    raster are there.

    Returns:
        (window of whole blocks or None, windows of the remaining parts, one per block).

    Raises:
        ValueError: If the window reaches beyond the raster.
    """
    if window.intersection(Window(0, 0, *shape_yx)) != window:
        raise ValueError(f"{window} is not within the output of {shape_yx} pixels")
    top, bottom = _whole_span(window.row, window.height, shape_yx[0], block)
    left, right = _whole_span(window.col, window.width, shape_yx[1], block)
    whole = None
    if bottom > top and right > left:
        whole = Window(top, left, bottom - top, right - left)
    parts = []
    for row in range(window.row // block * block, window.row + window.height, block):
        for col in range(window.col // block * block, window.col + window.width, block):
            part = window.intersection(Window(row, col, block, block))
            if part is not None and (whole is None or whole.intersection(part) is None):
                parts.append(part)
    return whole, parts


class OpenBlocks:
    """Blocks of which some pixels have been written and others have not."""

    def __init__(self, shape_yx: tuple[int, int], block: int) -> None:
        self._shape_yx = shape_yx
        self._block = block
        self._open: dict[tuple[int, int], tuple[Pixels, Mask, Mask]] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    def add(
        self, values: Pixels, valid: Mask, window: Window, parts: list[Window]
    ) -> Iterator[tuple[Pixels, Mask, Window]]:
        """Put the parts of a written window in their blocks; yield those that are complete.

        Args:
            values: C x H x W of the window, as stored.
            valid: H x W.
            window: Where the values lie.
            parts: What of the window to take, one window per block.

        Yields:
            (values, valid, window) of each block that has all its pixels now.
        """
        for part in parts:
            key = (part.row // self._block, part.col // self._block)
            whole = self._window_of(key)
            if key not in self._open:
                blank = np.zeros((values.shape[0], *whole.shape_yx), values.dtype)
                off = np.zeros(whole.shape_yx, bool)
                self._open[key] = (blank, off, off.copy())
            block_values, block_valid, written = self._open[key]
            here = part.shifted(-whole.row, -whole.col).slices
            there = part.shifted(-window.row, -window.col).slices
            block_values[:, *here] = values[:, *there]
            block_valid[here] = valid[there]
            written[here] = True
            if written.all():
                del self._open[key]
                yield block_values, block_valid, whole

    def drain(self) -> Iterator[tuple[Pixels, Mask, Mask, Window]]:
        """Yield (values, valid, written, window) of the blocks still open, in row-major order."""
        for key in sorted(self._open):
            values, valid, written = self._open.pop(key)
            yield values, valid, written, self._window_of(key)

    def _window_of(self, key: tuple[int, int]) -> Window:
        row, col = key[0] * self._block, key[1] * self._block
        rows, cols = self._shape_yx
        return Window(row, col, min(self._block, rows - row), min(self._block, cols - col))


def pad_to_blocks(values: Pixels, block: int) -> Pixels:
    """Repeat the last row and column of ... x H x W until both are whole numbers of blocks."""
    down, right = -values.shape[-2] % block, -values.shape[-1] % block
    if not (down or right):
        return values
    return np.pad(values, [(0, 0)] * (values.ndim - 2) + [(0, down), (0, right)], mode="edge")


def _whole_span(start: int, length: int, size: int, block: int) -> tuple[int, int]:
    stop = start + length
    return -(-start // block) * block, stop if stop == size else stop // block * block
