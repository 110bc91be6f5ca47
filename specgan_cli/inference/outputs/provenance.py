"""Tags that say how an output came to be."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from specgan._version import __version__
from specgan_cli.inference.request import Request
from specgan_cli.raster.radiometry import Radiometry
from specgan_cli.raster.scene import redact

# Words whose value is a secret wherever it stands: --token=abc, AWS_SECRET_ACCESS_KEY=abc.
_SECRET = re.compile(
    r"(?i)([\w-]*(?:token|secret|password|passwd|apikey|api_key|sig)[\w-]*[=:])\S+"
)

# Options that say where results go (each takes a value), and how the run is started and watched.
_ELSEWHERE = {"-o", "--output", "--out-dir", "--preview", "--quicklook", "--uncertainty", "--dask"}
_WATCHING = {"--resume", "--overwrite", "--json", "--skip-existing", "-v", "-q", "--debug"}


def provenance_tags(
    request: Request,
    *,
    weights_sha256: str,
    radiometry: Radiometry,
    alignment: Mapping[str, Any] | None,
) -> dict[str, str]:
    """Return the dataset tags of an output; the same inputs give the same tags, so no date.

    Args:
        request: What was asked.
        weights_sha256: Of the weights file.
        radiometry: The range that was used.
        alignment: How the cube was found to lie, JSON-able; None without a cube.
    """
    tags = {
        "TIFFTAG_SOFTWARE": f"specgan {__version__}",
        "SPECGAN_VERSION": __version__,
        "SPECGAN_WEIGHTS": redact(request.compute.weights),
        "SPECGAN_WEIGHTS_SHA256": weights_sha256,
        "SPECGAN_SCALE": str(request.compute.scale),
        "SPECGAN_SEED": str(request.compute.seed),
        "SPECGAN_FIDELITY": f"{request.compute.fidelity:g}",
        "SPECGAN_RGB_RANGE": f"{radiometry.low:.9g},{radiometry.high:.9g}",
        "SPECGAN_INPUT": redact(request.inputs.scene),
        "SPECGAN_COMMAND": shown_command(request.command_line),
    }
    if request.inputs.hsi is not None:
        tags["SPECGAN_HSI"] = redact(request.inputs.hsi)
    if alignment is not None:
        tags["SPECGAN_ALIGNMENT"] = json.dumps(alignment, sort_keys=True)
    return {key: value for key, value in tags.items() if value}


def shown_command(words: Sequence[str]) -> str:
    """Return the part of a command line that decides the pixels, fit to be shown to others.

    URLs and options lose their secrets; where the output goes and how the run is watched is left
    out, so that the same work gives the same bytes.
    """
    kept: list[str] = []
    skip = False
    for word in words:
        name, _, value = word.partition("=")
        if skip:
            skip = False
        elif name in _ELSEWHERE:
            skip = not value
        elif word not in _WATCHING:
            kept.append(_SECRET.sub(r"\1***", redact(word)))
    return " ".join(kept)
