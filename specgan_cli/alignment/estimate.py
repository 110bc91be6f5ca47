"""Measuring how a cube lies on a scene."""

from __future__ import annotations

import logging
import math

import numpy as np

from specgan_cli.alignment.ground import ground_field, ground_shift, metres_per_unit
from specgan_cli.alignment.local import refine_locally, shows_no_field
from specgan_cli.alignment.options import THRESHOLD, AlignOptions
from specgan_cli.alignment.pair import MatchPair
from specgan_cli.alignment.refine import Motion, blur_variance, refine, sampled
from specgan_cli.alignment.search import (
    correlation,
    effective_pixels,
    reliability,
    search,
)
from specgan_cli.alignment.views import View
from specgan_cli.cubes.cube import Cube
from specgan_cli.errors import MismatchError
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.scene import Scene
from specgan_cli.resampling.model import UNALIGNED, Alignment

__all__ = ["LEAST_CORRELATION", "align"]

logger = logging.getLogger(__name__)

LEAST_CORRELATION = 0.15
"""Least correlation that is accepted: large images correlate significantly for poor reasons."""

_REACHES = (4, 40)
"""Coarse pixels; bounds of the displacement looked for by default."""
_MARGIN = 3
_VIEWS_PER_AXIS = 3
_LOCAL_VIEWS_PER_AXIS = 5
_CANDIDATES = 4
_RIVAL = 0.4
"""A peak at a whole pixel, up to half a pixel off its top, below this share of another's top is no
rival of it."""
_TRIAL_STEPS = 3
_LOCAL_REACH = 5


def align(scene: Scene, cube: Cube, options: AlignOptions | None = None) -> Alignment:
    """Measure the displacement of a cube against a scene.

    Args:
        scene: The open scene.
        cube: The open cube.
        options: How far to look, and what to accept.

    Returns:
        The displacement; `UNALIGNED` where the options trust the georeference.

    Raises:
        MismatchError: No overlap, or no displacement that is reliable enough.
        RasterError: One of them cannot be read.
    """
    options = options or AlignOptions()
    if not options.align:
        return UNALIGNED
    pair = MatchPair.of(scene, cube)
    reach = _reach(pair.overlap, options.max_shift, pair.gsd)
    views = pair.views(reach + _MARGIN, _VIEWS_PER_AXIS)
    if not views:
        raise MismatchError(
            f"{cube.name}: too few valid pixels lie on {scene.name}, whose flat corners do not "
            "count; use a larger cube, or trust the georeference with --no-align"
        )
    before = _correlation(views, Motion((0.0, 0.0)))
    motion, sharp = _best(views, reach)
    r = _correlation(sharp, motion)
    independent = effective_pixels(sharp)
    figure = reliability(r, independent, (2 * reach + 1) ** 2)
    logger.info("alignment: correlation %.3f, reliability %.4f", r, figure)
    if options.threshold > 0 and (figure < options.threshold or r < LEAST_CORRELATION):
        raise MismatchError(_refusal(scene, cube, r, figure, reach * pair.gsd))
    if options.local and figure >= THRESHOLD:
        motion, sharp = _with_field(pair, motion, sharp)
        r = _correlation(sharp, motion)
    shift = ground_shift(pair, motion)
    pixels = int(sum(view.valid.sum() for view in views))
    east, north = metres_per_unit(scene.grid)
    return Alignment(
        shift_xy=(shift[0] * east, shift[1] * north),
        shift_crs=shift,
        field=ground_field(pair, motion),
        reliability=figure,
        correlation=max(r, 0.0),
        correlation_before=max(before, 0.0),
        uncertainty=_standard_error(motion, pixels / max(independent, 1.0)) * pair.gsd,
        overlap=_covered(scene.grid, cube.grid),
        pixels=pixels,
        estimated=True,
    )


def _standard_error(motion: Motion, pixels_per_independent: float) -> float:
    """Root mean square over both axes, coarse pixels; neighbouring residuals are alike."""
    variance = sum(motion.covariance) / 2 * max(pixels_per_independent, 1.0)
    return math.sqrt(max(variance, 0.0))


def _refusal(scene: Scene, cube: Cube, r: float, figure: float, reach: float) -> str:
    return (
        f"{cube.name} cannot be aligned with {scene.name}: reliability {figure:.3f}, correlation "
        f"{r:.2f} within {reach:.3g} m ({THRESHOLD:g} and {LEAST_CORRELATION:g} are needed); check "
        "that both show the same ground, look farther with --max-shift METRES, or trust the "
        "georeference with --no-align"
    )


def _reach(overlap: Window, max_shift: float | None, gsd: float) -> int:
    """Largest displacement to look for, coarse pixels."""
    if max_shift is not None:
        return max(math.ceil(max_shift / gsd), 1)
    return min(max(min(overlap.shape_yx) // 5, _REACHES[0]), _REACHES[1])


def _best(views: list[View], reach: int) -> tuple[Motion, list[View]]:
    """The displacement with the highest correlation, and the views with the cube's blur."""
    best, highest = Motion((0.0, 0.0)), -1.0
    surface = search(views, reach)
    for start in surface.candidates(_CANDIDATES):
        if surface.at(start) < _RIVAL * highest:
            break
        motion = refine(views, start, steps=_TRIAL_STEPS)
        r = _correlation(views, motion)
        if r > highest and max(map(abs, motion.shift)) <= reach + 1:
            best, highest = motion, r
    blurred = _blurred(views, best)
    return refine(blurred, best.shift), blurred


def _blurred(views: list[View], motion: Motion) -> list[View]:
    """The views with the blur of the coarse sensor beyond the area of its pixels."""
    variance = blur_variance(views, motion)
    return [view.blurred(variance) for view in views]


def _with_field(pair: MatchPair, motion: Motion, views: list[View]) -> tuple[Motion, list[View]]:
    """The motion with a local field where one helps, and the views that it was found on."""
    overlap = pair.overlap
    if shows_no_field(views, motion):
        return motion, views
    if len(views) > 1:
        pad = math.ceil(max(map(abs, motion.shift))) + _LOCAL_REACH
        views = pair.views(pad, _LOCAL_VIEWS_PER_AXIS)
        views = _blurred(views, motion)
    row, col, height, width = map(float, (overlap.row, overlap.col, *overlap.shape_yx))
    return refine_locally(views, motion, (row, col, height, width)), views


def _correlation(views: list[View], motion: Motion) -> float:
    """Correlation of the high-passed images, mean over the channels."""
    sums = np.zeros((3, len(views[0].coarse)))
    for view in views:
        sums += correlation(view, sampled(view, motion))
    power = np.sqrt(sums[1] * sums[2])
    return float(np.divide(sums[0], power, out=np.zeros_like(power), where=power > 1e-30).mean())


def _covered(scene: Grid, cube: Grid) -> float:
    """Share of the scene that the cube's outline covers."""
    window = scene.intersection(cube)
    return 0.0 if window is None else window.height * window.width / math.prod(scene.shape_yx)
