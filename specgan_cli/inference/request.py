"""What a user asks of `specgan upscale`, for one scene."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from specgan_cli.alignment.options import AlignOptions
from specgan_cli.cubes.options import CubeOptions

DType = Literal["float32", "float64", "bfloat16", "float16"]
"""The types that a network can compute in."""

SCALES = (2, 4, 8, 16, 32)
"""The factors that the command line offers."""


@dataclass(frozen=True)
class InputOptions:
    """Which pixels are read, and what they mean."""

    scene: str
    """Path or URL of the RGB scene; anything that rasterio opens."""

    hsi: str | None = None
    """Path or URL of the hyperspectral cube over the same ground."""

    bands: tuple[int, ...] | None = None
    """The scene's red, green and blue band, counted from 1; None for its own order."""

    src_nodata: float | Literal["none"] | None = None
    """Value to take for nodata; "none" ignores the file's own; None takes the file's own."""

    rgb_range: tuple[float, float] | None = None
    """File units that become -1 and 1; None for 0..255 in uint8, and an estimate otherwise."""

    bounds: tuple[float, float, float, float] | None = None
    """left, bottom, right, top in the scene's CRS; None for the whole scene."""

    window: tuple[int, int, int, int] | None = None
    """column, row, width, height in LR pixels; None for the whole scene."""

    cube: CubeOptions = field(default_factory=CubeOptions)
    """What is known of the cube beyond its file."""

    alignment: AlignOptions = field(default_factory=AlignOptions)
    """Whether and how the cube is co-registered to the scene before use."""


@dataclass(frozen=True)
class ComputeOptions:
    """How the pixels are computed."""

    weights: str = "specgan-scene"
    """A shipped name, or the path of a weights file."""

    scale: int = 32
    """Output pixels per LR pixel along one axis."""

    device: str = "auto"
    """auto, cpu, cuda, cuda:N, or several with commas between them."""

    dtype: DType = "float32"
    """The type that the network computes in."""

    seed: int = 0
    """Seed of the noise."""

    fidelity: float = 0.0
    """0 for full detail, 1 for the most cautious result."""

    tile: int | None = None
    """LR pixels of a tile's side; None chooses."""

    batch: int | None = None
    """Tiles that go through the network together; None chooses."""

    max_memory: int | None = None
    """Bytes that the run may take at its peak; None for half of what is free."""

    dask: str | None = None
    """tcp://HOST:PORT of a Dask scheduler, or local:N; None for this process alone."""


@dataclass(frozen=True)
class OutputOptions:
    """What is written, and where."""

    path: Path
    """The output raster."""

    of: Literal["GTiff", "COG", "VRT"] = "GTiff"
    """Format; VRT only with a cluster."""

    co: dict[str, str] = field(default_factory=dict)
    """GDAL creation options."""

    overviews: bool = False
    """Whether the smaller results are kept inside as overviews."""

    dst_nodata: float | None = None
    """The output's nodata value; None for the scene's."""

    overwrite: bool = False
    """Whether an existing output is replaced."""

    resume: bool = False
    """Whether a run that was killed goes on."""

    preview: Path | None = None
    """PNG with the scene, a bicubic enlargement and the output side by side."""

    uncertainty: Path | None = None
    """Raster for the spread over seeds."""

    samples: int = 4
    """Seeds that the spread is taken over."""


@dataclass(frozen=True)
class Request:
    """One scene to upscale."""

    inputs: InputOptions
    """Which pixels are read."""

    compute: ComputeOptions
    """How they are computed."""

    output: OutputOptions
    """What is written."""

    command_line: tuple[str, ...] = ()
    """The words that the user gave, for the tags."""
