"""Fidelity metrics agree with torchmetrics, scikit-image and formulas written out by hand."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike
from torchmetrics.functional.image import error_relative_global_dimensionless_synthesis

from specgan_cli.errors import ShapeError
from specgan_cli.evaluation.image_pair import cut, whole
from specgan_cli.evaluation.metrics.fidelity import Consistency, Fidelity, spectral_angles
from specgan_cli.evaluation.metrics.published_protocol import PublishedProtocol
from specgan_cli.measures import psnr

RNG = np.random.default_rng(6)
REFERENCE = RNG.uniform(20, 235, (3, 48, 64))
OUTPUT = np.clip(REFERENCE + RNG.normal(0, 12, REFERENCE.shape), 0, 255)
MASK = RNG.random((48, 64)) > 0.2


def measured(
    sr: ArrayLike, reference: ArrayLike, mask: ArrayLike | None = None, **options: Any
) -> dict[str, float]:
    meter = Fidelity(255.0, **options)
    meter.update(whole(sr, reference, mask))
    return meter.results()


def test_psnr_equals_scikit_image() -> None:
    from skimage.metrics import peak_signal_noise_ratio

    expected = peak_signal_noise_ratio(REFERENCE, OUTPUT, data_range=255)
    assert measured(OUTPUT, REFERENCE)["psnr"] == pytest.approx(expected, abs=1e-6)


def test_ergas_equals_torchmetrics() -> None:
    pair = [torch.from_numpy(image)[None] for image in (OUTPUT, REFERENCE)]
    expected = float(error_relative_global_dimensionless_synthesis(*pair, ratio=8))
    assert measured(OUTPUT, REFERENCE, scale=8)["ergas"] == pytest.approx(expected, abs=1e-6)


def test_sam_is_the_mean_angle_between_spectra() -> None:
    angles = []
    for a, b in zip(OUTPUT.reshape(3, -1).T, REFERENCE.reshape(3, -1).T, strict=True):
        cosine = float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))
        angles.append(math.degrees(math.acos(min(cosine, 1.0))))
    assert measured(OUTPUT, REFERENCE)["sam"] == pytest.approx(np.mean(angles), abs=1e-6)


def test_spectral_angle_of_a_spectrum_with_itself_is_zero() -> None:
    assert spectral_angles(REFERENCE.reshape(3, -1), 3 * REFERENCE.reshape(3, -1)).max() < 1e-12


def test_masked_pixels_count_for_nothing() -> None:
    spoiled = np.where(MASK, OUTPUT, 1e6)
    kept = OUTPUT[:, MASK][:, None], REFERENCE[:, MASK][:, None]
    expected = measured(*kept)
    assert measured(spoiled, REFERENCE, MASK) == pytest.approx(expected, abs=1e-9)


def test_not_a_number_is_masked() -> None:
    spoiled = OUTPUT.copy()
    spoiled[1, 3, 4] = np.nan
    mask = np.ones(MASK.shape, bool)
    mask[3, 4] = False
    assert measured(spoiled, REFERENCE) == pytest.approx(
        measured(OUTPUT, REFERENCE, mask), abs=1e-12
    )


def test_identical_images_have_no_error() -> None:
    results = measured(REFERENCE, REFERENCE)
    assert results["psnr"] == math.inf
    assert [results[name] for name in ("rmse", "mae", "bias", "ergas")] == [0, 0, 0, 0]
    assert results["sam"] == pytest.approx(0, abs=1e-9)


def test_nothing_valid_gives_no_number() -> None:
    assert all(
        math.isnan(value) for value in measured(OUTPUT, REFERENCE, np.zeros_like(MASK)).values()
    )


def test_a_constant_offset_is_rmse_mae_and_bias() -> None:
    results = measured(REFERENCE - 2, REFERENCE)
    assert [results[name] for name in ("rmse", "mae", "bias")] == pytest.approx([2, 2, 2])


def test_one_band_of_sixteen_bits() -> None:
    reference = RNG.integers(0, 65535, (1, 20, 20)).astype(np.uint16)
    output = reference[:, ::-1]
    meter = Fidelity(65535.0)
    meter.update(whole(output, reference))
    difference = reference.astype(float) - output.astype(float)
    expected = 10 * math.log10(65535**2 / np.mean(difference**2))
    assert meter.results()["psnr"] == pytest.approx(expected, abs=1e-6)


def test_a_band_without_light_gives_no_ergas() -> None:
    reference = REFERENCE.copy()
    reference[1] = 0
    assert math.isnan(measured(OUTPUT, reference)["ergas"])


def test_fidelity_of_merged_tiles_is_that_of_the_whole() -> None:
    total = Fidelity(255.0, 4)
    for tile in cut(whole(OUTPUT, REFERENCE, MASK, scale=4), 16):
        part = Fidelity(255.0, 4)
        part.update(tile)
        total.merge(part)
    assert total.results() == pytest.approx(measured(OUTPUT, REFERENCE, MASK, scale=4), abs=1e-9)


def test_images_of_different_shape_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(3, 48, 64\).*\(1, 48, 64\)"):
        whole(OUTPUT, REFERENCE[:1])


def test_psnr_falls_by_six_decibels_when_the_error_doubles() -> None:
    assert psnr(1, 255) - psnr(4, 255) == pytest.approx(20 * math.log10(2))


def test_published_protocol_is_eight_bit_psnr_and_ssim() -> None:
    from skimage.metrics import structural_similarity

    meter = PublishedProtocol(0.0, 1.0)
    meter.update(whole(OUTPUT / 255, REFERENCE / 255))
    bytes_sr, bytes_reference = OUTPUT.round().astype(np.uint8), REFERENCE.round().astype(np.uint8)
    error = (bytes_sr.astype(float) - bytes_reference.astype(float)) ** 2
    ssim = [
        structural_similarity(
            a,
            b,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for a, b in zip(bytes_sr.astype(float), bytes_reference.astype(float), strict=True)
    ]
    assert meter.results() == pytest.approx(
        {
            "published_psnr": 20 * math.log10(255 / math.sqrt(error.mean())),
            "published_ssim": np.mean(ssim),
        },
        abs=1e-6,
    )


def test_consistency_is_the_error_of_block_means() -> None:
    lr = REFERENCE.reshape(3, 6, 8, 8, 8).mean((2, 4))
    meter = Consistency(255.0)
    meter.update(whole(OUTPUT, REFERENCE, lr=lr, scale=8))
    error = OUTPUT.reshape(3, 6, 8, 8, 8).mean((2, 4)) - lr
    assert meter.results() == pytest.approx(
        {"lr_psnr": psnr(np.mean(error**2), 255), "lr_largest": np.abs(error).max()}, abs=1e-9
    )


def test_consistency_skips_blocks_that_are_not_whole() -> None:
    lr = REFERENCE.reshape(3, 6, 8, 8, 8).mean((2, 4))
    spoiled, mask = REFERENCE.copy(), np.ones((48, 64), bool)
    spoiled[:, 0, 0], mask[0, 0] = 1e9, False
    meter = Consistency(255.0)
    meter.update(whole(spoiled, REFERENCE, mask, lr=lr, scale=8))
    assert meter.count == 3 * (6 * 8 - 1)
    assert meter.results()["lr_largest"] < 1e-9


def test_consistency_of_merged_tiles_is_that_of_the_whole() -> None:
    lr = REFERENCE.reshape(3, 6, 8, 8, 8).mean((2, 4)) + 0.3
    image = whole(OUTPUT, REFERENCE, RNG.random((48, 64)) > 0.01, lr=lr, scale=8)
    one, many = Consistency(255.0), Consistency(255.0)
    one.update(image)
    for tile in cut(image, 16):
        many.update(tile)
    assert many.results() == pytest.approx(one.results(), abs=1e-9)
