"""SpecGAN: large-factor super-resolution of RGB scenes guided by hyperspectral cubes.

After Meng, Li, Lei, Zou and Shi, IEEE TGRS 2022, doi 10.1109/TGRS.2022.3222360.
Importing this package imports neither torch nor GDAL; what is used first does.
"""

import importlib
from typing import TYPE_CHECKING, Any

from specgan._version import __version__
from specgan.errors import ShapeError, SpecganError, WeightsError

if TYPE_CHECKING:
    from specgan.api import (
        Alignment,
        AlignOptions,
        Cube,
        CubeOptions,
        GeoArray,
        UpscaleReport,
        align,
        enhance,
        open_cube,
        upscale,
    )
    from specgan.checkpoints import load

__all__ = [
    "AlignOptions",
    "Alignment",
    "Cube",
    "CubeOptions",
    "GeoArray",
    "ShapeError",
    "SpecganError",
    "UpscaleReport",
    "WeightsError",
    "__version__",
    "align",
    "enhance",
    "load",
    "open_cube",
    "upscale",
]

_HOMES = {
    "align": "specgan.api",
    "enhance": "specgan.api",
    "open_cube": "specgan.api",
    "upscale": "specgan.api",
    "load": "specgan.checkpoints",
    "AlignOptions": "specgan_cli.alignment.options",
    "Alignment": "specgan_cli.resampling.model",
    "Cube": "specgan_cli.cubes.cube",
    "CubeOptions": "specgan_cli.cubes.options",
    "GeoArray": "specgan_cli.raster.drivers.arrays",
    "UpscaleReport": "specgan_cli.inference.report",
}
"""Where the names are defined that are imported on first use (PEP 562)."""


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    """Import what is asked for, on first use."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'specgan' has no attribute {name!r}")
