"""What a user asks of `specgan upscale`: options of one scene, and requests of many."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from specgan_cli.alignment.options import AlignOptions
from specgan_cli.cubes.options import CubeOptions
from specgan_cli.errors import MismatchError, RasterError
from specgan_cli.redaction import redact

DType = Literal["float32", "float64", "bfloat16", "float16"]
"""The types that a network can compute in."""

Runtime = Literal["auto", "torch", "onnx", "openvino"]
"""The libraries that can compute a network."""


@dataclass(frozen=True)
class InputOptions:
    """Which pixels are read, and what they mean."""

    scene: str
    """Path or URL of the RGB scene; anything that rasterio opens."""

    stack: tuple[str, ...] = ()
    """Files whose bands together are the scene, `scene` the first of them; none for one file."""

    hsi: str | None = None
    """Path or URL of the hyperspectral cube over the same ground; "self" for the scene's own bands
    beyond red, green and blue."""

    bands: tuple[int | str, ...] | None = None
    """The scene's red, green and blue band, counted from 1; None for its own order."""

    also: str | None = None
    """Further bands that come out at the same scale, as `nir=4`; "all" for all; None for none."""

    src_nodata: float | Literal["none"] | None = None
    """Value to take for nodata; "none" ignores the file's own; None takes the file's own."""

    rgb_range: tuple[float, float] | None = None
    """File units that become -1 and 1; None for 0..255 in uint8, and an estimate otherwise."""

    floor: float | Literal["none"] | None = None
    """File value that no output pixel goes below unless the scene does there; "none" for no bound;
    None for physical zero where the file has a scale or an offset, else the scene's darkest."""

    bounds: tuple[float, float, float, float] | None = None
    """left, bottom, right, top; None for the whole scene."""

    bounds_crs: str | None = None
    """CRS of the bounds, and of an area that is WKT; None for the scene's."""

    aoi: str | None = None
    """The area outside which pixels are missing: GeoJSON, GeoPackage or WKT; None for all."""

    georeferenced: bool = True
    """Whether the scene must say where it lies; else its transform tells the pixel size in metres,
    and nothing more is needed."""

    window: tuple[int, int, int, int] | None = None
    """column, row, width, height in LR pixels; None for the whole scene."""

    cube: CubeOptions = field(default_factory=CubeOptions)
    """What is known of the cube beyond its file."""

    alignment: AlignOptions = field(default_factory=AlignOptions)
    """Whether and how the cube is co-registered to the scene before use."""

    @property
    def self_guided(self) -> bool:
        """Whether the scene's own further bands are the cube."""
        return self.hsi == "self"

    @property
    def cube_path(self) -> str | None:
        """The file that holds the cube."""
        return self.scene if self.self_guided else self.hsi


@dataclass(frozen=True)
class ComputeOptions:
    """How the pixels are computed."""

    weights: str = "specgan-scene"
    """A shipped name, or the path of a weights file."""

    scale: int = 32
    """Output pixels per LR pixel along one axis."""

    device: str = "auto"
    """auto, cpu, cuda, cuda:N, mps, or several with commas between them."""

    dtype: DType = "float32"
    """The type that the network computes in."""

    runtime: Runtime = "auto"
    """What computes the network: torch, or ONNX Runtime or OpenVINO on the CPU; auto for one of
    these where it is installed and worth its start."""

    seed: int = 0
    """Seed of the noise."""

    fidelity: float = 0.0
    """0 for full detail, 1 for the most cautious result."""

    tile: int | None = None
    """LR pixels of a tile's side; None chooses."""

    batch: int | None = None
    """Tiles that go through the network together; None chooses."""

    max_memory: int | None = None
    """Bytes that the run may take at its peak; None for half of what is free."""

    dask: str | None = None
    """tcp://HOST:PORT of a Dask scheduler, or local:N; None for this process alone."""


@dataclass(frozen=True)
class OutputOptions:
    """What is written, and where."""

    path: Path
    """The output raster; not used where the result stays in memory."""

    of: Literal["GTiff", "COG", "VRT"] = "GTiff"
    """Format; VRT only with a cluster."""

    make_folder: bool = False
    """Whether the output's folder is made, where its parent exists."""

    co: dict[str, str] = field(default_factory=dict)
    """GDAL creation options."""

    lossy: bool = False
    """Whether creation options may change pixel values."""

    overviews: bool = False
    """Whether the smaller results are kept inside as overviews."""

    dst_nodata: float | None = None
    """The output's nodata value; None for the scene's."""

    overwrite: bool = False
    """Whether an existing output is replaced."""

    resume: bool = False
    """Whether a run that was killed goes on."""

    preview: Path | None = None
    """PNG with the scene, a bicubic enlargement and the output side by side."""

    reference: str | None = None
    """Raster of what the output should look like, which the preview shows too."""

    uncertainty: Path | None = None
    """Raster for the standard deviation of the error; of the spread over seeds where the error of
    the weights was never measured."""

    samples: int = 4
    """Seeds that the spread is taken over."""


@dataclass(frozen=True)
class UpscaleRequest:
    """One scene to upscale."""

    inputs: InputOptions
    """Which pixels are read."""

    compute: ComputeOptions
    """How they are computed."""

    output: OutputOptions
    """What is written."""

    command_line: tuple[str, ...] = ()
    """The words that the user gave, for the tags."""


SIDECARS = {".hdr", ".xml", ".aux", ".csv", ".txt", ".json", ".ovr", ".msk", ".prj", ".tfw"}
"""Endings of files that lie beside cubes and are none."""


def batch_requests(
    template: UpscaleRequest,
    scenes: Sequence[str],
    *,
    out_dir: Path,
    hsi_dir: Path | None = None,
) -> list[UpscaleRequest]:
    """Return one request for each scene.

    The output of `NAME.tif` is `NAME_x32.tif` in the output folder (or whatever the scale is).

    Args:
        template: What all scenes share.
        scenes: Paths or URLs.
        out_dir: Folder of the outputs.
        hsi_dir: Folder of the cubes, `NAME.*` or `NAME_hsi.*` for `NAME.tif`; None takes the
            template's.

    Raises:
        RasterError: The folder of the cubes is missing.
        MismatchError: Two cubes have a scene's name.
    """
    cubes = None if hsi_dir is None else _cubes(hsi_dir)
    requests = []
    for scene in scenes:
        stem = Path(redact(scene)).stem
        hsi = template.inputs.hsi if cubes is None else find_cube(cubes, stem)
        ending = ".vrt" if template.output.of == "VRT" else ".tif"
        path = out_dir / f"{stem}_x{template.compute.scale}{ending}"
        requests.append(
            replace(
                template,
                inputs=replace(template.inputs, scene=scene, hsi=hsi),
                output=replace(template.output, path=path, make_folder=True),
            )
        )
    return requests


def find_cube(cubes: Sequence[Path], stem: str) -> str | None:
    """Return the cube of a scene by name; None when there is none.

    Args:
        cubes: Files to choose from.
        stem: The scene's name without its ending.

    Raises:
        MismatchError: Several cubes have the name.
    """
    for name in (stem, f"{stem}_hsi"):
        found = [path for path in cubes if path.stem == name]
        if len(found) > 1:
            listed = ", ".join(path.name for path in found)
            raise MismatchError(f"{stem}: several cubes have its name: {listed}; keep one of them")
        if found:
            return str(found[0])
    return None


def _cubes(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise RasterError(f"{folder}: no such folder; give the folder of the cubes as --hsi-dir")
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix.lower() not in SIDECARS and path.name[0] != "."
    )
