"""Files beside a file, in folders and in archives that GDAL reads as /vsizip/."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path, PurePosixPath

__all__ = ["names_beside", "read_text"]


def names_beside(name: str) -> list[str]:
    """Return the names of what lies in a file's folder, in order."""
    if not name.startswith("/vsizip/"):
        folder = Path(name).parent
        return sorted(os.listdir(folder)) if folder.is_dir() else []
    archive, inner = _in_archive(name)
    if archive is None:
        return []
    with zipfile.ZipFile(archive) as opened:
        paths = [PurePosixPath(each) for each in opened.namelist()]
    return sorted(each.name for each in paths if each.parent == PurePosixPath(inner).parent)


def _in_archive(name: str) -> tuple[Path | None, str]:
    """Split /vsizip/ARCHIVE/INNER; None where there is no such archive here."""
    path = Path(name.removeprefix("/vsizip/"))
    for archive in path.parents:
        if archive.is_file() and zipfile.is_zipfile(archive):
            return archive, path.relative_to(archive).as_posix()
    return None, ""


def read_text(name: str) -> str:
    """Return the text of a file.

    Raises:
        OSError: It cannot be read.
    """
    if not name.startswith("/vsizip/"):
        return Path(name).read_text(encoding="utf-8", errors="replace")
    archive, inner = _in_archive(name)
    assert archive is not None
    with zipfile.ZipFile(archive) as opened:
        return opened.read(inner).decode("utf-8", errors="replace")
