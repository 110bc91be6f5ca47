"""What an evaluation is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from specgan import checkpoints
from specgan.bands import Bands
from specgan_cli.errors import MismatchError
from specgan_cli.raster.bands import BandSpec

REPORT_FILES = ("chips.csv", "index.html", "report.json")
"""What a report consists of."""


@dataclass(frozen=True)
class EvaluateRequest:
    """What is asked for."""

    dataset: Path | None = None
    """Folder of chips; None to compare rasters."""
    weights: tuple[str, ...] = ()
    """Names or files."""
    sr: str | None = None
    """Output raster."""
    reference: str | None = None
    """What the output should look like."""
    lr: str | None = None
    """Input of the output."""
    scale: int | None = None
    """Factor; 32 for datasets and found from the rasters when None."""
    split: tuple[str, ...] = ("test", "val")
    """Splits of the dataset."""
    limit: int | None = None
    """At most so many chips, spread evenly over the split."""
    metrics: tuple[str, ...] = ()
    """Names; all when empty."""
    perceptual: Path | None = None
    """Weights of the LPIPS judge."""
    aerial: Path | None = None
    """Weights of the judge that learned from aerial images."""
    probe: bool = False
    """Train a linear probe on the training split's labels."""
    ablate: bool = False
    """Also run without the cube, with another place's, and with three bands."""
    value_range: tuple[float, float] | None = None
    """Black and white of the reference raster, file units."""
    sr_range: tuple[float, float] | None = None
    """Black and white of the output raster, where its units differ."""
    bands: Mapping[str, BandSpec] = field(default_factory=dict)
    """Red, green and blue of "sr", "reference" and "lr", where their files do not tell."""
    src_nodata: Mapping[str, float | str] = field(default_factory=dict)
    """Value of missing pixels of the same, instead of the files'; "none" for no value."""
    fidelity: float = 0.0
    """0 for the weights themselves, 1 for their second set, trained for means."""
    device: str = "auto"
    """Where networks and backbone run."""
    output: Path | None = None
    """Folder of the report."""
    overwrite: bool = False
    """Replace a report that is there."""
    fail_under: tuple[tuple[str, float], ...] = ()
    """Metric and the worst value that passes."""
    command: str = ""
    """The command line, for the report."""

    @property
    def factor(self) -> int:
        """HR pixels along an LR pixel's side, for a dataset."""
        return self.scale or 32


def check_weights(name_or_path: str | Path, scale: int, bands: Bands) -> None:
    """Raise unless weights fit a dataset, by what they say about themselves.

    Args:
        name_or_path: A shipped name or a file.
        scale: The factor to measure.
        bands: Of the dataset's cubes.

    Raises:
        WeightsError: There are no such weights, or the file is damaged.
        MismatchError: They do not reach the factor, or were trained on other bands.
    """
    header = checkpoints.read_header(name_or_path)
    if scale > header.scale:
        raise MismatchError(
            f"{name_or_path}: the weights reach x{header.scale}; give a smaller -x than {scale}"
        )
    if not header.bands.matches(bands, tolerance_nm=1.0):
        raise MismatchError(
            f"{name_or_path}: the weights' bands are not the dataset's; prepare the dataset again"
        )
