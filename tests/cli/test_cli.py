"""Laws of the command line's frame: exit codes, one-line errors, pipes, signals, laziness."""

import logging
import os
import signal
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from specgan import __version__, files
from specgan_cli import errors
from specgan_cli.cli.main import COMMANDS, main
from support.command import specgan

SAMPLE = Path(__file__).parents[2] / "sample_data"

LEAVES = [
    *("prepare", "train", "upscale", "evaluate"),
    *("models list", "models show", "models import", "models export"),
]

Probe = Callable[[Callable[[], None]], None]


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Probe]:
    """Return a function that makes `specgan probe` run a given body."""

    def install(body: Callable[[], None]) -> None:
        module = types.ModuleType("specgan_cli.cli.probe")
        module.probe = click.command("probe")(body)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(COMMANDS, "probe", "A command for tests.")

    root, level = logging.getLogger(), logging.getLogger().level
    handlers = list(root.handlers)
    yield install
    logging.captureWarnings(False)
    logging.getLogger("rasterio").setLevel(logging.NOTSET)
    root.handlers[:] = handlers
    root.setLevel(level)


def run(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "specgan_cli", *words],
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


def raising(error: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


def test_help_names_every_command() -> None:
    result = specgan("--help")
    assert result.code == 0
    for name in ("prepare", "train", "upscale", "evaluate", "models"):
        assert f"\n  {name} " in result.stdout


def test_help_loads_neither_torch_nor_the_raster_library() -> None:
    code = (
        "import sys\n"
        "from specgan_cli.cli.main import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "finally:\n"
        "    heavy = {'torch', 'rasterio', 'scipy', 'numpy', 'pyproj', 'rich'} & set(sys.modules)\n"
        "    assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_no_help_loads_torch() -> None:
    code = (
        "import sys\n"
        "from specgan_cli.cli.main import main\n"
        f"for words in {LEAVES!r}:\n"
        "    try:\n"
        "        main([*words.split(), '--help'])\n"
        "    except SystemExit as stopped:\n"
        "        assert stopped.code == 0, words\n"
        "    assert 'torch' not in sys.modules, words\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "models list"),
        (1, "upscale nothing.tif -o out.tif"),
        (1, "upscale SCENE -o nowhere/out.tif"),
        (1, "upscale SCENE -o out.tif --hsi nothing.tif"),
        (1, "upscale SCENE -o out.tif --bands 1,2,9"),
        (1, "upscale SCENE -o out.tif --weights nothing"),
        (1, "upscale SCENE -o out.tif --device abacus"),
        (1, "upscale SCENE -o out.tif --runtime onnx --device cuda"),
        (1, "upscale SCENE -o out.tif --runtime openvino --dtype float16"),
        (1, "upscale SCENE -o out.tif --aoi nothing.geojson"),
        (1, "upscale SCENE -o out.tif --hsi self"),
        (1, "upscale taken --out-dir out"),
        (1, "upscale SCENE -o out.tif --dask tcp://127.0.0.1:9"),
        (3, "upscale SCENE -o out.tif --window 900,900,8,8"),
        (1, "upscale SCENE -o locked.tif"),
        (1, "prepare nothing.tif --hsi CUBE -o out.tif"),
        (1, "prepare SCENE --hsi nothing.tif -o out.tif"),
        (1, "prepare nothing.tif -o dataset"),
        (1, "prepare nothing.csv -o dataset"),
        (1, "prepare nothing.csv -o dataset --split-by blocks"),
        (1, "prepare SCENE -o taken"),
        (1, "evaluate nothing"),
        (1, "evaluate nothing --device abacus"),
        (1, "evaluate nothing -o taken/report.json"),
        (2, "evaluate nothing --metrics nonsense"),
        (1, "evaluate --sr nothing.tif --reference SCENE"),
        (1, "evaluate --sr SCENE --reference nothing.tif"),
        (1, "evaluate --sr SCENE --reference SCENE --perceptual nothing.pth"),
        (1, "models show nothing"),
        (1, "models import nothing.pth -o out.safetensors"),
        (1, "models export nothing -o out.onnx"),
        (1, "train nothing -o run"),
        (1, "train nothing -o run --device abacus"),
    ],
)
def test_refusals_load_no_torch(tmp_path: Path, code: int, words: str) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "report.json").touch()
    with open(tmp_path / ".locked.tif.partial", "wb") as unfinished:
        files.lock(unfinished.fileno(), tmp_path / "locked.tif")
        done = run_without_torch(tmp_path, words)
    assert done.returncode == code, done.stderr
    assert "AssertionError" not in done.stderr


def test_the_end_does_not_search_for_cycles() -> None:
    code = (
        "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 10_000));"
        "from specgan_cli.cli.main import main; main(['--version'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "True"


def run_without_torch(folder: Path, words: str) -> subprocess.CompletedProcess[str]:
    """Run a command line in a process of its own, which fails once torch is imported.

    scipy may come only where a cube is looked at, which takes longer than to import it.
    """
    paths = {"SCENE": str(SAMPLE / "scene.tif"), "CUBE": str(SAMPLE / "cube.tif")}
    given = [paths.get(word, word) for word in words.split()]
    script = (
        "import sys\n"
        "from specgan_cli.cli.main import main\n"
        "try:\n"
        f"    main({given!r})\n"
        "finally:\n"
        "    heavy = {'torch', 'scipy.ndimage', 'scipy.sparse'} & set(sys.modules)\n"
        "    assert not heavy, heavy\n"
    )
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder)


@pytest.mark.parametrize("words", LEAVES)
def test_help_shows_examples_line_by_line(words: str) -> None:
    lines = specgan(*words.split(), "--help").stdout.splitlines()
    examples = [line for line in lines[1:] if line.strip().startswith(f"specgan {words} ")]
    assert examples or f"    specgan {words}" in lines
    assert not any("\\b" in line for line in lines)


def test_version_is_the_packages() -> None:
    result = specgan("--version")
    assert (result.code, result.stdout) == (0, f"specgan, version {__version__}\n")


def test_no_command_shows_the_help_and_is_a_usage_error() -> None:
    done = run()
    assert done.returncode == 2
    assert "Usage: specgan" in done.stdout + done.stderr


def test_unknown_command_is_a_usage_error() -> None:
    result = specgan("enlarge")
    assert (result.code, result.stdout) == (2, "")
    assert "enlarge" in result.stderr


def test_unknown_option_is_a_usage_error() -> None:
    result = specgan("upscale", "--bigger")
    assert result.code == 2
    assert "--bigger" in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SpecganError("lost"), 1),
        (errors.RasterError("lost"), 1),
        (errors.OutputError("lost"), 1),
        (errors.DatasetError("lost"), 1),
        (errors.TrainingError("lost"), 1),
        (errors.WeightsError("lost"), 1),
        (errors.MissingExtraError("lost"), 1),
        (errors.MismatchError("lost"), 3),
        (MemoryError("lost"), 1),
        (KeyboardInterrupt(), 130),
        (click.UsageError("lost"), 2),
        (click.Abort(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_errors_have_their_exit_code(probe: Probe, error: BaseException, code: int) -> None:
    probe(raising(error))
    result = specgan("probe")
    assert (result.code, result.stdout) == (code, "")
    assert ("lost" if error.args else "interrupted") in result.stderr


def test_success_is_0(probe: Probe) -> None:
    probe(lambda: None)
    assert specgan("probe").code == 0


def test_errors_are_one_line_without_traceback(probe: Probe) -> None:
    probe(raising(errors.RasterError("cannot read\n  scene.tif:\n\n  no such file")))
    expected = "specgan: error: cannot read scene.tif: no such file\n"
    assert specgan("probe").stderr == expected


def test_debug_shows_the_traceback(probe: Probe) -> None:
    probe(raising(errors.RasterError("lost")))
    with pytest.raises(errors.RasterError, match="lost"):
        main(["--debug", "probe"])


def test_quiet_silences_warnings_and_verbose_tells_more(probe: Probe) -> None:
    def talk() -> None:
        logging.getLogger("specgan_cli.test").warning("careful")
        logging.getLogger("specgan_cli.test").info("by the way")

    probe(talk)
    heard = []
    for words in (["-q", "probe"], ["probe"], ["-v", "probe"]):
        result = specgan(*words)
        assert result.stdout == ""
        heard.append(("careful" in result.stderr, "by the way" in result.stderr))
    assert heard == [(False, False), (True, False), (True, True)]


def test_options_on_what_is_said_stand_before_or_after(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe(raising(errors.RasterError("lost")))
    with pytest.raises(errors.RasterError, match="lost"):
        main(["probe", "--debug"])
    monkeypatch.setenv("SPECGAN_DEBUG", "1")
    with pytest.raises(errors.RasterError, match="lost"):
        main(["probe"])


def test_environment_variable_gives_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECGAN_UPSCALE_SCALE", "7")
    result = specgan("upscale", "scene.tif", "-o", "out.tif")
    assert result.code == 2
    assert "'7' is not one of 2, 4, 8, 16, 32" in result.stderr


def test_completion_script_is_printed() -> None:
    done = run(env=os.environ | {"_SPECGAN_COMPLETE": "bash_source"})
    assert "complete" in done.stdout and "_SPECGAN_COMPLETE" in done.stdout
    assert done.returncode == 0, done.stderr


INTERRUPTED = """
import sys, time, types
import click
from specgan_cli.cli.main import COMMANDS, main

def wait():
    print("ready", flush=True)
    time.sleep(60)

module = types.ModuleType("specgan_cli.cli.probe")
module.probe = click.command("probe")(wait)
sys.modules[module.__name__] = module
COMMANDS["probe"] = ""
main(["probe"])
"""


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_has_its_exit_code_and_one_line(number: int, code: int, word: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, shown = process.communicate(timeout=60)
    assert process.returncode == code
    assert shown.strip() == f"specgan: error: {word}"


def test_broken_pipe_is_quiet() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "specgan_cli", "--help"],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_missing_scene_fails_with_one_line_and_no_output(tmp_path: Path) -> None:
    output = tmp_path / "out.tif"
    result = specgan("upscale", tmp_path / "none.tif", "-o", output)
    assert (result.code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "none.tif" in result.stderr and "Traceback" not in result.stderr
    assert not output.exists()
