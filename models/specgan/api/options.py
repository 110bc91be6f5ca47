"""Options of the calls: those of the command, by their long names."""

import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from specgan_cli.alignment.options import AlignOptions
    from specgan_cli.cubes.options import CubeOptions
    from specgan_cli.inference.request import DType, Runtime, UpscaleRequest

AnyPath = str | os.PathLike[str]


class EnhanceOptions(TypedDict, total=False):
    """Options of `enhance`, which are options of `upscale` too: see the command's of that name."""

    rgb_range: tuple[float, float]
    weights: str
    device: str
    dtype: "DType"
    runtime: "Runtime"
    seed: int
    fidelity: float
    tile: int
    batch: int
    max_memory: int


class UpscaleOptions(EnhanceOptions, total=False):
    """Options of `upscale`; those from `of` on go with an output path."""

    bands: tuple[int | str, ...]
    also: str
    src_nodata: float | Literal["none"]
    floor: float | Literal["none"]
    bounds: tuple[float, float, float, float]
    bounds_crs: str
    aoi: str
    window: tuple[int, int, int, int]
    cube: "CubeOptions"
    alignment: "AlignOptions"
    dst_nodata: float
    of: Literal["GTiff", "COG", "VRT"]
    co: dict[str, str]
    lossy: bool
    overviews: bool
    overwrite: bool
    resume: bool
    preview: AnyPath
    reference: str
    uncertainty: AnyPath
    samples: int
    dask: str


_OF_FILES = (
    *("of", "co", "lossy", "overviews", "overwrite", "resume"),
    *("preview", "reference", "uncertainty", "samples", "dask"),
)


def check_names(given: dict[str, Any], known: Any, in_memory: bool) -> None:
    """Raise unless every option is known, and makes sense for what is asked.

    Args:
        given: Options by name.
        known: `EnhanceOptions` or `UpscaleOptions`.
        in_memory: Whether pixels are returned, and no file is written.

    Raises:
        TypeError: An unknown option, or one that goes with an output path without one.
    """
    unknown = sorted(given.keys() - known.__annotations__.keys())
    if unknown:
        raise TypeError(f"unknown option {unknown[0]!r}; known are {sorted(known.__annotations__)}")
    of_files = [name for name in given if in_memory and name in _OF_FILES]
    if of_files:
        raise TypeError(f"{of_files[0]!r} goes with an output path")


def make_request(given: dict[str, Any], output: AnyPath | None) -> "UpscaleRequest":
    """Sort options into the records of a request, by the names of their fields."""
    from specgan_cli.inference.request import (
        ComputeOptions,
        InputOptions,
        OutputOptions,
        UpscaleRequest,
    )

    for name in ("preview", "uncertainty"):
        if given.get(name) is not None:
            given[name] = Path(given[name])
    given["path"] = Path(output or "")
    inputs, compute, written = (
        {field.name: given[field.name] for field in fields(kind) if field.name in given}
        for kind in (InputOptions, ComputeOptions, OutputOptions)
    )
    return UpscaleRequest(
        InputOptions(**inputs), ComputeOptions(**compute), OutputOptions(**written)
    )
