"""Fixtures: small rasters of every kind that the raster core meets, and the real data's folder."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.rpc import RPC

from support.datasets import make_training_dataset
from support.rasters import (
    COMPOUND,
    GEOGRAPHIC,
    ROTATED,
    SOUTH_UP,
    coordinates,
    write_raster,
)

# A shell ignores SIGINT in what it starts in the background, and processes started here would
# inherit that; a handled signal is theirs to handle.
signal.signal(signal.SIGINT, signal.default_int_handler)

# the same examples on every machine, and no deadline on a busy one
settings.register_profile("specgan", deadline=None, derandomize=True, database=None)
settings.load_profile("specgan")

MakeRaster = Callable[..., Path]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real rasters, from SPECGAN_DATA or beside the repository; skips without."""
    given = os.environ.get("SPECGAN_DATA")
    folder = Path(given) if given else Path(__file__).parents[2] / "shared" / "data"
    if not (folder / "neon_pair_40m").is_dir():
        pytest.skip("the real rasters are not here; SPECGAN_DATA names their folder")
    return folder


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small prepared dataset to train on, and not to write to."""
    return make_training_dataset(tmp_path_factory.mktemp("dataset") / "ds")


@pytest.fixture(scope="session")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that fails system calls, compiled here."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler and Linux")
    library = tmp_path_factory.mktemp("failing") / "failing.so"
    source = Path(__file__).parents[1] / "campaigns" / "failing.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.fixture
def make_raster(tmp_path: Path) -> MakeRaster:
    """Return a function that writes a small GeoTIFF and returns its path.

    make_raster(values=None, *, name, shape_yx, count, dtype, **options of `write_raster`); values
    default to a pattern of coordinates, 1..249.
    """

    def make(
        values: np.ndarray | None = None,
        *,
        name: str = "scene.tif",
        shape_yx: tuple[int, int] = (12, 17),
        count: int = 3,
        dtype: str = "uint8",
        **options: Any,
    ) -> Path:
        if values is None:
            values = coordinates((count, *shape_yx), dtype)
        return write_raster(tmp_path / name, values, **options)

    return make


@pytest.fixture
def uint8_scene(make_raster: MakeRaster) -> Path:
    return make_raster(name="uint8.tif")


@pytest.fixture
def uint16_scene(make_raster: MakeRaster) -> Path:
    values = coordinates((3, 12, 17), "uint16") * 40
    return make_raster(values, name="uint16.tif")


@pytest.fixture
def float32_scene(make_raster: MakeRaster) -> Path:
    values = coordinates((3, 12, 17), "float32") / np.float32(500)
    return make_raster(values, name="float32.tif")


@pytest.fixture
def nodata_scene(make_raster: MakeRaster) -> Path:
    """uint8 with nodata 0 in its upper left 3 rows x 4 columns, and one band of 0 elsewhere."""
    values = coordinates((3, 12, 17), "uint8")
    values[:, :3, :4] = 0
    values[1, 8, 8] = 0
    return make_raster(values, name="nodata.tif", nodata=0)


@pytest.fixture
def alpha_scene(make_raster: MakeRaster) -> Path:
    """uint8 RGBA, transparent in its last 2 rows."""
    values = coordinates((4, 12, 17), "uint8")
    values[3] = 255
    values[3, 10:] = 0
    colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
    return make_raster(values, name="alpha.tif", colorinterp=colours)


@pytest.fixture
def mask_scene(make_raster: MakeRaster) -> Path:
    """uint8 with an internal mask band that hides its first 5 columns."""
    mask = np.ones((12, 17), bool)
    mask[:, :5] = False
    return make_raster(name="mask.tif", mask=mask)


@pytest.fixture
def nan_scene(make_raster: MakeRaster) -> Path:
    """float32 without nodata, NaN in one band at (2, 3) and infinite at (5, 6)."""
    values = coordinates((3, 12, 17), "float32")
    values[1, 2, 3] = np.nan
    values[0, 5, 6] = np.inf
    return make_raster(values, name="nan.tif")


@pytest.fixture
def rotated_scene(make_raster: MakeRaster) -> Path:
    return make_raster(name="rotated.tif", transform=ROTATED)


@pytest.fixture
def south_up_scene(make_raster: MakeRaster) -> Path:
    return make_raster(name="south_up.tif", transform=SOUTH_UP)


@pytest.fixture
def geographic_scene(make_raster: MakeRaster) -> Path:
    return make_raster(name="geographic.tif", crs="EPSG:4326", transform=GEOGRAPHIC)


@pytest.fixture
def compound_scene(make_raster: MakeRaster) -> Path:
    return make_raster(name="compound.tif", crs=COMPOUND)


@pytest.fixture
def gcp_scene(make_raster: MakeRaster) -> Path:
    """uint8 with four ground control points and no transform."""
    gcps = [
        GroundControlPoint(row, col, 726491.0 + 3.2 * col, 4699078.4 - 3.2 * row, 0)
        for row, col in ((0, 0), (0, 17), (12, 0), (12, 17))
    ]
    return make_raster(name="gcp.tif", transform=None, gcps=gcps)


@pytest.fixture
def rpc_scene(make_raster: MakeRaster) -> Path:
    """uint8 with rational polynomial coefficients, no CRS and no transform."""
    line, sample = [0.0] * 20, [0.0] * 20
    line[2], sample[1] = -1.0, 1.0
    one = [1.0] + [0.0] * 19
    rpcs = RPC(
        height_off=0.0,
        height_scale=100.0,
        lat_off=42.5,
        lat_scale=0.01,
        line_den_coeff=one,
        line_num_coeff=line,
        line_off=6.0,
        line_scale=6.0,
        long_off=-72.2,
        long_scale=0.01,
        samp_den_coeff=one,
        samp_num_coeff=sample,
        samp_off=8.5,
        samp_scale=8.5,
    )
    return make_raster(name="rpc.tif", crs=None, transform=None, rpcs=rpcs)
