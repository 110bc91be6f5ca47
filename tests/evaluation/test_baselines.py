"""Interpolations agree with other libraries, and keep what they must."""

import numpy as np
import pytest
from PIL import Image

from specgan_cli.evaluation.baselines import BASELINES, interpolate

LR = np.random.default_rng(3).uniform(0, 255, (1, 12, 15))


@pytest.mark.parametrize("scale", [2, 8])
def test_lanczos_equals_pillow_away_from_the_border(scale: int) -> None:
    # Pillow leaves the taps beyond the border out; ours repeat the border pixel.
    size = (LR.shape[2] * scale, LR.shape[1] * scale)
    picture = Image.fromarray(LR[0].astype(np.float32))
    expected = np.asarray(picture.resize(size, Image.Resampling.LANCZOS))
    inner = (slice(3 * scale, -3 * scale), slice(3 * scale, -3 * scale))
    found = interpolate(LR, scale, "lanczos")[0]
    assert found[inner] == pytest.approx(expected[inner], abs=1e-3)


@pytest.mark.parametrize("method", BASELINES)
def test_a_flat_image_stays_flat(method: str) -> None:
    flat = interpolate(np.full((3, 5, 4), 7.0), 4, method)
    assert flat.shape == (3, 20, 16)
    assert flat == pytest.approx(7.0)


def test_lanczos_of_a_cut_image_is_the_cut_of_lanczos() -> None:
    whole = interpolate(LR, 4, "lanczos")
    part = interpolate(LR[:, :, 2:12], 4, "lanczos")
    assert part[:, :, 12:-12] == pytest.approx(whole[:, :, 20:36], abs=1e-12)
