"""Commands in bad surroundings: odd names, locales, clocks, homes and disks, two at a time.

python campaigns/surroundings.py
"""

import os
import resource
import shutil
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import harness
from harness import Ended, Tally, names, run, workplace

NAMES = (
    "with space",
    "it's",
    'say "so"',
    "new\nline",
    "tab\there",
    "-x",
    "--help",
    "a" * 200,
    "ünïcode-東京",
    "percent%20",
    "hash#mark",
    "question?mark",
    "semi;colon",
    "$HOME",
    "`id`",
    "back\\slash",
    "star*",
    "{brace}",
    "[bracket]",
)
LOCALES = ("C", "POSIX", "C.UTF-8", "tr_TR.UTF-8", "de_DE.UTF-8")


def main() -> int:
    """Run the campaign; 1 if a case failed."""
    harness.warm()
    import inputs

    tally = Tally("surroundings")
    with workplace() as folder:
        inputs.write_inputs(folder / "in")
        for part in (_odd_names, _locales, _clock, _home, _disk, _vanished, _two_runs):
            part(folder, tally)
    return tally.close()


def _upscale(scene: Path, out: Path, *more: object) -> list[object]:
    weights = scene.parent / "tiny.safetensors"
    given = ("-x", 4, "--weights", weights, "--device", "cpu", "-j", 1, *more)
    return ["upscale", "-o", out, *given, "--", scene]


def _wrong(ended: Ended, out: Path, *, must: bool = True) -> str | None:
    import inputs

    if ended.code:
        return "refused" if must else None
    try:
        inputs.seen(out)
    except OSError:
        return "unreadable output"
    return None


def _odd_names(folder: Path, tally: Tally) -> None:
    latin = folder / os.fsdecode(b"latin-\xe9.tif")  # GDAL's Python bindings take no such name
    shutil.copy(folder / "in" / "strip.tif", latin)
    ended = run(*_upscale(folder / "in" / "strip.tif", folder / "o.tif")[:-1], latin)
    tally.add("name of another encoding", ended, None if ended.code == 1 else "not refused")
    for name in NAMES:
        home = folder / "odd" / name[:100]
        shutil.rmtree(folder / "odd", ignore_errors=True)
        home.mkdir(parents=True)
        for file in ("strip.tif", "cube.tif", "tiny.safetensors", "chip0.tif", "chipcube.tif"):
            target = f"{name}.tif" if file == "strip.tif" else file
            shutil.copy(folder / "in" / file, home / target)
        scene, out = home / f"{name}.tif", home / f"{name}-out.tif"
        ended = run(*_upscale(scene, out, "--preview", home / f"{name}.png"))
        tally.add(f"upscale {name!r}", ended, _wrong(ended, out))
        cube = ("--hsi", home / "cube.tif", "--no-align", "-o", home / "cube-out.tif")
        ended = run("prepare", *cube, "--", scene)
        tally.add(f"prepare {name!r}", ended, _wrong(ended, home / "cube-out.tif"))
        ended = run("evaluate", "--sr", scene, "--reference", scene, "--metrics", "psnr",
                    "-o", home / f"{name}-report")  # fmt: skip
        tally.add(f"evaluate {name!r}", ended, "refused" if ended.code else None)
        quoted = str(home / "chip0.tif").replace('"', '""')
        (home / "list.csv").write_bytes(b'rgb\n"' + os.fsencode(quoted) + b'"\n')
        ended = run("prepare", home / "list.csv", "-o", home / f"{name}-ds", "-x", 8, "--chip", 64)
        tally.add(f"prepare list {name!r}", ended)


def _locales(folder: Path, tally: Tally) -> None:
    import subprocess

    for locale in LOCALES:
        out = folder / f"{locale}.tif"
        words = _upscale(folder / "in" / "strip.tif", out)
        done = subprocess.run(
            [sys.executable, "-m", "specgan_cli", *map(str, words)],
            env={**os.environ, "LC_ALL": locale, "LANG": locale, "PYTHONPATH": _paths()},
            capture_output=True,
            text=True,
        )
        ended = Ended(done.returncode, done.stdout, done.stderr)
        tally.add(f"locale {locale}", ended, _wrong(ended, out))


def _paths() -> str:
    return os.pathsep.join([str(harness.ROOT), str(harness.ROOT / "models")])


def _set_back() -> None:
    """Let the clock run backwards, an hour a call."""
    import time

    begun, calls = time.time(), iter(range(10**9))
    time.time = lambda: begun - 3600.0 * next(calls)


def _clock(folder: Path, tally: Tally) -> None:
    out = folder / "clock.tif"
    ended = run(*_upscale(folder / "in" / "strip.tif", out), first=_set_back)
    tally.add("clock set back: upscale", ended, _wrong(ended, out))
    line = ("train", folder / "in" / "training", "-o", folder / "clock", "--config")
    ended = run(*line, folder / "in" / "train.toml", "-j", 1, first=_set_back, seconds=300)
    tally.add("clock set back: train", ended, "refused" if ended.code else None)
    scene = folder / "in" / "strip.tif"
    ended = run("evaluate", "--sr", scene, "--reference", scene, "-o", folder / "clockreport",
                "--metrics", "psnr", first=_set_back)  # fmt: skip
    tally.add("clock set back: evaluate", ended, "refused" if ended.code else None)


def _home(folder: Path, tally: Tally) -> None:
    for home in ("/nonexistent", "/proc", ""):
        out = folder / "home.tif"
        out.unlink(missing_ok=True)
        faults = {"HOME": home, "XDG_CACHE_HOME": f"{home}/cache", "TMPDIR": str(folder)}
        ended = run(*_upscale(folder / "in" / "strip.tif", out), faults=faults)
        tally.add(f"home {home!r}", ended, _wrong(ended, out))


def _at_most(size: int) -> Callable[[], None]:
    def first() -> None:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return first


def _disk(folder: Path, tally: Tally) -> None:
    """Let no file grow beyond some bytes, as on a full disk."""
    jobs: dict[str, list[object]] = {
        "upscale": _upscale(folder / "in" / "strip.tif", folder / "full" / "o.tif"),
        "cog": _upscale(folder / "in" / "strip.tif", folder / "full" / "o.tif", "--of", "COG",
                        "--preview", folder / "full" / "o.png"),
        "cube": ["prepare", folder / "in" / "strip.tif", "--hsi", folder / "in" / "cube.tif",
                 "--no-align", "-o", folder / "full" / "o.tif"],
        "dataset": ["prepare", folder / "in" / "pairs.csv", "-o", folder / "full" / "ds", "-x", 8,
                    "--no-align", "--chip", 64],
        "evaluate": ["evaluate", "--sr", folder / "in" / "strip.tif", "--reference",
                     folder / "in" / "strip.tif", "-o", folder / "full" / "report", "--metrics",
                     "psnr"],
    }  # fmt: skip
    for name, words in jobs.items():
        for size in (1000, 2000, 4000, 10000, 20000, 40000, 80000):
            shutil.rmtree(folder / "full", ignore_errors=True)
            (folder / "full").mkdir()
            ended = run(*words, first=_at_most(size))
            kept = {file for file in names(folder / "full") if ".ds." not in file[:4]}
            wrong = None
            if ended.code and [file for file in kept if not file.startswith(".")]:
                wrong = f"left over {sorted(kept)[:3]}"
            elif ended.code == 0 and name in ("upscale", "cog", "cube"):
                wrong = _wrong(ended, folder / "full" / "o.tif")
            tally.add(f"disk full at {size} bytes: {name}", ended, wrong)


def _vanished(folder: Path, tally: Tally) -> None:
    """Take the output's folder away while the command runs."""
    for seconds in (0.05, 0.2, 0.4, 0.6):
        gone = folder / "gone"
        shutil.rmtree(gone, ignore_errors=True)
        gone.mkdir()
        timer = threading.Timer(seconds, shutil.rmtree, (gone, True))
        words = _upscale(folder / "in" / "strip.tif", gone / "o.tif")
        timer.start()
        ended = run(*words)
        timer.join()
        tally.add(f"folder gone after {seconds} s", ended)


def _two_runs(folder: Path, tally: Tally) -> None:
    """Start two runs on one output: one of them makes it, the other is refused or makes it too."""
    both = folder / "both"
    whole = folder / "whole.tif"
    run(*_upscale(folder / "in" / "strip.tif", whole))
    for number in range(10):
        shutil.rmtree(both, ignore_errors=True)
        both.mkdir()
        more = ["--overwrite"] * (number % 2)
        words = _upscale(folder / "in" / "strip.tif", both / "o.tif", *more)
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda given: run(*given), [words, words]))
        import inputs

        wrong = None
        if all(ended.code for ended in found):
            wrong = "no output"
        elif inputs.seen(both / "o.tif") != inputs.seen(whole):
            wrong = "other pixels"
        elif names(both) != {"o.tif"}:
            wrong = f"left over {names(both)}"
        for ended in found:
            tally.add(f"two runs {number}", ended, wrong)
            wrong = None


if __name__ == "__main__":
    sys.exit(main())
