"""All accumulators that a list of metrics needs, as one accumulator."""

import math
from collections.abc import Callable, Iterable
from typing import Protocol

from specgan_cli.evaluation.image_pair import Tile, Units
from specgan_cli.evaluation.metrics.catalogue import METRICS, check_names
from specgan_cli.evaluation.metrics.colour import ColourSpread, Specks
from specgan_cli.evaluation.metrics.edges import Edges, LocalContrast
from specgan_cli.evaluation.metrics.fidelity import Consistency, Fidelity
from specgan_cli.evaluation.metrics.grid_artifacts import Seams
from specgan_cli.evaluation.metrics.lines import Lines
from specgan_cli.evaluation.metrics.opensr import OpenSr
from specgan_cli.evaluation.metrics.published_protocol import PublishedProtocol
from specgan_cli.evaluation.metrics.spectrum import SpectrumDistance
from specgan_cli.evaluation.metrics.ssim import Windows


class Accumulator(Protocol):
    """What every metric module offers."""

    def update(self, tile: Tile) -> None:
        """Add a tile."""

    def results(self) -> dict[str, float]:
        """Return the measures by name."""


_MAKERS: dict[str, Callable[[Units], Accumulator]] = {
    "fidelity": lambda units: Fidelity(units.data_range, units.scale),
    "windows": lambda units: Windows(units.data_range),
    "published": lambda units: PublishedProtocol(units.low, units.high),
    "consistency": lambda units: Consistency(units.data_range),
    "opensr": lambda units: OpenSr(units.low, units.high),
    "spectrum": lambda units: SpectrumDistance(units.data_range),
    "edges": lambda units: Edges(),
    "seams": lambda units: Seams(units.scale),
    "colour": lambda units: ColourSpread(),
    "lines": lambda units: Lines(units.low, units.high),
    "contrast": lambda units: LocalContrast(units.low, units.high),
    "specks": lambda units: Specks(units.low, units.high),
}


class Suite:
    """Accumulators for the groups of some metrics.

    Args:
        units: Units of the images.
        names: Metrics; all when empty.  Those of backbone and probe are measured elsewhere.
    """

    def __init__(self, units: Units, names: Iterable[str] = ()) -> None:
        self.units = units
        self.names = check_names(names)
        groups = dict.fromkeys(METRICS[name].group for name in self.names)
        self.parts = {group: _MAKERS[group](units) for group in groups if group in _MAKERS}

    def update(self, tile: Tile) -> None:
        """Add a tile to every accumulator."""
        for part in self.parts.values():
            part.update(tile)

    def merge(self, other: "Suite") -> None:
        """Add what another suite of the same metrics has seen."""
        for group, part in self.parts.items():
            part.merge(other.parts[group])  # type: ignore[attr-defined]

    def results(self) -> dict[str, float]:
        """Return the chosen metrics by name, NaN where one could not be measured."""
        found: dict[str, float] = {}
        for part in self.parts.values():
            found.update(part.results())
        return {name: found.get(name, math.nan) for name in self.names if name in found}

    @property
    def spectrum(self) -> SpectrumDistance | None:
        """The spectra, when they are measured."""
        part = self.parts.get("spectrum")
        return part if isinstance(part, SpectrumDistance) else None

    @property
    def fidelity(self) -> Fidelity | None:
        """The pixel sums, when they are measured."""
        part = self.parts.get("fidelity")
        return part if isinstance(part, Fidelity) else None
