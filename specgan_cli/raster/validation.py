"""Opening rasters: what makes one a scene, and what to say of one that is not."""

import math
import shlex
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from specgan import files
from specgan_cli.errors import RasterError
from specgan_cli.raster.drivers import sentinel2
from specgan_cli.raster.drivers.blocks import check_blocks
from specgan_cli.raster.drivers.cache import bound_cache
from specgan_cli.raster.drivers.rereading import Rereading
from specgan_cli.raster.drivers.texts import check_texts
from specgan_cli.redaction import redact

Read = Callable[[DatasetReader], list[NDArray[Any]]]
"""Reads arrays from an open raster."""

_RASTERS = (".tif", ".tiff", ".jp2", ".vrt", ".img", ".dat", ".bsq", ".bil", ".bip", ".png", ".jpg")
"""Endings of the rasters that are looked for in archives."""


LARGEST_SIDE = 1e9
"""Units of the CRS that no pixel's side exceeds; its inverse is the least."""

FARTHEST = 1e12
"""Units of the CRS that no place on Earth is from the origin."""


def open_dataset(name: str) -> DatasetReader:
    """Open a raster by path, URL or /vsi path.

    Raises:
        RasterError: If there is nothing there, or nothing that GDAL can read.
    """
    bound_cache()
    files.check_regular(name)
    name = sentinel2.metadata_of(name)
    is_plain = ":" not in name[2:] and not files.is_remote(name)
    if is_plain and Path(name).is_dir() and not name.lower().endswith((".zarr", ".gdb")):
        raise RasterError(f"{name}: is a folder; give a raster file, or --out-dir for all in it")
    if is_plain and not Path(name).exists():
        raise RasterError(f"{redact(name)}: no such file")
    if is_plain and Path(name).is_file() and Path(name).stat().st_size == 0:
        raise RasterError(f"{redact(name)}: is an empty file; make or download it again")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            dataset = sentinel2.open_raster(name)
        except UnicodeEncodeError as error:
            raise RasterError(f"{redact(name)}: its name is not UTF-8; rename it") from error
        except (RasterioError, ValueError) as error:
            inside = archived(name) if is_plain else None
            reason = f"is an archive; give a raster in it: {inside}"
            if redact(name) == "-":
                reason = "is an archive; unpack it, and pipe a raster of it"
            if inside is None:
                reason = f"cannot be opened as a raster: {reason_of(error)}"
            raise RasterError(f"{redact(name)}: {reason}") from error
    check_texts(dataset, redact(name))
    check_blocks(dataset, redact(name))
    return dataset


def archived(name: str) -> str | None:
    """Return the name by which GDAL opens the first raster of a .zip or .tar, or None."""
    try:
        if zipfile.is_zipfile(name):
            with zipfile.ZipFile(name) as archive:
                kind, members = "zip", archive.namelist()
        elif tarfile.is_tarfile(name):
            with tarfile.open(name) as archive:
                kind, members = "tar", archive.getnames()
        else:
            return None
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError):
        return None
    rasters = [member for member in sorted(members) if member.lower().endswith(_RASTERS)]
    return f"/vsi{kind}/{name}/{rasters[0].removeprefix('./')}" if rasters else None


@contextmanager
def reading(name: str, where: str = "") -> Iterator[None]:
    """Turn what GDAL and HDF5 say of a file into one line that names it.

    Args:
        name: The file.
        where: Where in the file, such as " at row 0, column 512".

    Raises:
        RasterError: The file cannot be read.
    """
    try:
        yield
    except RasterError:
        raise
    except (RasterioError, CPLE_BaseError, OSError, RuntimeError, LookupError) as error:
        reason = reason_of(error)
        cause = "the file may be cut off or damaged"
        if "No such file" in reason:
            cause = "a file that it is made of is missing"
        raise RasterError(f"{redact(name)}: cannot be read{where}: {reason}; {cause}") from error


@contextmanager
def read_back(path: Path, **options: Any) -> Iterator[Callable[[Read], list[NDArray[Any]]]]:
    """Open a raster that this run wrote, to read it again.

    Args:
        path: The raster.
        options: Of `rasterio.open`.

    Yields:
        A function that is given what to read of a dataset, and returns the arrays.

    Raises:
        RasterError: It cannot be read, or two readings of it differ.
    """
    name = str(path)
    with reading(name), rasterio.open(path, **options) as dataset:
        rereading = Rereading(name, dataset, lambda: rasterio.open(path, **options))

        def confirmed(read: Read) -> list[NDArray[Any]]:
            arrays = read(dataset)
            rereading.confirm(arrays, read)
            return arrays

        try:
            yield confirmed
        finally:
            rereading.close()


def reason_of(error: BaseException) -> str:
    """Return an error's words in one line, without credentials.

    Where rasterio points to "previous exception", that is the one that names the file.
    """
    while "previous exception" in str(error) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, UnicodeDecodeError):  # what GDAL said, in another encoding
        return redact(" ".join(error.object.decode(errors="replace").split()))
    return redact(" ".join(str(error).split())) or type(error).__name__


def check_dataset(dataset: DatasetReader, name: str, georeferenced: bool) -> None:
    """Check that a dataset has bands, pixels and, where asked for, a grid on the ground.

    Raises:
        RasterError: With the command that fixes it, where there is one.
    """
    shown = redact(name)
    if dataset.count == 0:
        listed = ", ".join(shlex.quote(redact(s)) for s in dataset.subdatasets[:6]) or "none"
        raise RasterError(f"{shown}: holds no bands of its own; name a subdataset: {listed}")
    if dataset.width == 0 or dataset.height == 0:
        raise RasterError(f"{shown}: has no pixels ({dataset.width} x {dataset.height})")
    if not georeferenced:
        return
    if dataset.transform == Affine.identity():
        _refuse_ungridded(dataset, shown)
    if dataset.crs is None:
        raise RasterError(
            f"{shown}: has no CRS; set it with: rio edit-info --crs EPSG:CODE {shlex.quote(shown)}"
        )
    if dataset.transform.determinant == 0 or not all(map(math.isfinite, dataset.transform[:6])):
        raise RasterError(f"{shown}: its transform cannot be inverted: {dataset.transform[:6]}")
    t = dataset.transform
    sides = math.hypot(t.a, t.d), math.hypot(t.b, t.e)
    if not all(1 / LARGEST_SIDE <= side <= LARGEST_SIDE for side in sides):
        raise RasterError(
            f"{shown}: its pixels are {sides[0]:.3g} x {sides[1]:.3g} units of its CRS; set its "
            f"transform with: rio edit-info --transform '[a, b, c, d, e, f]' {shlex.quote(shown)}"
        )
    ends = (0, 0), (dataset.width, dataset.height)
    (left, top), (right, bottom) = (dataset.transform @ end for end in ends)
    if max(map(abs, (left, top, right, bottom))) > FARTHEST:
        raise RasterError(
            f"{shown}: its coordinates, such as {left:.3g},{top:.3g}, lie on no map; set its "
            f"transform with: rio edit-info --transform '[a, b, c, d, e, f]' {shlex.quote(shown)}"
        )
    beyond = max(abs(left), abs(right)) > 540 or max(abs(bottom), abs(top)) > 100
    if dataset.crs.is_geographic and beyond:
        raise RasterError(
            f"{shown}: its coordinates, such as {left:.9g},{top:.9g}, are no degrees, but its CRS "
            f"is {dataset.crs.to_string()}; set the right one with: rio edit-info --crs EPSG:CODE "
            f"{shlex.quote(shown)}"
        )


def _refuse_ungridded(dataset: DatasetReader, shown: str) -> None:
    source = shlex.quote(shown)
    warped = shlex.quote(f"{Path(shown).stem}_warped.tif")
    points = len(dataset.gcps[0])
    if points:
        raise RasterError(
            f"{shown}: has {points} ground control points but no transform; warp it first: "
            f"gdalwarp -tps -r cubic {source} {warped}"
        )
    if dataset.rpcs is not None:
        raise RasterError(
            f"{shown}: has RPCs but no transform; orthorectify it first: "
            f"gdalwarp -rpc -to RPC_DEM=dem.tif -t_srs EPSG:CODE -r cubic {source} {warped} "
            f"(without a DEM: rio warp --dst-crs EPSG:CODE {source} {warped})"
        )
    raise RasterError(
        f"{shown}: has no geotransform, so its ground is unknown; set it with: "
        f"rio edit-info --transform '[a, b, c, d, e, f]' --crs EPSG:CODE {source}"
    )
