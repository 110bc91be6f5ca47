"""One scene's inputs and outputs: checked, opened and understood, ready to be computed."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from specgan_cli.cubes.cube import Cube
from specgan_cli.errors import MismatchError, RasterError
from specgan_cli.inference.calibration import read_calibration
from specgan_cli.inference.predictors.output_type import OutputType
from specgan_cli.inference.predictors.weights import Weights
from specgan_cli.inference.reader import TileReader
from specgan_cli.inference.request import InputOptions, OutputOptions, UpscaleRequest
from specgan_cli.raster.area import Area, select
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.masks import MaskKind, fits
from specgan_cli.raster.radiometry import Radiometry, choose_floor
from specgan_cli.raster.scene import Scene
from specgan_cli.raster.stack import stacked
from specgan_cli.raster.untagged import warn_of_untagged
from specgan_cli.redaction import redact

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Everything about one scene that its tiles share."""

    request: UpscaleRequest
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
    def count(self) -> int:
        """Bands of the output, without alpha."""
        return 3 + len(self.scene.further)

    @property
    def radiometry(self) -> Radiometry:
        """How file units become [-1, 1]."""
        return self.reader.radiometry


@contextmanager
def open_job(
    request: UpscaleRequest, weights: Weights, known: dict[str, Any] | None = None
) -> Iterator[Job]:
    """Open the scene and the cube, find the cube's place, and choose range and nodata.

    Args:
        request: What was asked.
        weights: The weights, which say what they need.
        known: Where the cube lies, as JSON values, when that was found before.

    Raises:
        RasterError: The scene or the cube cannot be used.
        MismatchError: They do not overlap, or the cube cannot be placed reliably.
    """
    inputs = request.inputs
    check_weights(request, weights)
    with ExitStack() as stack:
        if inputs.stack:
            inputs = replace(inputs, scene=stack.enter_context(stacked(inputs.stack)))
        scene = stack.enter_context(open_scene(inputs))
        crop, area = select(
            scene.grid,
            aoi=inputs.aoi,
            bounds=inputs.bounds,
            crs=inputs.bounds_crs,
            window=inputs.window,
        )
        warn_of_missing(scene, crop)
        radiometry = choose_radiometry(scene, inputs)
        guide, alignment = None, None
        if inputs.hsi is not None:
            cube = stack.enter_context(open_cube(inputs, scene, radiometry))
            # Brings scipy, which takes longer than to look whether there is a cube.
            from specgan_cli.inference.guide import open_guide

            # The published network takes the cube on the LR grid alone.
            octaves = 0 if weights.published else request.compute.scale.bit_length() - 1
            guide, alignment = open_guide(cube, scene, inputs, weights.header, known, octaves)
        mask, output = choose_output(scene, request.output, area)
        yield Job(
            request=request,
            scene=scene,
            reader=TileReader(scene, radiometry, guide, area, choose_floor(scene, inputs.floor)),
            crop=crop,
            output=output,
            mask=mask,
            alignment=alignment,
        )


def open_scene(inputs: InputOptions) -> Scene:
    """Open the scene as the options say.

    Raises:
        RasterError: It cannot be used.
    """
    return Scene.open(
        inputs.scene,
        bands=inputs.bands,
        src_nodata=inputs.src_nodata,
        georeferenced=inputs.georeferenced,
        also=inputs.also,
    )


def warn_of_missing(scene: Scene, crop: Window) -> None:
    """Warn of a part without a valid pixel, and of values that look like nodata."""
    if crop != scene.grid.full_window and not scene.any_valid(crop):
        logger.warning(
            "%s: no pixel of the part is valid, so the output holds missing pixels alone",
            scene.name,
        )
    warn_of_untagged(scene)


def check_weights(request: UpscaleRequest, weights: Weights) -> None:
    """Raise unless the weights can do what is asked.

    Raises:
        MismatchError: They need a cube and there is none, or a spread and know no chance.
        WeightsError: The calibration beside them is damaged.
    """
    compute = request.compute
    if weights.published and request.inputs.hsi is None:
        raise MismatchError(
            f"{redact(request.inputs.scene)}: the published weights need a cube; "
            "give --hsi CUBE, or use the scene network"
        )
    if request.output.uncertainty and weights.published:
        raise MismatchError(
            f"{request.output.uncertainty}: the published weights have no chance in them, so there "
            "is no spread over seeds; leave --uncertainty out, or use the scene network"
        )
    spread = request.output.uncertainty and not read_calibration(compute.weights, weights.sha256)
    if spread:
        logger.warning(
            "%s: the error of these weights (at this --fidelity) was never measured, so "
            "--uncertainty writes the spread over seeds, which is no error bar",
            compute.weights,
        )


def open_cube(inputs: InputOptions, scene: Scene, radiometry: Radiometry) -> Cube:
    """Open what guides the scene: a cube over the same ground, or the scene's own further bands.

    The scene's own bands keep the range of its colours.

    Raises:
        RasterError: The cube cannot be used, or the scene has no further band.
        MismatchError: They do not overlap.
    """
    if not inputs.self_guided:
        cube = Cube.open(str(inputs.hsi), inputs.cube)
        try:
            check_overlap(scene, cube)
        except BaseException:
            cube.close()
            raise
        return cube
    known = replace(inputs.cube, scale=inputs.cube.scale or 1.0, nodata=inputs.src_nodata)
    cube = Cube.open(inputs.scene, known)
    try:
        cube.bad |= np.isin(cube.numbers, scene.bands)
        if cube.bad.all():
            raise RasterError(
                f"{scene.name}: --hsi self wants bands beyond red, green and blue, and there are "
                "none of use; leave it out, or give --hsi CUBE"
            )
        if inputs.cube.scale is None:
            span = radiometry.high - radiometry.low
            cube.gains[:], cube.offsets[:] = 1 / span, -radiometry.low / span
    except BaseException:
        cube.close()
        raise
    return cube


def check_overlap(scene: Scene, cube: Cube) -> None:
    """Raise unless scene and cube share ground.

    Raises:
        MismatchError: They do not, or only one of them has a CRS.
    """
    if scene.grid.crs is not None:
        cube.check_placed()
    try:
        shared = scene.grid.intersection(cube.grid)
    except ValueError as error:
        raise MismatchError(f"{redact(cube.path)}: has no CRS; give it with --hsi-crs") from error
    except MismatchError as error:
        raise MismatchError(f"{cube.name} and {scene.name}: {error}") from error
    if shared is None:
        raise MismatchError(
            f"{redact(cube.path)} does not overlap {scene.name}; check the CRSs, or give the "
            "cube's place with --hsi-crs and --hsi-origin"
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


def choose_output(
    scene: Scene, options: OutputOptions, area: Area | None
) -> tuple[MaskKind, OutputType]:
    """Return how the output marks missing pixels, and the values that it can hold.

    A given `dst_nodata` wins; else it is as in the scene; a floating-point scene without a mark
    gets NaN, since its pixels may be NaN; another one gets a mask band if an area is cut out.

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
    kind = "mask" if area is not None and scene.mask_kind == "none" else scene.mask_kind
    return kind, OutputType(scene.dtype, nodata)
