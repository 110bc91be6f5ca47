"""Files that appear complete or not at all, even after a power cut; digests; locks."""

import errno
import glob
import hashlib
import logging
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from specgan.errors import SpecganError

logger = logging.getLogger(__name__)

_TOKEN_BYTES = 8
"""Of the random part of temporary names."""
_TOKEN = "[0-9a-f]" * 2 * _TOKEN_BYTES
"""The pattern of that part."""

_replaced: ContextVar[list[tuple[Path, Path | None]] | None] = ContextVar("replaced", default=None)
"""What took its place since `together` began: each file, and what it was before."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Make an empty temporary file beside a file; what is written there takes its place at the end.

    The temporary name cannot be guessed, and no link of that name is followed.  A link to a file
    stays: its target is replaced.  After an error the temporary file is gone and the file is what
    it was before.

    Yields:
        The path to write to.

    Raises:
        OSError: The file cannot be written.
    """
    path = target(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(_TOKEN_BYTES)}.partial")
    os.close(open_own(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    try:
        yield temporary
        put(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


@contextmanager
def together() -> Iterator[None]:
    """Let the files that get their names in a block take their places all or not at all.

    After an error new files are gone, and those that were replaced or removed are back; what cannot
    come back stays under its second name.  A file system without hard links brings none back.
    Blocks may lie in each other: the outermost counts.
    What killed runs kept of the files that were replaced goes with what they were.
    """
    if _replaced.get() is not None:
        yield
        return
    done: list[tuple[Path, Path | None]] = []
    token = _replaced.set(done)
    try:
        yield
    except BaseException:
        for path, before in reversed(done):
            with suppress(OSError):
                if before is None:
                    path.unlink(missing_ok=True)
                else:
                    before.replace(path)  # leaves both names where they are one file
                    before.unlink(missing_ok=True)
        raise
    else:
        for path, before in done:
            if before is not None:
                _sweep_before(path)
    finally:
        _replaced.reset(token)


def _sweep_before(path: Path) -> None:
    """Remove every second name that `_keep` gave to what a file was, also in runs that died."""
    with suppress(OSError):
        for left in path.parent.glob(f".{glob.escape(path.name)}.{_TOKEN}.before"):
            left.unlink()


def remove(path: Path) -> None:
    """Remove a file, if it is there; `together` brings it back after an error.

    Raises:
        OSError: It cannot be removed.
    """
    if path.exists():
        _keep(path)
        path.unlink()


def _keep(path: Path) -> None:
    """Note what a file is before it is replaced or removed, under a second name."""
    done = _replaced.get()
    if done is None or path.is_dir():
        return
    before = None
    if path.exists():
        before = path.with_name(f".{path.name}.{secrets.token_hex(_TOKEN_BYTES)}.before")
        try:
            os.link(path, before)
        except (OSError, NotImplementedError):
            return
    done.append((path, before))


def write(path: Path, content: bytes | memoryview | str) -> None:
    """Write a file that appears complete or not at all; text as UTF-8.

    Raises:
        OSError: It cannot be written; what was there is intact.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def sweep(folder: Path) -> None:
    """Remove what killed runs left half written in a folder of our own, at any depth.

    Raises:
        OSError: A temporary file of `replacing` cannot be removed.
    """
    for left in folder.rglob(f".*.{_TOKEN}.partial"):
        left.unlink(missing_ok=True)


def is_remote(name: str | os.PathLike[str]) -> bool:
    """Return whether a name is a URL or one of GDAL's /vsi places, and no path of a disk."""
    text = os.fspath(name)
    return "://" in text or text.startswith("/vsi")


def check_regular(path: str | os.PathLike[str]) -> None:
    """Raise for a pipe, a socket or a device: to read one may wait for ever.

    Raises:
        SpecganError: Names it; what is not there passes.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise SpecganError(f"{os.fspath(path)}: is a pipe or a device; give a file")


def target(path: Path) -> Path:
    """Return the file that a link leads to, through other links; a path that is none as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def identity(path: Path) -> tuple[object, ...]:
    """Return what two names of one file share: device and inode; else the folder's, and the name.

    Links are followed.  Where disks usually take A for a, names of files to come do not tell case.
    """
    try:
        found = path.stat()
        return found.st_dev, found.st_ino
    except OSError:
        real = Path(os.path.realpath(path))
    name = real.name.casefold() if sys.platform in ("darwin", "win32") else real.name
    with suppress(OSError):
        folder = real.parent.stat()
        return folder.st_dev, folder.st_ino, name
    return (str(real),)


def open_own(path: Path, flags: int) -> int:
    """Open a file that only this program writes: never through a link of either kind.

    In a folder that others can write to, a link of that name would lead to any file.

    Args:
        path: The file.
        flags: Of `os.open`.

    Returns:
        A descriptor.

    Raises:
        OSError: It cannot be opened, or it is a link or another thing than a file.
    """
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    if path.is_symlink():  # where there is no O_NOFOLLOW
        raise FileExistsError(errno.EEXIST, "a link of that name is in the way", str(path))
    descriptor = os.open(path, flags & ~os.O_TRUNC, 0o666)
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_nlink <= 1:
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)
        return descriptor
    os.close(descriptor)
    raise FileExistsError(errno.EEXIST, "another file of that name is in the way", str(path))


def put(temporary: Path, path: Path) -> None:
    """Give a finished file or folder its name, first its content and then the name on the disk.

    Raises:
        OSError: It cannot be renamed.
    """
    _sync(temporary)
    if temporary.is_file():
        _keep(path)
    temporary.replace(path)
    with suppress(OSError):  # not every file system, and not Windows, syncs folders
        _sync(path.parent)


def _sync(path: Path) -> None:
    # Windows syncs only what is open for writing.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def lock(descriptor: int, name: Path) -> None:
    """Lock an open file until it is closed; without effect where there are no locks.

    Args:
        descriptor: The open file.
        name: What to call it in a warning.

    Raises:
        BlockingIOError: Another process holds the lock.
    """
    try:
        import fcntl
    except ImportError:  # Windows has none
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        logger.warning("%s: its file system has no locks (%s)", name, error.strerror)
