"""The promises of docs/reliability.md to those who read files of strangers."""

import ast
import json
import logging
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
from affine import Affine

from specgan_cli.raster.drivers import blocks
from support.command import Result, specgan
from support.rasters import write_raster
from support.tiny_networks import tiny_weights

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "specgan_cli").rglob("*.py")) + sorted((ROOT / "models").rglob("*.py"))


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).integers(0, 256, (3, 12, 12)).astype("uint8")
    return write_raster(tmp_path / "scene.tif", values)


def upscale(scene: object, out: Path, *more: object) -> Result:
    words = ("-x", 2, "--weights", tiny_weights(), "--device", "cpu", *more)
    return specgan("upscale", scene, "-o", out, *words)


def is_one_line(done: Result) -> None:
    assert done.code == 1, done.stderr
    assert done.stderr.count("specgan: error:") == 1
    assert "please report" not in done.stderr


def calls() -> Iterator[tuple[str, str, dict[str, object]]]:
    """Every call in the product: file, dotted name, keywords with constant values."""
    for path in SHIPPED:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                given = {k.arg: getattr(k.value, "value", None) for k in node.keywords if k.arg}
                yield path.name, ast.unparse(node.func), given


def test_nothing_is_unpickled_but_weights() -> None:
    for file, name, given in calls():
        assert name not in ("pickle.load", "pickle.loads", "eval", "exec", "marshal.loads"), file
        assert given.get("allow_pickle") is not True, file
        if name == "torch.load":
            assert given.get("weights_only") is True, file


def test_no_shell_is_started() -> None:
    for file, name, given in calls():
        assert name not in ("os.system", "os.popen", "subprocess.getoutput"), file
        assert given.get("shell") is not True, file


def test_no_host_is_asked(scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*asked: object) -> None:
        raise AssertionError(f"the network was asked for {asked}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert upscale(scene, tmp_path / "out.tif").code == 0
    report = ("evaluate", "--sr", scene, "--reference", scene, "-o", tmp_path / "report")
    assert specgan(*report, "--metrics", "psnr").code == 0
    page = (tmp_path / "report" / "index.html").read_text()
    assert 'src="http' not in page
    assert "url(http" not in page


@pytest.mark.skipif(find_spec("openvino") is None, reason="needs the extra openvino")
def test_openvino_asks_no_host(scene: Path, tmp_path: Path) -> None:
    """Its package tells a host of its first import, so a process of its own."""
    words = ["upscale", scene, "-x", 8, "--weights", tiny_weights(), "--runtime", "openvino"]
    script = (
        "import sys; from specgan_cli.__main__ import main\n"
        "def hook(event, given):\n"
        "    if event.startswith('socket.'): print(event, given[:2], flush=True)\n"
        "sys.addaudithook(hook); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, words), "-o", tmp_path / "out.tif"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_credentials_of_an_url_stand_nowhere(
    scene: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    server = ROOT / "tests" / "support" / "range_server.py"
    out = tmp_path / "made"
    out.mkdir()
    with subprocess.Popen(
        [sys.executable, server, scene], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = (
            f"http://user:hunter2@127.0.0.1:{int(process.stdout.readline())}/scene.tif?sig=hunter2"
        )
        log = ("--log-file", out / "log.txt", "--json", "-v")
        done = upscale(url, out / "out.tif", *log)
        failed = upscale(url.replace("scene", "other"), out / "other.tif", *log)
        pair = ("evaluate", "--sr", url, "--reference", scene, "--metrics", "psnr")
        monkeypatch.setattr(sys, "argv", ["specgan", *map(str, pair), "--token=hunter2"])
        compared = specgan(*pair, "-o", out / "report", *log)
        apart = specgan(*pair, "--bands", "sr=1,2,9", *log)
        process.terminate()
    assert done.code == compared.code == 0, done.stderr + compared.stderr
    assert json.loads(done.stdout)
    assert failed.code == apart.code == 1
    for each in (done, failed, compared, apart):
        assert "hunter2" not in each.stdout + each.stderr
    assert "scene.tif" in (out / "report" / "report.json").read_text()
    for path in out.rglob("*.*"):
        assert b"hunter2" not in path.read_bytes(), path
    assert not [r for r in caplog.records if r.name.startswith("spec") and "hunter2" in str(r)]


def test_entities_in_xml_are_not_followed(scene: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hunter2")
    stem = tmp_path / "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_2Z"
    image = write_raster(Path(f"{stem}-SPECTRAL_IMAGE.TIF"), np.ones((3, 12, 12), "int16"))
    entities = f'<!ENTITY a SYSTEM "file://{secret}">'
    for number in range(30):
        entities += f'<!ENTITY b{number} "{"x" * 10 if not number else f"&b{number - 1};" * 10}">'
    text = f"<!DOCTYPE x [{entities}]><level_X><specific>&a;&b29;</specific></level_X>"
    Path(f"{stem}-METADATA.XML").write_text(text)
    done = specgan("prepare", scene, "--hsi", image, "--no-align", "-o", tmp_path / "o.tif")
    is_one_line(done)
    assert "hunter2" not in done.stderr


def test_python_in_a_vrt_is_not_run(scene: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w').close()"
    band = (
        '<VRTRasterBand dataType="Byte" band="{}" subClass="VRTDerivedRasterBand">'
        "<PixelFunctionType>f</PixelFunctionType><PixelFunctionLanguage>Python"
        f"</PixelFunctionLanguage><PixelFunctionCode><![CDATA[\n{code}\n"
        "def f(*a, **k):\n    pass\n]]>"
        f"</PixelFunctionCode><SimpleSource><SourceFilename>{scene}</SourceFilename>"
        "</SimpleSource></VRTRasterBand>"
    )
    path = tmp_path / "evil.vrt"
    bands = "".join(band.replace("{}", str(number), 1) for number in (1, 2, 3))
    path.write_text(
        '<VRTDataset rasterXSize="12" rasterYSize="12"><SRS>EPSG:32618</SRS>'
        f"<GeoTransform>0,1,0,0,0,-1</GeoTransform>{bands}</VRTDataset>"
    )
    is_one_line(upscale(path, tmp_path / "out.tif"))
    assert not ran.exists()


@pytest.mark.parametrize("kind", ["envi", "vrt"])
def test_absurd_sizes_cost_nothing(scene: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"big.{kind if kind == 'vrt' else 'img'}"
    if kind == "envi":
        write_raster(path, np.ones((3, 12, 12), "uint8"), driver="ENVI")
        header = path.with_suffix(".hdr")
        header.write_text(header.read_text().replace("lines   = 12", "lines   = 2000000000"))
    else:
        path.write_text('<VRTDataset rasterXSize="2147483647" rasterYSize="2147483647"/>')
    limits = "import resource; resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))"
    words = ["upscale", path, "-o", tmp_path / "out.tif", "--weights", tiny_weights()]
    code = f"{limits}; from specgan_cli.cli.main import main; main({list(map(str, words))})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    is_one_line(Result(done.returncode, done.stdout, done.stderr))


@pytest.mark.parametrize("kind", ["scene", "cube", "hdf5"])
def test_a_block_beyond_memory_is_refused_with_its_size(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What little a file holds may say that it unpacks to more than the machine has."""
    scene = write_raster(tmp_path / "scene.tif", np.ones((3, 12, 12), "uint8"))
    sparse = {"SPARSE_OK": True, "tiled": True, "blockxsize": 30000, "blockysize": 30000}
    profile = {"driver": "GTiff", "width": 30000, "height": 30000, "count": 3, "dtype": "uint8"}
    place = {"crs": "EPSG:32618", "transform": Affine(1, 0, 5, 0, -1, 5)}
    words = ["upscale", tmp_path / "bomb.tif", "-o", tmp_path / "out.tif"]
    if kind == "scene":
        with rasterio.open(words[1], "w", **profile, **sparse, **place, interleave="pixel"):
            pass
    elif kind == "cube":
        with rasterio.open(words[1], "w", **{**profile, "count": 48}, **sparse, **place):
            pass
    else:
        with h5py.File(words[1], "w") as file:
            size = (30000, 30000, 3)
            data = {"shape": size, "chunks": size, "compression": "gzip", "dtype": "uint8"}
            file.create_dataset("SITE/Reflectance/Reflectance_Data", **data)
            for name in ("Wavelength", "FWHM"):
                file[f"SITE/Reflectance/Metadata/Spectral_Data/{name}"] = np.array(
                    [450.0, 550, 650]
                )
    assert words[1].stat().st_size < 10**6
    if kind != "scene":
        words = ["upscale", scene, "--hsi", words[1], "-o", tmp_path / "out.tif"]
    monkeypatch.setattr(blocks, "free_memory", lambda: 10**9)
    done = specgan(*words, "--weights", tiny_weights())
    is_one_line(done)
    size = 0.9 * (48 if kind == "cube" else 3)
    assert f"one block of it takes {size:.3g} GB of memory, and 1 GB are free" in done.stderr


def test_a_report_escapes_names(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (3, 24, 24)).astype("uint8")
    path = write_raster(tmp_path / "<img src=x onerror=alert(1)>.tif", values)
    report = tmp_path / "report"
    words = ("--reference", path, "--metrics", "psnr", "-o", report)
    assert specgan("evaluate", "--sr", path, *words).code == 0
    page = (report / "index.html").read_text()
    assert "&lt;img src=x" in page
    assert "<img src=x" not in page


def test_the_table_names_tests_that_exist() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    assert len(named) >= 12
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text("utf-8"), (file, test)
