"""The laws hold with the weights that are shipped, not only with random ones."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from support.command import specgan

SAMPLE = Path(__file__).parents[2] / "sample_data"


@pytest.fixture(scope="module")
def upscaled(tmp_path_factory: pytest.TempPathFactory):
    """Return a function that upscales a part of the sample scene, each way once."""
    folder = tmp_path_factory.mktemp("shipped")
    known: dict[tuple[object, ...], np.ndarray] = {}

    def compute(*words: object) -> np.ndarray:
        if words not in known:
            out = folder / f"{len(known)}.tif"
            scene = ("upscale", SAMPLE / "scene.tif", "--hsi", SAMPLE / "cube.tif", "-o", out)
            done = specgan(*scene, "--window", "20,14,12,10", "--device", "cpu", *words)
            assert done.code == 0, done.stderr
            with rasterio.open(out) as dataset:
                known[words] = dataset.read().astype(float)
        return known[words]

    return compute


def halved(image: np.ndarray) -> np.ndarray:
    """Return the 2 x 2 means of C x H x W."""
    bands, height, width = image.shape
    return image.reshape(bands, height // 2, 2, width // 2, 2).mean((2, 4))


def test_tiles_differ_by_one_grey_level_at_most(upscaled) -> None:
    whole = upscaled("-x", 32, "--tile", 12)
    for tile in (4, 5):
        assert np.abs(upscaled("-x", 32, "--tile", tile) - whole).max() <= 1


def test_scales_cohere(upscaled) -> None:
    fine = halved(upscaled("-x", 32, "--tile", 12))
    assert np.abs(fine - upscaled("-x", 16, "--tile", 12)).max() <= 1


def test_fidelity_invents_less(upscaled) -> None:
    def detail(image: np.ndarray) -> float:
        return float(np.abs(np.diff(image, axis=2)).mean())

    amounts = [
        detail(upscaled("-x", 32, "--tile", 12, *more))
        for more in ((), ("--fidelity", 0.5), ("--fidelity", 1))
    ]
    assert amounts[0] > amounts[1] > amounts[2]
    assert amounts[2] < amounts[0] / 2
