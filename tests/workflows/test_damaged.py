"""Damaged inputs and pipes: one line that names them, at once."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from specgan import checkpoints
from specgan_cli.errors import TrainingError
from specgan_cli.training.run_folder import RunFolder
from support.command import Result, specgan
from support.datasets import make_training_dataset
from support.rasters import write_raster
from support.tiny_networks import header, tiny_network
from support.training_configs import STAGES


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    values = np.random.default_rng(0).integers(0, 256, (3, 20, 20)).astype("uint8")
    return write_raster(tmp_path_factory.mktemp("scene") / "scene.tif", values)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_training_dataset(tmp_path_factory.mktemp("data") / "ds")


def is_one_line(done: Result, *words: object) -> None:
    assert done.code == 1, done.stderr
    assert done.stderr.count("specgan: error:") == 1
    assert "please report" not in done.stderr
    assert all(str(word) in done.stderr for word in words), done.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize(
    "line",
    [
        "upscale PIPE -o OUT.tif",
        "upscale SCENE --hsi PIPE -o OUT.tif",
        "upscale SCENE --aoi PIPE -o OUT.tif",
        "upscale SCENE --weights PIPE -o OUT.tif",
        "prepare PIPE -o OUT",
        "prepare PIPE.csv -o OUT",
        "prepare SCENE --hsi SCENE --wavelengths PIPE --no-align -o OUT.tif",
        "train DATASET --config PIPE -o OUT",
        "train DATASET --perceptual PIPE -o OUT",
        "models import PIPE -o OUT",
        "evaluate --sr PIPE --reference SCENE",
    ],
)
def test_a_pipe_is_refused_at_once(scene: Path, dataset: Path, tmp_path: Path, line: str) -> None:
    pipe = tmp_path / ("p.csv" if "PIPE.csv" in line else "p")
    os.mkfifo(pipe)
    # An opening that waits is let go: the test fails instead of waiting.
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(pipe, os.O_WRONLY)
    os.close(writer)
    marks = {"PIPE.csv": pipe, "PIPE": pipe, "SCENE": scene, "DATASET": dataset}
    words = [marks.get(word, word) for word in line.replace("OUT", str(tmp_path / "o")).split()]
    try:
        is_one_line(specgan(*words), pipe)
    finally:
        os.close(reader)


def test_a_configuration_that_is_no_utf8(dataset: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_bytes(STAGES.encode() + b"\n# \xff\n")
    is_one_line(specgan("train", dataset, "--config", config, "-o", tmp_path / "run"), config)


@pytest.mark.parametrize("half", [b"\xed\xa0\x80", b"\\ud800"], ids=["bytes", "escape"])
def test_an_area_with_half_a_surrogate_pair(scene: Path, tmp_path: Path, half: bytes) -> None:
    area = tmp_path / "area.geojson"
    ring = b"[[0, 0], [1, 0], [1, 1], [0, 0]]"
    crs = b'{"properties": {"name": "EPSG:32618%s"}}' % half
    area.write_bytes(b'{"type": "Polygon", "coordinates": [%s], "crs": %s}' % (ring, crs))
    is_one_line(specgan("upscale", scene, "-o", tmp_path / "o.tif", "--aoi", area), area)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("uint8", "upscale SCENE -o OUT.tif -x 4"),
        ("float32", "upscale SCENE -o OUT.tif -x 4"),
        ("uint8", "evaluate DATASET -x 4 -o OUT --limit 2"),
    ],
)
def test_finite_weights_that_overflow(dataset: Path, tmp_path: Path, kind: str, words: str) -> None:
    network = tiny_network()
    for value in network.parameters():
        value.data.fill_(60000.0)
    weights = checkpoints.save(tmp_path / "huge.safetensors", network, header(network))
    values = np.random.default_rng(0).integers(0, 256, (3, 20, 20)).astype(kind)
    marks = {
        "SCENE": write_raster(tmp_path / "scene.tif", values),
        "DATASET": dataset,
        "OUT.tif": tmp_path / "o.tif",
        "OUT": tmp_path / "o",
    }
    done = specgan(*(marks.get(word, word) for word in words.split()), "--weights", weights)
    is_one_line(done, "the weights make values that are no numbers")
    assert not (tmp_path / "o.tif").exists()


def test_what_gdal_says_in_another_encoding_is_one_line(tmp_path: Path) -> None:
    scene = tmp_path / "scene.vrt"
    scene.write_bytes(b'<VRTDataset rasterXSize="24"><A\x97 b="1"></A></VRTDataset>')
    words = [sys.executable, "-m", "specgan_cli", "upscale", str(scene), "-o", "o.tif"]
    done = subprocess.run(words, capture_output=True, cwd=tmp_path, env={**os.environ})
    assert done.returncode == 1
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("specgan: error: ")
    assert "Didn't find expected" in lines[0]


@pytest.mark.parametrize("name", ["config.json", "environment.json", "metrics.jsonl"])
@pytest.mark.parametrize("damage", [b"\xff\xfe", b"{", b"[1, 2", b'"x"', b"null"])
def test_a_run_whose_records_are_damaged(
    dataset: Path, tmp_path: Path, name: str, damage: bytes
) -> None:
    folder = RunFolder(tmp_path)
    (tmp_path / name).write_bytes(damage)
    try:
        folder.record_environment({})
        folder.truncate_after(3)
        folder.validations()
        folder._check_same({})
    except TrainingError as error:
        assert str(tmp_path) in str(error)


@pytest.mark.parametrize("shape", ["list", "text", "absent", "table"])
def test_hdf5_attributes_of_any_shape(scene: Path, tmp_path: Path, shape: str) -> None:
    path = tmp_path / "emit.nc"
    values: dict[str, object] = {"list": np.zeros((2, 3)), "text": "none", "table": np.zeros((0,))}
    with h5py.File(path, "w") as file:
        file["reflectance"] = np.ones((4, 4, 3), "f4")
        group = file.create_group("sensor_band_parameters")
        group["wavelengths"], group["fwhm"] = np.array([450.0, 550, 650]), np.ones(3)
        file["location/glt_x"] = file["location/glt_y"] = np.ones((4, 4), "i4")
        if shape in values:
            file.attrs["geotransform"] = values[shape]
            file.attrs["spatial_ref"] = values[shape]
    words = ("prepare", scene, "--hsi", path, "--no-align", "-o", tmp_path / "o.tif")
    is_one_line(specgan(*words), path)


@pytest.mark.parametrize("seed", range(8))
def test_hdf5_with_damaged_trees(scene: Path, tmp_path: Path, seed: int) -> None:
    path = tmp_path / "neon.h5"
    with h5py.File(path, "w") as file:
        for number in range(40):
            file[f"HARV/Reflectance/{number}"] = np.arange(9.0)
        file["HARV/Reflectance/Reflectance_Data"] = np.ones((4, 4, 3), "i2")
    data = bytearray(path.read_bytes())
    chance = random.Random(seed)
    for _ in range(8):
        at = chance.randrange(96, len(data) - 8)
        data[at : at + 8] = chance.randbytes(8)
    path.write_bytes(data)
    words = ("prepare", scene, "--hsi", path, "--no-align", "-o", tmp_path / "o.tif")
    is_one_line(specgan(*words), path)


@pytest.mark.parametrize("change", [{"hsi_mean": [0.1]}, {"rgb_std": []}, {"rgb_low": 400.0}])
def test_a_dataset_whose_statistics_do_not_fit(
    dataset: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    copy = tmp_path / "ds"
    shutil.copytree(dataset, copy)
    document = json.loads((copy / "dataset.json").read_text())
    document["statistics"].update(change)
    (copy / "dataset.json").write_text(json.dumps(document))
    is_one_line(specgan("train", copy, "-o", tmp_path / "run"), *change, copy)


def test_a_network_that_no_machine_holds(dataset: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(STAGES.replace("guide = 4", "guide = 99999999999999"))
    words = ("--config", config, "--set", "stages.1.perceptual=0", "--set", "stages.1.gan=0")
    words += ("--set", "stages.2.perceptual=0", "--set", "stages.2.gan=0")
    is_one_line(specgan("train", dataset, *words, "-o", tmp_path / "run"), "network.options")


def test_a_report_that_does_not_fit_on_the_disk_leaves_nothing(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("specgan.files.write", full)
    words = ("evaluate", "--sr", scene, "--reference", scene, "--metrics", "psnr")
    is_one_line(specgan(*words, "-o", tmp_path / "report"), "No space left")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("l.txt", b"a\0.tif\n", "upscale FILE --out-dir OUT"),
        ("l.csv", b"rgb\na\0.tif\n", "prepare FILE -o OUT -x 8"),
        ("l.csv", b"rgb,bands\nSCENE," + b"9" * 5000 + b" 2 1\n", "prepare FILE -o OUT -x 8"),
        ("l.csv", b"rgb,bands\nSCENE,99999999999999999999 2 1\n", "prepare FILE -o OUT -x 8"),
    ],
)
def test_lists_with_names_and_numbers_that_cannot_be(
    scene: Path, tmp_path: Path, name: str, content: bytes, line: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.replace(b"SCENE", bytes(scene)))
    words = line.replace("FILE", str(path)).replace("OUT", str(tmp_path / "out")).split()
    done = specgan(*words)
    assert done.code == 1
    assert done.stderr.count("specgan: error:") == 1
    assert "please report" not in done.stderr
