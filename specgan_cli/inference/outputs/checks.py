"""What can be refused before anything is loaded or computed."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from specgan_cli.errors import OutputError
from specgan_cli.geotiff.output import check_output
from specgan_cli.inference.request import Request


def output_paths(request: Request) -> list[Path]:
    """Return every file that a request writes."""
    options = request.output
    return [path for path in (options.path, options.preview, options.uncertainty) if path]


def check_outputs(request: Request) -> None:
    """Raise unless every output can be written and none of them is an input or another output.

    Raises:
        OutputError: A path is taken, missing, read-only, an input, or named twice.
    """
    inputs = [name for name in (request.inputs.scene, request.inputs.hsi) if name]
    paths = output_paths(request)
    check_distinct(paths)
    for path in paths:
        for name in inputs:
            if _same_file(path, name):
                raise OutputError(f"{path}: is an input; choose another output")
        check_output(path, overwrite=request.output.overwrite)


def check_distinct(paths: Iterable[Path]) -> None:
    """Raise if two outputs are one file.

    Raises:
        OutputError: Two paths are the same; names it.
    """
    counts = Counter(os.path.realpath(path) for path in paths)
    twice = [path for path, count in counts.items() if count > 1]
    if twice:
        raise OutputError(f"{twice[0]}: is the output of two things; give each its own name")


def check_batch(requests: Sequence[Request]) -> None:
    """Raise if two scenes of a batch would write one file, or one the input of another.

    Raises:
        OutputError: As said.
    """
    outputs = [path for request in requests for path in output_paths(request)]
    for folder in {path.parent for path in outputs}:
        if not folder.is_dir():
            raise OutputError(f"{folder}: no such folder; make it, or choose another --out-dir")
    check_distinct(outputs)
    inputs = {os.path.realpath(request.inputs.scene) for request in requests}
    for path in outputs:
        if os.path.realpath(path) in inputs:
            raise OutputError(f"{path}: is an input; choose another --out-dir")


def _same_file(path: Path, name: str) -> bool:
    return os.path.exists(name) and os.path.realpath(path) == os.path.realpath(name)
