"""How a cube lies on a scene, measured and applied."""

from specgan_cli.raster.alignment_cube import cube_on_grid
from specgan_cli.raster.alignment_estimate import THRESHOLD, align
from specgan_cli.raster.alignment_model import UNALIGNED, Alignment

__all__ = ["THRESHOLD", "UNALIGNED", "Alignment", "align", "cube_on_grid"]
