"""Files that appear complete or not at all, even after a power cut; digests; locks."""

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

logger = logging.getLogger(__name__)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside a file; what is written there takes its place at the end.

    After an error the temporary file is gone and the file is what it was before.

    Yields:
        The path to write to.

    Raises:
        OSError: The file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield temporary
        put(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write(path: Path, content: bytes | memoryview | str) -> None:
    """Write a file that appears complete or not at all; text as UTF-8.

    Raises:
        OSError: It cannot be written; what was there is intact.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def put(temporary: Path, path: Path) -> None:
    """Give a finished file or folder its name, first its content and then the name on the disk.

    Raises:
        OSError: It cannot be renamed.
    """
    _sync(temporary)
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
