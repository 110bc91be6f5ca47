"""Outputs: what is checked of every file that a command writes, before it computes anything."""

import logging
import os
import re
import shutil
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from specgan import files
from specgan_cli.errors import OutputError, SpecganError
from specgan_cli.wording import in_bytes

TIFF = (".tif", ".tiff")
"""Endings of a GeoTIFF; the usual one first."""


def check_outputs(
    outputs: Iterable[Path], inputs: Iterable[str | Path | None] = (), *, overwrite: bool = False
) -> None:
    """Raise unless every output can be written, and is no input and no other output.

    Args:
        outputs: All files that a run writes.
        inputs: All files that it reads; URLs and None are passed over.
        overwrite: Replace outputs that exist.

    Raises:
        OutputError: As `check_distinct` or `check_output` do.
    """
    outputs = list(outputs)
    check_distinct(outputs, inputs, overwrite=overwrite)
    for path in outputs:
        check_output(path, overwrite=overwrite)


def check_ending(path: Path, endings: Sequence[str], what: str) -> None:
    """Raise unless a file's name says what it will hold.

    Args:
        path: The output.
        endings: Those that it may have, the usual one first.
        what: What is written.

    Raises:
        OutputError: With the name to give, and how to get the other format.
    """
    if path.suffix.lower() in endings:
        return
    name = path.with_suffix(endings[0]) if path.suffix[1:].isalnum() else f"{path}{endings[0]}"
    advice = f"name it {name}"
    if path.suffix[1:].isalnum() and endings[0] == ".tif":
        advice += f", then: gdal_translate {name} {path}"
    raise OutputError(f"{path}: {what} is written, whatever the name; {advice}")


def check_distinct(
    outputs: Iterable[Path], inputs: Iterable[str | Path | None] = (), *, overwrite: bool = False
) -> None:
    """Raise if an output is an input or another output, by device and inode, through links.

    Where outputs are replaced, an input is also what GDAL reads for one: the sources of a VRT, the
    file in `GTIFF_DIR:1:FILE`, an archive.  The log file that is written now is no output either.

    Args:
        outputs: All files that a run writes.
        inputs: All files that it reads; URLs and None are passed over.
        overwrite: Whether outputs that exist are replaced.

    Raises:
        OutputError: Names the output.
    """
    outputs, names = list(outputs), [str(name) for name in inputs if name]
    taken = {files.identity(Path(name)) for name in names if os.path.exists(name)}
    if overwrite and any(path.exists() for path in outputs):
        taken |= {files.identity(Path(name)) for name in files_read(names)}
    logs = {files.identity(Path(name)) for name in _logs()}
    seen: set[tuple[object, ...]] = set()
    for path in outputs:
        identity = files.identity(path)
        if identity in taken:
            raise OutputError(f"{path}: is an input; choose another output")
        if identity in logs:
            raise OutputError(f"{path}: is the log file; give each its own name")
        if identity in seen:
            raise OutputError(f"{path}: is the output of two things; give each its own name")
        seen.add(identity)


def _logs() -> Iterator[str]:
    """Yield the files that log records are written to now."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            yield handler.baseFilename


def files_read(names: Sequence[str]) -> Iterator[str]:
    """Yield every local file that GDAL reads for rasters: VRTs' sources, headers, archives.

    Args:
        names: Rasters, in any words that GDAL opens; of other files it says nothing.
    """
    todo, known = list(names), set(names)
    while todo:
        for found in _listed(todo.pop()):
            yield found
            if found not in known and _is_vrt(found):
                todo.append(found)
            known.add(found)


def _listed(name: str) -> list[str]:
    """Return the files of a raster, an archive in place of what lies in it; none of other files."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    try:
        files.check_regular(name)
        with warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning):
            with rasterio.open(name) as dataset:
                return [found for file in dataset.files if (found := _on_disk(file))]
    except (RasterioError, SpecganError, ValueError):
        return []


def _on_disk(file: str) -> str | None:
    """Return a file, or the local archive that a /vsi path leads into; None where there is none."""
    path = Path(re.sub(r"^(/vsi\w+/)+", "", file).replace("{", "").replace("}", ""))
    places = [Path(file)] if os.path.exists(file) else [path, *path.parents]
    return next((str(place) for place in places if place.is_file()), None)


def _is_vrt(file: str) -> bool:
    with open(file, "rb") as stream:
        return b"<VRTDataset" in stream.read(1000)


def check_output(path: str | Path, *, overwrite: bool = False, needed: int = 0) -> None:
    """Raise unless `path`, or what it links to, can become an output file of `needed` bytes.

    Raises:
        OutputError: If the path is remote, exists (without `overwrite`) or is a folder, if its
            folder is missing or read-only, or if its disk has less than `needed` bytes left.
    """
    if files.is_remote(path):
        where = "the output" if "@" in str(path) else str(path).partition("?")[0]
        raise OutputError(f"{where}: is not a local path; write locally, then copy")
    path = Path(path)
    folder = link_target(path).parent
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file in it")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path}: is not a regular file; choose another output")
    if not folder.is_dir():
        raise OutputError(f"{folder}: no such folder; make it, or choose another output")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists already; pass --overwrite or choose another name")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: is read-only; choose another output folder")
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(
            f"{path}: the disk is too full: about {in_bytes(needed)} are needed and "
            f"{in_bytes(free)} are free; choose another disk or a smaller scale"
        )


def link_target(path: Path) -> Path:
    """Return what an output's name leads to through links; one that is no link as it is.

    Raises:
        OutputError: The links lead in a circle.
    """
    found = files.target(path)
    if found.is_symlink():
        raise OutputError(f"{path}: is a link that leads in a circle; remove it")
    return found
