"""Several scenes in one call: which cube and which output belong to each."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from specgan_cli.errors import MismatchError, RasterError
from specgan_cli.inference.request import Request
from specgan_cli.raster.scene import redact

SIDECARS = {".hdr", ".xml", ".aux", ".csv", ".txt", ".json", ".ovr", ".msk", ".prj", ".tfw"}
"""Endings of files that lie beside cubes and are none."""


def batch_requests(
    template: Request,
    scenes: Sequence[str],
    *,
    out_dir: Path,
    hsi_dir: Path | None = None,
) -> list[Request]:
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
        path = out_dir / f"{stem}_x{template.compute.scale}.tif"
        requests.append(
            replace(
                template,
                inputs=replace(template.inputs, scene=scene, hsi=hsi),
                output=replace(template.output, path=path),
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
