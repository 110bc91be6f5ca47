"""The picture of `upscale --preview`: panels, captions, and what the output should look like."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

from specgan_cli.pictures.captions import STRIP, length, round_length
from support.command import specgan
from support.tiny_networks import tiny_weights


def words(scene: Path, out: Path, *more: object) -> list[str]:
    base = ("upscale", scene, "-o", out, "-x", 4, "--weights", tiny_weights())
    return [str(word) for word in (*base, *more)]


def read_png(path: Path) -> np.ndarray:
    with warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning):
        with rasterio.open(path) as picture:
            return picture.read()


def test_preview_shows_scene_bicubic_and_output(uint8_scene: Path, tmp_path: Path) -> None:
    out, png = tmp_path / "out.tif", tmp_path / "out.png"
    assert specgan(*words(uint8_scene, out, "--preview", png)).code == 0
    shown = read_png(png)
    with rasterio.open(out) as output:
        values = output.read()
    assert shown.shape == (3, 48 + STRIP, 3 * 68 + 2 * 8)
    assert np.array_equal(shown[:, :48, -68:], values)
    with rasterio.open(uint8_scene) as scene:
        assert np.array_equal(shown[:, :48:4, :68:4], scene.read())


def test_preview_shows_the_reference_too(uint8_scene: Path, tmp_path: Path) -> None:
    out, png, truth = (tmp_path / name for name in ("out.tif", "out.png", "truth.tif"))
    assert specgan(*words(uint8_scene, out, "--preview", png)).code == 0
    plain = out.read_bytes()
    with rasterio.open(out) as output:
        profile, values = output.profile, 255 - output.read()
    with rasterio.open(truth, "w", **profile) as dataset:
        dataset.write(values)
    again = words(uint8_scene, out, "--preview", png, "--reference", truth, "--overwrite")
    assert specgan(*again).code == 0
    assert np.array_equal(read_png(png)[:, :48, -68:], values)
    assert out.read_bytes() == plain


def test_reference_of_other_ground_is_refused(uint8_scene: Path, tmp_path: Path) -> None:
    out, png, truth = (tmp_path / name for name in ("out.tif", "out.png", "truth.tif"))
    with rasterio.open(uint8_scene) as scene:
        profile, values = scene.profile, scene.read()
    profile["transform"] = profile["transform"] @ Affine.translation(1000, 0)
    with rasterio.open(truth, "w", **profile) as dataset:
        dataset.write(values)
    done = specgan(*words(uint8_scene, out, "--preview", png, "--reference", truth))
    assert done.code == 3 and "truth.tif shows none of the preview's ground" in done.stderr
    assert not out.exists() and not png.exists()
    assert specgan(*words(uint8_scene, out, "--reference", truth)).code == 2


@pytest.mark.parametrize(
    ("most", "metres", "text"), [(7.9, 5, "5 m"), (0.2, 0.2, "0.2 m"), (2600, 2000, "2 km")]
)
def test_scale_bar_has_a_round_length(most: float, metres: float, text: str) -> None:
    assert round_length(most) == pytest.approx(metres)
    assert length(round_length(most)) == text
