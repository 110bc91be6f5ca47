"""Main memory: what is free, and the most that this process has held."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

ASSUMED = 4 * 2**30
"""Free bytes where the system does not say."""

_CGROUP = Path("/sys/fs/cgroup")
_GROUPS = Path("/proc/self/cgroup")

FILES = "inactive_file"
"""What a control group could give back at once: files read a while ago."""


def free_memory() -> int:
    """Return the bytes of main memory that this process may still take."""
    slurm = os.environ.get("SLURM_MEM_PER_NODE", "")
    given = [int(slurm) * 2**20] if slurm.isdecimal() and int(slurm) else []
    return max(min(_system_free(), *_left_in_groups(), *given, sys.maxsize), 0)


def peak_memory() -> int:
    """Return the largest resident size of this process so far, in bytes; 0 where unknown."""
    kib = _kib(Path("/proc/self/status"), "VmHWM:")
    if kib is not None:
        return kib * 1024
    try:
        import resource
    except ImportError:  # Windows has none
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _left_in_groups() -> Iterator[int]:
    """Yield what control groups leave: the process's own and those above it, of both versions.

    A file that was read stays in memory and counts as used, until somebody needs the room.
    """
    for line in _lines(_GROUPS) or ["0::/"]:
        _, controllers, inner = line.split(":", 2)
        if not controllers:
            root, limit, used = _CGROUP, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            root, limit, used = _CGROUP / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        group = root / inner.strip("/")
        for folder in (group, *group.parents):
            words = _lines(folder / limit)[:1] + _lines(folder / used)[:1]
            if len(words) == 2 and all(word.strip().isdecimal() for word in words):
                yield int(words[0]) - int(words[1]) + _figure(folder / "memory.stat", FILES)
            if folder == root:
                break


def _system_free() -> int:
    kib = _kib(Path("/proc/meminfo"), "MemAvailable:")
    if kib is not None:
        return kib * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # neither macOS nor Windows knows it
        return ASSUMED


def _figure(path: Path, name: str) -> int:
    """Return a figure of a control group; 0 where it is not told."""
    found = [line.split()[1] for line in _lines(path) if line.startswith(f"{name} ")]
    return int(found[0]) if found and found[0].isdecimal() else 0


def _kib(path: Path, name: str) -> int | None:
    """Return a figure of one of Linux's tables."""
    for line in _lines(path):
        if line.startswith(name):
            return int(line.split()[1])
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
