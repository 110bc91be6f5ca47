"""The output path holds what it held before, or the complete new file."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS

from specgan_cli.errors import OutputError
from specgan_cli.geotiff.description import Description
from specgan_cli.geotiff.options import WriteOptions
from specgan_cli.geotiff.output import expected_bytes
from specgan_cli.geotiff.writer import RasterWriter
from specgan_cli.outputs import check_output
from specgan_cli.raster.grid import Grid, Window, plan_tiles
from support.rasters import NORTH_UP, UTM, coordinates
from support.writers import raster_writer

SHAPE = (150, 170)
GRID = Grid(CRS.from_user_input(UTM), NORTH_UP, SHAPE)
VALUES = coordinates((3, *SHAPE), "uint8")
TILES = plan_tiles(SHAPE, 64)


def writer_of(path: Path, **options: Any) -> RasterWriter:
    return raster_writer(path, GRID, block=32, **options)


def write_all(path: Path, **options: Any) -> Path:
    with writer_of(path, **options) as writer:
        for number, window in enumerate(TILES):
            if str(number) not in writer.committed:
                writer.write(VALUES[:, *window.slices], window)
                writer.commit(str(number))
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_existing_output_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    path.write_text("precious")
    with pytest.raises(OutputError, match="exists already; pass --overwrite"):
        writer_of(path).open()
    assert path.read_text() == "precious"
    assert names(tmp_path) == ["out.tif"]


def test_an_existing_output_is_replaced_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    path.write_text("precious")
    write_all(path, overwrite=True)
    with rasterio.open(path) as dataset:
        assert (dataset.read() == VALUES).all()


def test_an_existing_output_outlives_a_failed_replacement(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    path.write_text("precious")
    with pytest.raises(RuntimeError), writer_of(path, overwrite=True) as writer:
        writer.write(VALUES[:, :32, :32], Window(0, 0, 32, 32))
        raise RuntimeError
    assert path.read_text() == "precious"
    assert names(tmp_path) == ["out.tif"]


def test_statistics_of_a_replaced_file_do_not_outlive_it(tmp_path: Path) -> None:
    path = write_all(tmp_path / "out.tif")
    (tmp_path / "out.tif.aux.xml").write_text("<PAMDataset></PAMDataset>")
    write_all(path, overwrite=True)
    assert names(tmp_path) == ["out.tif"]


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no such folder"):
        writer_of(tmp_path / "no" / "out.tif").open()


def test_a_folder_as_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        writer_of(tmp_path, overwrite=True).open()


def test_a_device_as_output_is_refused() -> None:
    with pytest.raises(OutputError, match="is not a regular file"):
        check_output(os.devnull, overwrite=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    with pytest.raises(OutputError, match="is read-only"):
        writer_of(folder / "out.tif").open()


def test_a_read_only_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode, **_: Path(path) != tmp_path)
    with pytest.raises(OutputError, match="is read-only"):
        writer_of(tmp_path / "out.tif").open()


@pytest.mark.parametrize("path", ["s3://bucket/out.tif", "/vsis3/bucket/out.tif"])
def test_a_remote_output_is_refused(path: str) -> None:
    with pytest.raises(OutputError, match="not a local path"):
        check_output(path)


def test_a_full_disk_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    with pytest.raises(OutputError, match=r"too full: about [\d.]+ kB are needed and 1 kB"):
        writer_of(tmp_path / "out.tif").open()
    assert names(tmp_path) == []


def test_the_expected_size_counts_overviews_and_the_copy_of_a_cog() -> None:
    raster = Description(GRID, dtype="uint16")
    plain = SHAPE[0] * SHAPE[1] * 3 * 2
    none = {"COMPRESS": "NONE"}
    assert expected_bytes(raster, WriteOptions(co=none)) == plain
    assert expected_bytes(raster, WriteOptions(co=none, overviews=True)) == int(plain * 4 / 3)
    assert expected_bytes(raster, WriteOptions(of="COG", co=none)) == 2 * int(plain * 4 / 3)


@pytest.mark.parametrize("of", ["GTiff", "COG"])
def test_a_disk_that_fills_up_is_one_line_and_leaves_nothing(tmp_path: Path, of: Any) -> None:
    """A limit on the size of files stands for the end of the disk."""
    noise = np.random.default_rng(0).integers(0, 256, (3, *SHAPE)).astype(np.uint8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))
    try:
        with pytest.raises(OutputError, match="File too large") as caught:
            with writer_of(tmp_path / "out.tif", of=of) as writer:
                for window in TILES:
                    writer.write(noise[:, *window.slices], window)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == []


def test_no_space_left_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OutputError, match="No space left on device; free some space") as caught:
        with writer_of(tmp_path / "out.tif") as writer:

            def full(descriptor: int, data: bytes) -> int:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            monkeypatch.setattr(os, "write", full)
            writer.write(VALUES, GRID.full_window)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == []


def test_a_cog_that_does_not_fit_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise rasterio.errors.RasterioIOError("No space left on device")

    monkeypatch.setattr("rasterio.shutil.copy", full)
    with pytest.raises(OutputError, match="No space left"):
        write_all(tmp_path / "out.tif", of="COG")
    assert names(tmp_path) == []


def test_a_cog_whose_source_cannot_be_opened_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = rasterio.open

    def refused(path: object, *words: Any, **options: Any) -> Any:
        if str(path).endswith(".partial"):
            raise rasterio.errors.RasterioIOError(f"{path}: Permission denied")
        return real(path, *words, **options)

    monkeypatch.setattr(rasterio, "open", refused)
    with pytest.raises(OutputError, match=r"the COG cannot be made: .*Permission denied"):
        write_all(tmp_path / "out.tif", of="COG")
    assert names(tmp_path) == []


def test_a_second_writer_of_the_same_output_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    with writer_of(path) as first:
        with pytest.raises(OutputError, match="another process is writing it"):
            writer_of(path).open()
        with pytest.raises(OutputError, match="another process is writing it"):
            first.commit("so that there is something to resume")
            writer_of(path, resume=True).open()
        first.write(VALUES, GRID.full_window)
    with rasterio.open(path) as dataset:
        assert (dataset.read() == VALUES).all()


def test_a_discarded_output_can_be_written_again(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    writer = writer_of(path)
    writer.open()
    writer.discard()
    assert names(tmp_path) == []
    write_all(path)


KILLED = """
import os, signal, sys
sys.path[:0] = {paths!r}
import test_writer_safety as t
from pathlib import Path
with t.writer_of(Path({path!r}), overviews=2, job="a") as writer:
    for number, window in enumerate(t.TILES):
        if number == {after}:
            if {torn}:
                writer.write(t.VALUES[:, *window.slices], window)
                writer._file.save_tables()
            os.kill(os.getpid(), signal.SIGKILL)
        writer.write(t.VALUES[:, *window.slices], window)
        writer.commit(str(number))
"""


def kill_after(path: Path, after: int, torn: bool) -> None:
    """Run a writer in another process that is killed after some commits."""
    script = KILLED.format(paths=sys.path, path=str(path), after=after, torn=torn)
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.parametrize(("after", "torn"), [(0, True), (1, False), (4, True), (8, False)])
def test_a_killed_run_resumes_to_the_bytes_of_an_uninterrupted_one(
    tmp_path: Path, after: int, torn: bool
) -> None:
    path = tmp_path / "out.tif"
    kill_after(path, after, torn)
    assert not path.exists()
    write_all(path, overviews=2, job="a", resume=True)
    expected = write_all(tmp_path / "whole.tif", overviews=2, job="a")
    assert path.read_bytes() == expected.read_bytes()
    assert names(tmp_path) == ["out.tif", "whole.tif"]


def test_only_what_was_not_committed_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    kill_after(path, after=4, torn=True)
    with writer_of(path, overviews=2, job="a", resume=True) as writer:
        assert writer.committed == ("0", "1", "2", "3")
        for window in TILES[4:]:
            writer.write(VALUES[:, *window.slices], window)
    with rasterio.open(path) as dataset:
        assert (dataset.read() == VALUES).all()


def test_a_run_of_another_job_is_not_resumed(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    kill_after(path, after=4, torn=False)
    for other in ({"job": "b", "overviews": 2}, {"job": "a", "overviews": 2, "nodata": 0}):
        with pytest.raises(OutputError, match="had other inputs or options"):
            writer_of(path, resume=True, **other).open()
    assert names(tmp_path) == [".out.tif.journal", ".out.tif.partial"]


def test_without_resume_a_killed_run_is_started_again(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    kill_after(path, after=4, torn=False)
    with writer_of(path, job="b") as writer:
        assert writer.committed == ()
        writer.write(VALUES, GRID.full_window)
    assert names(tmp_path) == ["out.tif"]


PUT_IN_PLACE = """
import os, signal, sys
sys.path[:0] = {paths!r}
import test_writer_safety as t
from pathlib import Path
from specgan import files
put = files.put
def killed(*paths):
    put(*paths)
    os.kill(os.getpid(), signal.SIGKILL)
files.put = killed
t.write_all(Path({path!r}), job="a", of={of!r})
"""


@pytest.mark.parametrize("of", ["GTiff", "COG"])
def test_a_kill_behind_the_last_rename_leaves_the_output_alone(tmp_path: Path, of: str) -> None:
    path = tmp_path / "out.tif"
    script = PUT_IN_PLACE.format(paths=sys.path, path=str(path), of=of)
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert names(tmp_path) == ["out.tif"]


STARTED_AGAIN = """
import os, signal, sys
sys.path[:0] = {paths!r}
import test_writer_safety as t
from pathlib import Path
truncate = os.ftruncate
def killed(descriptor, length):
    truncate(descriptor, length)
    os.kill(os.getpid(), signal.SIGKILL)
os.ftruncate = killed
t.writer_of(Path({path!r}), overviews=2, job="a").open()
"""


def test_a_run_killed_while_it_discards_another_is_resumed_from_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    kill_after(path, after=4, torn=False)
    script = STARTED_AGAIN.format(paths=sys.path, path=str(path))
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    write_all(path, overviews=2, job="a", resume=True)
    with rasterio.open(path) as dataset:
        assert (dataset.read() == VALUES).all()


def test_a_torn_journal_is_read_to_its_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    kill_after(path, after=4, torn=False)
    journal = tmp_path / ".out.tif.journal"
    journal.write_text(journal.read_text()[:-5])
    writer = writer_of(path, overviews=2, job="a", resume=True)
    writer.open()
    assert writer.committed == ("0", "1", "2")
    writer.discard()


@pytest.mark.parametrize("line", [0, 2, 4])
@pytest.mark.parametrize("damage", [b"\xff", b"7", b"}"])
def test_a_damaged_journal_is_read_to_its_last_sound_line(
    tmp_path: Path, line: int, damage: bytes
) -> None:
    path = tmp_path / "out.tif"
    kill_after(path, after=4, torn=False)
    journal = tmp_path / ".out.tif.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line][:30] + damage + lines[line][31:]
    journal.write_bytes(b"".join(lines))
    writer = writer_of(path, overviews=2, job="a", resume=True)
    writer.open()
    assert writer.committed == tuple(str(number) for number in range(max(0, line - 1)))
    writer.discard()


def test_a_partial_file_that_was_cut_off_is_not_resumed(tmp_path: Path) -> None:
    path = tmp_path / "out.tif"
    kill_after(path, after=4, torn=False)
    os.truncate(tmp_path / ".out.tif.partial", 4000)
    with pytest.raises(OutputError, match="was cut off; leave out --resume"):
        writer_of(path, overviews=2, job="a", resume=True).open()


LEFT = [".out.tif.journal", ".out.tif.partial"]


@pytest.mark.parametrize(
    ("failure", "keep", "commit", "left"),
    [
        (KeyboardInterrupt, True, True, LEFT),
        (KeyboardInterrupt, False, True, []),
        (KeyboardInterrupt, True, False, []),
        (RuntimeError, True, True, LEFT),
        (OutputError, True, True, []),
    ],
)
def test_a_failure_keeps_commits_where_they_are_of_use(
    tmp_path: Path, failure: type[BaseException], keep: bool, commit: bool, left: list[str]
) -> None:
    path = tmp_path / "out.tif"
    with pytest.raises(failure), writer_of(path, keep_partial=keep) as writer:
        writer.write(VALUES[:, :64, :64], TILES[0])
        if commit:
            writer.commit("0")
        raise failure
    assert names(tmp_path) == left
    write_all(path, resume=True)
    with rasterio.open(path) as dataset:
        assert (dataset.read() == VALUES).all()


def test_parts_of_blocks_are_not_committed(tmp_path: Path) -> None:
    with writer_of(tmp_path / "out.tif") as writer:
        writer.write(VALUES[:, :40, :64], Window(0, 0, 40, 64))
        assert not writer.commit("too early")
        writer.write(VALUES[:, 40:64, :64], Window(40, 0, 24, 64))
        assert writer.commit("now")


def test_a_classic_tiff_does_not_pass_its_limit(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="BIGTIFF=YES"):
        with writer_of(tmp_path / "out.tif", co={"BIGTIFF": "NO"}) as writer:
            assert writer._file is not None
            writer._file.position = 2**32 - 10
            writer.write(VALUES, GRID.full_window)
    assert names(tmp_path) == []
