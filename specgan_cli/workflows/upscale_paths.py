"""Paths of `specgan upscale`: the scenes that words stand for, and outputs that can be written."""

import glob
from collections.abc import Sequence
from pathlib import Path

from specgan import files
from specgan_cli.cubes.open import product_files
from specgan_cli.errors import OutputError, RasterError, reason
from specgan_cli.geotiff.partial import check_unlocked
from specgan_cli.inference.request import SIDECARS, OutputOptions, UpscaleRequest
from specgan_cli.outputs import TIFF, check_distinct, check_ending, check_outputs
from specgan_cli.raster.drivers.polygons import area_file

FOLDERS = (".zarr", ".gdb", ".safe")
"""Endings of folders that are rasters themselves."""


def expand_scenes(words: Sequence[str]) -> list[str]:
    """Return the scenes that words stand for.

    A folder stands for the rasters in it, a pattern (`scenes/**/*.tif`) for the files that it
    matches, and a list (`NAME.txt`) for the path or URL in each of its lines; blank lines and
    those that begin with `#` are passed over.  Any other word is a scene.  Paths in a list start
    from the current folder, as in lists of `gdalbuildvrt`.

    Args:
        words: What the user named.

    Raises:
        RasterError: A folder, a pattern or a list with nothing in it.
    """
    return [scene for word in words for scene in _expand(word)]


def _expand(word: str) -> list[str]:
    path = Path(word)
    if files.is_remote(word):
        return [word]
    if path.is_dir() and path.suffix.lower() not in FOLDERS:
        if found := _rasters(path):
            return found
        raise RasterError(f"{word}: the folder holds no raster; give another one")
    if path.suffix.lower() == ".txt" and path.is_file():
        lines = [line.strip() for line in _text(path).splitlines()]
        if found := [line for line in lines if line and not line.startswith("#")]:
            return found
        raise RasterError(f"{word}: the list names no scene; give one a line")
    if glob.has_magic(word) and not path.exists():
        if found := sorted(
            name for name in glob.glob(word, recursive=True) if Path(name).is_file()
        ):
            return found
        raise RasterError(f"{word}: the pattern matches no file; check folder and ending")
    return [word]


def _rasters(folder: Path) -> list[str]:
    """Return the files of a folder whose ending is one of GDAL's rasters."""
    from rasterio.drivers import raster_driver_extensions

    endings = {f".{ending}" for ending in raster_driver_extensions()} - SIDECARS
    return sorted(
        str(path)
        for path in folder.iterdir()
        if path.suffix.lower() in endings and path.name[0] != "." and path.is_file()
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RasterError(f"{path}: cannot be read as a list of scenes: {reason(error)}") from error


def output_paths(request: UpscaleRequest) -> list[Path]:
    """Return every file that a request writes."""
    options = request.output
    return [path for path in (options.path, options.preview, options.uncertainty) if path]


def input_paths(request: UpscaleRequest) -> list[str | Path | None]:
    """Return every file that a request reads; URLs and shipped weights among them."""
    inputs = request.inputs
    area = area_file(inputs.aoi)
    others = [inputs.cube.table, area, request.compute.weights, request.output.reference]
    return [inputs.scene, *inputs.stack, *product_files(inputs.cube_path), *others]


def check_request(request: UpscaleRequest) -> None:
    """Raise unless every output can be written and none of them is an input or another output.

    Raises:
        OutputError: A path is taken, missing, read-only, an input, or named twice, or another
            process writes the output now.
    """
    options = request.output
    outputs, inputs = output_paths(request), input_paths(request)
    if options.make_folder and not options.path.parent.exists():
        check_folder(options.path.parent)
        check_distinct(outputs, inputs)
    else:
        check_outputs(outputs, inputs, overwrite=options.overwrite)
    check_endings(options)
    check_unlocked(options.path)


def check_endings(options: OutputOptions) -> None:
    """Raise unless the outputs' names say what they will hold.

    Raises:
        OutputError: With the name to give.
    """
    if options.of == "VRT":
        check_ending(options.path, [".vrt"], "with -f VRT a VRT")
    elif options.path.suffix.lower() == ".vrt":
        raise OutputError(
            f"{options.path}: a VRT shows the parts of a run with --dask; give -f VRT with it, or "
            f"name it {options.path.with_suffix('.tif')}"
        )
    else:
        check_ending(options.path, TIFF, "a GeoTIFF")
    if options.uncertainty:
        check_ending(options.uncertainty, TIFF, "a GeoTIFF")
    if options.preview:
        check_ending(options.preview, [".png"], "a PNG")


def check_folder(folder: Path) -> None:
    """Raise unless a folder is there, or can be made because its parent is.

    Raises:
        OutputError: As said.
    """
    if folder.is_dir():
        return
    if folder.exists():
        raise OutputError(f"{folder}: is a file; choose another --out-dir")
    if not folder.parent.is_dir():
        raise OutputError(f"{folder.parent}: no such folder; make it, or choose another --out-dir")


def check_batch(requests: Sequence[UpscaleRequest]) -> None:
    """Raise if two scenes of a batch would write one file, or one the input of another.

    Raises:
        OutputError: As said.
    """
    outputs = [path for request in requests for path in output_paths(request)]
    for folder in {path.parent for path in outputs}:
        check_folder(folder)
    inputs = [path for request in requests for path in input_paths(request)]
    check_distinct(outputs, inputs, overwrite=requests[0].output.overwrite)


def is_done(request: UpscaleRequest) -> bool:
    """Return whether a scene's output is there.

    Raises:
        OutputError: It is an input.
    """
    check_distinct(output_paths(request), input_paths(request))
    return request.output.path.is_file()


def made_meanwhile(request: UpscaleRequest, error: Exception) -> bool:
    """Return whether a scene whose output was not there failed because now it is.

    Several processes may share one list of scenes.
    """
    return isinstance(error, OutputError) and request.output.path.is_file()
