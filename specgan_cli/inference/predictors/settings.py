"""What all tiles of a scene are computed with."""

from dataclasses import dataclass

from specgan_cli.inference.predictors.quantise import OutputType
from specgan_cli.raster.radiometry import Radiometry


@dataclass(frozen=True)
class Settings:
    """What a scene's every tile is computed with."""

    scale: int
    """Output pixels per LR pixel along one axis."""

    gsd: float
    """LR pixel size of the whole scene in metres."""

    radiometry: Radiometry
    """How file units become [-1, 1]."""

    output: OutputType
    """The values that the file can hold."""

    seed: int = 0
    """Seed of the noise, which depends on absolute position alone."""
