"""Preparing batches ahead of the device in threads, in order."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Task = TypeVar("Task")
Item = TypeVar("Item")


class Loader(Generic[Task, Item]):
    """An iterator over `make(task)` for every task, computed up to `depth` ahead.

    Attributes:
        waited: Seconds that the consumer has waited for items since it last set this to 0.
    """

    def __init__(
        self, make: Callable[[Task], Item], tasks: Iterable[Task], workers: int, depth: int = 0
    ) -> None:
        self.waited = 0.0
        self._make = make
        self._tasks = iter(tasks)
        self._depth = depth or 2 * workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="specgan-loader")
        self._pending: deque[tuple[Task, Future[Item]]] = deque()

    def __iter__(self) -> Iterator[tuple[Task, Item]]:
        """Yield each task with its item; an error of `make` is raised here."""
        while True:
            self._fill()
            if not self._pending:
                return
            task, future = self._pending.popleft()
            start = time.perf_counter()
            item = future.result()
            self.waited += time.perf_counter() - start
            yield task, item

    def close(self) -> None:
        """Stop the threads; batches under way are finished and dropped."""
        for _, future in self._pending:
            future.cancel()
        self._pending.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _fill(self) -> None:
        while len(self._pending) < self._depth:
            try:
                task = next(self._tasks)
            except StopIteration:
                return
            self._pending.append((task, self._pool.submit(self._make, task)))
