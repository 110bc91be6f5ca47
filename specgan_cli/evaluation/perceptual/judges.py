"""The networks that judge how an output looks, and what they saw of the truth."""

from dataclasses import dataclass
from pathlib import Path

import torch

from specgan_cli.evaluation.image_pair import Tile
from specgan_cli.evaluation.perceptual.aerial import AerialFeatures, AerialModel
from specgan_cli.evaluation.perceptual.features import Features, PerceptualModel, blend_invalid
from specgan_cli.types import F64


@dataclass(frozen=True)
class Seen:
    """What the judges see of one image; None where it is too small, or there is no judge."""

    perceptual: Features | None
    aerial: AerialFeatures | None

    def __bool__(self) -> bool:
        return bool(self.perceptual or self.aerial)


@dataclass(frozen=True)
class Judges:
    """Two judges of different kin; either may be missing."""

    perceptual: PerceptualModel | None = None
    """Trained on photographs and people's answers (LPIPS); also gives the Frechet distance."""
    aerial: AerialModel | None = None
    """Trained on aerial images."""

    @classmethod
    def load(
        cls,
        perceptual: Path | None,
        aerial: Path | None,
        *,
        low: float,
        high: float,
        device: torch.device,
    ) -> "Judges":
        """Read the judges whose weights are named.

        Args:
            perceptual: Weights of stlpips-pytorch, or a VGG16 state dict; or None.
            aerial: Weights of geoembed; or None.
            low: File value of black.
            high: File value of white.
            device: Where they run.

        Raises:
            WeightsError: A file is missing or of no known layout.
        """
        return cls(
            PerceptualModel.load(perceptual, low, high, device) if perceptual else None,
            AerialModel.load(aerial, low, high, device) if aerial else None,
        )

    def look(self, image: F64) -> Seen:
        """Compute the features of a 3 x H x W image in file units."""
        return Seen(
            None if self.perceptual is None else self.perceptual.features(image),
            None if self.aerial is None else self.aerial.features(image),
        )

    def reference(self, tile: Tile) -> Seen:
        """Look at the reference of a tile's core."""
        return self.look(
            blend_invalid(tile.core_reference, tile.core_reference, tile.core_valid)[0]
        )

    def output(self, tile: Tile) -> Seen:
        """Look at the output in a tile's core."""
        return self.look(blend_invalid(tile.core_sr, tile.core_reference, tile.core_valid)[0])

    def distances(self, output: Seen, reference: Seen) -> dict[str, float]:
        """Return each judge's distance by the name of its metric."""
        found = {}
        if self.perceptual and output.perceptual and reference.perceptual:
            found["perceptual"] = self.perceptual.distance(output.perceptual, reference.perceptual)
        if self.aerial and output.aerial and reference.aerial:
            found["aerial"] = self.aerial.distance(output.aerial, reference.aerial)
        return found


NO_JUDGES = Judges()
"""Leaves the perceptual figures out."""
