"""Damaged inputs of every kind: each has to end in a result or in one line, soon.

    python campaigns/fuzz.py [--cases 20000] [--seed 0] [--jobs cube] [--keep FOLDER]

Every case damages one input: bytes flipped, cut off, zeroed or repeated; in texts numbers made
absurd, lines lost, types changed, bytes that are no UTF-8.
"""

import argparse
import json
import os
import random
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import harness
from harness import Tally, run, workplace

TEXT = {".csv", ".toml", ".json", ".geojson", ".hdr", ".vrt", ".xml", ".wld", ".journal"}

ABSURD = (
    "nan",
    "-1",
    "0",
    "1e999",
    "99999999999999999999",
    "-inf",
    "",
    "true",
    "[]",
    '"x"',
    "null",
)


def main() -> int:
    """Run the campaign; 1 if a case failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--jobs", default="", help="only jobs whose name holds this")
    parser.add_argument("--keep", type=Path, help="a folder for the inputs of cases that failed")
    chosen = parser.parse_args()
    harness.warm()
    import damaged

    tally = Tally("fuzz")
    with workplace() as folder:
        sound = folder / "sound"
        damaged.write_inputs(sound)
        jobs = [job for job in damaged.jobs() if chosen.jobs in job.name]
        for number in range(chosen.cases):
            if tally.is_over(chosen.minutes):
                break
            job = jobs[number % len(jobs)]
            source = random.Random(f"{chosen.seed} {number}")
            _run_case(job, sound, folder, source, tally, number, chosen.keep)
    return tally.close()


def _run_case(job, sound, folder, source, tally, number, keep) -> None:  # type: ignore[no-untyped-def]
    case = folder / "case"
    shutil.rmtree(case, ignore_errors=True)
    (case / "out").mkdir(parents=True)
    found = (path for pattern in job.inputs for path in sorted(sound.glob(pattern)))
    names = [path for path in found if path.is_file()]
    for name in job.copied(sound):
        target = case / name.relative_to(sound)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(name, target)
    victim = case / source.choice(names).relative_to(sound)
    data = victim.read_bytes()
    victim.unlink()
    done, harmed = damage(data, source, text=victim.suffix in TEXT)
    victim.write_bytes(harmed)
    ended = run(*job.at(case, case / "out"))
    before = tally.failures.total()
    tally.add(f"{number} {job.name} {victim.name} {done}", ended)
    if keep and tally.failures.total() > before:
        shutil.copytree(case, keep / str(number), dirs_exist_ok=True)


def damage(data: bytes, source: random.Random, *, text: bool) -> tuple[str, bytes]:
    """Return what was done to a file, and its new content."""
    kinds: list[Callable[[bytes, random.Random], bytes]] = [_flip, _cut, _zero, _repeat, _swap]
    if text:
        kinds = [_number, _number, _lose_line, _retype, _retype, _no_utf8, _cut, _flip]
    kind = source.choice(kinds)
    for _ in range(source.choice((1, 1, 1, 2, 4))):
        data = kind(data, source)
    return kind.__name__[1:], data


def _spot(data: bytes, source: random.Random) -> int:
    """Return a place, half of the time near the beginning, where headers are."""
    return source.randrange(max(1, min(len(data), source.choice((256, 4096, len(data) + 1)))))


def _flip(data: bytes, source: random.Random) -> bytes:
    at = _spot(data, source)
    size = source.choice((1, 1, 2, 4, 8))
    return data[:at] + source.choice((source.randbytes(size), b"\xff" * size)) + data[at + size :]


def _cut(data: bytes, source: random.Random) -> bytes:
    return data[: _spot(data, source)]


def _zero(data: bytes, source: random.Random) -> bytes:
    at, size = _spot(data, source), source.choice((4, 64, 1024))
    return data[:at] + bytes(len(data[at : at + size])) + data[at + size :]


def _repeat(data: bytes, source: random.Random) -> bytes:
    at, size = _spot(data, source), source.choice((4, 64, 1024))
    return data[: at + size] + data[at:]


def _swap(data: bytes, source: random.Random) -> bytes:
    a, b = sorted((_spot(data, source), _spot(data, source)))
    size = source.choice((2, 8, 32))
    if b + size > len(data) or a + size > b:
        return data
    return (
        data[:a] + data[b : b + size] + data[a + size : b] + data[a : a + size] + data[b + size :]
    )


def _number(data: bytes, source: random.Random) -> bytes:
    found = list(re.finditer(rb"-?\d+(\.\d+)?", data))
    if not found:
        return data
    at = source.choice(found)
    return data[: at.start()] + source.choice(ABSURD).encode() + data[at.end() :]


def _lose_line(data: bytes, source: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    if lines:
        del lines[source.randrange(len(lines))]
    return b"".join(lines)


def _retype(data: bytes, source: random.Random) -> bytes:
    """Give one value of a JSON document another type, or take it away; else change a word."""
    try:
        document = json.loads(data)
    except ValueError:
        words = list(re.finditer(rb"\w+", data))
        if not words:
            return data
        at = source.choice(words)
        return data[: at.start()] + source.choice(ABSURD).encode() + data[at.end() :]
    node = document
    while isinstance(node, dict | list) and node:
        key = source.choice(list(node) if isinstance(node, dict) else range(len(node)))
        if not isinstance(node[key], dict | list) or source.random() < 0.3:
            if source.random() < 0.3:
                del node[key]
            else:
                node[key] = source.choice((None, -1, 1e308, "x", [], {}, True, [[1]], 2**70, ""))
            break
        node = node[key]
    return json.dumps(document).encode()


def _no_utf8(data: bytes, source: random.Random) -> bytes:
    at = _spot(data, source)
    return data[:at] + source.choice((b"\xff", b"\xc3", b"\x00", b"\xed\xa0\x80")) + data[at:]


if __name__ == "__main__":
    sys.exit(main())
