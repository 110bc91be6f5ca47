"""Straight lines: the share of edge pixels that lie on straight segments."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from specgan_cli.evaluation.image_pair import Tile
from specgan_cli.evaluation.metrics.reference_ratio import ReferenceRatio
from specgan_cli.types import F64, Mask

LUMA = np.array([0.299, 0.587, 0.114])
"""Grey of red, green and blue (ITU-R BT.601)."""

SIGMA = 1.5
"""Pixels: Gaussian before the gradient."""

LOW, HIGH = 25.0, 50.0
"""Hysteresis of the Sobel magnitude, grey levels of 8 bits (a slope of 1 a pixel has 8)."""

ANGLES = 180
"""Directions of segments over half a turn."""

SHIFTS = 2
"""Rows of strips, one pixel wide each, with shifted borders: a line lies inside one of them."""

TOLERANCE = 0.4
"""Radians: most between a segment's normal and the gradients of its pixels."""

LENGTH = 28
"""Pixels: shortest segment."""

GAP = 2
"""Pixels: most that may be missing between two pixels of a segment."""

_EIGHT = np.ones((3, 3), bool)


def canny(grey: F64, valid: Mask) -> tuple[Mask, F64]:
    """Find edges: Canny 1986, maxima of the smoothed gradient along its direction, hysteresis.

    Args:
        grey: H x W, grey levels 0..255.
        valid: H x W.

    Returns:
        H x W, true on edges, none beside invalid pixels or the image's border; and the direction
        of the gradient at every pixel, radians from the columns' direction towards the rows'.
    """
    weight = ndimage.gaussian_filter(valid.astype(np.float64), SIGMA, mode="constant")
    smooth = ndimage.gaussian_filter(np.where(valid, grey, 0.0), SIGMA, mode="constant")
    smooth = smooth / np.maximum(weight, 1e-12)
    gradient = np.stack([ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1)])
    magnitude = np.hypot(*gradient)
    peaks = ndimage.binary_erosion(valid, _EIGHT) & (magnitude >= LOW)
    places = np.argwhere(peaks).T
    steps = gradient[:, peaks] / np.abs(gradient[:, peaks]).max(0)
    sides = [ndimage.map_coordinates(magnitude, places + s, order=1) for s in (steps, -steps)]
    peaks[peaks] = (magnitude[peaks] >= sides[0]) & (magnitude[peaks] >= sides[1])
    labels, count = ndimage.label(peaks, _EIGHT)
    strongest = ndimage.maximum(magnitude, labels, np.arange(count + 1))
    return np.asarray(peaks & (strongest >= HIGH)[labels]), np.arctan2(*gradient)


def straight(edges: Mask, direction: F64) -> Mask:
    """Return which edge pixels lie on straight segments.

    A Hough transform by strips: for every direction of segments, the edge pixels whose gradient
    is normal to it are sorted into strips one pixel wide; runs along a strip without a gap over
    `GAP`, of `LENGTH` or more, are segments.  Without the test of the gradient any dense gravel
    holds lines.

    Args:
        edges: H x W.
        direction: H x W: of the gradient, radians, as `canny` returns it.
    """
    rows, cols = np.nonzero(edges)
    normals = direction[edges]
    found = np.zeros(rows.size, bool)
    for angle in np.arange(ANGLES) * math.pi / ANGLES:
        near = np.abs((normals - angle) % math.pi - math.pi / 2) <= TOLERANCE
        if not near.any():
            continue
        along = cols[near] * math.cos(angle) + rows[near] * math.sin(angle)
        across = rows[near] * math.cos(angle) - cols[near] * math.sin(angle)
        for shift in range(SHIFTS):
            found[near] |= _on_runs(np.floor(across + shift / SHIFTS), along)
    result = np.zeros(edges.shape, bool)
    result[rows, cols] = found
    return result


def _on_runs(strip: F64, along: F64) -> NDArray[np.bool_]:
    """Return which pixels lie on runs of `LENGTH` or more, from their strips and places there."""
    order = np.argsort(strip * 4 * (np.ptp(along) + 1) + along)
    strip, along = strip[order], along[order]
    ends = np.flatnonzero((np.diff(strip) != 0) | (np.diff(along) > GAP + 1))
    first, last = np.append(0, ends + 1), np.append(ends, along.size - 1)
    long = along[last] - along[first] >= LENGTH - 1
    on = np.empty(along.size, bool)
    on[order] = np.repeat(long, last - first + 1)
    return on


def line_map(image: F64, valid: Mask, low: float, high: float) -> tuple[Mask, Mask]:
    """Return the edge pixels of an image, and those of them that lie on straight segments.

    Args:
        image: C x H x W in file units.
        valid: H x W.
        low: File value of black.
        high: File value of white.
    """
    grey = LUMA @ image[:3].reshape(3, -1) if image.shape[0] >= 3 else image[0].ravel()
    edges, direction = canny((grey.reshape(valid.shape) - low) / (high - low) * 255, valid)
    return edges, straight(edges, direction)


@dataclass
class Lines:
    """Straight lines: roofs, kerbs, lane marks, furrows.

    `line_share` is how many of an image's own edge pixels lie on straight segments: gravel and
    chains of blobs make edges that lie on none.  `line_density` counts those pixels by area: blur
    has few of them.
    """

    low: float
    """File value of black."""
    high: float
    """File value of white."""
    share: ReferenceRatio = field(default_factory=lambda: ReferenceRatio("line_share"))
    """Edge pixels on segments, of all edge pixels."""
    density: ReferenceRatio = field(default_factory=lambda: ReferenceRatio("line_density"))
    """Edge pixels on segments, of all valid pixels."""

    def update(self, tile: Tile) -> None:
        """Add the edges inside a tile's core, found with the halo's help."""
        found = (
            line_map(tile.hr_sr, tile.hr_valid, self.low, self.high),
            tile.of_reference("lines", lambda a, v: line_map(a, v, self.low, self.high)),
        )
        sr, reference = (
            (float(on[tile.core].sum()), int(edges[tile.core].sum())) for edges, on in found
        )
        pixels = int(tile.core_valid.sum())
        self.share.add(sr, reference)
        self.density.add((sr[0], pixels), (reference[0], pixels))

    def merge(self, other: "Lines") -> None:
        """Add what another accumulator has seen."""
        self.share.merge(other.share)
        self.density.merge(other.density)

    def results(self) -> dict[str, float]:
        """Return both, the reference's and the ratios; no share where there is no edge."""
        return self.share.results() | self.density.results()
