"""The metrics by name: unit, range, direction and the accumulator that measures them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from specgan.errors import SpecganError

Better = Literal["higher", "lower", "one"]


class MetricNameError(SpecganError):
    """A metric was asked for that does not exist."""

    exit_code = 2


@dataclass(frozen=True)
class MetricInfo:
    """What a reader must know of a metric."""

    unit: str
    """Unit; empty for pure numbers."""
    range: str
    """Possible values."""
    better: Better
    """Which way is better; "one" when the reference's value, about 1, is best."""
    group: str
    """Name of the accumulator that measures it."""
    title: str
    """A few words for tables."""


def _info(unit: str, values: str, better: Better, group: str, title: str) -> MetricInfo:
    return MetricInfo(unit, values, better, group, title)


def _beside(
    name: str, unit: str, values: str, better: Better, group: str, title: str
) -> dict[str, MetricInfo]:
    """Return a measure of one image, the reference's own value, and the ratio of the two."""
    return {
        name: _info(unit, values, better, group, title),
        f"{name}_reference": _info(unit, values, better, group, f"{title} of the reference"),
        f"{name}_ratio": _info("", "0..inf", "one", group, f"{title}, ratio to the reference's"),
    }


METRICS: dict[str, MetricInfo] = {
    "psnr": _info("dB", "0..inf", "higher", "fidelity", "PSNR"),
    "rmse": _info("file units", "0..range", "lower", "fidelity", "RMSE"),
    "mae": _info("file units", "0..range", "lower", "fidelity", "mean absolute error"),
    "bias": _info(
        "file units", "0..range", "lower", "fidelity", "largest mean difference of a band"
    ),
    "ergas": _info("", "0..inf", "lower", "fidelity", "ERGAS"),
    "sam": _info("degrees", "0..90", "lower", "fidelity", "spectral angle"),
    "ssim": _info("", "-1..1", "higher", "windows", "SSIM"),
    "ms_ssim": _info("", "0..1", "higher", "windows", "MS-SSIM"),
    "uqi": _info("", "-1..1", "higher", "windows", "UQI"),
    "published_psnr": _info("dB", "0..inf", "higher", "published", "PSNR, published protocol"),
    "published_ssim": _info("", "-1..1", "higher", "published", "SSIM, published protocol"),
    "lr_psnr": _info("dB", "0..inf", "higher", "consistency", "LR consistency"),
    "lr_largest": _info("file units", "0..range", "lower", "consistency", "LR largest error"),
    "reflectance": _info("range", "0..1", "lower", "opensr", "reflectance consistency"),
    "spectral": _info("degrees", "0..90", "lower", "opensr", "spectral consistency"),
    "spatial": _info("LR pixels", "0..5", "lower", "opensr", "spatial consistency"),
    "synthesis": _info("range", "0..1", "higher", "opensr", "synthesis: detail added"),
    "hallucination": _info("", "0..1", "lower", "opensr", "hallucination"),
    "omission": _info("", "0..1", "lower", "opensr", "omission"),
    "improvement": _info("", "0..1", "higher", "opensr", "improvement"),
    "spectrum": _info("log10", "0..inf", "lower", "spectrum", "power spectrum error"),
    "spectrum_pooled": _info("log10", "0..inf", "lower", "spectrum", "pooled spectrum error"),
    "edge_transfer": _info("", "-inf..inf", "one", "edges", "edge transfer"),
    "edge_strength": _info("", "0..inf", "one", "edges", "edge strength"),
    **_beside("line_share", "", "0..1", "higher", "lines", "share of edges on straight lines"),
    **_beside("line_density", "", "0..1", "higher", "lines", "straight edges by area"),
    **_beside("flat_roughness", "L*", "0..50", "lower", "contrast", "roughness of flat ground"),
    **_beside("edge_contrast", "L*", "0..50", "higher", "contrast", "contrast at strong edges"),
    **_beside("specks", "", "0..1", "lower", "specks", "coloured specks"),
    **_beside("lattice", "", "1..s", "lower", "seams", "lattice of the LR cell"),
    "grid_step": _info("", "0..inf", "one", "seams", "2 x 2 step ratio"),
    "grid_step_reference": _info("", "0..inf", "one", "seams", "2 x 2 step ratio of the reference"),
    "seam": _info("", "0..inf", "one", "seams", "LR-grid step ratio"),
    "seam_reference": _info("", "0..inf", "one", "seams", "LR-grid step ratio of the reference"),
    "colour_spread": _info("file units", "0..range", "lower", "colour", "colour spread error"),
    "perceptual": _info("", "0..inf", "lower", "perceptual", "perceptual distance"),
    "aerial": _info("", "0..2", "lower", "perceptual", "distance on aerial features"),
    "frechet_distance": _info("", "0..inf", "lower", "perceptual", "Frechet distance of features"),
    "probe_accuracy": _info("", "0..1", "higher", "probe", "linear-probe accuracy"),
    "hsi_agreement": _info("", "0..1", "higher", "probe", "agreement with the cube's classes"),
}
"""Every metric; the formulas are in docs/metrics.md."""

POOLED_ONLY = ("spectrum_pooled", "frechet_distance", "probe_accuracy", "hsi_agreement")
"""Metrics of all chips together, without a value for each chip."""


RATIOS = {
    name: (name.removesuffix("_ratio"), name.removesuffix("_ratio") + "_reference")
    for name in METRICS
    if name.endswith("_ratio")
}
"""By ratio: its two measures.  Over chips it is the ratio of their means."""


def check_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names, in the catalogue's order, all of them when none is given.

    Raises:
        MetricNameError: One does not exist; the message lists those that do.
    """
    wanted = list(names)
    for name in wanted:
        if name not in METRICS:
            raise MetricNameError(f"there is no metric {name!r}; there are {', '.join(METRICS)}")
    return tuple(name for name in METRICS if not wanted or name in wanted)


def better(name: str, first: float, second: float) -> bool:
    """Return whether the first value of a metric is better than the second."""
    direction = METRICS[name].better
    if direction == "one":
        return abs(first - 1) < abs(second - 1)
    return first > second if direction == "higher" else first < second
