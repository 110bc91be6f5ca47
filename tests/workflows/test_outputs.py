"""What a user has is never lost: outputs that are inputs, links, lossy options, full disks."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio

from support.command import Result, specgan
from support.rasters import as_vrt, write_cube, write_raster
from support.tiny_networks import tiny_weights


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).integers(0, 256, (3, 48, 48)).astype("uint8")
    return write_raster(tmp_path / "scene.tif", values)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    scene = np.random.default_rng(1).integers(0, 256, (3, 20, 20)).astype("uint8")
    return (
        write_raster(tmp_path / "rgb.tif", scene),
        write_cube(tmp_path / "cube.tif", left=726491.0),
    )


def upscale(scene: Path, out: Path, *words: object) -> Result:
    return specgan("upscale", scene, "-o", out, "-x", 4, "--weights", tiny_weights(), *words)


def refuses(done: Result, *words: str) -> None:
    assert done.code == 1, done.stderr
    assert done.stderr.count("specgan: error:") == 1
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def test_a_quicklook_replaces_no_cube(pair: tuple[Path, Path], tmp_path: Path) -> None:
    rgb, cube = pair
    before = cube.read_bytes()
    words = ("prepare", rgb, "--hsi", cube, "--no-align", "-o", tmp_path / "a.tif")
    refuses(specgan(*words, "--quicklook", cube), "is an input")
    refuses(specgan(*words, "--quicklook", cube, "--overwrite"), "is an input")
    assert cube.read_bytes() == before
    assert not (tmp_path / "a.tif").exists()


def test_a_quicklook_replaces_nothing_untold(pair: tuple[Path, Path], tmp_path: Path) -> None:
    mine = tmp_path / "mine.png"
    mine.write_text("mine")
    words = ("prepare", pair[0], "--hsi", pair[1], "--no-align", "-o", tmp_path / "a.tif")
    refuses(specgan(*words, "--quicklook", mine), "--overwrite")
    assert mine.read_text() == "mine"
    assert specgan(*words, "--quicklook", mine, "--overwrite").code == 0
    assert mine.read_bytes()[1:4] == b"PNG"


@pytest.mark.parametrize("how", ["path", "symlink", "hardlink"])
def test_a_cube_is_not_replaced_by_itself_aligned(
    pair: tuple[Path, Path], tmp_path: Path, how: str
) -> None:
    rgb, cube = pair
    before, out = cube.read_bytes(), cube
    if how != "path":
        out = tmp_path / "link.tif"
        (out.symlink_to if how == "symlink" else out.hardlink_to)(cube)
    refuses(specgan("prepare", rgb, "--hsi", cube, "-o", out, "--overwrite"), "is an input")
    assert cube.read_bytes() == before


def test_weights_are_not_replaced(scene: Path, tmp_path: Path) -> None:
    weights = Path(shutil.copy(tiny_weights(), tmp_path / "w.safetensors"))
    before = weights.read_bytes()
    refuses(
        specgan("upscale", scene, "--weights", weights, "-o", weights, "--overwrite"), "is an input"
    )
    assert weights.read_bytes() == before


def test_a_link_is_followed_to_its_target(scene: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    link = tmp_path / "link.tif"
    link.symlink_to(disk / "real.tif")
    assert upscale(scene, link).code == 0  # dangling: its target is made
    assert link.is_symlink()
    first = (disk / "real.tif").read_bytes()
    refuses(upscale(scene, link), "--overwrite")
    words = ("--seed", 1, "--overwrite", "--preview", tmp_path / "p.png")
    assert upscale(scene, link, *words).code == 0
    assert link.is_symlink()
    assert (disk / "real.tif").read_bytes() != first
    assert [path.name for path in disk.iterdir()] == ["real.tif"]


def test_a_link_in_a_circle_is_refused(scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "loop.tif"
    out.symlink_to(out)
    refuses(upscale(scene, out), "circle")
    assert out.is_symlink()


@pytest.mark.parametrize("ending", ["partial", "journal", "cog"])
@pytest.mark.parametrize("kind", ["symlink", "hardlink"])
def test_a_planted_link_leads_to_no_file(
    scene: Path, tmp_path: Path, ending: str, kind: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    planted = tmp_path / f".out.tif.{ending}"
    (planted.symlink_to if kind == "symlink" else planted.hardlink_to)(victim)
    done = upscale(scene, tmp_path / "out.tif", "--of", "COG")
    refuses(done, "out.tif")
    assert victim.read_text() == "precious"
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"scene.tif", "victim", planted.name}


def test_nothing_is_left_when_the_preview_fails(scene: Path, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    long = tmp_path / f"{'p' * 240}.png"  # its temporary name is too long
    refuses(upscale(scene, folder / "out.tif", "--preview", long), "too long")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "co", ["COMPRESS=JPEG", "COMPRESS=WEBP", "DISCARD_LSB=2", "NBITS=7", "COMPRESS=jpeg"]
)
def test_lossy_options_are_refused_unless_told(scene: Path, tmp_path: Path, co: str) -> None:
    refuses(upscale(scene, tmp_path / "out.tif", "--co", co), "--lossy")


def test_a_lossy_output_says_so(scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    assert upscale(scene, out, "--of", "COG", "--co", "COMPRESS=WEBP", "--lossy").code == 0
    with rasterio.open(out) as dataset:
        assert "only nearly" in dataset.tags()["SPECGAN_LOSSY"]


@pytest.mark.parametrize("option", ["--fidelity", "--rgb-range", "--max-memory", "--max-shift"])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_numbers_are_finite(scene: Path, tmp_path: Path, option: str, value: str) -> None:
    text = f"{value},1" if option == "--rgb-range" else value
    done = upscale(scene, tmp_path / "out.tif", option, text)
    assert done.code == 2, done.stderr
    assert option in done.stderr


FULL = "specgan: error: standard output: No space left on device"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [["models", "list", "--json"], ["--help"], ["--version"]])
def test_a_full_stdout_is_one_line(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "specgan_cli", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [FULL]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("out", ["out.tif", "-"], ids=["report", "raster"])
def test_a_full_stdout_leaves_no_half_result(scene: Path, tmp_path: Path, out: str) -> None:
    """The report that has no room is an error; the raster that was made before it is whole."""
    words = [sys.executable, "-m", "specgan_cli", "upscale", scene, "-x", 4, "-q"]
    words += ["--weights", tiny_weights(), *(["--json"] if out != "-" else []), "-o"]
    words = [str(word) for word in words]
    target = str(tmp_path / out) if out != "-" else out
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*words, target], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [FULL]
    if out == "-":
        assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]
        return
    # In a process too: how many threads torch has decides roundings.
    subprocess.run([*words, str(tmp_path / "whole.tif")], stdout=subprocess.DEVNULL, check=True)
    with rasterio.open(tmp_path / out) as found, rasterio.open(tmp_path / "whole.tif") as wanted:
        assert np.array_equal(found.read(), wanted.read())


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell closes streams")
def test_closed_streams_are_no_file_of_the_run(scene: Path, tmp_path: Path) -> None:
    """As under a daemon: what is printed goes nowhere, least of all into the output."""
    whole, out = tmp_path / "whole.tif", tmp_path / "out.tif"
    words = [sys.executable, "-m", "specgan_cli", "upscale", scene, "-x", 4]
    words += ["--weights", tiny_weights(), "--json", "-v", "-o"]
    for target, streams in ((whole, ""), (out, "<&- >&- 2>&-")):
        script = f'exec "$@" {streams}'
        done = subprocess.run(["sh", "-c", script, "sh", *map(str, [*words, target])], check=False)
        assert done.returncode == 0
    with rasterio.open(out) as found, rasterio.open(whole) as wanted:
        assert np.array_equal(found.read(), wanted.read())


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell closes streams")
@pytest.mark.parametrize(("words", "code"), [("models list", 0), ("--version", 0), ("upscale", 2)])
def test_commands_end_as_usual_without_stdout(words: str, code: int) -> None:
    line = f"exec {sys.executable} -m specgan_cli {words} >&-"
    done = subprocess.run(["sh", "-c", line], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("how", ["vrt", "vrt of a vrt", "directory", "url", "archive"])
def test_what_an_input_is_made_of_is_not_replaced(pair: tuple[Path, Path], how: str) -> None:
    scene, cube = pair
    for path in pair:
        before = path.read_bytes()
        if how == "directory":
            name = f"GTIFF_DIR:1:{path}"
        elif how == "url":
            name = path.as_uri()
        elif how == "archive":
            with zipfile.ZipFile(path.with_name("packed.tif"), "w") as archive:
                archive.write(path, path.name)
            name, path = f"/vsizip/{{{archive.filename}}}/{path.name}", path.with_name("packed.tif")
            before = path.read_bytes()
        else:
            name = str(as_vrt(path.with_name("one.vrt"), path))
            if how != "vrt":
                name = str(as_vrt(path.with_name("two.vrt"), Path(name)))
        words = ["upscale", name, "-x", 2, "--weights", tiny_weights()]
        if path.name == cube.name:
            words = ["prepare", scene, "--hsi", name, "--no-align"]
        refuses(specgan(*words, "-o", path, "--overwrite"), f"{path}: is an input")
        assert path.read_bytes() == before


def test_a_log_is_no_output(scene: Path, tmp_path: Path) -> None:
    for out, picture in (("log.tif", "look.png"), ("out.tif", "log.png")):
        log = tmp_path / (out if "log" in out else picture)
        words = ("--preview", tmp_path / picture, "--log-file", log, "--overwrite")
        refuses(upscale(scene, tmp_path / out, *words), f"{log}: is the log file")
        assert "is the log file" in log.read_text()
    assert not (tmp_path / "out.tif").exists()


def test_the_image_of_a_product_is_not_replaced(pair: tuple[Path, Path], tmp_path: Path) -> None:
    scene, cube = pair
    image, facts = (tmp_path / f"ENMAP01-{what}" for what in ("SPECTRAL_IMAGE.TIF", "METADATA.XML"))
    cube.rename(image)
    facts.write_text("<level_X/>")
    done = specgan("prepare", scene, "--hsi", facts, "--no-align", "-o", image, "--overwrite")
    refuses(done, f"{image}: is an input")
    done = upscale(scene, image, "--hsi", facts, "--no-align", "--overwrite")
    refuses(done, f"{image}: is an input")
