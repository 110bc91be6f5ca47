"""Quantities as people say them."""


def in_bytes(count: float) -> str:
    """Return a number of bytes in words: 12 kB, 3.4 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def duration(seconds: float) -> str:
    """Return a time in words: 90 s, 12 min, 3.4 h."""
    if seconds < 120:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def between(seconds: tuple[float, float]) -> str:
    """Return a range of times in words: 12 to 18 s."""
    low, high = (duration(each) for each in seconds)
    if low == high:
        return f"about {low}"
    return f"{low.removesuffix(high[high.index(' ') :])} to {high}"
