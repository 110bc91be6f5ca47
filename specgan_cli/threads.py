"""The threads that one command may use: those of torch, of BLAS and of GDAL alike."""

import os
import sys
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
# Threads that wait sleep: spinning, they take a third more of a processor that others use as well.
_WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GDAL_NUM_THREADS")


def available_threads(quota: Path = _QUOTA) -> int:
    """Return the processors that this process was given, by affinity, container or batch system.

    Args:
        quota: Where the container's share of time stands.
    """
    try:
        counts = [len(os.sched_getaffinity(0))]
    except AttributeError:  # neither macOS nor Windows has it
        counts = [os.cpu_count() or 1]
    try:
        share, period = quota.read_text().split()
        counts.append(max(int(share) // int(period), 1))
    except (OSError, ValueError):  # no container, or no limit
        pass
    slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if slurm.isdecimal():
        counts.append(max(int(slurm), 1))
    return min(counts)


def environment(threads: int) -> dict[str, str]:
    """Return the variables that tell the libraries of a new process how many threads to use."""
    return {**dict.fromkeys(_VARIABLES, str(threads)), **_WAITING}


def use_threads(threads: int | None) -> None:
    """Tell the libraries how many threads to use, best before they are imported.

    Args:
        threads: How many; None for those available, where no variable of the user's says it.
    """
    if threads is not None:
        os.environ.update(dict.fromkeys(_VARIABLES, str(threads)))
    for name, value in environment(threads or available_threads()).items():
        os.environ.setdefault(name, value)
    torch = sys.modules.get("torch")
    if threads is not None and torch is not None:
        torch.set_num_threads(threads)


def used_threads() -> int:
    """Return how many threads the libraries of this process were told to use."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) else available_threads()
