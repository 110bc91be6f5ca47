"""The command line of `specgan upscale`: documents, plans, pictures."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

from specgan import checkpoints
from support.command import specgan
from support.tiny_networks import tiny_weights

SAMPLE = Path(__file__).parents[2] / "sample_data"

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


@pytest.fixture
def sample_pair() -> list[str]:
    return [str(SAMPLE / "scene.tif"), "--hsi", str(SAMPLE / "cube.tif")]


def words(scene: Path, out: Path, *more: object) -> list[str]:
    base = ("upscale", scene, "-o", out, "-x", 4, "--weights", tiny_weights())
    return [str(word) for word in (*base, *more)]


def test_json_is_the_only_thing_on_stdout(uint8_scene: Path, tmp_path: Path) -> None:
    done = specgan(*words(uint8_scene, tmp_path / "out.tif", "--json"))
    document = json.loads(done.stdout)
    assert document["status"] == "done"
    assert document["shape_yx"] == [48, 68]
    assert document["crs"] == "EPSG:32618"


def test_json_holds_no_nan(nan_scene: Path, tmp_path: Path) -> None:
    done = specgan(*words(nan_scene, tmp_path / "out.tif", "--json"))
    assert json.loads(done.stdout, parse_constant=lambda word: 1 / 0)["nodata"] == "nan"


@pytest.mark.parametrize("after", [True, False])
def test_a_quiet_run_says_nothing(after: bool, uint8_scene: Path, tmp_path: Path) -> None:
    command = words(uint8_scene, tmp_path / "out.tif")
    done = specgan(*command, "-q") if after else specgan("-q", *command)
    assert (done.code, done.stdout, done.stderr) == (0, "", "")


def test_an_output_that_exists_is_skipped_in_one_line(uint8_scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    out.write_bytes(b"precious")
    done = specgan(*words(uint8_scene, out, "--skip-existing"))
    assert (done.code, done.stdout, done.stderr) == (0, "", f"specgan: {out}: skipped\n")
    assert specgan(*words(uint8_scene, out, "--skip-existing", "-q")).stderr == ""
    assert out.read_bytes() == b"precious"
    done = specgan(*words(uint8_scene, uint8_scene, "--skip-existing"))
    assert "is an input" in done.stderr
    (tmp_path / "folder.tif").mkdir()
    done = specgan(*words(uint8_scene, tmp_path / "folder.tif", "--skip-existing"))
    assert "is a folder" in done.stderr


def test_a_run_ends_with_one_line(uint8_scene: Path, tmp_path: Path) -> None:
    done = specgan(*words(uint8_scene, tmp_path / "out.tif"))
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert f"{tmp_path}/out.tif: 68 x 48 pixels from bands 1,2,3 in " in line
    assert re.search(r" s on cpu by (torch|onnxruntime) [\d.]+", line)


def test_json_lines_tell_the_course_of_a_run(sample_pair: list[str], tmp_path: Path) -> None:
    command = ["upscale", *sample_pair, "-o", tmp_path / "o.tif", "-x", 2, "--window", "0,0,8,8"]
    done = specgan(*command, "--weights", tiny_weights(), "--log-format", "json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    lines = [line for line in lines if line["event"] != "message"]
    assert [line["event"] for line in lines] == ["start", "aligned", "plan", "done"]
    assert lines[1]["reliability"] > 0.5
    assert lines[2]["tile_count"] == 1
    assert lines[3]["shape_yx"] == [16, 16]
    assert f"{lines[1]['reliability']:.4f}" in lines[3]["text"]


def test_a_log_file_tells_of_failures_too(uint8_scene: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    specgan(*words(uint8_scene, tmp_path / "out.tif"), "-q", "--log-file", log)
    done = specgan("--log-file", log, *words(tmp_path / "none.tif", tmp_path / "out2.tif"))
    lines = log.read_text().splitlines()
    assert [line.split(" ", 1)[1].startswith("specgan: ") for line in lines] == [True] * len(lines)
    assert "68 x 48 pixels" in log.read_text()
    assert lines[-1].endswith(done.stderr.removeprefix("specgan: error: ").rstrip())
    assert done.stderr.count("\n") == 1


def test_a_log_file_that_cannot_be_is_a_usage_error(uint8_scene: Path, tmp_path: Path) -> None:
    done = specgan(*words(uint8_scene, tmp_path / "o.tif"), "--log-file", tmp_path / "no" / "log")
    assert done.code == 2
    assert "--log-file" in done.stderr
    assert not list(tmp_path.glob("o.tif*"))


@pytest.mark.parametrize("content", [b"II*\0", b"group,split\n1,train\n", b"\xff"])
def test_only_a_log_is_appended_to(uint8_scene: Path, tmp_path: Path, content: bytes) -> None:
    log = tmp_path / "file"
    log.write_bytes(content)
    done = specgan(*words(uint8_scene, tmp_path / "o.tif"), "--log-file", log)
    assert done.code == 2
    assert "no log of specgan" in done.stderr
    assert log.read_bytes() == content


@pytest.mark.parametrize("kind", ["text", "json"])
def test_a_log_goes_on(uint8_scene: Path, tmp_path: Path, kind: str) -> None:
    log = ("--log-file", tmp_path / "log", "--log-format", kind)
    sizes = []
    for number in range(3):
        assert specgan(*words(uint8_scene, tmp_path / f"{number}.tif"), *log).code == 0
        sizes.append((tmp_path / "log").stat().st_size)
    assert sizes == sorted(set(sizes))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_log_waits_for_no_reader(uint8_scene: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    done = specgan(*words(uint8_scene, tmp_path / "o.tif"), "--log-file", tmp_path / "log")
    assert done.code == 2
    assert "cannot be written" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_log_on_a_full_disk_is_said_once(uint8_scene: Path, tmp_path: Path) -> None:
    done = specgan(*words(uint8_scene, tmp_path / "o.tif"), "-v", "--log-file", "/dev/full")
    assert done.code == 0
    assert done.stderr.count("/dev/full: cannot be written") == 1
    assert "Traceback" not in done.stderr


def test_options_of_the_environment_stand_in_the_provenance(
    uint8_scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPECGAN_UPSCALE_SEED", "7")
    monkeypatch.setenv("SPECGAN_UPSCALE_OVERVIEWS", "1")
    monkeypatch.setenv("SPECGAN_UPSCALE_QUIET", "1")
    done = specgan(*words(uint8_scene, tmp_path / "out.tif"))
    assert done.stderr == ""
    with rasterio.open(tmp_path / "out.tif") as out:
        assert out.tags()["SPECGAN_COMMAND"].endswith(" --overviews --seed=7") or out.tags()[
            "SPECGAN_COMMAND"
        ].endswith(" --seed=7 --overviews")


def test_dry_run_tells_the_plan_and_writes_nothing(uint8_scene: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    done = specgan(*words(uint8_scene, tmp_path / "out.tif", "--dry-run", "--json"))
    document = json.loads(done.stdout)
    assert document["plan"]["shape_yx"] == [48, 68]
    assert document["plan"]["output_bytes"] == 48 * 68 * 3
    assert document["seconds"] >= 0
    assert sorted(tmp_path.iterdir()) == before


def test_dry_run_speaks_to_people(uint8_scene: Path, tmp_path: Path) -> None:
    done = specgan(*words(uint8_scene, tmp_path / "out.tif", "--dry-run"))
    assert "68 x 48 pixels" in done.stdout
    assert "free" in done.stdout


def test_max_memory_makes_tiles_smaller(uint8_scene: Path, tmp_path: Path) -> None:
    plans = [
        json.loads(
            specgan(
                *words(uint8_scene, tmp_path / "out.tif", "--dry-run", "--json"),
                "--max-memory",
                size,
            ).stdout
        )["plan"]
        for size in ("100M", "100G")
    ]
    assert plans[0]["tile"] < plans[1]["tile"]


def test_uncertainty_is_the_spread_over_seeds(uint8_scene: Path, tmp_path: Path) -> None:
    spread = tmp_path / "spread.tif"
    done = specgan(*words(uint8_scene, tmp_path / "0.tif", "--uncertainty", spread, "--samples", 2))
    assert done.code == 0, done.stderr
    specgan(*words(uint8_scene, tmp_path / "1.tif", "--seed", 1))
    images = []
    for seed in (0, 1):
        with rasterio.open(tmp_path / f"{seed}.tif") as out:
            images.append(out.read().astype(float))
    expected = np.sqrt(np.var(images, axis=0, ddof=1).mean(axis=0))
    with rasterio.open(spread) as dataset:
        assert dataset.count == 1
        found = dataset.read(1)
    # The files hold whole grey levels, the spread is taken before rounding.
    assert np.abs(found - expected).mean() < 0.5
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.9


def test_uncertainty_says_what_it_is_and_in_which_unit(make_raster, tmp_path: Path) -> None:
    scene, spread = make_raster(dtype="uint16"), tmp_path / "spread.tif"
    with rasterio.open(scene, "r+") as dataset:
        dataset.units = ("reflectance",) * 3
        dataset.scales = (0.0001,) * 3
    done = specgan(*words(scene, tmp_path / "o.tif", "--uncertainty", spread, "--samples", 3))
    assert done.code == 0, done.stderr
    with rasterio.open(spread) as dataset:
        assert dataset.descriptions == ("standard deviation over 3 seeds",)
        assert (dataset.units, dataset.scales) == (("reflectance",), (0.0001,))
        assert dataset.tags()["SPECGAN_UNCERTAINTY_SEEDS"] == "3"
        assert "not calibrated" in dataset.tags()["SPECGAN_UNCERTAINTY"]


def calibrated(folder: Path, **changes: object) -> Path:
    """Return tiny weights with a calibration beside them: sigma is 0.01 and twice the contrast."""
    weights = Path(shutil.copy(tiny_weights(), folder / "mine.safetensors"))
    factors = {"scale": 4, "floor": 0.01, "contrast": 2.0, "spread": 0.0}
    document = {
        "weights_sha256": checkpoints.sha256(weights),
        "grounds": ["fields", "woods"],
        "factors": [factors | {"within": [0.66, 0.93]}],
    } | changes
    (folder / "mine-uncertainty.json").write_text(json.dumps(document))
    return weights


def test_a_calibration_beside_the_weights_makes_sigma_of_contrast(
    uint8_scene: Path, tmp_path: Path
) -> None:
    mine, images = ("--weights", calibrated(tmp_path)), []
    for tile in (4, 16):
        path = tmp_path / f"{tile}.tif"
        more = ("--uncertainty", path, "--samples", 2, "--tile", tile)
        done = specgan(*words(uint8_scene, tmp_path / f"o{tile}.tif", *more), *mine)
        assert done.code == 0, done.stderr
        with rasterio.open(path) as dataset:
            images.append(dataset.read(1))
            assert dataset.descriptions == ("standard deviation of the error of a band",)
            said = dataset.tags()["SPECGAN_UNCERTAINTY"]
    assert "(fields, woods) 66% of the truth lay within 1 and 93% within 2" in said
    assert np.allclose(*images, atol=1e-4)
    with rasterio.open(uint8_scene) as scene:
        values = scene.read((1, 2, 3)).astype(float)
    # In the middle of a block of the output, between its pixels, is the input pixel's contrast.
    around = values[:, 4:7, 6:9]
    expected = np.hypot(0.01 * 127.5, 2 * np.sqrt(around.var(axis=(1, 2)).mean()))
    assert images[0][21:23, 29:31].mean() == pytest.approx(expected, rel=0.1)


def test_a_calibration_of_other_weights_is_not_used(uint8_scene: Path, tmp_path: Path) -> None:
    mine = ("--weights", calibrated(tmp_path, weights_sha256="0" * 64))
    more = ("--uncertainty", tmp_path / "u.tif", "--samples", 2)
    done = specgan(*words(uint8_scene, tmp_path / "o.tif", *more), *mine)
    assert "was never measured, so --uncertainty writes the spread over seeds" in done.stderr
    with rasterio.open(tmp_path / "u.tif") as dataset:
        assert "not calibrated" in dataset.tags()["SPECGAN_UNCERTAINTY"]


def test_a_damaged_calibration_is_one_line(uint8_scene: Path, tmp_path: Path) -> None:
    mine = ("--weights", calibrated(tmp_path, grounds=3))
    done = specgan(
        *words(uint8_scene, tmp_path / "o.tif", "--uncertainty", tmp_path / "u.tif"), *mine
    )
    assert done.code == 1
    assert "mine-uncertainty.json: no calibration" in done.stderr
    assert not list(tmp_path.glob("o.tif*"))


def test_uncertainty_is_missing_where_the_scene_is(nodata_scene: Path, tmp_path: Path) -> None:
    spread = tmp_path / "spread.tif"
    specgan(*words(nodata_scene, tmp_path / "o.tif", "--uncertainty", spread, "--samples", 2))
    with rasterio.open(spread) as dataset, rasterio.open(nodata_scene) as scene:
        missing = np.kron(scene.dataset_mask() == 0, np.ones((4, 4), bool))
        assert np.array_equal(np.isnan(dataset.read(1)), missing)


def test_fidelity_of_one_has_no_noise(uint8_scene: Path, tmp_path: Path) -> None:
    images = []
    for seed in (0, 1):
        out = tmp_path / f"{seed}.tif"
        specgan(*words(uint8_scene, out, "--fidelity", 1, "--seed", seed))
        with rasterio.open(out) as dataset:
            images.append(dataset.read())
    assert np.array_equal(images[0], images[1])


def test_fidelity_is_on_the_way_to_the_second_set(uint8_scene: Path, tmp_path: Path) -> None:
    runs = {
        "zero": (),
        "half": ("--fidelity", 0.5),
        "one": ("--fidelity", 1),
        "means": ("--weights", tiny_weights().with_name("tiny-means.safetensors")),
    }
    images = {}
    for name, more in runs.items():
        done = specgan(*words(uint8_scene, tmp_path / f"{name}.tif", *more))
        assert done.code == 0, done.stderr
        with rasterio.open(tmp_path / f"{name}.tif") as dataset:
            images[name] = dataset.read().astype(float)
    assert np.array_equal(images["one"], images["means"])
    away = [np.abs(images[name] - images["means"]).mean() for name in ("half", "zero")]
    assert 0 < away[0] < away[1]


def test_fidelity_without_a_second_set_is_one_line(uint8_scene: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes(tiny_weights().read_bytes())
    out = tmp_path / "out.tif"
    done = specgan(*words(uint8_scene, out, "--weights", alone, "--fidelity", 0.5))
    assert done.code == 1
    assert "no second set alone-means.safetensors" in done.stderr
    assert not out.exists()


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
def test_other_types_keep_block_means(uint8_scene: Path, tmp_path: Path, dtype: str) -> None:
    out = tmp_path / "out.tif"
    done = specgan(*words(uint8_scene, out, "--dtype", dtype))
    assert done.code == 0, done.stderr
    with rasterio.open(uint8_scene) as source, rasterio.open(out) as output:
        means = output.read().astype(float).reshape(3, 12, 4, 17, 4).mean((2, 4))
        assert np.array_equal(means, source.read())


def test_bands_choose_and_order(make_raster, tmp_path: Path) -> None:
    scene = make_raster(count=5)
    out = tmp_path / "out.tif"
    assert specgan(*words(scene, out, "--bands", "4,2,1")).code == 0
    with rasterio.open(scene) as source, rasterio.open(out) as output:
        values, result = source.read([4, 2, 1]), output.read().astype(float)
    assert np.array_equal(result.reshape(3, 12, 4, 17, 4).mean((2, 4)), values)


def test_src_nodata_none_keeps_saturated_pixels(make_raster, tmp_path: Path) -> None:
    values = np.full((3, 6, 6), 90, "uint8")
    values[:, 2, 2] = 255
    scene, out = make_raster(values, nodata=255), tmp_path / "out.tif"
    assert specgan(*words(scene, out, "--src-nodata", "none")).code == 0
    with rasterio.open(out) as output:
        assert output.nodata is None
        assert (output.read()[:, 8:12, 8:12] == 255).all()


def test_dst_nodata_marks_missing_pixels(nodata_scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    assert specgan(*words(nodata_scene, out, "--dst-nodata", 255)).code == 0
    with rasterio.open(out) as output:
        assert output.nodata == 255
        assert (output.read()[:, :12, :16] == 255).all()


def test_cog_is_one(uint8_scene: Path, tmp_path: Path) -> None:
    from rio_cogeo import cog_validate

    out = tmp_path / "out.tif"
    assert specgan(*words(uint8_scene, out, "--of", "COG")).code == 0
    valid, errors, _ = cog_validate(out)
    assert valid, errors


def test_secrets_stay_out_of_the_tags() -> None:
    from specgan_cli.inference.output.tags import shown_command

    told = shown_command(
        ("specgan", "upscale", "https://me:pw@host/a.tif?sig=abc", "-o", "x.tif", "--co", "A=B")
    )
    assert told == "specgan upscale https://host/a.tif --co A=B"


@pytest.mark.parametrize(
    "words", ["-o out.tif", "-oout.tif", "-qo out.tif", "-vvoout.tif", "-q -o out.tif", "-vvv -oo"]
)
def test_where_the_output_goes_stays_out_of_the_tags_in_every_form(words: str) -> None:
    from specgan_cli.inference.output.tags import shown_command

    told = shown_command(["specgan", "upscale", *words.split(), "a.tif", "-x", "4", "--of", "COG"])
    assert told == "specgan upscale a.tif -x 4 --of COG"


def test_a_closed_pipe_ends_quietly(uint8_scene: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "specgan_cli"]
    command += words(uint8_scene, tmp_path / "out.tif", "--json", "-q")
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait()
    assert (tmp_path / "out.tif").exists()
