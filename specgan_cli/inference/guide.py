"""The hyperspectral guide: a cube, brought onto the scene's grid window by window."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from specgan.header import Header
from specgan_cli.errors import MismatchError
from specgan_cli.inference.request import InputOptions
from specgan_cli.inference.tile import Floats
from specgan_cli.raster.alignment import UNALIGNED, Alignment, align, cube_on_grid
from specgan_cli.raster.bands import Bands
from specgan_cli.raster.cube import Cube
from specgan_cli.raster.grid import Grid, Window
from specgan_cli.raster.scene import Scene, redact, reflect


@dataclass(frozen=True)
class Guide:
    """A cube, and how it becomes the network's `hsi` input."""

    cube: Cube
    """The open cube."""

    alignment: Alignment | None
    """Where the cube really lies; None takes its georeference at its word."""

    header: Header
    """Bands, mean and standard deviation that the network expects."""

    def read(self, grid: Grid, window: Window) -> tuple[Floats, Floats]:
        """Read the ground of a window of the scene, reflected beyond the scene's edges as RGB is.

        Args:
            grid: The whole scene's grid.
            window: A window of it; may reach beyond its edges.

        Returns:
            Bands x H x W, standardised and 0 where invalid; and 1 x H x W, 1 where valid.
        """
        rows = reflect(window.row, window.height, grid.shape_yx[0])
        cols = reflect(window.col, window.width, grid.shape_yx[1])
        row, col = int(rows.min()), int(cols.min())
        source = Window(row, col, int(rows.max()) - row + 1, int(cols.max()) - col + 1)
        wanted = Bands(self.header.bands.wavelengths_nm, self.header.bands.fwhm_nm)
        reflectance, valid = cube_on_grid(
            self.cube, grid, alignment=self.alignment, bands=wanted, window=source
        )
        picked = np.ix_(rows - row, cols - col)
        reflectance, valid = reflectance[:, picked[0], picked[1]], valid[picked]
        mean = np.asarray(self.header.hsi_mean, np.float32)[:, None, None]
        std = np.asarray(self.header.hsi_std, np.float32)[:, None, None]
        standard = np.where(valid, (reflectance - mean) / std, np.float32(0))
        return standard.astype(np.float32), valid[None].astype(np.float32)


def open_guide(
    stack: ExitStack,
    scene: Scene,
    inputs: InputOptions,
    header: Header,
    known: dict[str, Any] | None = None,
) -> tuple[Guide, dict[str, Any]]:
    """Open the cube, and find where it lies on the scene.

    Args:
        stack: Closes the cube in the end.
        scene: The open scene.
        inputs: Names the cube, and says whether and how far it may be moved.
        header: What the network expects.
        known: Where the cube lies, as JSON values, when that was found before.

    Returns:
        The guide, and the alignment as JSON values.

    Raises:
        RasterError: The cube cannot be read.
        MismatchError: The two do not overlap, or no reliable place was found.
    """
    assert inputs.hsi is not None
    cube = stack.enter_context(
        Cube.open(
            inputs.hsi,
            wavelengths=inputs.wavelengths,
            scale=inputs.hsi_scale,
            bad_bands=inputs.bad_bands,
            crs=inputs.hsi_crs,
            origin=inputs.hsi_origin,
        )
    )
    check_overlap(scene, cube)
    if known is not None:
        alignment = Alignment.from_json(known)
    elif inputs.align:
        alignment = align(scene, cube, max_shift=inputs.max_shift)
    else:
        alignment = UNALIGNED
    return Guide(cube, alignment, header), alignment.to_json()


def check_overlap(scene: Scene, cube: Cube) -> None:
    """Raise unless scene and cube share ground.

    Raises:
        MismatchError: They do not, or only one of them has a CRS.
    """
    try:
        shared = scene.grid.intersection(cube.grid)
    except ValueError as error:
        raise MismatchError(f"{redact(cube.path)}: has no CRS; give it with --hsi-crs") from error
    if shared is None:
        raise MismatchError(
            f"{redact(cube.path)} does not overlap {scene.name}; check the CRSs, or give the "
            "cube's place with --hsi-crs and --hsi-origin"
        )
