"""What `--uncertainty` is calibrated by: the fit, and the file that is shipped."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from specgan import checkpoints
from specgan_cli.inference.calibration import SUFFIX, Factors, read_calibration

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "benchmarks" / "calibration.py"))


def pixels(seed: int) -> object:
    """Errors whose standard deviation is 0.02, half the contrast and twice the spread, together."""
    rng = np.random.default_rng(seed)
    contrast, spread = rng.uniform(0, 0.3, 4000), rng.uniform(0, 0.05, 4000)
    sigma = np.sqrt(0.02**2 + (0.5 * contrast) ** 2 + (2 * spread) ** 2)
    error = np.abs(rng.normal(size=(4000, 3)) * sigma[:, None])
    return SCRIPT["Samples"](error, contrast, spread)


def test_the_fit_finds_the_factors_of_known_errors() -> None:
    factors: Factors = SCRIPT["cross_validate"](4, {"a": [pixels(0)], "b": [pixels(1)]})
    assert factors.floor == pytest.approx(0.02, rel=0.2)
    assert factors.contrast == pytest.approx(0.5, rel=0.05)
    assert factors.spread == pytest.approx(2, rel=0.1)
    assert factors.within == pytest.approx((0.683, 0.954), abs=0.015)


def test_one_ground_is_cross_validated_chip_by_chip(capsys: pytest.CaptureFixture[str]) -> None:
    SCRIPT["cross_validate"](2, {"a": [pixels(0), pixels(1), pixels(2)]})
    assert "| chip 0 | chip 1 | chip 2 |" in capsys.readouterr().out


def test_a_guided_ground_is_judged_and_not_fitted() -> None:
    plain = {"a": [pixels(0)], "b": [pixels(1)]}
    still = SCRIPT["Samples"](np.zeros((9, 3)), np.ones(9), np.ones(9))
    assert SCRIPT["cross_validate"](4, plain | {"b, guided": [still]}) == SCRIPT["cross_validate"](
        4, plain
    )


@pytest.mark.parametrize("name", [n for n in checkpoints.names() if not n.endswith("-means")])
def test_shipped_weights_are_calibrated_to_twelve_points(name: str) -> None:
    path = checkpoints.WEIGHTS / f"{name}{SUFFIX}"
    digest = path.read_text().split('"weights_sha256": "')[1][:64]
    calibration = read_calibration(name, digest)
    assert calibration is not None
    for factors in calibration.factors:
        assert factors.within == pytest.approx((0.683, 0.954), abs=0.12)
