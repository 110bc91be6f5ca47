"""One scene's inputs, opened and understood, ready to be computed."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from specgan_cli.errors import MismatchError, RasterError
from specgan_cli.inference.inputs.crop import crop_window
from specgan_cli.inference.inputs.reader import TileReader
from specgan_cli.inference.predictors.networks import Networks
from specgan_cli.inference.predictors.quantise import OutputType
from specgan_cli.inference.request import InputOptions, OutputOptions, Request
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.masks import MaskKind, fits
from specgan_cli.raster.radiometry import Radiometry
from specgan_cli.raster.scene import Scene, redact

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Everything about one scene that its tiles share."""

    request: Request
    """What was asked."""

    scene: Scene
    """The open scene."""

    reader: TileReader
    """Reads its tiles, with the cube's."""

    crop: Window
    """The LR pixels to upscale."""

    output: OutputType
    """The values that the output can hold."""

    mask: MaskKind
    """How the output marks missing pixels."""

    alignment: dict[str, Any] | None
    """How the cube was found to lie; None without a cube."""

    @property
    def grid(self) -> Grid:
        """The output's grid."""
        return self.scene.grid.window(self.crop).refine(self.request.compute.scale)

    @property
    def radiometry(self) -> Radiometry:
        """How file units become [-1, 1]."""
        return self.reader.radiometry


@contextmanager
def open_job(
    request: Request, networks: Networks, known: dict[str, Any] | None = None
) -> Iterator[Job]:
    """Open the scene and the cube, find the cube's place, and settle range and nodata.

    Args:
        request: What was asked.
        networks: The loaded weights, which say what they need.
        known: Where the cube lies, as JSON values, when that was found before.

    Raises:
        RasterError: The scene or the cube cannot be used.
        MismatchError: They do not overlap, or the cube cannot be placed reliably.
    """
    inputs = request.inputs
    check_weights(request, networks)
    with ExitStack() as stack:
        scene = stack.enter_context(
            Scene.open(inputs.scene, bands=inputs.bands, src_nodata=inputs.src_nodata)
        )
        radiometry = choose_radiometry(scene, inputs)
        guide, alignment = None, None
        if inputs.hsi is not None:
            from specgan_cli.inference.inputs.guide import open_guide

            guide, alignment = open_guide(stack, scene, inputs, networks.header, known)
        mask, output = choose_output(scene, request.output)
        yield Job(
            request=request,
            scene=scene,
            reader=TileReader(scene, radiometry, networks.halo, guide),
            crop=crop_window(scene.grid, inputs),
            output=output,
            mask=mask,
            alignment=alignment,
        )


def check_weights(request: Request, networks: Networks) -> None:
    """Raise unless the weights can do what is asked.

    Raises:
        MismatchError: They need a cube and there is none, or a spread and know no chance.
    """
    if networks.needs_cube and request.inputs.hsi is None:
        raise MismatchError(
            f"{redact(request.inputs.scene)}: the published weights need a cube; "
            "give --hsi CUBE, or use the scene network"
        )
    if request.output.uncertainty and not networks.random:
        raise MismatchError(
            f"{request.output.uncertainty}: the published weights have no chance in them, so there "
            "is no spread over seeds; leave --uncertainty out, or use the scene network"
        )


def choose_radiometry(scene: Scene, inputs: InputOptions) -> Radiometry:
    """Return the range of the user, or else the scene's own.

    Raises:
        RasterError: The range is empty, or none can be estimated.
    """
    try:
        if inputs.rgb_range is not None:
            return Radiometry.of_range(scene.dtype, *inputs.rgb_range)
        return Radiometry.estimate(scene)
    except ValueError as error:
        raise RasterError(f"{scene.name}: {error}; see --rgb-range") from error


def choose_output(scene: Scene, options: OutputOptions) -> tuple[MaskKind, OutputType]:
    """Return how the output marks missing pixels, and the values that it can hold.

    A given `dst_nodata` wins; else it is as in the scene; a floating-point scene without a mark
    gets NaN, since its pixels may be NaN.

    Raises:
        MismatchError: The type cannot hold the nodata value.
    """
    dtype = np.dtype(scene.dtype)
    if options.dst_nodata is not None:
        if not fits(options.dst_nodata, dtype):
            raise MismatchError(
                f"--dst-nodata {options.dst_nodata:g} does not fit into {dtype}, "
                f"the type of {scene.name}"
            )
        return "nodata", OutputType(scene.dtype, options.dst_nodata)
    if scene.mask_kind == "none" and dtype.kind == "f":
        return "nodata", OutputType(scene.dtype, float("nan"))
    nodata = scene.nodata if scene.mask_kind == "nodata" else None
    return scene.mask_kind, OutputType(scene.dtype, nodata)
