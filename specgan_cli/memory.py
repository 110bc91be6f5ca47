"""Main memory: what is free, and the most that this process has held."""

import os
import sys
from pathlib import Path

ASSUMED = 4 * 2**30
"""Free bytes where the system does not say."""

_CGROUP = Path("/sys/fs/cgroup")


def free_memory() -> int:
    """Return the bytes of main memory that this process may still take."""
    free = _system_free()
    words = _lines(_CGROUP / "memory.max")[:1] + _lines(_CGROUP / "memory.current")[:1]
    if len(words) == 2 and all(word.strip().isdigit() for word in words):
        free = min(free, int(words[0]) - int(words[1]))
    return max(free, 0)


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


def _system_free() -> int:
    kib = _kib(Path("/proc/meminfo"), "MemAvailable:")
    if kib is not None:
        return kib * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # neither macOS nor Windows knows it
        return ASSUMED


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
