"""What tells one version of an input from another."""

from pathlib import Path
from typing import Any


def identity(path: str | None) -> dict[str, Any] | None:
    """Return what changes when a file does: its size and date; its name alone when remote.

    Args:
        path: A path or URL; None gives None.
    """
    if path is None:
        return None
    file = Path(path)
    if not file.is_file():
        return {"name": path}
    status = file.stat()
    return {"name": str(file.resolve()), "bytes": status.st_size, "time": status.st_mtime_ns}
