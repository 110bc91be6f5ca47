"""Reader, networks and writer at work at the same time, a bounded number of batches ahead.

One thread reads, one a device computes, and one writes the results in the order of the tiles,
whichever device was faster.
"""

import itertools
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from specgan_cli.inference.reader import TileInput, TileResult
from specgan_cli.raster.grid import Window

Read = Callable[[Window], TileInput]
Predict = Callable[[Sequence[TileInput]], list[TileResult]]
Write = Callable[[TileResult], None]


def run_pipeline(
    windows: Iterable[Window],
    read: Read,
    predictors: Sequence[Predict],
    write: Write,
    *,
    batch: int = 1,
    ahead: int = 2,
) -> None:
    """Read, predict and write tiles, each in its own thread, the writes in the order of `windows`.

    Args:
        windows: The tiles on the LR grid.
        read: Reads one tile; called from one thread.
        predictors: Computes a batch of tiles of equal shape and parity; one a device, each called
            for one batch at a time.
        write: Writes one tile; called from one thread, in the order of `windows`.
        batch: Tiles that go through a network together, where their shapes are equal.
        ahead: Batches that wait before the networks, and results that wait after them, for each
            predictor: the bound on memory.

    Raises:
        Exception: The first error in the order of the tiles, after all threads have ended; nothing
            is written after one.
    """
    predict, failed = _whichever_is_free(predictors), threading.Event()

    def read_all(group: Sequence[Window]) -> list[TileInput]:
        return [read(window) for window in group]

    def write_all(results: "Future[list[TileResult]]") -> None:
        try:
            for result in results.result():
                if not failed.is_set():
                    write(result)
        except BaseException:
            failed.set()
            raise

    pools = [ThreadPoolExecutor(workers) for workers in (1, len(predictors), 1)]
    reader, devices, writer = pools
    pending: deque[Future[None]] = deque()
    try:
        for group in batches(windows, batch):
            if len(pending) == len(predictors) * (2 * ahead + 1):
                pending.popleft().result()
            results = devices.submit(predict, reader.submit(read_all, group))
            pending.append(writer.submit(write_all, results))
        while pending:
            pending.popleft().result()
    finally:
        failed.set()
        for pool in pools:
            pool.shutdown(cancel_futures=True)


def _whichever_is_free(
    predictors: Sequence[Predict],
) -> Callable[["Future[list[TileInput]]"], list[TileResult]]:
    """Return what computes a batch, once it is read, with a predictor that no other thread uses."""
    free: queue.SimpleQueue[Predict] = queue.SimpleQueue()
    for predictor in predictors:
        free.put(predictor)

    def predict(tiles: "Future[list[TileInput]]") -> list[TileResult]:
        predictor = free.get()
        try:
            return predictor(tiles.result())
        finally:
            free.put(predictor)

    return predict


def batches(windows: Iterable[Window], size: int) -> Iterator[list[Window]]:
    """Group neighbours alike in shape and parity, at most `size` together, in their order."""
    for _, alike in itertools.groupby(windows, _kind):
        while group := list(itertools.islice(alike, size)):
            yield group


def _kind(window: Window) -> tuple[int, int, int, int]:
    """Return what the windows of a batch share."""
    return window.height, window.width, window.row % 2, window.col % 2
