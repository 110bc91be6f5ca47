"""Values of a scene that look like nodata and are not tagged so: a collar, -9999."""

import logging

import numpy as np

from specgan_cli.raster.grid import Window
from specgan_cli.raster.masks import SENTINELS, equals, fits
from specgan_cli.raster.scene import Scene
from specgan_cli.types import Pixels

logger = logging.getLogger(__name__)

_CORNER = 3
"""Pixels along each axis of the corners that are looked at for a collar."""
_SENTINEL_SHARE, _COLLAR_SHARE = 1e-4, 0.01
"""Share of pixels from which `SENTINELS`, and the colour of a corner, are worth a warning."""


def corner_colours(scene: Scene) -> list[Pixels]:
    """Return the colours of corners that are valid and flat, as those of a collar are: 3 values."""
    rows, cols = scene.grid.shape_yx
    side = min(_CORNER, rows, cols)
    found: list[Pixels] = []
    for row in (0, rows - side):
        for col in (0, cols - side):
            values, valid = scene.read(Window(row, col, side, side))
            colour = values[:, 0, 0]
            known = any((colour == other).all() for other in found)
            if valid.all() and (values == colour[:, None, None]).all() and not known:
                found.append(colour)
    return found


def warn_of_untagged(scene: Scene) -> None:
    """Warn, once, when many pixels of a scene hold a value that looks like nodata and is not.

    These are -9999, -32768 and the lowest float in any band; and 0 or the type's highest value in
    all bands where a corner of the scene is flat and holds it.
    """
    dtype = np.dtype(scene.dtype)
    ends = {0.0, float(np.iinfo(dtype).max)} if dtype.kind in "iu" else {0.0}
    corners = [float(c[0]) for c in corner_colours(scene) if len(set(c.tolist())) == 1]
    flat = [value for value in corners if value in ends]
    if not flat and not any(fits(value, dtype) for value in SENTINELS):
        return
    sample = scene.sample()
    if not sample.size:
        return
    shares = {
        value: float(np.mean(hits.any(axis=0)))
        for value in SENTINELS
        if (hits := equals(sample, value)) is not None
    }
    shares |= {value: float((sample == value).all(axis=0).mean()) for value in flat}
    value, share = max(shares.items(), key=lambda item: item[1])
    if share < (_COLLAR_SHARE if value >= 0 else _SENTINEL_SHARE):
        return
    shown = f"{value:.9g}"
    logger.warning(
        "%s: %.1f %% of its pixels hold %s, which looks like nodata and is not tagged so; if they "
        "are missing, give --src-nodata %s",
        scene.name,
        100 * share,
        shown,
        shown,
    )
