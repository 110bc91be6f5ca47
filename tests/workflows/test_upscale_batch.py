"""Several scenes in one call of `specgan upscale`."""

import json
from pathlib import Path
from typing import Any

import pytest

from specgan_cli.inference.report import UpscaleReport
from specgan_cli.inference.request import UpscaleRequest
from specgan_cli.workflows import upscale as upscaling
from support.command import Result, specgan
from support.tiny_networks import tiny_weights


@pytest.fixture
def out_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def batch(out_dir: Path, *words: object) -> Result:
    return specgan("upscale", *words, "-x", 2, "--out-dir", out_dir, "--weights", tiny_weights())


def test_batch_writes_a_line_and_a_file_a_scene(make_raster, out_dir: Path) -> None:
    scenes = [make_raster(name=f"{name}.tif", shape_yx=(5, 6)) for name in "ab"]
    done = batch(out_dir, *scenes)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.code == 0
    assert [line["status"] for line in lines] == ["done", "done"]
    assert sorted(path.name for path in out_dir.iterdir()) == ["a_x2.tif", "b_x2.tif"]


def test_batch_goes_on_after_a_failure_and_says_so(make_raster, out_dir: Path) -> None:
    good = make_raster(shape_yx=(5, 6))
    done = batch(out_dir, out_dir / "missing.tif", good)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.code == 1
    assert [line["status"] for line in lines] == ["failed", "done"]
    assert "missing.tif" in lines[0]["error"]


def test_the_exit_code_is_that_of_the_failures(make_raster, out_dir: Path) -> None:
    scene = make_raster(shape_yx=(5, 6))
    outside = ("--bounds", "0,0,1,1")
    assert batch(out_dir, scene, *outside).code == 3
    assert batch(out_dir, scene, out_dir / "missing.tif", *outside).code == 1


def test_batch_skips_what_exists(make_raster, out_dir: Path) -> None:
    scene = make_raster(shape_yx=(5, 6))
    (out_dir / "scene_x2.tif").write_bytes(b"precious")
    done = batch(out_dir, scene, "--skip-existing")
    assert done.code == 0
    assert json.loads(done.stdout)["status"] == "skipped"
    assert (out_dir / "scene_x2.tif").read_bytes() == b"precious"


@pytest.mark.parametrize("error", [ValueError("odd"), MemoryError(), PermissionError(13, "no")])
def test_batch_goes_on_after_what_nobody_foresaw(
    make_raster, out_dir: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    scenes = [make_raster(name=f"{name}.tif", shape_yx=(5, 6)) for name in "ab"]
    whole = upscaling.upscale

    def fails_once(request: UpscaleRequest, **rest: Any) -> UpscaleReport:
        if "a.tif" in request.inputs.scene:
            raise error
        return whole(request, **rest)

    monkeypatch.setattr(upscaling, "upscale", fails_once)
    done = batch(out_dir, *scenes)
    assert done.code == 1
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["failed", "done"]
    assert done.stderr.count("ERROR") == 1
    assert "Traceback" not in done.stderr
    with pytest.raises(type(error)):
        batch(out_dir, *scenes, "--debug", "--overwrite")


def test_batch_refuses_two_scenes_with_one_output(
    make_raster, tmp_path: Path, out_dir: Path
) -> None:
    scene = make_raster(shape_yx=(5, 6))
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / "scene.tif"
    twin.write_bytes(scene.read_bytes())
    done = batch(out_dir, scene, twin)
    assert done.code == 1
    assert "scene_x2.tif" in done.stderr
    assert list(out_dir.iterdir()) == []


def test_batch_with_json_is_one_document(make_raster, out_dir: Path) -> None:
    scenes = [make_raster(name=f"{name}.tif", shape_yx=(5, 6)) for name in "ab"]
    documents = json.loads(batch(out_dir, *scenes, "--json").stdout)
    assert [document["scene"] for document in documents] == [str(scene) for scene in scenes]


def test_batch_finds_the_cube_of_each_scene(tmp_path: Path) -> None:
    from specgan_cli.inference.request import find_cube

    cubes = [tmp_path / name for name in ("a.tif", "b_hsi.bsq", "c.tif")]
    assert find_cube(cubes, "a") == str(cubes[0])
    assert find_cube(cubes, "b") == str(cubes[1])
    assert find_cube(cubes, "d") is None


def test_batch_makes_its_folder_but_no_parents(make_raster, tmp_path: Path) -> None:
    scene = make_raster(shape_yx=(5, 6))
    done = batch(tmp_path / "no" / "where", scene)
    assert done.code == 1
    assert f"{tmp_path}/no: no such folder" in done.stderr
    assert batch(tmp_path / "new", scene, "--dry-run").code == 0
    assert not (tmp_path / "new").exists()
    assert batch(tmp_path / "new", scene).code == 0
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["scene_x2.tif"]


@pytest.mark.parametrize("how", ["folder", "pattern", "list"])
def test_batch_takes_folders_patterns_and_lists(make_raster, tmp_path: Path, how: str) -> None:
    (tmp_path / "in").mkdir()
    names = ["a.tif", "b.TIFF", ".hidden.tif", "notes.md", "c.json"]
    for name in names:
        make_raster(name=f"in/{name}", shape_yx=(5, 6))
    (tmp_path / "list.txt").write_text(
        f"# two scenes\n{tmp_path}/in/a.tif\n\n{tmp_path}/in/b.TIFF\n"
    )
    word = {"folder": "in", "pattern": "in/[ab].*", "list": "list.txt"}[how]
    done = batch(tmp_path / "out", tmp_path / word)
    assert done.code == 0, done.stdout
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert made == ["a_x2.tif", "b_x2.tif"]


@pytest.mark.parametrize(
    ("word", "said"),
    [("empty", "holds no raster"), ("*.nope", "matches no file"), ("list.txt", "names no scene")],
)
def test_batch_refuses_what_stands_for_no_scene(tmp_path: Path, word: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.txt").write_text("# nothing\n")
    done = batch(tmp_path / "out", tmp_path / word)
    assert done.code == 1
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("alone", [True, False])
def test_what_another_process_made_meanwhile_is_skipped(
    make_raster, out_dir: Path, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    scene, out = make_raster(shape_yx=(5, 6)), out_dir / "scene_x2.tif"
    whole = upscaling.upscale

    def too_late(request: UpscaleRequest, **rest: Any) -> UpscaleReport:
        out.write_bytes(b"precious")
        return whole(request, **rest)

    monkeypatch.setattr(upscaling, "upscale", too_late)
    words = ("upscale", scene, "-x", 2, "--weights", tiny_weights())
    where = ("-o", out) if alone else ("--out-dir", out_dir)
    out_dir.mkdir(exist_ok=True)
    done = specgan(*words, *where, "--skip-existing")
    assert (done.code, out.read_bytes()) == (0, b"precious"), done.stderr
    assert f"{out}: skipped" in done.stderr
    out.unlink()
    done = specgan(*words, *where)
    assert (done.code, done.stderr.count(f"{out}: ")) == (1, 1), done.stderr
