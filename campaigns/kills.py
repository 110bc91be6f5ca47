"""Kill commands at random moments; what goes on afterwards has to leave the same bytes.

    python campaigns/kills.py [--kills 500] [--minutes 10] [--seed 0]

Of ten kills seven are of upscale, two of prepare and one of train; every third is SIGTERM, which a
command may answer, the others SIGKILL.
"""

import argparse
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import harness
from harness import Tally, digest, names, run, workplace

LINES = {
    "upscale": "upscale {in}/strip.tif -o {out}/o.tif -x 32 --tile 8 --batch 1 -j 1 --resume"
    " --weights {in}/tiny.safetensors --device cpu",
    "prepare": "prepare {in}/pairs.csv -o {out}/ds -x 8 --no-align --chip 32",
    "train": "train {in}/training -o {out}/run --config {in}/train.toml --resume --device cpu -j 1",
}
ORDER = ["upscale"] * 7 + ["prepare"] * 2 + ["train"]


def main() -> int:
    """Run the campaign; 1 if a case failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    harness.warm()
    import inputs

    random.seed(chosen.seed)
    tally = Tally("kills")
    with workplace() as folder:
        inputs.write_inputs(folder / "in")
        whole = {name: _undisturbed(name, folder) for name in LINES}
        end = time.monotonic() + 60 * chosen.minutes
        for number in range(chosen.kills):
            if time.monotonic() > end:
                break
            name = ORDER[number % len(ORDER)]
            _kill(name, folder, *whole[name], tally, signal.SIGTERM if number % 3 else 0)
    return tally.close()


def _words(name: str, folder: Path) -> list[str]:
    marks = {"{in}": str(folder / "in"), "{out}": str(folder / "out")}
    line = LINES[name]
    for mark, text in marks.items():
        line = line.replace(mark, text)
    return line.split()


def _often() -> None:
    from specgan_cli.inference.output import sinks

    sinks.COMMIT_SECONDS = 0.0


def _result(name: str, out: Path) -> object:
    if name == "train":
        return _weights(out / "run")
    return digest(out / ("o.tif" if name == "upscale" else "ds"))


def _weights(run_folder: Path) -> object:
    """Return the tensors of a run's last weights: their header tells when they were written."""
    from safetensors.numpy import load_file

    found = sorted(run_folder.glob("**/*.safetensors"))
    return [(path.name, {k: v.tobytes() for k, v in load_file(path).items()}) for path in found]


def _undisturbed(name: str, folder: Path) -> tuple[object, float, set[str]]:
    """Return the result of a run that nobody kills, its seconds, and the names that it leaves."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    begun = time.monotonic()
    ended = run(*_words(name, folder), first=_often, seconds=600)
    if ended.code:
        raise SystemExit(f"{name} fails undisturbed: {ended.stderr}")
    return _result(name, out), time.monotonic() - begun, names(out)


def _kill(
    name: str,
    folder: Path,
    wanted: object,
    seconds: float,
    left: set[str],
    tally: Tally,
    number: int,
) -> None:
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    words, moments = _words(name, folder), []
    for _ in range(random.choice((1, 1, 2, 3))):
        moments.append(round(random.uniform(0, 1.1 * seconds), 3))
        how = number or signal.SIGKILL
        run(*words, first=_often, kill_after=moments[-1], number=how, seconds=600)
    half = _result(name, out)
    ended = run(*words, first=_often, seconds=600)
    if ended.code == 1 and " already" in ended.stderr and half == wanted:
        ended = harness.Ended(0, "", "")  # finished before the kill
    wrong = None
    if ended.code == 0 and _result(name, out) != wanted:
        wrong = "other bytes after the resume"
    elif ended.code == 0 and name != "train" and names(out) - left:
        wrong = f"left over {sorted(names(out) - left)[:3]}"
    elif ended.code != 0:
        wrong = "does not go on"
    tally.add(f"{name} killed after {moments} s", ended, wrong)


if __name__ == "__main__":
    sys.exit(main())
