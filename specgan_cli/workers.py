"""Tasks over several worker processes, with results that do not depend on how many."""

import logging
import logging.handlers
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from specgan_cli.errors import DatasetError

Item = TypeVar("Item")
Result = TypeVar("Result")

_WAITING = 4
"""Tasks a worker that are handed over ahead, so that the memory of messages stays bounded."""


class Workers:
    """Worker processes, started when the first tasks for several come; a context manager."""

    def __init__(self, jobs: int = 1) -> None:
        self.jobs = jobs
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error: object) -> None:
        """Drop what has not begun, and wait for what has."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def run(
        self, task: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[int, Result]]:
        """Run a task on every item, in this process when there is one job only.

        Args:
            task: A function of a module, so that other processes can import it.
            items: What it takes, one by one.

        Yields:
            Index and result, as they come; the first error stops the rest.

        Raises:
            DatasetError: A process was killed.
        """
        if self.jobs == 1 or len(items) < 2:
            for index, item in enumerate(items):
                yield index, task(item)
            return
        waiting: dict[Future[tuple[Result, list[logging.LogRecord]]], int] = {}
        level = logging.getLogger().level
        following = iter(enumerate(items))
        while True:
            while len(waiting) < _WAITING * self.jobs and (entry := next(following, None)):
                waiting[self._started().submit(_with_records, task, entry[1], level)] = entry[0]
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                try:
                    result, records = future.result()
                except BrokenProcessPool:
                    raise DatasetError(
                        "a worker was killed, perhaps for memory; use fewer --jobs: the same "
                        "command goes on where it stopped"
                    ) from None
                for record in records:
                    if (logger := logging.getLogger(record.name)).isEnabledFor(record.levelno):
                        logger.handle(record)
                yield waiting.pop(future), result

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # Forking a process that has GDAL open is not safe: start fresh ones.
            context: Any = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.jobs, context, initializer=_ignore_interrupts)
        return self._pool


class _Collector(logging.handlers.QueueHandler):
    """Keeps records, fit to be sent to another process."""

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]  # there is no queue
        self.records: list[logging.LogRecord] = []

    def enqueue(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.records.append(record)


def _with_records(
    task: Callable[[Item], Result], item: Item, level: int
) -> tuple[Result, list[logging.LogRecord]]:
    """Run a task in a worker, and return what it logged too, for the parent to say."""
    collector = _Collector()
    root = logging.getLogger()
    root.handlers[:] = [collector]
    root.setLevel(level)
    return task(item), collector.records


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent, which stops the workers in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
