"""Files appear complete or not at all; locks keep other processes away."""

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from specgan import files


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    path.write_text("before")
    with files.replacing(path) as temporary:
        temporary.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert os.listdir(tmp_path) == ["note.json"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_after_an_error_the_file_is_what_it_was(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "note.json"
    path.write_text("before")
    with pytest.raises(error), files.replacing(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["note.json"]


def test_content_is_on_the_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = []
    fsync, replace = os.fsync, Path.replace

    def note_sync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        order.append("folder" if is_folder else "content")
        fsync(descriptor)

    def note_rename(self: Path, target: Path) -> Path:
        order.append("name")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_rename)
    files.write(tmp_path / "a", b"bytes")
    assert order == ["content", "name", "folder"]


def test_text_is_utf8_and_the_mode_that_of_any_new_file(tmp_path: Path) -> None:
    files.write(tmp_path / "a", "Ångström")
    (tmp_path / "b").write_bytes("Ångström".encode())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_the_digest_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert files.sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


TRY = "import sys; from specgan import files; f = open(sys.argv[1]); files.lock(f.fileno(), f)"


def test_a_locked_file_is_locked_for_other_processes_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("w") as file:
        files.lock(file.fileno(), path)
        tried = subprocess.run([sys.executable, "-c", TRY, path], stderr=subprocess.PIPE)
        assert b"BlockingIOError" in tried.stderr
    assert subprocess.run([sys.executable, "-c", TRY, path]).returncode == 0


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_files_take_their_places_together_or_not_at_all(
    tmp_path: Path, error: type[BaseException]
) -> None:
    for name in ("replaced", "removed"):
        (tmp_path / name).write_text(f"{name} before")
    with pytest.raises(error), files.together():
        files.write(tmp_path / "new", "1")
        with files.together():  # of a part, whose success is not yet that of the whole
            files.write(tmp_path / "replaced", "2")
            files.write(tmp_path / "replaced", "3")
        files.remove(tmp_path / "removed")
        raise error
    assert sorted(os.listdir(tmp_path)) == ["removed", "replaced"]
    assert (tmp_path / "replaced").read_text() == "replaced before"
    assert (tmp_path / "removed").read_text() == "removed before"


def test_what_was_replaced_together_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("before")
    with files.together():
        files.write(tmp_path / "a", "after")
        files.write(tmp_path / "b", "after")
        files.remove(tmp_path / "absent")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert (tmp_path / "a").read_text() == "after"


def test_what_cannot_come_back_stays_under_its_second_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("before")
    with pytest.raises(OSError), files.together():
        files.write(tmp_path / "a", "after")
        (tmp_path / "a").unlink()
        (tmp_path / "a").mkdir()
        raise OSError
    (kept,) = tmp_path.glob(".a.*.before")
    assert kept.read_text() == "before"


def test_what_a_killed_run_kept_goes_when_its_file_is_replaced(tmp_path: Path) -> None:
    token = "0123456789abcdef"
    for name in ("[a]", f".[a].{token}.before", f".a.{token}.before", ".[a].mine.before"):
        (tmp_path / name).write_text("before")
    with pytest.raises(OSError), files.together():
        files.write(tmp_path / "[a]", "after")
        raise OSError
    assert len(os.listdir(tmp_path)) == 4
    with files.together():
        files.write(tmp_path / "[a]", "after")
    assert sorted(os.listdir(tmp_path)) == [".[a].mine.before", f".a.{token}.before", "[a]"]


@pytest.mark.parametrize(("platform", "same"), [("linux", False), ("darwin", True)])
def test_names_to_come_tell_case_where_disks_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, same: bool
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    found = files.identity(tmp_path / "Out.tif") == files.identity(tmp_path / "out.TIF")
    assert found == same
