"""Scenes: windowed reads of any RGB raster that GDAL opens, with its mask."""

import logging
import math
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from specgan_cli.errors import RasterError
from specgan_cli.raster.grid import Grid, Window

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
MaskKind = Literal["none", "nodata", "alpha", "mask"]

RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)

SAMPLE = 1024
"""Pixels on the longer side of the decimated sample."""

LATTICE = 8
"""Blocks along each axis that stand for a large scene without overviews."""


class Scene:
    """An RGB raster on its grid; open it with `Scene.open` and close it, or use `with`.

    Values are in the file's own units and dtype.  One thread at a time may read.
    """

    def __init__(
        self,
        dataset: DatasetReader,
        path: str,
        grid: Grid,
        bands: tuple[int, int, int],
        nodata: float | None,
    ) -> None:
        self.path = path
        """Path or URL, as it was given."""
        self.grid = grid
        """Grid of the whole scene."""
        self.bands = bands
        """The three 1-based band numbers read as red, green and blue."""
        self.nodata = nodata
        """Value of missing pixels in file units, or None."""
        self.dtype: str = dataset.dtypes[bands[0] - 1]
        """Name of the numpy dtype of the bands."""
        self._dataset = dataset
        self._mask_kind = _mask_kind_of(dataset, nodata)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        bands: tuple[int, ...] | None = None,
        src_nodata: float | str | None = None,
        georeferenced: bool = True,
    ) -> "Scene":
        """Open a raster for windowed reads.

        Args:
            path: Anything GDAL opens: a file, a URL (https://, s3://), a /vsi path.
            bands: Three 1-based band numbers to read as red, green and blue.  By default the
                bands whose colour interpretation says so, else the first three.
            src_nodata: Value of missing pixels, instead of the file's; "none" for no value.
            georeferenced: Refuse a raster without a CRS or a transform.

        Raises:
            RasterError: If the raster cannot be read, or is not a georeferenced RGB scene with
                at least one valid pixel.
        """
        name = str(path)
        dataset = _open_dataset(name)
        try:
            _check_dataset(dataset, name, georeferenced)
            chosen = _choose_bands(dataset, name, bands)
            nodata = _choose_nodata(dataset, name, chosen, src_nodata)
            grid = Grid(dataset.crs, dataset.transform, (dataset.height, dataset.width))
            scene = cls(dataset, name, grid, chosen, nodata)
            scene._check_any_valid()
        except BaseException:
            dataset.close()
            raise
        return scene

    def __enter__(self) -> "Scene":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._dataset.close()

    @property
    def mask_kind(self) -> MaskKind:
        """How the file marks missing pixels; what an output should use too."""
        return self._mask_kind

    @property
    def name(self) -> str:
        """The path without credentials or a query, fit for messages and tags."""
        return redact(self.path)

    @property
    def scales(self) -> tuple[float, float, float]:
        """Factor from file units to physical ones, for each of the three bands."""
        r, g, b = (float(self._dataset.scales[i - 1]) for i in self.bands)
        return r, g, b

    @property
    def offsets(self) -> tuple[float, float, float]:
        """Offset from file units to physical ones, for each of the three bands."""
        r, g, b = (float(self._dataset.offsets[i - 1]) for i in self.bands)
        return r, g, b

    def read(self, window: Window) -> tuple[Array, Mask]:
        """Read a window that lies within the scene.

        Returns:
            (values, valid): C x H x W in the file's dtype and units, C = 3, and H x W, true
            where the pixel is neither nodata, masked, transparent nor non-finite.

        Raises:
            RasterError: If the file is damaged there.
            ValueError: If the window reaches beyond the scene.
        """
        rows, cols = self.grid.shape_yx
        if window.intersection(self.grid.full_window) != window:
            raise ValueError(f"{window} is not within the scene of {rows} x {cols} pixels")
        return self._read(window, window.shape_yx)

    def read_padded(self, window: Window, halo: int) -> tuple[Array, Mask]:
        """Read a window with `halo` more pixels on every side.

        Beyond its edges the scene is continued by reflection about the centre of its edge
        pixels (numpy's and torch's "reflect"), as often as needed, also for a scene one pixel
        wide; so the same ground gives the same pixels whatever the window.

        Returns:
            (values, valid) as `read` gives them, for `window.padded(halo)`.
        """
        padded = window.padded(halo)
        rows = reflect(padded.row, padded.height, self.grid.shape_yx[0])
        cols = reflect(padded.col, padded.width, self.grid.shape_yx[1])
        row, col = int(rows.min()), int(cols.min())
        source = Window(row, col, int(rows.max()) - row + 1, int(cols.max()) - col + 1)
        values, valid = self.read(source)
        if source == padded:
            return values, valid
        picked = np.ix_(rows - row, cols - col)
        return values[:, picked[0], picked[1]], valid[picked]

    def sample(self) -> Array:
        """Return valid values that stand for the scene: 3 x N in file units.

        They come from an overview or a decimated read where that is cheap, else from a fixed
        lattice of blocks.
        """
        parts = [values[:, valid] for values, valid in self._sample_windows()]
        return np.concatenate(parts, axis=1)

    def _sample_windows(self) -> Iterator[tuple[Array, Mask]]:
        rows, cols = self.grid.shape_yx
        factor = max(1, math.ceil(max(rows, cols) / SAMPLE))
        has_overview = bool(self._dataset.overviews(self.bands[0]))
        if has_overview or rows * cols <= (4 * SAMPLE) ** 2:
            shape = (math.ceil(rows / factor), math.ceil(cols / factor))
            yield self._read(self.grid.full_window, shape)
            return
        side = SAMPLE // LATTICE
        for i in range(LATTICE):
            for j in range(LATTICE):
                row = max(0, int((i + 0.5) * rows / LATTICE) - side // 2)
                col = max(0, int((j + 0.5) * cols / LATTICE) - side // 2)
                height, width = min(side, rows - row), min(side, cols - col)
                yield self.read(Window(row, col, height, width))

    def _read(self, window: Window, shape_yx: tuple[int, int]) -> tuple[Array, Mask]:
        where = window.rasterio()
        try:
            values: Array = self._dataset.read(
                self.bands, window=where, out_shape=(3, *shape_yx), masked=False
            )
            valid = _valid_values(values, self.nodata)
            for band in self._mask_bands():
                valid &= self._dataset.read_masks(band, window=where, out_shape=shape_yx) > 0
        except RasterioError as error:
            raise RasterError(
                f"{self.name}: cannot be read at row {window.row}, column {window.col}: "
                f"{_reason(error)}; the file may be cut off or damaged"
            ) from error
        return values, valid

    def _mask_bands(self) -> list[int]:
        """Return bands whose GDAL mask holds what nodata does not: mask bands and alpha."""
        flags = self._dataset.mask_flag_enums
        return _first_with_own_mask(self.bands, flags)

    def _check_any_valid(self) -> None:
        """Raise when no pixel is valid; reads a sample first, all blocks only if it must."""
        if self._mask_kind == "none" and not np.issubdtype(np.dtype(self.dtype), np.inexact):
            return
        if any(valid.any() for _, valid in self._sample_windows()):
            return
        for _, block in self._dataset.block_windows(self.bands[0]):
            window = Window(block.row_off, block.col_off, block.height, block.width)
            if self.read(window)[1].any():
                return
        raise RasterError(
            f"{self.name}: every pixel is nodata, so there is nothing to work on; "
            f"if nodata {self.nodata} is wrong, give --src-nodata none or another value"
        )


def reflect(start: int, count: int, size: int) -> npt.NDArray[np.intp]:
    """Return the indices `start`..`start + count` folded into 0..`size` by reflection.

    The edge pixel is not repeated (numpy's "reflect"): -1 is 1, `size` is `size` - 2.
    """
    if size == 1:
        return np.zeros(count, np.intp)
    period = 2 * (size - 1)
    folded = np.arange(start, start + count) % period
    return np.where(folded < size, folded, period - folded)


def redact(path: str) -> str:
    """Return a path or URL without credentials, query and fragment."""
    without_user = re.sub(r"(\w+://)[^/@\s]*@", r"\1", path)
    if "://" in without_user or "/vsicurl" in without_user:
        return re.sub(r"[?#].*$", "", without_user)
    return without_user


def _open_dataset(name: str) -> DatasetReader:
    is_plain = "://" not in name and ":" not in name[2:] and not name.startswith("/vsi")
    if is_plain and Path(name).is_dir() and not name.lower().endswith((".zarr", ".gdb")):
        raise RasterError(f"{name}: is a folder; give a raster file")
    if is_plain and not Path(name).exists():
        raise RasterError(f"{name}: no such file")
    if is_plain and Path(name).is_file() and Path(name).stat().st_size == 0:
        raise RasterError(f"{name}: is an empty file; make or download it again")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            return rasterio.open(name)
        except (RasterioError, ValueError) as error:
            raise RasterError(
                f"{redact(name)}: cannot be opened as a raster: {_reason(error)}"
            ) from error


def _reason(error: BaseException) -> str:
    return redact(" ".join(str(error).split())) or type(error).__name__


def _check_dataset(dataset: DatasetReader, name: str, georeferenced: bool) -> None:
    shown = redact(name)
    if dataset.count == 0:
        listed = ", ".join(redact(s) for s in dataset.subdatasets[:6]) or "none"
        raise RasterError(f"{shown}: holds no bands of its own; name a subdataset: {listed}")
    if dataset.width == 0 or dataset.height == 0:
        raise RasterError(f"{shown}: has no pixels ({dataset.width} x {dataset.height})")
    if not georeferenced:
        return
    if dataset.transform == Affine.identity():
        _refuse_ungridded(dataset, shown)
    if dataset.crs is None:
        raise RasterError(
            f"{shown}: has no CRS; set it with: rio edit-info --crs EPSG:CODE {shown}"
        )
    if dataset.transform.determinant == 0 or not all(map(math.isfinite, dataset.transform[:6])):
        raise RasterError(f"{shown}: its transform cannot be inverted: {dataset.transform[:6]}")


def _refuse_ungridded(dataset: DatasetReader, shown: str) -> None:
    stem = Path(shown).stem
    if dataset.gcps[0]:
        count = len(dataset.gcps[0])
        raise RasterError(
            f"{shown}: has {count} ground control points but no transform; warp it first: "
            f"gdalwarp -tps -r cubic {shown} {stem}_warped.tif"
        )
    if dataset.rpcs is not None:
        raise RasterError(
            f"{shown}: has RPCs but no transform; orthorectify it first: "
            f"gdalwarp -rpc -to RPC_DEM=dem.tif -r cubic {shown} {stem}_ortho.tif "
            f"(or: rio warp --rpcs {shown} {stem}_ortho.tif --dst-crs EPSG:CODE)"
        )
    raise RasterError(
        f"{shown}: has no geotransform, so its ground is unknown; set it with: "
        f"rio edit-info --transform '[a, b, c, d, e, f]' --crs EPSG:CODE {shown}"
    )


def _choose_bands(
    dataset: DatasetReader, name: str, bands: tuple[int, ...] | None
) -> tuple[int, int, int]:
    shown = redact(name)
    if bands is not None:
        return _check_bands(dataset, shown, bands)
    colours = dataset.colorinterp
    if all(colour in colours for colour in RGB):
        red, green, blue = (colours.index(colour) + 1 for colour in RGB)
        chosen = (red, green, blue)
    else:
        others = [i for i, colour in enumerate(colours, 1) if colour != ColorInterp.alpha]
        if len(others) < 3:
            raise RasterError(
                f"{shown}: has {len(others)} band{'s' * (len(others) != 1)} of colour, "
                "but red, green and blue are needed; choose with --bands R,G,B"
            )
        chosen = (others[0], others[1], others[2])
    if dataset.count > 3 and ColorInterp.alpha not in colours:
        logger.warning("%s: bands %s of %d are used as RGB", shown, chosen, dataset.count)
    return _check_bands(dataset, shown, chosen)


def _check_bands(
    dataset: DatasetReader, shown: str, bands: tuple[int, ...]
) -> tuple[int, int, int]:
    if len(bands) != 3 or not all(1 <= band <= dataset.count for band in bands):
        raise RasterError(
            f"{shown}: bands {','.join(map(str, bands))} cannot be read; "
            f"give three numbers from 1 to {dataset.count}, as --bands 3,2,1"
        )
    dtypes = {dataset.dtypes[band - 1] for band in bands}
    if len(dtypes) != 1:
        raise RasterError(f"{shown}: the bands differ in type: {', '.join(sorted(dtypes))}")
    if np.issubdtype(np.dtype(next(iter(dtypes))), np.complexfloating):
        raise RasterError(f"{shown}: holds complex values; give a raster of real numbers")
    return bands[0], bands[1], bands[2]


def _choose_nodata(
    dataset: DatasetReader, name: str, bands: tuple[int, int, int], given: float | str | None
) -> float | None:
    if given is None:
        value = dataset.nodatavals[bands[0] - 1]
        return None if value is None else float(value)
    if isinstance(given, str) and given.lower() == "none":
        return None
    try:
        return float(given)
    except ValueError:
        raise RasterError(
            f"{redact(name)}: nodata {given!r} is neither a number, nan nor none"
        ) from None


def _valid_values(values: Array, nodata: float | None) -> Mask:
    """Return where C x H x W values are finite and not nodata: H x W.

    A value that imagery takes, such as 0 or 255, marks a pixel only when every band holds it,
    as in rasterio's dataset mask; one that it cannot take (negative) does so in any band.
    """
    valid: Mask = np.ones(values.shape[1:], bool)
    if np.issubdtype(values.dtype, np.inexact):
        valid &= np.isfinite(values).all(axis=0)
    if nodata is None or math.isnan(nodata):
        return valid
    hits = values == np.asarray(nodata, np.float64).astype(values.dtype)
    if np.issubdtype(values.dtype, np.integer) and not _fits(nodata, values.dtype):
        return valid
    hit: Mask = hits.any(axis=0) if nodata < 0 else hits.all(axis=0)
    return valid & ~hit


def _fits(value: float, dtype: np.dtype[Any]) -> bool:
    info = np.iinfo(dtype)
    return value == int(value) and info.min <= value <= info.max


def _mask_kind_of(dataset: DatasetReader, nodata: float | None) -> MaskKind:
    flags = dataset.mask_flag_enums[0]
    if ColorInterp.alpha in dataset.colorinterp or MaskFlags.alpha in flags:
        return "alpha"
    if MaskFlags.per_dataset in flags:
        return "mask"
    return "none" if nodata is None else "nodata"


def _first_with_own_mask(
    bands: tuple[int, int, int], flags: tuple[list[MaskFlags], ...]
) -> list[int]:
    found: list[int] = []
    for band in sorted(set(bands)):
        own = flags[band - 1]
        if MaskFlags.all_valid in own or MaskFlags.nodata in own:
            continue
        found.append(band)
        if MaskFlags.per_dataset in own:
            break
    return found
