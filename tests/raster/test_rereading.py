"""Reads that fail, one at a time, through the C library: never other pixels with exit 0."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

from specgan_cli.cubes.cube import Cube
from support.rasters import CAMERA_NM, write_cube, write_raster

READ_ALL = """
import os, sys
from specgan_cli.cubes.cube import Cube
from specgan_cli.errors import SpecganError
from specgan_cli.raster.scene import Scene
kind, path = sys.argv[1:]
def overviews():
    import numpy as np
    import rasterio
    from affine import Affine
    from specgan_cli.geotiff.description import Description
    from specgan_cli.geotiff.options import WriteOptions
    from specgan_cli.geotiff.writer import RasterWriter
    from specgan_cli.raster.grid import Grid
    grid = Grid(None, Affine(1, 0, 5, 0, -1, 5), (384, 384))
    options = WriteOptions(overviews=1, block=128, overwrite=True)
    with RasterWriter(path, Description(grid, 3, "uint8", mask="mask"), options) as writer:
        values = np.arange(3 * 384 * 384).reshape(3, 384, 384).astype("uint8") | 1
        writer.write(values, grid.full_window, values[0] % 7 > 0)
    with rasterio.open(path, overview_level=0) as raster:
        return hash((raster.read().tobytes(), raster.dataset_mask().tobytes()))
def digest():
    if kind == "overviews":
        return overviews()
    with (Scene if kind == "scene" else Cube).open(path) as raster:
        values, valid = raster.read(raster.grid.full_window)
        return hash((values.tobytes(), valid.tobytes()))
wanted, in_a_row = digest(), 0
for nth in range(1, 400):
    child = os.fork()
    if child == 0:
        os.environ.update(FAIL_CALL="read", FAIL_NTH=str(nth))
        try:
            os._exit(0 if digest() == wanted else 1)
        except (SpecganError, OSError):
            os._exit(2)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(3)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(nth, code)
    in_a_row = 0 if code else in_a_row + 1
    if in_a_row == 60:  # all reads have been failed
        break
"""


def codes(failing: Path, kind: str, path: Path, which: str = "") -> list[int]:
    """Fail every read in turn; return what each run did: 0 the same, 1 other pixels, 2 refused."""
    fault = {"FAIL_NTH": "0", "FAIL_ROOT": str(path.parent), "LD_PRELOAD": str(failing)}
    fault |= {"FAIL_PATH": which} if which else {}
    # A fork beside a thread of GDAL's or of BLAS's may wait for ever for a lock of theirs.
    fault |= dict.fromkeys(("GDAL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, kind, path],
        env={**os.environ, **fault},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return [int(line.split()[1]) for line in done.stdout.splitlines()]


def scene_values() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, (3, 20, 20)).astype("uint8")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["png", "envi", "msk"])
def test_a_scene_is_read_right_or_refused(failing: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"scene.{'tif' if kind == 'msk' else kind}"
    options = {"png": {"driver": "PNG", "WORLDFILE": "YES"}, "envi": {"driver": "ENVI"}}
    write_raster(path, scene_values(), **options.get(kind, {}))
    if kind == "msk":
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False),
            rasterio.open(path, "r+") as dataset,
        ):
            dataset.write_mask(np.arange(400).reshape(20, 20) % 7 > 0)
    found = codes(failing, "scene", path)
    assert 2 in found
    assert set(found) <= {0, 2}


@pytest.mark.slow
def test_overviews_are_right_or_refused(failing: Path, tmp_path: Path) -> None:
    """They are averaged from the unfinished file, which is read back."""
    found = codes(failing, "overviews", tmp_path / "out.tif", "partial")
    assert 2 in found
    assert set(found) <= {0, 2}


@pytest.mark.slow
@pytest.mark.parametrize("interleave", ["BIL", "BIP", "BSQ"])
def test_an_envi_cube_is_read_right_or_refused(
    failing: Path, tmp_path: Path, interleave: str
) -> None:
    values = np.random.default_rng(0).integers(500, 4000, (4, 20, 20)).astype("int16")
    path = write_raster(tmp_path / "cube.img", values, driver="ENVI", INTERLEAVE=interleave)
    with path.with_suffix(".hdr").open("a") as header:
        header.write("wavelength units = Nanometers\nwavelength = {450, 550, 650, 800}\n")
    found = codes(failing, "cube", path)
    assert 2 in found
    assert set(found) <= {0, 2}


def test_cubes_with_zeros_are_read(tmp_path: Path) -> None:
    path = write_cube(tmp_path / "cube.tif", left=0.0, nm=CAMERA_NM)
    with rasterio.open(path, "r+") as dataset:
        stored = dataset.read()
        stored[:, 3, 4] = 0
        dataset.write(stored)
    with Cube.open(path) as cube:
        assert not cube.read(cube.grid.full_window)[1][3, 4]
