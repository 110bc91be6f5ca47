"""A cube brought onto a scene's grid: aligned, resampled, written.

Whatever can be refused is refused before scipy is imported, which takes longer than to look.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from specgan import files
from specgan._version import __version__
from specgan.bands import CANONICAL_BANDS, Bands
from specgan.serde import to_plain
from specgan_cli import png
from specgan_cli.alignment.options import AlignOptions
from specgan_cli.cubes.cube import Cube
from specgan_cli.cubes.open import product_files
from specgan_cli.cubes.options import CubeOptions
from specgan_cli.cubes.spectral import resampling_matrix
from specgan_cli.geotiff.description import BandMetadata, Description
from specgan_cli.geotiff.options import WriteOptions
from specgan_cli.geotiff.writer import RasterWriter
from specgan_cli.inference.job import check_overlap
from specgan_cli.outputs import TIFF, check_ending, check_outputs
from specgan_cli.raster.area import Area, select
from specgan_cli.raster.bands import BandSpec
from specgan_cli.raster.drivers.polygons import area_file
from specgan_cli.raster.grid import Window, plan_tiles
from specgan_cli.raster.scene import Scene
from specgan_cli.raster.untagged import warn_of_untagged
from specgan_cli.resampling.model import UNALIGNED, Alignment

__all__ = ["AlignedCubeOptions", "align_cube", "wavelength_metadata"]

UNITS = 10000.0
"""Stored value of reflectance 1 in int16 cubes."""
NODATA = {"int16": -32768.0, "float32": -9999.0}
"""Nodata of the cubes written, by data type."""

_LIMIT = 32767.0


@dataclass(frozen=True)
class AlignedCubeOptions:
    """How a cube is read, aligned and written."""

    cube: CubeOptions = field(default_factory=CubeOptions)
    """What is known of the cube beyond its file."""
    bands: BandSpec | None = None
    """Red, green and blue band of the scene, by number, name or wavelength; None to find them."""
    src_nodata: float | str | None = None
    """Value of the scene's missing pixels, instead of the file's; "none" for no value."""
    alignment: AlignOptions = field(default_factory=AlignOptions)
    """How its displacement is looked for."""
    dtype: Literal["int16", "float32"] = "int16"
    """int16 holds reflectance x 10000, float32 reflectance."""
    aoi: str | None = None
    """The area outside which pixels are missing: GeoJSON, GeoPackage or WKT; None for all."""
    bounds: tuple[float, float, float, float] | None = None
    """left, bottom, right, top of the part that is written; None for the whole scene."""
    bounds_crs: str | None = None
    """CRS of the bounds, and of an area that is WKT; None for the scene's."""
    of: Literal["GTiff", "COG"] = "GTiff"
    """Output format."""
    co: Mapping[str, str] = field(default_factory=dict)
    """GDAL creation options."""
    lossy: bool = False
    """Whether creation options may change pixel values."""


def align_cube(
    scene_path: str | Path,
    cube_path: str | Path,
    output: str | Path | None,
    *,
    options: AlignedCubeOptions | None = None,
    dry_run: bool = False,
    quicklook: str | Path | None = None,
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Write a cube on the grid of a scene, on the canonical bands.

    Args:
        scene_path: The RGB scene.
        cube_path: The cube.
        output: The raster to write; may be None in a dry run.
        options: How to read, align and write.
        dry_run: Measure and report, but write no raster.
        quicklook: A PNG to draw, in a dry run too.
        overwrite: Replace an output that exists.
        progress: Told the stage, what is done and the total.

    Returns:
        A JSON-able report.

    Raises:
        RasterError: An input cannot be read.
        MismatchError: The two do not fit together.
        OutputError: The output cannot be written.
    """
    chosen = options or AlignedCubeOptions()
    target = None if output is None or dry_run else Path(output)
    picture = None if quicklook is None else Path(quicklook)
    others = [chosen.cube.table, area_file(chosen.aoi)]
    inputs = [scene_path, *product_files(str(cube_path)), *others]
    _check(target, picture, inputs, overwrite)
    rgb = Scene.open(scene_path, bands=chosen.bands, src_nodata=chosen.src_nodata)
    with rgb as scene, Cube.open(cube_path, chosen.cube) as cube:
        placed = _place(scene, cube, chosen)
        valid = None
        with files.together(), ExitStack() as stack:
            if target is not None:
                writer = stack.enter_context(_writer(placed, target, overwrite))
                valid = _write(placed, writer, progress)
            if picture is not None:
                from specgan_cli.pictures.quicklook import draw_quicklook

                png.write(picture, draw_quicklook(scene, cube, placed.alignment))
        return {
            **_report(placed),
            "output": None if output is None else str(output),
            "quicklook": None if quicklook is None else str(quicklook),
            "dry_run": dry_run,
            "valid_share": valid,
        }


@dataclass(frozen=True)
class _Placed:
    """A cube whose place on a scene is known."""

    scene: Scene
    """The open scene."""
    cube: Cube
    """The open cube."""
    alignment: Alignment
    """Where the cube lies."""
    crop: Window
    """The part of the scene that is written."""
    area: Area | None
    """The area outside which pixels are missing."""
    options: AlignedCubeOptions
    """How the cube is written."""


def _place(scene: Scene, cube: Cube, options: AlignedCubeOptions) -> _Placed:
    """Find where a cube lies; where its georeference is trusted, scipy is not imported for it."""
    cube.check_placed()
    check_overlap(scene, cube)
    warn_of_untagged(scene)
    crop, area = select(scene.grid, aoi=options.aoi, bounds=options.bounds, crs=options.bounds_crs)
    alignment = UNALIGNED
    if options.alignment.align:
        from specgan_cli.alignment.estimate import align

        alignment = align(scene, cube, options.alignment)
    return _Placed(scene, cube, alignment, crop, area, options)


def _check(
    target: Path | None,
    picture: Path | None,
    inputs: Sequence[str | Path | None],
    overwrite: bool,
) -> None:
    """Raise unless the outputs can be written, and have names that say what they will hold."""
    outputs = [path for path in (target, picture) if path is not None]
    check_outputs(outputs, inputs, overwrite=overwrite)
    if target is not None:
        check_ending(target, TIFF, "a GeoTIFF")
    if picture is not None:
        check_ending(picture, [".png"], "a PNG")


def wavelength_metadata(bands: Bands) -> list[BandMetadata]:
    """Metadata that names the bands in every store that readers look at.

    Band tags (`wavelength`, `wavelength_units`, `fwhm`), the IMAGERY domain (micrometres) and the
    dataset's ENVI namespace: between them they survive GeoTIFF and COG.
    """
    centres, widths = bands.wavelengths_nm, bands.fwhm_nm
    envi = {
        "wavelength": "{" + ", ".join(f"{nm:.6f}" for nm in centres) + "}",
        "fwhm": "{" + ", ".join(f"{nm:.6f}" for nm in widths) + "}",
        "wavelength_units": "Nanometers",
    }
    items = [BandMetadata(0, "ENVI", envi)]
    for band, (centre, width) in enumerate(zip(centres, widths, strict=True), start=1):
        named = {"wavelength": f"{centre:.6f}", "wavelength_units": "nm", "fwhm": f"{width:.6f}"}
        imagery = {
            "CENTRAL_WAVELENGTH_UM": f"{centre / 1000:.9f}",
            "FWHM_UM": f"{width / 1000:.9f}",
        }
        items += [BandMetadata(band, None, named), BandMetadata(band, "IMAGERY", imagery)]
    return items


def _writer(placed: _Placed, output: Path, overwrite: bool) -> RasterWriter:
    """Return the writer of the raster, not yet opened."""
    options = placed.options
    description = Description(
        placed.scene.grid.window(placed.crop),
        len(CANONICAL_BANDS),
        options.dtype,
        NODATA[options.dtype],
        tags=_tags(placed),
        metadata=wavelength_metadata(CANONICAL_BANDS),
    )
    writing = WriteOptions(options.of, options.co, lossy=options.lossy, overwrite=overwrite)
    return RasterWriter(output, description, writing)


def _write(
    placed: _Placed, writer: RasterWriter, progress: Callable[[str, int, int], None] | None
) -> float:
    """Write the raster window by window, finished but not in place.

    Returns:
        The share of pixels that the cube fills.
    """
    from specgan_cli.resampling.cube_on_grid import cube_on_grid

    filled, crop, grid = 0, placed.crop, placed.scene.grid
    tiles = plan_tiles(crop.shape_yx, writer.block)
    for done, window in enumerate(tiles, start=1):
        source = window.shifted(crop.row, crop.col)
        values, valid = cube_on_grid(placed.cube, grid, placed.alignment, CANONICAL_BANDS, source)
        if placed.area is not None:
            valid &= placed.area.mask(writer.description.grid.window(window))
        writer.write(_stored(values, writer.description.dtype), window, valid)
        filled += int(valid.sum())
        if progress is not None:
            progress("write", done, len(tiles))
    writer.finish()
    rows, cols = crop.shape_yx
    return filled / (rows * cols)


def _stored(values: NDArray[np.float32], dtype: str) -> NDArray[Any]:
    if dtype == "float32":
        return values
    return np.asarray(np.rint(np.clip(values * UNITS, -_LIMIT, _LIMIT)), dtype=np.int16)


def _tags(placed: _Placed) -> dict[str, str]:
    unit = UNITS if placed.options.dtype == "int16" else 1.0
    return {
        "TIFFTAG_SOFTWARE": f"specgan {__version__}",
        "SPECGAN_VERSION": __version__,
        "SPECGAN_INPUT": placed.scene.name,
        "SPECGAN_HSI": placed.cube.name,
        "SPECGAN_ALIGNMENT": json.dumps(to_plain(placed.alignment), sort_keys=True),
        "SCALE": f"{unit:g}",
    }


def _report(placed: _Placed) -> dict[str, Any]:
    cube, (rows, cols) = placed.cube, placed.crop.shape_yx
    _, coverage = resampling_matrix(cube.bands, CANONICAL_BANDS, cube.bad)
    width = np.dtype(placed.options.dtype).itemsize
    return {
        "scene": placed.scene.name,
        "cube": cube.name,
        "shape_yx": [rows, cols],
        "bands": len(CANONICAL_BANDS),
        "uncompressed_bytes": rows * cols * len(CANONICAL_BANDS) * width,
        "coverage": [round(float(share), 4) for share in coverage],
        "mean_coverage": round(float(coverage.mean()), 4),
        "bad_bands": int(cube.bad.sum()),
        "alignment": to_plain(placed.alignment),
    }
