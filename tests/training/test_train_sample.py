"""The README's training run on the sample scene."""

import re
import shlex
from pathlib import Path

import pytest

from support.command import specgan

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_readme_run_ends_below_bicubic(tmp_path: Path) -> None:
    text = (ROOT / "docs/start.md").read_text()
    lines = re.findall(r"^specgan (prepare recipes/.*|train .*)$", text, flags=re.MULTILINE)
    outputs = []
    for line in lines:
        words = shlex.split(line)
        for index, word in enumerate(words):
            if word.startswith(("recipes/", "sample_data")):
                words[index] = str(ROOT / word)
            if word.startswith(("dataset", "runs/")):
                words[index] = str(tmp_path / word)
        result = specgan(*words)
        assert result.code == 0, result.stderr
        outputs.append(result.stdout)
    prepared, trained, resumed = outputs
    assert "chips" in prepared
    found = re.search(
        r"validation L1 at x32 after \d+ steps: ([\d.]+), below bicubic's ([\d.]+)", trained
    )
    assert found is not None, trained
    assert float(found[1]) < 0.995 * float(found[2])
    assert "step 120 of 120" in resumed
