"""What the campaigns share: a command in a child of this process, and what it left behind."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "models"), str(ROOT / "tests"), str(ROOT / "sample_data")]

HANG_SECONDS = 60.0
"""Of a command's own processor time, or ten times as long by the clock: machines are busy."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    """Its exit code; minus the signal that ended it."""
    stdout: str
    stderr: str
    hung: bool = False
    """Whether it was ended because it took too long."""

    @property
    def complaint(self) -> str | None:
        """What is wrong with the way it ended, whatever it was given; None where nothing is."""
        if self.hung:
            return "hang"
        if self.code < 0 or self.code not in (0, 1, 2, 3, 130, 143):
            return f"crash ({self.code})"
        if "Traceback" in self.stderr:
            return "traceback"
        if "unexpected " in self.stderr and "please report" in self.stderr:
            return "unforeseen"
        if self.code in (1, 3) and self.stderr.count("specgan: error:") != 1:
            return "not one line"
        return None


@dataclass
class Tally:
    """What a campaign counted."""

    name: str
    cases: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    """Cases that ended in an error, as they should or may."""
    begun: float = field(default_factory=time.monotonic)

    def add(self, case: str, ended: Ended, wrong: str | None = None) -> None:
        """Count a case, and print it where something is wrong with it."""
        self.cases += 1
        self.refused += ended.code != 0
        found = ended.complaint or wrong
        if found:
            self.failures[found] += 1
            last = ended.stderr.strip().splitlines()[-1:] or [""]
            print(f"{self.name}: {case}: {found}: {last[0][:300]}", flush=True)

    def is_over(self, minutes: float) -> bool:
        """Whether the campaign has taken its time."""
        return time.monotonic() - self.begun > 60 * minutes

    def close(self) -> int:
        """Print the figures as a row of the table in docs/reliability.md; 1 if any failed."""
        bad = ", ".join(f"{count} {what}" for what, count in self.failures.items()) or "none"
        seconds = time.monotonic() - self.begun
        print(
            f"| {self.name} | {self.cases} | {self.refused} | {bad} | {seconds:.0f} s |", flush=True
        )
        return 1 if self.failures else 0


# A pool that the parent made has no threads in a forked child, which then waits for ever.
os.environ["GDAL_NUM_THREADS"] = "1"


def warm() -> None:
    """Import what the commands import, so that a child needs no time for it."""
    import torch

    import specgan_cli.cli.doctor
    import specgan_cli.cli.evaluate
    import specgan_cli.cli.main
    import specgan_cli.cli.models
    import specgan_cli.cli.prepare
    import specgan_cli.cli.train
    import specgan_cli.cli.upscale
    import specgan_cli.workflows.evaluate
    import specgan_cli.workflows.models
    import specgan_cli.workflows.prepare_dataset
    import specgan_cli.workflows.prepare_raster
    import specgan_cli.workflows.train
    import specgan_cli.workflows.upscale  # noqa: F401

    torch.set_num_threads(1)


def run(
    *words: object,
    faults: Mapping[str, str] | None = None,
    seconds: float = HANG_SECONDS,
    kill_after: float | None = None,
    number: int = signal.SIGKILL,
    first: Callable[[], None] | None = None,
) -> Ended:
    """Run a command line in a child of this process.

    Args:
        words: The words after `specgan`.
        faults: Environment variables of the child, such as those of failing.c.
        seconds: After so much of its own time, or ten times as long by the clock, it counts as
            hung.
        kill_after: Seconds until a signal ends it.
        number: That signal.
        first: What the child does before it begins.
    """
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        child = os.fork()
        if child == 0:
            if first:
                first()
            _be_child([str(word) for word in words], faults or {}, stdout.fileno(), stderr.fileno())
        status, hung = _wait(child, seconds, kill_after, number)
        texts = []
        for file in (stdout, stderr):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    return Ended(os.waitstatus_to_exitcode(status), texts[0], texts[1], hung)


def _be_child(words: list[str], faults: Mapping[str, str], stdout: int, stderr: int) -> None:
    code = 99
    try:
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        os.environ.update(faults)
        from specgan_cli.cli.main import main

        main(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        for name in faults:
            os.environ.pop(name, None)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(child: int, seconds: float, kill_after: float | None, number: int) -> tuple[int, bool]:
    begun, pause, killed = time.monotonic(), 0.002, False
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status, False
        now = time.monotonic() - begun
        if kill_after is not None and not killed and now >= kill_after:
            os.kill(child, number)
            killed = True
        if now > seconds and (now > 10 * seconds or _used(child) > seconds):
            os.kill(child, signal.SIGKILL)
            return os.waitpid(child, 0)[1], True
        time.sleep(pause)
        pause = min(pause * 1.2, 0.02)


def _used(process: int) -> float:
    """Return the seconds of processor time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def digest(path: Path) -> str | None:
    """Return a digest of a file, or of all files in a folder with their names; None without."""
    if path.is_dir():
        parts = [
            f"{p.relative_to(path)} {digest(p)}" for p in sorted(path.rglob("*")) if p.is_file()
        ]
        return hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def names(folder: Path) -> set[str]:
    """Return the names of everything in a folder, below it too."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@contextmanager
def workplace() -> Iterator[Path]:
    """Make a folder that is gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="specgan-campaign-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def preload() -> None:
    """Start this script again under failing.so, compiled here, unless it already runs so."""
    if "failing.so" in os.environ.get("LD_PRELOAD", ""):
        return
    library = Path(tempfile.mkdtemp(prefix="specgan-failing-")) / "failing.so"
    source = ROOT / "campaigns" / "failing.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    os.environ |= {"LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"}
    os.execv(sys.executable, [sys.executable, *sys.argv])
