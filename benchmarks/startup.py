"""Measure the CPU time of `specgan --help`; print one JSON line.

python benchmarks/startup.py [runs]
"""

import json
import resource
import statistics
import subprocess
import sys


def cpu_seconds(words: list[str]) -> float:
    """Return user and system seconds that a child process took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Run `specgan --help` several times and print its median and worst CPU time."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    words = [sys.executable, "-m", "specgan_cli", "--help"]
    times = [cpu_seconds(words) for _ in range(runs)]
    print(json.dumps({"median_s": round(statistics.median(times), 3), "worst_s": max(times)}))


if __name__ == "__main__":
    main()
