"""The partial file: blocks appended under a temporary name, with a journal of what is safe."""

import json
import logging
import os
import struct
import zlib
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from specgan import files
from specgan_cli.errors import OutputError, writing
from specgan_cli.geotiff.directory import TiffHeader, TileIndex

logger = logging.getLogger(__name__)


def temporary_of(path: Path) -> Path:
    """Return the name of the unfinished file beside an output, or beside what it links to."""
    path = files.target(path)
    return path.with_name(f".{path.name}.partial")


def journal_of(path: Path) -> Path:
    """Return the name of the journal beside an output, or beside what it links to."""
    path = files.target(path)
    return path.with_name(f".{path.name}.journal")


def check_unlocked(path: Path) -> None:
    """Raise if another process is writing an output now.

    Raises:
        OutputError: It is, or a link is in the way of the unfinished file.
    """
    if not os.path.lexists(temporary_of(path)):
        return
    with writing(path):
        descriptor = files.open_own(temporary_of(path), os.O_RDWR)
        try:
            _lock(descriptor, path)
        finally:
            os.close(descriptor)


class PartialFile:
    """A TIFF that grows block by block; made by `create` or `resume`, locked until closed."""

    def __init__(self, path: Path, descriptor: int, head: TiffHeader, position: int) -> None:
        self.path = path
        """The output that this file will become."""
        self.position = position
        """Bytes written so far."""
        self.commits = 0
        """Commits in the journal."""
        self._descriptor = descriptor
        self._head = head
        self._offsets = [np.zeros(table.blocks, np.uint64) for table in head.tables]
        self._counts = [np.zeros(table.blocks, np.uint32) for table in head.tables]
        self._unsaved: list[tuple[int, int]] = []

    @property
    def tables(self) -> tuple[TileIndex, ...]:
        """The block tables, one for each directory."""
        return self._head.tables

    @classmethod
    def create(cls, path: Path, head: TiffHeader, job: str) -> "PartialFile":
        """Start a new partial file and its journal in place of any old ones.

        Raises:
            OutputError: If another process is writing the same output, or the disk is full.
        """
        with writing(path):
            descriptor = _open_locked(path)
            if journal_of(path).is_file() and len(_journal_lines(journal_of(path))) > 1:
                logger.warning("%s: an unfinished run is discarded; --resume goes on with it", path)
            partial = cls(path, descriptor, head, 0)
            first = {"job": job, "big": head.big, "tables": [astuple(t) for t in head.tables]}
            try:
                # The journal before the file: after a kill between them it would promise more.
                _write_journal(path, _line(first), os.O_TRUNC)
                os.ftruncate(descriptor, 0)
                partial._append(head.data)
            except OSError:
                partial.discard()
                raise
        return partial

    @classmethod
    def resume(cls, path: Path, job: str) -> "tuple[PartialFile, tuple[str, ...]] | None":
        """Take up what a killed run of the same job committed.

        Returns:
            (the file, cut back to the last commit; the notes of all commits), or None when
            nothing was committed.

        Raises:
            OutputError: If what was left belongs to another job, or another process writes it.
        """
        if not (temporary_of(path).is_file() and journal_of(path).is_file()):
            return None
        with writing(path):
            descriptor = _open_locked(path)
            lines = _journal_lines(journal_of(path))
            if len(lines) < 2:
                os.close(descriptor)
                return None
            if lines[0]["job"] != job:
                os.close(descriptor)
                raise OutputError(
                    f"{path}: the unfinished run beside it had other inputs or options; "
                    "repeat them, or leave out --resume to start again"
                )
            if os.fstat(descriptor).st_size < lines[-1]["position"]:
                os.close(descriptor)
                raise OutputError(
                    f"{path}: the unfinished file beside it was cut off; leave out --resume"
                )
            partial = cls(path, descriptor, _head_of(lines[0]), lines[-1]["position"])
            os.ftruncate(descriptor, partial.position)
            partial._load_tables()
            partial.commits = len(lines) - 1
            kept = "".join(map(_line, lines))
            _write_journal(path, kept, os.O_TRUNC)
        return partial, tuple(line["note"] for line in lines[1:])

    def append(self, table: int, block: int, data: bytes) -> None:
        """Write a block's compressed bytes at the end and remember where.

        Raises:
            OutputError: If the disk is full, or a classic TIFF would pass 4 GiB.
        """
        with writing(self.path):
            if not self._head.big and self.position + len(data) >= 2**32:
                raise OutputError(
                    f"{self.path}: passes the 4 GiB of a classic TIFF; give --co BIGTIFF=YES"
                )
            self._offsets[table][block] = self.position
            self._counts[table][block] = len(data)
            self._append(data)
        self._unsaved.append((table, block))

    def save_tables(self) -> None:
        """Write the block tables, so that the file can be read as far as it goes."""
        kind = "<Q" if self._head.big else "<I"
        size = struct.calcsize(kind)
        with writing(self.path):
            for number, block in self._unsaved:
                table = self._head.tables[number]
                offset = struct.pack(kind, int(self._offsets[number][block]))
                count = struct.pack("<I", int(self._counts[number][block]))
                self._put(offset, table.offsets_at + block * size)
                self._put(count, table.counts_at + block * 4)
        self._unsaved.clear()

    def commit(self, note: str) -> None:
        """Make everything appended so far survive a kill or a power cut."""
        self.save_tables()
        line = _line({"note": note, "position": self.position})
        with writing(self.path):
            os.fsync(self._descriptor)
            _write_journal(self.path, line, os.O_APPEND)
        self.commits += 1

    def finish(self) -> None:
        """Write the tables and close; the file is complete under its temporary name."""
        self.save_tables()
        with writing(self.path):
            os.fsync(self._descriptor)
        self.close()

    def close(self) -> None:
        """Close, and let go of the lock; the partial file stays."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def discard(self) -> None:
        """Remove the partial file and its journal."""
        temporary_of(self.path).unlink(missing_ok=True)
        journal_of(self.path).unlink(missing_ok=True)
        self.close()

    def _append(self, data: bytes) -> None:
        self._put(data, self.position)
        self.position += len(data)

    def _put(self, data: bytes, at: int) -> None:
        os.lseek(self._descriptor, at, os.SEEK_SET)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def _load_tables(self) -> None:
        """Read the tables, forgetting blocks beyond the last commit."""
        for number, table in enumerate(self._head.tables):
            offsets = self._load(table.offsets_at, table, 8 if self._head.big else 4)
            counts = self._load(table.counts_at, table, 4)
            lost = offsets >= self.position
            self._offsets[number][:] = np.where(lost, 0, offsets)
            self._counts[number][:] = np.where(lost, 0, counts)
            self._unsaved += [(number, int(block)) for block in np.flatnonzero(lost)]

    def _load(self, at: int, table: TileIndex, size: int) -> npt.NDArray[np.uint64]:
        os.lseek(self._descriptor, at, os.SEEK_SET)
        data = os.read(self._descriptor, table.blocks * size)
        return np.frombuffer(data, f"<u{size}").astype(np.uint64)


def _open_locked(path: Path) -> int:
    temporary = temporary_of(path)
    while True:
        descriptor = files.open_own(temporary, os.O_RDWR | os.O_CREAT)
        try:
            _lock(descriptor, path)
        except OutputError:
            os.close(descriptor)
            raise
        # the other process may have put its file in place between our open and our lock
        with suppress(FileNotFoundError):
            if os.stat(temporary).st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        files.lock(descriptor, path)
    except BlockingIOError:
        raise OutputError(
            f"{path}: another process is writing it; wait for it or choose another output"
        ) from None


def _write_journal(path: Path, text: str, how: int) -> None:
    with open(files.open_own(journal_of(path), os.O_WRONLY | os.O_CREAT | how), "wb") as journal:
        journal.write(text.encode())
        journal.flush()
        os.fsync(journal.fileno())


def _line(content: dict[str, Any]) -> str:
    """Return a line of the journal, with its checksum before it."""
    text = json.dumps(content)
    return f"{zlib.crc32(text.encode()):08x} {text}\n"


def _journal_lines(journal: Path) -> list[dict[str, Any]]:
    """Return the journal's lines as far as they are whole; a kill may have torn the last one."""
    lines: list[dict[str, Any]] = []
    for text in journal.read_bytes().splitlines():
        digest, _, line = text.partition(b" ")
        if digest != b"%08x" % zlib.crc32(line):
            break
        lines.append(json.loads(line))
    return lines


def _head_of(line: dict[str, Any]) -> TiffHeader:
    tables = tuple(TileIndex(at, counts, n, (yx[0], yx[1])) for at, counts, n, yx in line["tables"])
    return TiffHeader(b"", tables, line["big"])
