"""The provenance tags of an output."""

import json
import re
from collections.abc import Sequence

from specgan._version import __version__
from specgan_cli.geotiff.creation_options import is_lossy
from specgan_cli.inference.job import Job
from specgan_cli.inference.predictors.runtime import describe_runtime
from specgan_cli.redaction import redact, redact_words

# Options that say where results go (each takes a value), and how the run is started and watched.
_ELSEWHERE = {
    "--output",
    "--out-dir",
    "--preview",
    "--quicklook",
    "--reference",
    "--uncertainty",
    "--dask",
    "--log-file",
    "--log-format",
}
_WATCHING = {
    "--resume",
    "--overwrite",
    "--json",
    "--skip-existing",
    "--verbose",
    "--quiet",
    "--debug",
}
# Their short forms, one by one or together: -o out.tif, -oout.tif, -qo out.tif, -vv.
_SHORT = re.compile(r"-[vq]*(?:o(?P<output>.*)|[vq])")


def job_tags(job: Job, weights_sha256: str) -> dict[str, str]:
    """Return the provenance tags of an output; the same inputs give the same tags, so no date."""
    request, radiometry = job.request, job.radiometry
    tags = {
        "TIFFTAG_SOFTWARE": f"specgan {__version__}",
        "SPECGAN_VERSION": __version__,
        "SPECGAN_WEIGHTS": redact(request.compute.weights),
        "SPECGAN_WEIGHTS_SHA256": weights_sha256,
        "SPECGAN_SCALE": str(request.compute.scale),
        "SPECGAN_SEED": str(request.compute.seed),
        "SPECGAN_FIDELITY": f"{request.compute.fidelity:g}",
        "SPECGAN_RUNTIME": describe_runtime(request.compute),
        "SPECGAN_RGB_RANGE": f"{radiometry.low:.9g},{radiometry.high:.9g}",
        "SPECGAN_INPUT": " ".join(map(redact, request.inputs.stack or (request.inputs.scene,))),
        "SPECGAN_COMMAND": shown_command(request.command_line),
    }
    if request.inputs.hsi is not None:
        tags["SPECGAN_HSI"] = redact(request.inputs.hsi)
    if job.scene.further:
        tags["SPECGAN_FURTHER_BANDS"] = ",".join(
            f"{band.name}={band.number}" for band in job.scene.further
        )
    if request.inputs.aoi is not None:
        tags["SPECGAN_AOI"] = request.inputs.aoi
    if job.alignment is not None:
        tags["SPECGAN_ALIGNMENT"] = json.dumps(job.alignment, sort_keys=True)
    if is_lossy(request.output.co):
        tags["SPECGAN_LOSSY"] = "compressed with loss: block means hold only nearly"
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
        elif short := _SHORT.fullmatch(word):
            skip = short["output"] == ""
        elif name in _ELSEWHERE:
            skip = not value
        elif word not in _WATCHING:
            kept.append(redact_words(word))
    return " ".join(kept)
