"""How large the error is where the truth is not known: from local contrast and spread over seeds.

The spread over seeds alone is far too small: it is the network's own chance, not its ignorance.
What tells more is how much the input's pixels differ from their neighbours.  So

    sigma^2 = floor^2 + (contrast * c)^2 + (spread * s)^2

with three factors for every scale, measured on ground that trained nothing by
`benchmarks/calibration.py`, from red, green and blue alone: with a cube the error is as large, or
smaller where the cube is finer than the scene.  They lie in `NAME-uncertainty.json` beside the
weights `NAME`.
"""

from dataclasses import dataclass

from specgan.checkpoints import resolve
from specgan.serde import from_plain, parse_json
from specgan_cli.errors import WeightsError, reason

SUFFIX = "-uncertainty.json"


@dataclass(frozen=True)
class Factors:
    """What makes a sigma at one scale, of values in [-1, 1]."""

    scale: int
    """Output pixels per LR pixel along one axis."""

    floor: float
    """Sigma on ground without any contrast."""

    contrast: float
    """Sigma for each unit of contrast."""

    spread: float
    """Sigma for each unit of spread."""

    within: tuple[float, float]
    """Shares of the truth within 1 and 2 sigma, on grounds that were left out of the fit."""


@dataclass(frozen=True)
class Calibration:
    """The factors of one weights file."""

    weights_sha256: str
    """Of the file; for other weights they say nothing."""

    grounds: tuple[str, ...]
    """What they were measured on."""

    factors: tuple[Factors, ...]
    """One for each scale."""

    def at(self, scale: int) -> Factors | None:
        """Return the factors of a scale; None where it was not measured."""
        return next((each for each in self.factors if each.scale == scale), None)


def read_calibration(weights: str, sha256: str) -> Calibration | None:
    """Return what was measured of a weights file; None where nothing was, or of other weights.

    Args:
        weights: The file, or a shipped name.
        sha256: Its digest, as `specgan.checkpoints.sha256` gives it.

    Raises:
        WeightsError: The file beside it is damaged.
    """
    file = resolve(weights)
    path = file.with_name(file.stem + SUFFIX)
    try:
        calibration = from_plain(Calibration, parse_json(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{path}: no calibration ({reason(error)}); make it again with "
            "benchmarks/calibration.py"
        ) from error
    return calibration if calibration.weights_sha256 == sha256 else None
