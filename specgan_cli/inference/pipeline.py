"""Reader, networks and writer at work at the same time, with bounded queues between them.

The reader's thread runs ahead of the networks by a few batches, one thread a device computes (the
caller's own thread serves the first device), and the writer's thread takes the results in the
order of the tiles, whichever device was faster.
"""

import itertools
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from specgan_cli.inference.reader import TileInput, TileResult
from specgan_cli.raster.grid import Window

Read = Callable[[Window], TileInput]
Predict = Callable[[Sequence[TileInput]], list[TileResult]]
Write = Callable[[TileResult], None]
Batch = tuple[int, list[TileInput]]

T = TypeVar("T")

# Seconds between looks at whether another thread has failed.
_PATIENCE = 0.1


class _Stopped(Exception):
    """Another part of the pipeline has failed; this part ends quietly."""


@dataclass
class _State:
    """What the threads share."""

    room: threading.Semaphore
    """Batches that may still be read before one has to be written."""

    stop: threading.Event = field(default_factory=threading.Event)
    """Set when any part fails."""

    errors: list[BaseException] = field(default_factory=list)
    """What failed, first cause first."""

    def fail(self, error: BaseException) -> None:
        if not isinstance(error, _Stopped):
            self.errors.append(error)
        self.stop.set()

    def check(self) -> None:
        if self.stop.is_set():
            raise _Stopped


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
            from one thread, the first from the caller's.
        write: Writes one tile; called from one thread, in the order of `windows`.
        batch: Tiles that go through a network together, where their shapes are equal.
        ahead: Batches that wait before the networks, and results that wait after them, for each
            predictor: the bound on memory.

    Raises:
        Exception: The first error of any part, after all threads have ended.
    """
    count = len(predictors)
    state = _State(threading.Semaphore(count * (2 * ahead + 1)))
    todo: queue.Queue[Batch | None] = queue.Queue(count * ahead)
    done: queue.Queue[tuple[int, list[TileResult]] | None] = queue.Queue()
    groups = batches(windows, batch)
    reader = _thread(state, partial(_read_all, state, groups, read, todo, count))
    writer = _thread(state, partial(_write_all, state, done, write))
    others = [
        _thread(state, partial(_predict_all, state, todo, predict, done))
        for predict in predictors[1:]
    ]
    try:
        _predict_all(state, todo, predictors[0], done)
    except BaseException as error:
        state.fail(error)
    for thread in (reader, *others):
        _join(thread, state)
    done.put(None)
    _join(writer, state)
    if state.errors:
        raise state.errors[0]


def batches(windows: Iterable[Window], size: int) -> Iterator[list[Window]]:
    """Group neighbours alike in shape and parity, at most `size` together, in their order."""
    for _, alike in itertools.groupby(windows, _kind):
        while group := list(itertools.islice(alike, size)):
            yield group


def _kind(window: Window) -> tuple[int, int, int, int]:
    """Return what the windows of a batch share."""
    return window.height, window.width, window.row % 2, window.col % 2


def _read_all(
    state: _State,
    groups: Iterable[list[Window]],
    read: Read,
    todo: "queue.Queue[Batch | None]",
    consumers: int,
) -> None:
    for number, group in enumerate(groups):
        while not state.room.acquire(timeout=_PATIENCE):
            state.check()
        state.check()
        _put(state, todo, (number, [read(window) for window in group]))
    for _ in range(consumers):
        _put(state, todo, None)


def _predict_all(
    state: _State,
    todo: "queue.Queue[Batch | None]",
    predict: Predict,
    done: "queue.Queue[tuple[int, list[TileResult]] | None]",
) -> None:
    while (item := _get(state, todo)) is not None:
        number, tiles = item
        done.put((number, predict(tiles)))


def _write_all(
    state: _State,
    done: "queue.Queue[tuple[int, list[TileResult]] | None]",
    write: Write,
) -> None:
    waiting: dict[int, list[TileResult]] = {}
    following = 0
    while (item := _get(state, done)) is not None:
        waiting[item[0]] = item[1]
        while following in waiting:
            for result in waiting.pop(following):
                state.check()
                write(result)
            following += 1
            state.room.release()


def _put(state: _State, target: "queue.Queue[T]", item: T) -> None:
    while True:
        try:
            return target.put(item, timeout=_PATIENCE)
        except queue.Full:
            state.check()


def _get(state: _State, source: "queue.Queue[T]") -> T:
    while True:
        state.check()
        try:
            return source.get(timeout=_PATIENCE)
        except queue.Empty:
            continue


def _thread(state: _State, work: Callable[[], None]) -> threading.Thread:
    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            state.fail(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    return thread


def _join(thread: threading.Thread, state: _State) -> None:
    """Wait for a thread in steps, so that Ctrl-C reaches the caller; it then stops the others."""
    while thread.is_alive():
        try:
            thread.join(_PATIENCE)
        except KeyboardInterrupt as error:
            state.fail(error)
