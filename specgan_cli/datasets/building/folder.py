"""The folder of a dataset while it is being made: temporary, locked, restartable."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from specgan import files
from specgan.serde import parse_json
from specgan_cli.datasets.manifest import FORMAT, MANIFEST
from specgan_cli.datasets.shards import shard_path
from specgan_cli.errors import DISK_FULL, OutputError, SpecganError
from specgan_cli.outputs import link_target

CONTACT_SHEET = "contact_sheet.png"
RUN = "run.json"
_NOTES = (RUN, "alignments.json", "done", "lock")


class DatasetFolder:
    """Writes into `.<name>.partial` beside the folder, and gives it its name at the end.

    A link to a folder stays: the folder that it leads to is made or replaced.
    """

    def __init__(self, path: Path, overwrite: bool = False) -> None:
        """Find the folder; nothing is touched before `opened`.

        Raises:
            OutputError: The path is the root, or a link that leads nowhere.
        """
        path = link_target(path)
        if path.name in ("", ".."):
            path = Path(os.path.abspath(path))
        if not path.name:
            raise OutputError(f"{path}: is no place for a dataset; name a folder in it")
        self.path = path
        self._overwrite = overwrite
        self.partial = path.with_name(f".{path.name}.partial")
        self._old = path.with_name(f".{path.name}.old")

    def check(self) -> None:
        """Refuse an output that must not be replaced.

        Raises:
            OutputError: The path is a file, a folder of something else, a dataset that holds
                other files too, or one and `overwrite` was not asked for; or its parent is missing.
        """
        if not self.path.absolute().parent.is_dir():
            raise OutputError(f"{self.path.parent}: no such folder; make it first")
        if self._old.exists() and not self.path.exists():
            self._old.rename(self.path)
        if self._old.exists():
            _check_own(self._old)
        if not self.path.exists() or self._is_empty():
            return
        _check_own(self.path)
        if not self._overwrite:
            raise OutputError(
                f"{self.path} is a dataset already; give --overwrite to replace it, or another "
                "folder"
            )

    @contextmanager
    def opened(self, fingerprint: str) -> Iterator[Path]:
        """Open the temporary folder of a run; what the same run left there is kept.

        Args:
            fingerprint: Names the run by all that its bytes depend on.

        Yields:
            The temporary folder.

        Raises:
            OutputError: Another run holds it, it is not ours, or the disk is full.
        """
        try:
            self._claim()
            with (self.partial / "lock").open("w") as lock:
                self._take(lock)
                self._clear_unless(fingerprint)
                yield self.partial
        except OSError as error:
            if isinstance(error, SpecganError):
                raise
            why = "the disk is full" if error.errno in DISK_FULL else f"cannot write: {error}"
            raise OutputError(
                f"{self.path}: {why}; fix that, and the same command goes on where it stopped "
                f"(or remove {self.partial})"
            ) from None

    def check_space(self, nbytes: int) -> None:
        """Refuse to start what the disk cannot hold.

        Raises:
            OutputError: Fewer bytes are free.
        """
        there = sum(file.stat().st_size for file in self.partial.rglob("*.npy"))
        free = shutil.disk_usage(self.partial).free
        if nbytes - there > free:
            raise OutputError(
                f"{self.path} needs up to {nbytes / 1e9:.2f} GB and {free / 1e9:.2f} GB are free; "
                "make room or name another disk"
            )

    def finish(self) -> None:
        """Remove the run's notes and give the folder its name.

        Raises:
            OutputError: Something was put into the old folder in the meantime.
        """
        self.check()
        for name in _NOTES:
            note = self.partial / name
            if note.is_dir():
                shutil.rmtree(note)
            else:
                note.unlink(missing_ok=True)
        if self.path.exists() and not self._is_empty():
            shutil.rmtree(self._old, ignore_errors=True)
            self.path.rename(self._old)
        elif self.path.exists():
            self.path.rmdir()
        try:
            files.put(self.partial, self.path)
        except OSError:
            if self._old.exists():
                self._old.rename(self.path)
            raise
        shutil.rmtree(self._old, ignore_errors=True)

    def _claim(self) -> None:
        if self.partial.is_symlink():
            raise OutputError(f"{self.partial} is a link in the way; remove it first")
        if self.partial.is_dir() and any(self.partial.iterdir()):
            if not any((self.partial / name).exists() for name in (*_NOTES, MANIFEST)):
                raise OutputError(f"{self.partial} is in the way and not ours; remove it first")
        self.partial.mkdir(exist_ok=True)

    def _take(self, lock: IO[str]) -> None:
        try:
            files.lock(lock.fileno(), self.path)
        except BlockingIOError:
            raise OutputError(f"{self.path} is being made by another run; wait for it") from None

    def _clear_unless(self, fingerprint: str) -> None:
        run = self.partial / RUN
        try:
            if parse_json(run.read_bytes())["fingerprint"] == fingerprint:
                files.sweep(self.partial)
                return
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        for entry in self.partial.iterdir():
            if entry.name == "lock":
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        run.write_text(json.dumps({"fingerprint": fingerprint}), "utf-8")

    def _is_empty(self) -> bool:
        return self.path.is_dir() and not any(self.path.iterdir())


def _check_own(folder: Path) -> None:
    """Raise unless a folder holds a dataset, and nothing else that its removal would destroy.

    Raises:
        OutputError: Names what else it holds.
    """
    own = _names(folder)
    if own is None:
        raise OutputError(
            f"{folder} exists and is no dataset, so it is never replaced; name another folder"
        )
    held = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    other = [name for name in held if name not in own]
    if other:
        more = f" and {len(other) - 1} more" if len(other) > 1 else ""
        raise OutputError(
            f"{folder} holds {other[0]!r}{more} beside its dataset, so it is never replaced; move "
            "that away, or name another folder"
        )


def _names(folder: Path) -> set[str] | None:
    """Return the files and folders that a dataset's manifest tells of; None for no dataset."""
    try:
        document = parse_json((folder / MANIFEST).read_bytes())
        if document["format"] != FORMAT:
            return None
        shards = {
            str(shard_path(Path(), shard["name"], kind))
            for shard in document["shards"]
            for kind in shard["files"]
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return {MANIFEST, CONTACT_SHEET, "shards", *shards}
