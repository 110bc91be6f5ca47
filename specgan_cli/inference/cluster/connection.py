"""The way to a Dask cluster: is somebody there, and how much may a task take."""

import importlib
import importlib.util
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from specgan_cli.errors import MissingExtraError, SpecganError
from specgan_cli.memory import free_memory
from specgan_cli.threads import environment, used_threads

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5
"""How long a scheduler may take to answer."""

SILENT_SECONDS = 12
"""How long a scheduler's machine may be silent; the least that Dask takes."""


def check_cluster(address: str) -> None:
    """Raise unless an address makes sense and something listens there; imports nothing of Dask.

    Raises:
        MissingExtraError: Dask is not installed.
        SpecganError: Nothing listens there, or the address makes no sense.
    """
    if importlib.util.find_spec("distributed") is None:
        raise MissingExtraError(
            "a cluster needs Dask, which is not installed; pip install dask distributed"
        )
    kind, _, rest = address.partition(":")
    if kind == "local":
        if not rest.isdecimal() or int(rest) < 1:
            raise SpecganError(f"--dask {address}: give local:N with N worker processes")
        return
    try:
        parts = urlsplit(address)
        socket.create_connection((parts.hostname, parts.port), CONNECT_SECONDS).close()
    except (OSError, ValueError, TypeError) as error:
        raise _unreachable(address) from error


def _unreachable(address: str) -> SpecganError:
    return SpecganError(
        f"--dask {address}: no scheduler answers; start one with `dask scheduler`, "
        "or give local:N for workers on this machine"
    )


@contextmanager
def open_cluster(address: str) -> Iterator[Any]:
    """Connect to a scheduler, or start workers on this machine.

    Args:
        address: tcp://HOST:PORT, or local:N for N worker processes here.

    Yields:
        A `distributed.Client`.

    Raises:
        SpecganError: The scheduler cannot be reached.
    """
    distributed: Any = importlib.import_module("distributed")
    if not logger.isEnabledFor(logging.INFO):
        _silence()
    kind, _, rest = address.partition(":")
    if kind == "local":
        with _local_cluster(int(rest)) as cluster, distributed.Client(cluster) as client:
            yield client
        return
    dask: Any = importlib.import_module("dask")
    waits = {
        "distributed.comm.timeouts.connect": CONNECT_SECONDS,
        "distributed.comm.timeouts.tcp": SILENT_SECONDS,
    }
    with dask.config.set(waits):
        try:
            client = distributed.Client(address, timeout=CONNECT_SECONDS)
        except (OSError, ValueError, TimeoutError) as error:
            raise _unreachable(address) from error
        try:
            yield client
        finally:
            client.close(timeout=1)


def _local_cluster(count: int) -> Any:
    """Start worker processes on this machine, which share its memory and threads.

    Raises:
        SpecganError: They cannot be started.
    """
    distributed: Any = importlib.import_module("distributed")
    try:
        return distributed.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            memory_limit=free_memory() // count,
            dashboard_address=":0",
            env=environment(max(used_threads() // count, 1)),
        )
    except (OSError, RuntimeError) as error:
        raise SpecganError(
            f"--dask local:{count}: its workers cannot start: {error}; use fewer, or leave --dask "
            "out"
        ) from error


def _silence() -> None:
    """Keep Dask from speaking, since what is wrong is said in one line.

    Its configuration gives loggers such as `distributed.client` levels of their own.
    """
    for name in ("distributed", *logging.root.manager.loggerDict):
        if name.split(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)


def worker_memory(client: Any) -> int | None:
    """Return the bytes that one task may take on the smallest worker: half of its share.

    A worker that runs several tasks at a time shares its limit out between them.

    Args:
        client: The cluster.

    Returns:
        None where there is no worker yet, or one without a limit.
    """
    try:
        known = client.scheduler_info(n_workers=-1)["workers"]
    except TypeError:  # before 2025.2, which told of all workers
        known = client.scheduler_info()["workers"]
    if not known:
        logger.warning("the cluster has no worker yet; waiting for the first")
    limits = [each["memory_limit"] // each["nthreads"] for each in known.values()]
    return min(limits) // 2 if limits and min(limits) > 0 else None
