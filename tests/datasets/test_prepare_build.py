"""Laws of making a dataset: the same bytes, restarts, a folder that is complete or not there."""

import errno
import re
import shutil
import signal
import subprocess
import sys
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from specgan_cli.datasets.building import build as steps
from specgan_cli.datasets.building.pairs import read_pairs
from specgan_cli.datasets.dataset import Dataset
from specgan_cli.errors import OutputError
from specgan_cli.workflows.prepare_dataset import prepare_dataset
from support.command import specgan
from support.prepare_data import (
    at,
    digest,
    small,
    textured,
    write,
)


def test_bytes_do_not_depend_on_jobs(folder: Path, tmp_path: Path) -> None:
    pairs = read_pairs([folder])
    prepare_dataset(pairs, tmp_path / "one", small(chip=4), shard_bytes=40_000)
    prepare_dataset(pairs, tmp_path / "two", small(chip=4), jobs=2, shard_bytes=40_000)
    assert len(digest(tmp_path / "one")) > 8
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def stopped_after(count: int, error: BaseException) -> Callable[[str, int, int], None]:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "writing shards" and done >= count:
            raise error

    return stop


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "no room")])
def test_stopped_run_goes_on_and_gives_the_same_bytes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    pairs = read_pairs([folder])
    prepare_dataset(pairs, tmp_path / "whole", small(), shard_bytes=40_000)
    with pytest.raises((KeyboardInterrupt, OutputError)) as raised:
        prepare_dataset(
            pairs, tmp_path / "out", small(), progress=stopped_after(3, error), shard_bytes=40_000
        )
    if isinstance(error, OSError):
        assert "the disk is full" in str(raised.value)
    assert not (tmp_path / "out").exists()
    written: list[str] = []
    real = steps.write_shard
    monkeypatch.setattr(steps, "write_shard", lambda *a: (written.append(a[1]), real(*a))[1])
    prepare_dataset(pairs, tmp_path / "out", small(), shard_bytes=40_000)
    assert len(written) == len(list((tmp_path / "whole" / "shards").glob("*.rgb.npy"))) - 3
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")


def test_changed_input_starts_again(folder: Path, tmp_path: Path) -> None:
    pairs = read_pairs([folder])
    with pytest.raises(KeyboardInterrupt):
        prepare_dataset(
            pairs,
            tmp_path / "out",
            small(),
            progress=stopped_after(3, KeyboardInterrupt()),
            shard_bytes=40_000,
        )
    for path in folder.iterdir():
        write(path, textured(99), at(0, 100 * int(path.stem[1:])))
    prepare_dataset(pairs, tmp_path / "out", small(), shard_bytes=40_000)
    dataset = Dataset.open(tmp_path / "out")
    for chip in dataset.chips:
        np.testing.assert_array_equal(dataset.read(chip).rgb, textured(99))


def test_two_runs_at_once_are_refused(folder: Path, tmp_path: Path) -> None:
    pairs = read_pairs([folder])
    messages = []

    def second(stage: str, done: int, total: int) -> None:
        if stage == "writing shards" and not messages:
            with pytest.raises(OutputError) as raised:
                prepare_dataset(pairs, tmp_path / "out", small())
            messages.append(str(raised.value))

    prepare_dataset(pairs, tmp_path / "out", small(), progress=second)
    assert "another run" in messages[0]
    assert len(Dataset.open(tmp_path / "out").chips) == 12


def test_killed_run_goes_on_and_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from specgan_cli.workflows import prepare_dataset as prepare\n"
        "from specgan_cli.datasets.building.pairs import read_pairs\n"
        "def slow(stage, done, total):\n"
        "    print(stage, done, flush=True)\n"
        "    time.sleep(0.2 if stage == 'writing shards' else 0)\n"
        "prepare.prepare_dataset(read_pairs([sys.argv[1]]), sys.argv[2],\n"
        "    prepare.DatasetOptions(scale=8), progress=slow, shard_bytes=17_000)\n"
    )
    command = [sys.executable, "-c", program, str(folder), str(tmp_path / "out")]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith(b"writing shards 4"):
            break
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert not (tmp_path / "out").exists()
    assert len(list((tmp_path / ".out.partial" / "done").glob("*.json"))) >= 4
    (tmp_path / ".out.partial" / ".alignments.json.0123456789abcdef.partial").write_text("[")
    prepare_dataset(read_pairs([folder]), tmp_path / "out", small(), shard_bytes=17_000)
    prepare_dataset(read_pairs([folder]), tmp_path / "whole", small(), shard_bytes=17_000)
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")
    assert not (tmp_path / ".out.partial").exists()


def test_disk_that_cannot_hold_the_dataset_is_refused_first(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(OutputError, match=r"needs up to .* GB"):
        prepare_dataset(read_pairs([folder]), tmp_path / "out", small())


def test_memory_does_not_grow_with_the_scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The sheet grows up to its 48 chips, and no further.
    monkeypatch.setattr(
        "specgan_cli.workflows.prepare_dataset.contact_sheet", lambda *ignored: None
    )
    peaks_mb = []
    for rows in (1024, 4096):
        path = tmp_path / f"{rows}.tif"
        write(path, textured(0, rows, 768), at(0, 0), tiled=True, blockxsize=256, blockysize=256)
        pairs = read_pairs([path])
        tracemalloc.start()
        prepare_dataset(
            pairs, tmp_path / f"out{rows}", small(scale=32, chip=8), shard_bytes=500_000
        )
        peaks_mb.append(tracemalloc.get_traced_memory()[1] / 1e6)
        tracemalloc.stop()
    # The larger scene holds 7 MB more than the smaller.
    assert peaks_mb[0] < 12 and peaks_mb[1] - peaks_mb[0] < 1


def test_existing_dataset_needs_overwrite(folder: Path, tmp_path: Path) -> None:
    pairs = read_pairs([folder])
    prepare_dataset(pairs, tmp_path / "out", small())
    before = digest(tmp_path / "out")
    with pytest.raises(OutputError, match="--overwrite"):
        prepare_dataset(pairs[:6], tmp_path / "out", small())
    assert digest(tmp_path / "out") == before
    prepare_dataset(pairs[:6], tmp_path / "out", small(), overwrite=True)
    assert len(Dataset.open(tmp_path / "out").chips) == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "rgb"]


def test_foreign_folder_is_never_replaced(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match="never replaced"):
        prepare_dataset(read_pairs([folder]), tmp_path / "out", small(), overwrite=True)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize("name", ["thesis.txt", "run/weights.safetensors", "shards/mine.npy"])
def test_a_dataset_with_other_files_is_never_replaced(
    folder: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    assert specgan("prepare", folder, "-o", out, "--chip", 8, "--scale", 8).code == 0
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text("precious")
    before = digest(out)
    done = specgan("prepare", folder, "-o", out, "--chip", 8, "--scale", 8, "--overwrite")
    assert done.code == 1
    assert name.split("/")[0] in done.stderr and "never replaced" in done.stderr
    assert digest(out) == before
    (out / name).unlink()
    (out / "run").exists() and (out / "run").rmdir()
    assert specgan("prepare", folder, "-o", out, "--chip", 8, "--scale", 8, "--overwrite").code == 0


def test_what_is_put_into_the_old_dataset_meanwhile_stays(folder: Path, tmp_path: Path) -> None:
    out, pairs = tmp_path / "out", read_pairs([folder])
    prepare_dataset(pairs, out, small())

    def meanwhile(stage: str, done: int, total: int) -> None:
        (out / "thesis.txt").write_text("precious")

    with pytest.raises(OutputError, match=r"thesis\.txt"):
        prepare_dataset(pairs[:6], out, small(), overwrite=True, progress=meanwhile)
    assert (out / "thesis.txt").read_text() == "precious"
    (out / "thesis.txt").unlink()
    prepare_dataset(pairs[:6], out, small(), overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "rgb"]


def test_a_link_to_a_dataset_stays(folder: Path, tmp_path: Path) -> None:
    disk, link, pairs = tmp_path / "disk", tmp_path / "link", read_pairs([folder])
    disk.mkdir()
    link.symlink_to(disk / "ds")
    for count in (8, 6, 5):
        prepare_dataset(pairs[:count], link, small(), overwrite=True)
        assert link.is_symlink()
        assert len(Dataset.open(disk / "ds").chips) == count
        assert [path.name for path in disk.iterdir()] == ["ds"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "link", "rgb"]


@pytest.mark.parametrize("name", [".", "..", "/", "circle"])
def test_folders_that_cannot_be_replaced_are_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "circle").symlink_to("circle")
    before = sorted(tmp_path.rglob("*"))
    done = specgan("prepare", folder, "-o", name, "--chip", 8, "--scale", 8, "--overwrite")
    assert done.code == 1
    assert re.search("never replaced|no place|circle", done.stderr), done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dataset_is_made_in_the_current_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ds").mkdir()
    monkeypatch.chdir(tmp_path / "ds")
    assert specgan("prepare", folder, "-o", ".", "--chip", 8, "--scale", 8).code == 0
    assert Dataset.open(tmp_path / "ds").chips


def test_contact_sheet_is_a_picture(folder: Path, tmp_path: Path) -> None:
    prepare_dataset(read_pairs([folder]), tmp_path / "out", small())
    with warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning):
        with rasterio.open(tmp_path / "out" / "contact_sheet.png") as sheet:
            assert sheet.driver == "PNG" and sheet.count == 3
            assert sheet.read().std() > 20
