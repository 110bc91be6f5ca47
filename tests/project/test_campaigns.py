"""Campaigns, a fixed sample of each: docs/reliability.md has the figures of longer ones."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CAMPAIGNS = Path(__file__).parents[2] / "campaigns"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or shutil.which("cc") is None, reason="needs Linux and a C compiler"
    ),
]


@pytest.mark.parametrize(
    "line",
    [
        "fuzz.py --cases 300",
        "failing_calls.py --jobs models-show --most 3",
        "failing_calls.py --jobs upscale-bip.img --calls read,rename --most 5",
        "kills.py --kills 2",
        "soak.py --calls 5 --processes 2",
    ],
)
def test_no_case_of_the_sample_fails(line: str) -> None:
    script, *words = line.split()
    done = subprocess.run(
        [sys.executable, CAMPAIGNS / script, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "| none |" in done.stdout
