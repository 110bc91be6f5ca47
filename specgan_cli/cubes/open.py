"""The reader that knows a file: a sensor's own, told by the marks of its products, or GDAL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from specgan import files
from specgan_cli.cubes.gdal import RasterStore
from specgan_cli.cubes.layout import CubeStore
from specgan_cli.cubes.products.enmap import EnmapStore, enmap_files
from specgan_cli.errors import DAMAGE, MissingExtraError, RasterError, SpecganError

__all__ = ["open_sensor", "open_store", "product_files"]

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def open_store(name: str, count: int | None = None) -> CubeStore:
    """Open a file with the reader that knows its layout.

    Args:
        name: A file or anything else that rasterio opens.
        count: Bands whose wavelengths the user gives, or None.

    Raises:
        RasterError: No reader can open it.
        MissingExtraError: Its reader needs `h5py`, which is not installed.
    """
    files.check_regular(name)
    return open_sensor(name) or RasterStore(name, count)


def open_sensor(name: str) -> CubeStore | None:
    """Open a sensor's product with its own reader.

    Knows NEON reflectance HDF5, PRISMA L2D, EMIT L2A reflectance and EnMAP L2A; of radiance and
    products in the sensor's geometry it says what to use instead.

    Args:
        name: A local file, or anything else.

    Returns:
        The open product, or None when it is none of them.

    Raises:
        RasterError: It is one of them and damaged.
        MissingExtraError: It may be one of them, and `h5py` is not installed.
    """
    product = enmap_files(name)
    if product is not None:
        return EnmapStore(*product)
    if not _is_hdf5(name):
        return None
    h5py = _h5py(name)
    if h5py is None:
        return RasterStore(name)
    return _open_hdf5(h5py, name)


def product_files(name: str | None) -> tuple[str, ...]:
    """Return the files that a cube is read from, as far as its own name does not tell GDAL of them.

    Args:
        name: A cube; None for none.

    Raises:
        RasterError: They belong together, and one is missing.
    """
    return () if name is None else enmap_files(name) or (name,)


def _is_hdf5(name: str) -> bool:
    path = Path(name)
    if not path.is_file():
        return False
    with open(path, "rb") as stream:
        return stream.read(len(_HDF5_SIGNATURE)) == _HDF5_SIGNATURE


def _h5py(name: str) -> Any:
    """The module; None when it is missing and GDAL can do without it."""
    try:
        import h5py
    except ImportError as error:
        if _gdal_reads(name):
            return None
        raise MissingExtraError(
            f"{name}: HDF5 products need h5py; install it: pip install h5py"
        ) from error
    return h5py


def _gdal_reads(name: str) -> bool:
    """Whether GDAL makes one raster of it: of plain NetCDF, but not of a product's groups."""
    if not name.lower().endswith(".nc"):
        return False
    try:
        RasterStore(name).close()
    except RasterError:
        return False
    return True


def _open_hdf5(h5py: Any, name: str) -> CubeStore | None:
    from specgan_cli.cubes.products.hdf5 import LAYOUTS
    from specgan_cli.cubes.products.netcdf import NetcdfStore, is_side_on
    from specgan_cli.cubes.products.refused import refuse

    try:
        file = h5py.File(name, "r")
    except (OSError, RuntimeError) as error:
        raise RasterError(f"{name}: cannot open the cube, it may be truncated ({error})") from error
    try:
        for is_like, store in (*LAYOUTS, (is_side_on, NetcdfStore)):
            if is_like(file):
                return store(name, file)
        refuse(name, file)
    except SpecganError:
        file.close()
        raise
    except DAMAGE as error:
        file.close()
        raise RasterError(f"{name}: its layout is incomplete ({error})") from error
    except BaseException:
        file.close()
        raise
    file.close()
    return None
