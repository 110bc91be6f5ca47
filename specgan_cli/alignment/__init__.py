"""How a cube lies on a scene, measured and applied."""

from specgan_cli.alignment.estimate import align
from specgan_cli.alignment.options import AlignOptions
from specgan_cli.resampling.cube_on_grid import cube_on_grid
from specgan_cli.resampling.model import UNALIGNED, Alignment

__all__ = ["UNALIGNED", "AlignOptions", "Alignment", "align", "cube_on_grid"]
