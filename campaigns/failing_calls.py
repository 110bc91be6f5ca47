"""Fail the n-th open, read, write, fsync, rename or mkdir of every command, one in each run.

A run that ends with exit 0 has to leave what the undisturbed run leaves; one that fails says so in
one line and leaves nothing new.  Needs Linux and a C compiler:

    python campaigns/failing_calls.py [--most 12] [--jobs upscale] [--calls read,open]
"""

import argparse
import errno
import random
import shutil
import sys
from pathlib import Path

import harness
import inputs
from harness import Ended, Tally, names, run, workplace
from inputs import Job

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
ERRNOS = {
    "open": (errno.EIO, errno.EMFILE, errno.EACCES),
    "read": (errno.EIO,),
    "write": FULL,
    "fsync": FULL,
    "rename": (errno.EIO, errno.EROFS, errno.EDQUOT),
    "mkdir": (errno.EACCES, errno.EROFS, errno.EDQUOT),
}
"""How each call fails, in turn."""


def main() -> int:
    """Run the campaign; 1 if a case failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--most", type=int, default=12, help="cases for each command and call")
    parser.add_argument("--jobs", default="", help="only jobs whose name holds this")
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--calls", default=",".join(ERRNOS))
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    harness.preload()
    harness.warm()
    random.seed(chosen.seed)
    tally = Tally("failing calls")
    with workplace() as folder:
        inputs.write_inputs(folder / "in")
        calls = chosen.calls.split(",")
        todo = [(job, call) for job in inputs.jobs() if chosen.jobs in job.name for call in calls]
        random.shuffle(todo)
        for job, call in todo:
            if not tally.is_over(chosen.minutes):
                _fail(job, call, folder, chosen.most, tally)
    return tally.close()


def _fail(job: Job, call: str, folder: Path, most: int, tally: Tally) -> None:
    whole, result = _once(job, folder, {})
    if whole.code != 0:
        raise SystemExit(f"{job.name} fails undisturbed: {whole.stderr}")
    counter = folder.parent / f"{folder.name}.count"
    counter.unlink(missing_ok=True)
    faults = {"FAIL_CALL": call, "FAIL_ROOT": str(folder)}
    _once(job, folder, {**faults, "FAIL_NTH": "0", "FAIL_COUNT": str(counter)})
    total = counter.stat().st_size if counter.exists() else 0
    counter.unlink(missing_ok=True)
    for nth in sorted(random.sample(range(1, total + 1), min(most, total))):
        on = {"FAIL_ON": "1"} if nth % 3 == 0 else {}
        number = str(ERRNOS[call][nth // 3 % len(ERRNOS[call])])
        before = names(folder / "in")
        failing = {**faults, "FAIL_NTH": str(nth), "FAIL_ERRNO": number, **on}
        ended, found = _once(job, folder, failing)
        how = f"{errno.errorcode[int(number)]}{' and on' if on else ''}"
        case = f"{job.name} {call} {nth} of {total}: {how}"
        tally.add(case, ended, _wrong(job, ended, result, found, folder, before))


def _once(job: Job, folder: Path, faults: dict[str, str]) -> tuple[Ended, object]:
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    ended = run(*job.at(folder / "in", out), faults=faults)
    path = out / job.result
    if not job.result:
        return ended, ended.stdout
    if not path.exists():
        return ended, None
    try:
        return ended, (inputs.seen(path) if job.same else sorted(names(path)))
    except OSError as error:
        return ended, f"damaged: {error}"


def _wrong(
    job: Job,
    ended: Ended,
    wanted: object,
    found: object,
    folder: Path,
    before: set[str],
) -> str | None:
    """Return what is wrong with what a run left."""
    if names(folder / "in") != before:
        return f"inputs changed: {sorted(names(folder / 'in') ^ before)}"
    if job.name == "prepare-dataset" and "; the rest is in it" in ended.stderr:
        return None  # exit 1, and a dataset of what could be read
    if ended.code == 0:
        if found != wanted and not (job.name == "train" and found):
            return "wrong with exit 0"
        return None
    left = {name for name in names(folder / "out") if not _is_kept(job, name)}
    return f"left over {sorted(left)[:3]}" if left else None


def _is_kept(job: Job, name: str) -> bool:
    """Whether a name may stay after a failure: what --resume goes on with."""
    if job.name == "train":
        return True
    if job.name == "prepare-dataset":
        return name.startswith(".ds.") or "partial" in name
    return name.startswith(".") and name.endswith((".partial", ".journal"))


if __name__ == "__main__":
    sys.exit(main())
