"""What `import specgan` offers beside the networks: the command line's work, on rasters and arrays.

The one part of this package that knows `specgan_cli`; torch and GDAL are loaded by the calls.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from specgan.api.options import (
    AnyPath,
    EnhanceOptions,
    UpscaleOptions,
    check_names,
    make_request,
)
from specgan.errors import ShapeError

if TYPE_CHECKING:
    from specgan_cli.alignment.options import AlignOptions as AlignOptions
    from specgan_cli.cubes.cube import Cube as Cube
    from specgan_cli.cubes.options import CubeOptions as CubeOptions
    from specgan_cli.inference.report import UpscaleReport as UpscaleReport
    from specgan_cli.raster.bands import BandSpec
    from specgan_cli.raster.drivers.arrays import GeoArray as GeoArray
    from specgan_cli.resampling.model import Alignment as Alignment


@overload
def upscale(
    source: Any,
    output: AnyPath,
    *,
    hsi: Any = None,
    scale: int = 32,
    progress: Callable[[int, int], None] | None = None,
    **options: Unpack[UpscaleOptions],
) -> "UpscaleReport": ...
@overload
def upscale(
    source: Any,
    output: None = None,
    *,
    hsi: Any = None,
    scale: int = 32,
    progress: Callable[[int, int], None] | None = None,
    **options: Unpack[UpscaleOptions],
) -> Any: ...
def upscale(
    source: Any,
    output: AnyPath | None = None,
    *,
    hsi: Any = None,
    scale: int = 32,
    progress: Callable[[int, int], None] | None = None,
    **options: Unpack[UpscaleOptions],
) -> Any:
    """Upscale a georeferenced RGB scene, as `specgan upscale` does.

    Args:
        source: A path or URL, an open dataset of rasterio, an `xarray.DataArray` with `rio`, or
            (array, transform, CRS) with an array C x H x W in file units; a masked array says
            which pixels are missing.  A list of paths is one scene, each file a band.
        output: The GeoTIFF to write; None returns the pixels.
        hsi: A hyperspectral cube over the same ground, in the same forms.
        scale: 2, 4, 8, 16 or 32 output pixels per input pixel along one axis.
        progress: Called with the tiles done and all tiles.
        options: The command's options, by their long names.

    Returns:
        A report where `output` is written.  Else a DataArray for a DataArray, and for other
        sources a `GeoArray` with 3 x sH x sW pixels in the source's type and the new transform.

    Raises:
        SpecganError: As the command fails; the output path holds what it held before.
        TypeError: An unknown option, or one that goes with an output path without one.
    """
    from specgan_cli.raster.drivers.arrays import as_path, is_dataarray, nodata_of, to_dataarray
    from specgan_cli.workflows import upscale as workflow

    given: dict[str, Any] = dict(options)
    check_names(given, UpscaleOptions, output is None)
    files = source if isinstance(source, list) else []
    if files and all(isinstance(file, str | os.PathLike) for file in files):
        given["stack"] = tuple(os.fspath(file) for file in files)
        source = given["stack"][0]
    nodata = nodata_of(source)
    if nodata is not None:
        given.setdefault("src_nodata", nodata)
    with ExitStack() as stack:
        scene = stack.enter_context(as_path(source))
        cube = None if hsi is None else stack.enter_context(as_path(hsi))
        request = make_request({**given, "scene": scene, "hsi": cube, "scale": scale}, output)
        if output is not None:
            return workflow.upscale(request, progress=progress)
        result = workflow.upscale_array(request, progress=progress)
    return to_dataarray(result, source) if is_dataarray(source) else result


def enhance(
    rgb: NDArray[Any],
    hsi: NDArray[Any] | None = None,
    *,
    gsd: float,
    scale: int = 32,
    wavelengths: Sequence[float] | None = None,
    nodata: float | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Unpack[EnhanceOptions],
) -> NDArray[Any]:
    """Upscale an RGB array that lies nowhere in particular.

    Args:
        rgb: 3 x H x W or H x W x 3 in file units, any whole-number type or float32 or float64;
            3 x H x 3 is taken for 3 x H x W.  A masked array says which pixels are missing.
        hsi: Reflectance 0..1 of the same pixels, bands x H x W, or H x W x bands where `rgb` is
            H x W x 3; pixels that are zero in all bands, or not finite, are missing.
        gsd: Size of an input pixel in metres.
        scale: 2, 4, 8, 16 or 32 output pixels per input pixel along one axis.
        wavelengths: Centres of the bands of `hsi` in nanometres.
        nodata: Value of missing pixels.
        progress: Called with the tiles done and all tiles.
        options: The command's options, by their long names.

    Returns:
        3 x sH x sW or sH x sW x 3, as `rgb`, in its type; a masked array where pixels are missing.

    Raises:
        ShapeError: An array of another shape, a `gsd` that is not positive, or a cube without its
            wavelengths.
        SpecganError: As the command fails.
    """
    from affine import Affine

    from specgan.bands import Bands
    from specgan_cli.alignment.options import AlignOptions
    from specgan_cli.cubes.options import CubeOptions
    from specgan_cli.raster.drivers.arrays import GeoArray, in_memory
    from specgan_cli.workflows import upscale as workflow

    given: dict[str, Any] = dict(options)
    check_names(given, EnhanceOptions, True)
    channels = _channels(rgb)
    if not gsd > 0:
        raise ShapeError(f"gsd is {gsd}, expected a positive number of metres")
    transform = Affine(gsd, 0, 0, 0, -gsd, 0)
    with ExitStack() as stack:
        image = GeoArray(np.moveaxis(rgb, channels, 0), transform, None)
        given["scene"] = stack.enter_context(in_memory(image))
        if hsi is not None:
            cube = _cube(hsi, wavelengths, channels, image.array.shape[1:])
            given["hsi"] = stack.enter_context(in_memory(GeoArray(cube, transform, None)))
            bands = Bands.from_wavelengths([] if wavelengths is None else wavelengths)
            given["cube"] = CubeOptions(wavelengths=bands, scale=1.0)
        given.update(alignment=AlignOptions(align=False), georeferenced=False)
        request = make_request({**given, "src_nodata": nodata, "scale": scale}, None)
        result = workflow.upscale_array(request, progress=progress)
    return np.moveaxis(result.array, 0, channels)


def align(
    scene: Any,
    cube: "AnyPath | Cube",
    options: "AlignOptions | None" = None,
    *,
    cube_options: "CubeOptions | None" = None,
    bands: "BandSpec | None" = None,
    src_nodata: float | Literal["none"] | None = None,
) -> "Alignment":
    """Measure where a cube really lies on a scene.

    Args:
        scene: The scene, in the forms that `upscale` takes.
        cube: The cube: a path, or one that `open_cube` opened.
        options: How to look; the command's defaults when None.
        cube_options: What is known of a cube that is given as a path.
        bands: Red, green and blue band of the scene, by number, name or wavelength.
        src_nodata: Value of the scene's missing pixels, instead of the file's.

    Returns:
        The displacement, its reliability, and how it was found.

    Raises:
        RasterError: One of them cannot be read.
        MismatchError: They share no ground, or no reliable displacement was found.
    """
    from specgan_cli.alignment.estimate import align as measure
    from specgan_cli.alignment.options import AlignOptions
    from specgan_cli.cubes.cube import Cube
    from specgan_cli.raster.drivers.arrays import as_path
    from specgan_cli.raster.scene import Scene

    with ExitStack() as stack:
        path = stack.enter_context(as_path(scene))
        opened = stack.enter_context(Scene.open(path, bands=bands, src_nodata=src_nodata))
        if not isinstance(cube, Cube):
            cube = stack.enter_context(Cube.open(os.fspath(cube), cube_options))
        return measure(opened, cube, options or AlignOptions())


def open_cube(path: AnyPath, options: "CubeOptions | None" = None) -> "Cube":
    """Open a hyperspectral cube for reading reflectance by windows; close it, or use `with`.

    Args:
        path: A GeoTIFF, an ENVI file, a NEON, PRISMA, EMIT or EnMAP product, or what else GDAL
            opens.
        options: What is known of the cube beyond its file.

    Raises:
        RasterError: It cannot be read, or does not say where it lies.
        MismatchError: Its bands name no wavelengths.
    """
    from specgan_cli.cubes.cube import Cube

    return Cube.open(os.fspath(path), options)


def _channels(rgb: NDArray[Any]) -> int:
    """Return the axis of an RGB array's bands: 0 or 2."""
    shape = np.shape(rgb)
    if len(shape) == 3 and shape[0] == 3:
        return 0
    if len(shape) == 3 and shape[2] == 3:
        return 2
    raise ShapeError(f"rgb has shape {shape}, expected 3 x H x W or H x W x 3")


def _cube(
    hsi: NDArray[Any], wavelengths: Sequence[float] | None, channels: int, shape_yx: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return reflectance as bands x H x W.

    Raises:
        ShapeError: It does not fit to the RGB array, or its bands are not told.
    """
    cube = np.moveaxis(np.asarray(hsi, np.float32), channels, 0)
    if cube.shape[1:] != shape_yx:
        raise ShapeError(f"hsi has {cube.shape[1:]} pixels and rgb {shape_yx}: give the same")
    if wavelengths is None or len(wavelengths) != len(cube):
        count = 0 if wavelengths is None else len(wavelengths)
        raise ShapeError(f"hsi has {len(cube)} bands and wavelengths {count}: give one a band")
    return cube
