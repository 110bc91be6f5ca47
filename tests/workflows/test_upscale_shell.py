"""`specgan upscale` among other programs: stdin, stdout, and names that say what is in a file."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import rasterio

from support.command import specgan
from support.tiny_networks import tiny_weights


def words(*more: object) -> list[str]:
    return [str(word) for word in ("upscale", *more, "-x", 2, "--weights", tiny_weights())]


def piped(
    *more: object, stdin: bytes = b"", folder: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "specgan_cli", *words(*more)]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=300, cwd=folder)


def test_stdout_gets_the_file_of_a_plain_run(
    make_raster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "spool"))
    (tmp_path / "spool").mkdir()
    scene, out = make_raster(shape_yx=(5, 6)), tmp_path / "out.tif"
    assert piped(scene, "-o", out).returncode == 0
    done = piped(scene, "-o", "-")
    assert done.returncode == 0, done.stderr
    assert done.stdout == out.read_bytes()
    assert done.stderr.startswith(b"specgan: -: 12 x 10 pixels")
    assert list((tmp_path / "spool").iterdir()) == []


def test_stdin_gives_the_pixels_and_is_named_as_such(make_raster, tmp_path: Path) -> None:
    scene = make_raster(shape_yx=(5, 6))
    first, second, plain = (tmp_path / f"{name}.tif" for name in ("first", "second", "plain"))
    for out in (first, second):
        done = piped("-", "-o", out, stdin=scene.read_bytes())
        assert done.returncode == 0, done.stderr
    assert first.read_bytes() == second.read_bytes()
    assert piped(scene, "-o", plain).returncode == 0
    with rasterio.open(first) as piped_in, rasterio.open(plain) as named:
        assert piped_in.tags()["SPECGAN_INPUT"] == "-"
        assert (piped_in.read() == named.read()).all()


def test_an_empty_stdin_is_one_line(tmp_path: Path) -> None:
    done = piped("-", "-o", "-", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"specgan: error: -: is an empty file; make or download it again\n"
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_is_a_failure(make_raster) -> None:
    scene = make_raster(shape_yx=(200, 200))
    command = [sys.executable, "-m", "specgan_cli", *words(scene, "-o", "-")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        shown = process.stderr.read()
    assert process.returncode == 1
    assert b"stdout was closed before all was written" in shown


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("scene.tif", "-o", "-", "--json"), "--json and -o -"),
        (("scene.tif", "-o", "-", "--resume"), "--resume wants files"),
        (("-", "--out-dir", "out"), "- is one scene"),
    ],
)
def test_streams_that_cannot_be_are_usage(more: tuple[str, ...], said: str) -> None:
    done = specgan(*words(*more))
    assert done.code == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    ("option", "name", "advice"),
    [
        ("-o", "out.jp2", "name it {}/out.tif, then: gdal_translate {}/out.tif {}/out.jp2"),
        ("-o", "out", "name it {}/out.tif"),
        ("-o", "out.v1.2", "name it {}/out.v1.tif"),
        ("-o", "out.vrt", "name it {}/out.tif"),
        ("--uncertainty", "spread.png", "name it {}/spread.tif"),
        ("--preview", "look.jpg", "name it {}/look.png"),
    ],
)
def test_a_name_says_what_is_written(
    make_raster, tmp_path: Path, option: str, name: str, advice: str
) -> None:
    scene = make_raster(shape_yx=(5, 6))
    before = sorted(tmp_path.iterdir())
    more = [option, tmp_path / name]
    done = specgan(*words(scene, *(more if option == "-o" else ["-o", tmp_path / "o.tif", *more])))
    assert done.code == 1
    assert advice.replace("{}", str(tmp_path)) in done.stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["out.TIF", "out.tiff", "my.out.tif"])
def test_names_of_geotiffs_are_taken(make_raster, tmp_path: Path, name: str) -> None:
    assert specgan(*words(make_raster(shape_yx=(5, 6)), "-o", tmp_path / name)).code == 0
    assert (tmp_path / name).exists()


def test_a_damaged_stdin_is_one_line_without_what_gdal_prints(make_raster) -> None:
    whole = make_raster(shape_yx=(12, 16)).read_bytes()
    done = piped("-", "-o", "-", stdin=whole[: len(whole) - 400])
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1), done.stderr


def test_an_archive_on_stdin_is_refused_with_what_to_do(make_raster, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(make_raster(shape_yx=(5, 6)), "scene.tif")
    done = piped("-", "-o", "-", stdin=(tmp_path / "a.zip").read_bytes())
    assert b"-: is an archive; unpack it, and pipe a raster of it" in done.stderr
