"""What `specgan doctor` looks at: the machine and the installation, and what to do about each."""

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from specgan import checkpoints
from specgan._version import __version__
from specgan_cli.errors import SpecganError
from specgan_cli.memory import free_memory
from specgan_cli.threads import available_threads, used_threads

NEEDED = (
    "torch", "rasterio", "affine", "numpy", "scipy", "pyproj", "pillow", "jinja2", "click", "rich",
    "tqdm", "safetensors",
)  # fmt: skip
"""Packages without which nothing runs."""

EXTRAS = {
    "hdf5": (("h5py",), "NEON, PRISMA and EMIT cubes"),
    "distributed": (("dask", "distributed"), "upscale --dask"),
    "train": (("tensorboard",), "TensorBoard beside metrics.jsonl"),
    "xarray": (("rioxarray",), "DataArrays in Python"),
    "onnx": (("onnx", "onnxruntime"), "models export NAME.onnx, and upscale --runtime onnx"),
    "openvino": (("onnx", "openvino"), "upscale --runtime openvino"),
}
"""Packages of each extra, and what it is for."""

DRIVERS = ("GTiff", "COG", "VRT", "ENVI", "GPKG", "GeoJSON", "JP2OpenJPEG", "HDF5")
"""GDAL drivers that inputs and outputs may need."""

_GIB = 2**30
_VARIABLES = ("GDAL_DATA", "PROJ_DATA", "PROJ_LIB", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")


@dataclass(frozen=True)
class Finding:
    """Something that is missing, and one line of advice."""

    what: str
    """What is missing."""

    advice: str
    """What to do."""

    needed: bool = False
    """Whether commands fail without it."""


@dataclass
class Checkup:
    """What was found."""

    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Sections by name, each with its facts as JSON values."""

    findings: list[Finding] = field(default_factory=list)
    """What is missing."""

    @property
    def sound(self) -> bool:
        """Whether all that commands need is there."""
        return not any(finding.needed for finding in self.findings)

    def miss(self, what: str, advice: str, *, needed: bool = False) -> None:
        """Add a finding."""
        self.findings.append(Finding(what, advice, needed))


def examine() -> Checkup:
    """Look at the installation and the machine; what is broken becomes a finding, no error."""
    checkup = Checkup()
    for name, look in _SECTIONS.items():
        try:
            checkup.facts[name] = look(checkup)
        except (ImportError, OSError, SpecganError) as error:
            text = " ".join(f"{type(error).__name__}: {error}".split())
            checkup.facts[name] = {"error": text}
            checkup.miss(
                f"{name}: {text}", "install specgan again, into a new environment", needed=True
            )
    return checkup


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _versions(checkup: Checkup) -> dict[str, Any]:
    found: dict[str, Any] = {
        "specgan": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "executable": sys.executable,
    }
    for package in NEEDED:
        found[package] = _version(package)
        if found[package] is None:
            checkup.miss(f"{package} is not installed", f"pip install {package}", needed=True)
    return found


def _extras(checkup: Checkup) -> dict[str, Any]:
    found = {}
    for extra, (packages, use) in EXTRAS.items():
        versions = {package: _version(package) for package in packages}
        missing = [package for package, version in versions.items() if version is None]
        if missing:
            checkup.miss(f"{' and '.join(missing)}, for {use}", f"pip install {' '.join(missing)}")
        found[extra] = ", ".join(
            f"{name} {version or 'missing'}" for name, version in versions.items()
        )
    return found


def _devices(checkup: Checkup) -> dict[str, Any]:
    import torch

    found: dict[str, Any] = {"cpu": platform.machine()}
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        found[f"cuda:{index}"] = f"{facts.name}, {facts.total_memory / _GIB:.1f} GiB"
    if torch.backends.mps.is_available():
        found["mps"] = "Apple GPU"
    if torch.version.cuda and not torch.cuda.is_available():
        checkup.miss(
            f"a GPU: torch was built for CUDA {torch.version.cuda} and sees none",
            "check the driver with `nvidia-smi`, or use --device cpu",
        )
    return found


def _threads(checkup: Checkup) -> dict[str, Any]:
    given, used = available_threads(), used_threads()
    if used > given:
        checkup.miss(
            f"processors: {used} threads are to be used, and the process was given {given}",
            f"unset OMP_NUM_THREADS, or give -j {given}",
        )
    return {"processors": os.cpu_count(), "given": given, "used": used}


def _memory(checkup: Checkup) -> dict[str, Any]:
    free, disk = free_memory(), shutil.disk_usage(tempfile.gettempdir())
    if free < 2 * _GIB:
        checkup.miss(
            f"memory: {free / _GIB:.1f} GiB are free",
            "close something, or give a small --tile; x32 with a cube is easy from 2 GiB on",
        )
    if disk.free < _GIB:
        checkup.miss(
            f"disk: {disk.free / _GIB:.1f} GiB are free in {tempfile.gettempdir()}",
            "free some space, or set TMPDIR to another folder",
        )
    return {
        "free_gib": round(free / _GIB, 1),
        "temporary_folder": tempfile.gettempdir(),
        "temporary_free_gib": round(disk.free / _GIB, 1),
    }


def _gdal(checkup: Checkup) -> dict[str, Any]:
    import rasterio
    from rasterio.env import Env, GDALDataFinder, PROJDataFinder

    with Env() as env:
        drivers = env.drivers()
    missing = [name for name in DRIVERS if name not in drivers]
    for name in missing:
        checkup.miss(
            f"GDAL's driver {name}", "install rasterio from its wheel: pip install rasterio"
        )
    data = os.environ.get("GDAL_DATA") or GDALDataFinder().search()
    if not (data and os.path.isdir(data)):
        checkup.miss(f"GDAL's data: {data} is no folder", "unset GDAL_DATA", needed=True)
    return {
        "version": rasterio.__gdal_version__,
        "data": data,
        "proj_data": os.environ.get("PROJ_DATA") or PROJDataFinder().search(),
        "drivers": len(drivers),
        "missing_drivers": missing,
    }


def _proj(checkup: Checkup) -> dict[str, Any]:
    import pyproj
    from pyproj.datadir import get_data_dir
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    told = [name for name in ("PROJ_DATA", "PROJ_LIB") if name in os.environ]
    advice = f"unset {' and '.join(told)}" if told else "install pyproj and rasterio again"
    try:
        CRS.from_epsg(32633).to_wkt()
    except CRSError as error:
        checkup.miss(f"rasterio's CRS database: {error}", advice, needed=True)
    try:
        pyproj.Transformer.from_crs(4326, 32633, always_xy=True).transform(15.0, 50.0)
    except pyproj.exceptions.ProjError as error:
        checkup.miss(f"pyproj's CRS database: {error}", advice, needed=True)
    return {"version": pyproj.proj_version_str, "data": get_data_dir()}


def _weights(checkup: Checkup) -> dict[str, Any]:
    found = {}
    for name in checkpoints.names():
        try:
            checkpoints.read_header(name)
            found[name] = checkpoints.sha256(name)
        except SpecganError as error:
            checkup.miss(f"weights {name}: {error}", "install specgan again", needed=True)
    if "specgan-scene" not in found:
        checkup.miss("the weights specgan-scene", "install specgan again", needed=True)
    return found


def _environment(checkup: Checkup) -> dict[str, Any]:
    return {name: os.environ[name] for name in _VARIABLES if name in os.environ}


_SECTIONS: dict[str, Callable[[Checkup], dict[str, Any]]] = {
    "versions": _versions,
    "devices": _devices,
    "threads": _threads,
    "memory": _memory,
    "gdal": _gdal,
    "proj": _proj,
    "extras": _extras,
    "weights": _weights,
    "environment": _environment,
}
