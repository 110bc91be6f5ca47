"""Many upscales in one process, then many processes: memory and open files stay level.

python campaigns/soak.py [--calls 1000] [--processes 1000]
"""

import argparse
import gc
import os
import sys
import tempfile
from pathlib import Path

import harness
from harness import Ended, Tally, names, run, workplace

LEVEL_KB = 20_000
"""Growth after the first fifth of the calls that counts as none."""


def main() -> int:
    """Run the campaign; 1 if memory or open files grow, or something is left behind."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=1000)
    chosen = parser.parse_args()
    harness.warm()
    import inputs

    tally = Tally("soak")
    with workplace() as folder:
        inputs.write_inputs(folder / "in")
        temporary = folder / "tmp"
        temporary.mkdir()
        tempfile.tempdir = str(temporary)
        os.environ["TMPDIR"] = str(temporary)
        _in_one(folder, chosen.calls, tally)
        for number in range(chosen.processes):
            ended = run(*_words(folder, number))
            tally.add(f"process {number}", ended, "refused" if ended.code else None)
        left = names(temporary)
        tally.add("temporary folder", Ended(0, "", ""), f"left over {left}" if left else None)
    return tally.close()


def _words(folder: Path, number: int) -> list[object]:
    scene = ("strip.tif", "tiles.tif", "bip.img", "outside.tif")[number % 4]
    cube = ("--hsi", folder / "in" / "cube.tif", "--no-align") * (number % 2)
    return ["upscale", folder / "in" / scene, "-o", folder / "out.tif", "--overwrite", "-x", 2,
            "--weights", folder / "in" / "tiny.safetensors", "--device", "cpu", "-j", 1, "-q",
            *cube]  # fmt: skip


def _in_one(folder: Path, calls: int, tally: Tally) -> None:
    from support.command import specgan

    first: tuple[int, int] | None = None
    for number in range(calls):
        done = specgan(*_words(folder, number))
        ended = Ended(done.code, done.stdout, done.stderr)
        tally.add(f"call {number}", ended, "refused" if ended.code else None)
        if number == calls // 5:
            first = _use()
    gc.collect()
    last = _use()
    if first is not None:
        grown, opened = last[0] - first[0], last[1] - first[1]
        facts = f"memory {first[0]} to {last[0]} kB, files {first[1]} to {last[1]}"
        print(f"soak: {calls} calls: {facts}")
        wrong = f"memory grows by {grown} kB" if grown > LEVEL_KB else None
        tally.add("memory", Ended(0, "", ""), wrong)
        tally.add("open files", Ended(0, "", ""), f"{opened} more files" if opened > 0 else None)


def _use() -> tuple[int, int]:
    """Return this process's memory in kB, and its open files."""
    status = Path("/proc/self/status").read_text()
    memory = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(memory.split()[1]), len(os.listdir("/proc/self/fd"))


if __name__ == "__main__":
    sys.exit(main())
