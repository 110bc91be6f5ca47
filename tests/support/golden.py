"""Golden pictures: what the shipped weights make of the sample scene, kept as figures and digests.

`PYTHONPATH=tests python tests/support/golden.py` records them anew, after a change that is meant to
change the pictures.
"""

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch

from specgan.scene.config import SCALES
from support.command import specgan

SAMPLE = Path(__file__).parents[2] / "sample_data"
RECORD = Path(__file__).parents[1] / "data" / "golden" / "sample_scene.json"


def picture(scale: int, cube: bool, folder: Path, *options: object) -> np.ndarray:
    """Upscale the sample scene by the command, in tiles that do not depend on free memory."""
    out = folder / f"x{scale}{'_cube' if cube else ''}.tif"
    hsi = ("--hsi", SAMPLE / "cube.tif") if cube else ()
    words = ("-x", scale, "--tile", 32, "--device", "cpu", "-o", out, "--overwrite", *options)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums are ordered by how many there are
    try:
        done = specgan("upscale", SAMPLE / "scene.tif", *hsi, *words)
    finally:
        torch.set_num_threads(threads)
    assert done.code == 0, done.stderr
    with rasterio.open(out) as dataset:
        return dataset.read()


def figures(image: np.ndarray) -> dict[str, list[float]]:
    """Return figures of C x H x W that rounding elsewhere hardly moves, each per band.

    The mean is the scene's whatever the network draws; the standard deviation and the mean step
    to the right neighbour tell one texture from another.
    """
    bands = image.astype(np.float64)
    found = {
        "mean": bands.mean((1, 2)),
        "deviation": bands.std((1, 2)),
        "gradient": np.abs(np.diff(bands, axis=2)).mean((1, 2)),
    }
    return {name: [round(float(value), 4) for value in values] for name, values in found.items()}


def digest(image: np.ndarray) -> str:
    """Return the SHA-256 of the pixels."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def arithmetic() -> dict[str, str]:
    """Say what decides the last bits of a network's results: torch's build and the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    keys = ("vendor_id", "cpu family", "model")
    cpu = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in lines}
    return {
        "torch": torch.__version__,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "processor": " ".join([platform.machine(), *(cpu.get(key, "") for key in keys)]).strip(),
    }


def read() -> dict[str, Any]:
    """Return the record."""
    content: dict[str, Any] = json.loads(RECORD.read_text())
    return content


def record(folder: Path) -> None:
    """Make all pictures and write the record."""
    pictures = {}
    for scale in SCALES:
        for cube in (False, True):
            image = picture(scale, cube, folder)
            name = f"x{scale}{' cube' if cube else ''}"
            pictures[name] = {**figures(image), "sha256": digest(image)}
    content = {"arithmetic": arithmetic(), "pictures": pictures}
    RECORD.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as temporary:
        record(Path(temporary))
