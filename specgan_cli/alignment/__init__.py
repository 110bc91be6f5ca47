"""How a cube lies on a scene, measured and applied."""

from specgan_cli.alignment.estimate import THRESHOLD, align
from specgan_cli.resampling.cube_on_grid import cube_on_grid
from specgan_cli.resampling.model import UNALIGNED, Alignment

__all__ = ["THRESHOLD", "UNALIGNED", "Alignment", "align", "cube_on_grid"]
