"""Scenes by folder, by pattern or by list, as they come from shells and from job arrays."""

import glob
from collections.abc import Sequence
from pathlib import Path

from specgan_cli.errors import RasterError
from specgan_cli.inference.request import SIDECARS

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
    if "://" in word or word.startswith("/vsi"):
        return [word]
    if path.is_dir() and path.suffix.lower() not in FOLDERS:
        found = _rasters(path)
        return found or _nothing(f"{word}: the folder holds no raster; give another one")
    if path.suffix.lower() == ".txt" and path.is_file():
        lines = [line.strip() for line in _text(path).splitlines()]
        found = [line for line in lines if line and not line.startswith("#")]
        return found or _nothing(f"{word}: the list names no scene; give one a line")
    if glob.has_magic(word) and not path.exists():
        found = sorted(name for name in glob.glob(word, recursive=True) if Path(name).is_file())
        return found or _nothing(f"{word}: the pattern matches no file; check folder and ending")
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
        raise RasterError(f"{path}: cannot be read as a list of scenes: {error}") from error


def _nothing(message: str) -> list[str]:
    raise RasterError(message)
