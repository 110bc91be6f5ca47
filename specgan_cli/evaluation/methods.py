"""Ways to make an output from a chip: interpolations, and networks with and without their cube."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from specgan.bands import Bands
from specgan.errors import ShapeError
from specgan.layers import check_numbers
from specgan_cli.datasets.dataset import ChipRecord, Dataset
from specgan_cli.errors import MismatchError
from specgan_cli.evaluation.baselines import Baseline, interpolate
from specgan_cli.evaluation.chips import EvalChip, read_chip
from specgan_cli.evaluation.request import check_weights
from specgan_cli.types import F64, Mask

Variant = Literal["with", "without HSI", "shuffled HSI", "three bands"]
VARIANTS: tuple[Variant, ...] = ("with", "without HSI", "shuffled HSI", "three bands")
THREE_BANDS_NM = (650.0, 550.0, 450.0)
"""Red, green and blue: the bands that stay when only three are given."""


class Method(Protocol):
    """Something that turns chips into outputs."""

    @property
    def name(self) -> str:
        """How tables call it."""

    def applies(self, chip: EvalChip) -> bool:
        """Return whether the method has anything to say about this chip."""

    def predict(self, chip: EvalChip) -> list[F64]:
        """Return the outputs at x2, x4, ... up to the chip's scale, or the last alone."""


def in_file(values: F64, chip: EvalChip) -> F64:
    """Return an output as its file would hold it: saturated, and rounded for integer types."""
    return chip.radiometry.to_dtype(np.clip(values, *_finite_limits(chip))).astype(np.float64)


def _finite_limits(chip: EvalChip) -> tuple[float, float]:
    low, high = chip.radiometry.limits
    return (low, high) if np.isfinite(low) else (-np.inf, np.inf)


@dataclass(frozen=True)
class Interpolation:
    """A baseline that needs no weights."""

    name: Baseline
    """Which interpolation."""

    def applies(self, chip: EvalChip) -> bool:
        """Return true: every chip can be interpolated."""
        return True

    def predict(self, chip: EvalChip) -> list[F64]:
        """Interpolate the chip's input."""
        return [in_file(interpolate(chip.lr, chip.scale, self.name), chip)]


@dataclass
class Network:
    """A network's weights, run on chips.

    Deterministic: the seed is given and positions start at 0.
    """

    name: str
    """How tables call it."""
    network: Any
    """The module, in eval mode, with its `header`."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    """Where it runs."""
    variant: Variant = "with"
    """What it gets for a cube."""
    seed: int = 0
    """Of the invented detail."""
    partner: Callable[[EvalChip], EvalChip | None] = lambda chip: None
    """Finds the chip of another place whose cube the shuffled variant takes."""

    def with_seed(self, seed: int) -> "Network":
        """Return the same network with another seed."""
        return replace(self, seed=seed)

    def applies(self, chip: EvalChip) -> bool:
        """Return whether the chip has the cube that a variant would change."""
        return self.variant == "with" or bool(chip.cube)

    def predict(self, chip: EvalChip) -> list[F64]:
        """Run the network on a chip.

        Raises:
            ShapeError: The network cannot take a chip of this size.
            MismatchError: The chip's cube has other bands than the network was trained on.
            WeightsError: The weights make values that are no numbers.
        """
        rgb = torch.from_numpy(chip.radiometry.to_unit(chip.lr))[None].to(self.device)
        hsi, masks = self._cube(chip)
        with torch.inference_mode():
            outputs = self._run(rgb, hsi, masks, chip)
        check_numbers(outputs[-1])
        results = []
        for output in outputs:
            unit = output[0].float().clamp(-1, 1).cpu().numpy()
            results.append(in_file(chip.radiometry.from_unit(unit).astype(np.float64), chip))
        return results

    def _run(
        self, rgb: Tensor, hsi: list[Tensor], masks: list[Tensor], chip: EvalChip
    ) -> list[Tensor]:
        keywords = {"gsd": chip.lr_gsd, "scale": chip.scale, "seed": self.seed}
        if hasattr(self.network, "octaves"):
            octaves: list[Tensor] = self.network.octaves(rgb, hsi, masks, **keywords)
            return octaves
        # The published network takes a cube on the LR grid alone.
        return [
            self.network(rgb, *(each[0] if each else None for each in (hsi, masks)), **keywords)
        ]

    def _cube(self, chip: EvalChip) -> tuple[list[Tensor], list[Tensor]]:
        """Return the cube and its mask, N x bands x h x w, on every grid; empty for no cube."""
        source = self.partner(chip) if self.variant == "shuffled HSI" else chip
        if self.variant == "without HSI" or source is None:
            return [], []
        header = self.network.header
        hsi, masks = [], []
        for level, grid in enumerate(source.cube):
            values = standardise(grid.values, header.hsi_mean, header.hsi_std)
            shape_yx = (chip.lr.shape[1] << level, chip.lr.shape[2] << level)
            values = _fit(values, shape_yx)
            known = source.record.known_bands(len(values))
            if self.variant == "three bands":
                known &= visible_bands(header.bands.wavelengths_nm)
            valid = _fit(known & grid.valid, shape_yx)
            cube = torch.from_numpy(np.where(valid, values, 0).astype(np.float32))
            mask = torch.from_numpy(valid.astype(np.float32))
            hsi.append(cube[None].to(self.device))
            masks.append(mask[None].to(self.device))
        return hsi, masks


@dataclass(frozen=True)
class Partners:
    """For each chip another one, of another place, whose cube it may be given by mistake."""

    dataset: Dataset
    """Where the chips are."""
    records: tuple[ChipRecord, ...]
    """Chips with a cube, in a fixed order."""

    def find(self, chip: EvalChip) -> EvalChip | None:
        """Read the next chip after this one that is of another group; None when there is none."""
        names = [record.id for record in self.records]
        start = names.index(chip.record.id) + 1 if chip.record.id in names else 0
        for step in range(len(self.records)):
            record = self.records[(start + step) % len(self.records)]
            if record.group != chip.record.group:
                return read_chip(self.dataset, record, chip.scale)
        return None


def ablation(network: "Network", partners: Partners) -> list["Network"]:
    """Return the variants of a network that get no cube, another place's, or three bands of it."""
    return [
        replace(network, name=f"{network.name}, {variant}", variant=variant, partner=partners.find)
        for variant in VARIANTS[1:]
    ]


def standardise(hsi: Any, mean: Sequence[float], std: Sequence[float]) -> Any:
    """Return (reflectance - mean) / std of bands x h x w.

    Raises:
        MismatchError: The statistics have another number of bands.
    """
    if len(mean) != hsi.shape[0]:
        raise MismatchError(
            f"the cube has {hsi.shape[0]} bands and the weights were trained on {len(mean)}: "
            "prepare the dataset on the canonical bands"
        )
    means, stds = (np.asarray(part, np.float32)[:, None, None] for part in (mean, std))
    return (hsi - means) / stds


def visible_bands(wavelengths_nm: Sequence[float]) -> Mask:
    """Return which bands are the nearest to red, green and blue: bands x 1 x 1."""
    centres = np.asarray(wavelengths_nm)
    kept = np.zeros(len(centres), bool)
    kept[[int(np.abs(centres - wanted).argmin()) for wanted in THREE_BANDS_NM]] = True
    return kept[:, None, None]


def _fit(values: Any, shape_yx: tuple[int, int]) -> Any:
    """Repeat or cut a cube of another chip to a shape."""
    rows = np.arange(shape_yx[0]) % values.shape[1]
    cols = np.arange(shape_yx[1]) % values.shape[2]
    return values[:, rows][:, :, cols]


def load_network(
    name_or_path: str | Path,
    scale: int,
    bands: Bands,
    device: torch.device,
    fidelity: float = 0.0,
) -> Any:
    """Load weights and check that they fit the dataset.

    Args:
        name_or_path: A shipped name or a file.
        scale: The factor to measure.
        bands: Of the dataset's cubes.
        device: Where the network runs.
        fidelity: As for `specgan.load`.

    Raises:
        WeightsError: The weights cannot be read, or have no second set for `fidelity`.
        MismatchError: They do not reach the factor, or were trained on other bands.
    """
    import specgan

    check_weights(name_or_path, scale, bands)
    return specgan.load(str(name_or_path), device=device, fidelity=fidelity)


def label(name_or_path: str | Path) -> str:
    """Return how tables call some weights: the file's stem, or the shipped name."""
    return Path(name_or_path).stem if "/" in str(name_or_path) else str(name_or_path)


def can_run(method: Method, chip: EvalChip) -> list[F64] | None:
    """Return the prediction, or None where a network of fixed size cannot take the chip."""
    try:
        return method.predict(chip)
    except ShapeError:
        return None
