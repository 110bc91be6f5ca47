"""From tiles that were read to tiles that can be written: the network and what follows it."""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from specgan.layers import check_numbers
from specgan_cli.inference.job import Job
from specgan_cli.inference.pipeline import run_pipeline
from specgan_cli.inference.plan import RunPlan
from specgan_cli.inference.predictors.networks import Networks
from specgan_cli.inference.predictors.output_values import finish_tile
from specgan_cli.inference.predictors.predictor import Predictor, Settings
from specgan_cli.inference.reader import MARGIN, FurtherInput, TileInput, TileResult
from specgan_cli.raster.grid import Window
from specgan_cli.types import F32, Mask, Pixels

logger = logging.getLogger(__name__)

# A tile of this many LR pixels a side is not split any further when memory runs out.
_SMALLEST_TILE = 2


class Engine:
    """A model on one device, with the settings of one scene."""

    def __init__(self, model: Predictor, settings: Settings, device: torch.device) -> None:
        self.model = model
        self.settings = settings
        self.device = device
        self.halo = model.halo
        self.busy_seconds = 0.0
        """Time spent in `predict`."""

    def predict(self, tiles: Sequence[TileInput]) -> list[TileResult]:
        """Compute tiles of equal shape; tiles without a valid pixel cost nothing.

        When memory runs out the batch is halved, then the tile: the result is the same, since a
        tile's halo holds all that any part of it needs.

        Args:
            tiles: Tiles of one shape, whose origins are even or odd alike, each with the engine's
                halo around it.

        Returns:
            One result for each tile, in their order.
        """
        start = time.monotonic()
        filled = [tile for tile in tiles if tile.lr_valid.any()]
        values = iter(self._values(filled))
        results = [self._result(t, next(values) if t.lr_valid.any() else None) for t in tiles]
        self.busy_seconds += time.monotonic() - start
        return results

    def _values(self, tiles: Sequence[TileInput]) -> list[Pixels]:
        if not tiles:
            return []
        try:
            return self._compute(tiles)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if self.device.type == "mps":
            torch.mps.empty_cache()
        return self._halves(tiles)

    def _halves(self, tiles: Sequence[TileInput]) -> list[Pixels]:
        if len(tiles) > 1:
            middle = len(tiles) // 2
            logger.info("out of memory: batch of %d halved", len(tiles))
            return self._values(tiles[:middle]) + self._values(tiles[middle:])
        (tile,) = tiles
        window = tile.window
        if max(window.height, window.width) <= _SMALLEST_TILE:
            raise MemoryError(f"not even a tile of {window.height} x {window.width} pixels fits")
        logger.info("out of memory: tile of %d x %d halved", window.height, window.width)
        axis = 1 if window.height >= window.width else 2
        parts = [self._values([part])[0] for part in split(tile, self.halo)]
        return [np.concatenate(parts, axis=axis)]

    def _compute(self, tiles: Sequence[TileInput]) -> list[Pixels]:
        s = self.settings
        finest = self.finest(tiles)
        return [
            finish_tile(finest[i : i + 1], tile, s.radiometry, s.output)
            for i, tile in enumerate(tiles)
        ]

    def finest(self, tiles: Sequence[TileInput]) -> Tensor:
        """Return the image of N tiles, N x 3 x sH x sW in [-1, 1].

        Raises:
            WeightsError: The weights make values that are no numbers.
        """
        s = self.settings
        if s.at_once > 1:  # threads of Python's own, to each of which it has to be said
            torch.set_num_threads(max(s.threads // s.at_once, 1))
        image = self.model.finest(tiles, s, self.device)
        if self.device.type == "mps":  # has no double precision, which what follows may need
            image = image.cpu()
        check_numbers(image)
        return image

    def _result(self, tile: TileInput, values: Pixels | None) -> TileResult:
        s = self.settings
        window = tile.window.scaled(s.scale)
        if values is None:
            # All zero pages: costs no memory until the writer marks them as missing.
            values = np.zeros((s.count, *window.shape_yx), s.output.dtype)
        return TileResult(window, values, repeat_mask(tile.lr_valid, s.scale))


class Computes(Protocol):
    """What computes tiles in a thread of its own."""

    @property
    def halo(self) -> int:
        """LR pixels of context that a tile needs on every side."""

    def predict(self, tiles: Sequence[TileInput]) -> list[TileResult]:
        """Compute tiles of equal shape."""


def make_engines(job: Job, networks: Networks, at_once: int = 1) -> list[Engine]:
    """Return the engines for the tiles of one job: one a device, or several on a CPU.

    Args:
        job: The scene.
        networks: The loaded weights.
        at_once: Engines that share a CPU's threads and the network.
    """
    compute = job.request.compute
    settings = Settings(
        scale=compute.scale,
        gsd=job.scene.grid.gsd,
        radiometry=job.radiometry,
        output=job.output,
        count=job.count,
        seed=compute.seed,
        at_once=at_once,
        threads=networks.threads,
    )
    for model, _ in networks.copies:
        model.start()
    copies = networks.copies * at_once
    return [Engine(model, settings, device) for model, device in copies]


def compute_tiles(
    job: Job,
    plan: RunPlan,
    engines: Sequence[Computes],
    write: Callable[[TileResult], None],
    done: int = 0,
) -> None:
    """Read, compute and write the tiles of a plan.

    Args:
        job: The scene.
        plan: Its tiles.
        engines: What computes them, each in its own thread.
        write: Takes one finished tile, in the order of the plan.
        done: Tiles that are there already.
    """
    read = partial(job.reader.read, halo=engines[0].halo)
    predictors = [engine.predict for engine in engines]
    threads = torch.get_num_threads()
    try:
        run_pipeline(plan.tiles[done:], read, predictors, write, batch=plan.batch)
    finally:
        torch.set_num_threads(threads)  # what an engine says of its own thread stays with torch


def repeat_mask(mask: Mask, scale: int) -> Mask:
    """Return a mask with every pixel as a block of `scale` x `scale`."""
    return np.repeat(np.repeat(mask, scale, axis=0), scale, axis=1)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out, on a GPU or on the CPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error)
    return "out of memory" in text or "can't allocate memory" in text


def split(tile: TileInput, halo: int) -> tuple[TileInput, TileInput]:
    """Cut a tile in two along its longer axis; each part keeps the full halo.

    Args:
        tile: A tile of at least two pixels along one axis.
        halo: The LR pixels around it.

    Returns:
        The upper and the lower part, or the left and the right one.
    """
    w = tile.window
    if w.height >= w.width:
        half = w.height // 2
        parts = ((0, half, 0, w.width), (half, w.height, 0, w.width))
    else:
        half = w.width // 2
        parts = ((0, w.height, 0, half), (0, w.height, half, w.width))
    first, second = (_part(tile, halo, *part) for part in parts)
    return first, second


def _part(tile: TileInput, halo: int, top: int, bottom: int, left: int, right: int) -> TileInput:
    inner = (..., slice(top, bottom), slice(left, right))
    outer = _outer(top, bottom, left, right, halo)
    row, col = tile.window.row + top, tile.window.col + left
    return TileInput(
        window=Window(row, col, bottom - top, right - left),
        lr_unit=tile.lr_unit[:, *outer],
        lr_values=tile.lr_values[inner],
        lr_valid=tile.lr_valid[inner],
        lr_floor=None if tile.lr_floor is None else tile.lr_floor[inner],
        further=_further_part(tile.further, _outer(top, bottom, left, right, MARGIN)),
        hsi=_finer_parts(tile.hsi, outer),
        hsi_mask=_finer_parts(tile.hsi_mask, outer),
    )


def _further_part(further: FurtherInput | None, outer: tuple[slice, slice]) -> FurtherInput | None:
    if further is None:
        return None
    return FurtherInput(further.lr_values[:, *outer], further.lr_valid[outer])


def _outer(top: int, bottom: int, left: int, right: int, halo: int) -> tuple[slice, slice]:
    """Return where a part and its halo lie in a tile with its halo."""
    return slice(top, bottom + 2 * halo), slice(left, right + 2 * halo)


def _finer_parts(images: Sequence[F32], where: tuple[slice, slice]) -> tuple[F32, ...]:
    """Cut the same ground out of images on grids 1, 2, 4, ... times finer."""
    rows, cols = where
    return tuple(
        image[:, rows.start << k : rows.stop << k, cols.start << k : cols.stop << k]
        for k, image in enumerate(images)
    )
