"""SSIM, MS-SSIM and UQI agree with torchmetrics and scikit-image, and with brute force."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
    universal_image_quality_index,
)

from specgan_cli.evaluation.image_pair import cut, whole
from specgan_cli.evaluation.metrics.ssim import Windows

RNG = np.random.default_rng(66)


def textured(bands: int, height: int, width: int, high: float = 255.0) -> np.ndarray:
    coarse = RNG.uniform(0, high, (bands, height // 8 + 1, width // 8 + 1))
    smooth = coarse.repeat(8, 1).repeat(8, 2)[:, :height, :width]
    return 0.7 * smooth + 0.3 * RNG.uniform(0, high, (bands, height, width))


REFERENCE = textured(3, 192, 180)
OUTPUT = np.clip(REFERENCE + RNG.normal(0, 20, REFERENCE.shape), 0, 255)


def measured(
    sr: np.ndarray, reference: np.ndarray, mask: np.ndarray | None = None, data_range: float = 255.0
) -> dict[str, float]:
    meter = Windows(data_range)
    meter.update(whole(sr, reference, mask))
    return meter.results()


def tensors(*images: np.ndarray) -> Any:
    return [torch.from_numpy(np.ascontiguousarray(image, np.float64))[None] for image in images]


def torch_ssim(sr: torch.Tensor, reference: torch.Tensor, data_range: float = 255.0) -> float:
    """SSIM of torchmetrics at the places where the window needs no padding."""
    _, full = structural_similarity_index_measure(
        sr, reference, data_range=data_range, return_full_image=True
    )
    return float(full[..., 5:-5, 5:-5].mean())


def torch_ms_ssim(sr: torch.Tensor, reference: torch.Tensor) -> float:
    """MS-SSIM from torchmetrics' contrast terms of halved images and its SSIM of the last."""
    product = 1.0
    weights = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    for level, weight in enumerate(weights):
        _, contrast = structural_similarity_index_measure(
            sr, reference, data_range=255.0, return_contrast_sensitivity=True
        )
        term = float(contrast) if level < 4 else torch_ssim(sr, reference)
        product *= term**weight
        sr, reference = (torch.nn.functional.avg_pool2d(image, 2) for image in (sr, reference))
    return product


def test_ssim_equals_torchmetrics() -> None:
    expected = torch_ssim(*tensors(OUTPUT, REFERENCE))
    assert measured(OUTPUT, REFERENCE)["ssim"] == pytest.approx(expected, abs=1e-6)


def test_ssim_equals_scikit_image() -> None:
    from skimage.metrics import structural_similarity

    expected = structural_similarity(
        OUTPUT,
        REFERENCE,
        channel_axis=0,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert measured(OUTPUT, REFERENCE)["ssim"] == pytest.approx(expected, abs=1e-6)


def test_ms_ssim_equals_torchmetrics() -> None:
    expected = torch_ms_ssim(*tensors(OUTPUT, REFERENCE))
    assert measured(OUTPUT, REFERENCE)["ms_ssim"] == pytest.approx(expected, abs=1e-6)


def test_padding_at_the_last_scale_is_all_that_differs_from_the_packaged_ms_ssim() -> None:
    reference = textured(1, 512, 512)
    output = reference + RNG.normal(0, 20, reference.shape)
    packaged = multiscale_structural_similarity_index_measure(
        *tensors(output, reference), data_range=255.0
    )
    assert measured(output, reference)["ms_ssim"] == pytest.approx(float(packaged), abs=1e-3)


def test_uqi_equals_torchmetrics() -> None:
    expected = universal_image_quality_index(*tensors(OUTPUT, REFERENCE))
    assert measured(OUTPUT, REFERENCE)["uqi"] == pytest.approx(float(expected), abs=1e-6)


def test_sixteen_bits_equal_torchmetrics() -> None:
    reference = textured(1, 40, 40, 65535.0).astype(np.uint16)
    output = (reference // 2).astype(np.uint16)
    pair = tensors(output, reference)
    results = measured(output, reference, data_range=65535.0)
    assert results["ssim"] == pytest.approx(torch_ssim(*pair, 65535.0), abs=1e-6)
    assert results["uqi"] == pytest.approx(float(universal_image_quality_index(*pair)), abs=1e-6)


def test_identical_images_are_wholly_similar() -> None:
    results = measured(REFERENCE, REFERENCE)
    assert list(results.values()) == pytest.approx([1, 1, 1], abs=1e-9)


@pytest.mark.parametrize(("sr", "reference"), [(100.0, 100.0), (0.0, 0.0), (50.0, 100.0)])
def test_flat_images_are_compared_by_their_means(sr: float, reference: float) -> None:
    shape = (2, 24, 24)
    results = measured(np.full(shape, sr), np.full(shape, reference))
    c1 = (0.01 * 255) ** 2
    assert results["ssim"] == pytest.approx((2 * sr * reference + c1) / (sr**2 + reference**2 + c1))
    luminance = 2 * sr * reference / (sr**2 + reference**2) if reference else 1.0
    assert results["uqi"] == pytest.approx(luminance)


def test_a_window_that_touches_the_mask_is_left_out() -> None:
    reference, output = REFERENCE[:1, :30, :30], OUTPUT[:1, :30, :30]
    mask = np.ones((30, 30), bool)
    mask[2, 3] = False
    spoiled = np.where(mask, output, 1e5)
    weights = np.exp(-((np.arange(-5, 6) / 1.5) ** 2) / 2)
    kernel = np.outer(weights, weights) / weights.sum() ** 2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for row in range(20):
        for col in range(20):
            box = (slice(row, row + 11), slice(col, col + 11))
            if not mask[box].all():
                continue
            a, b = output[0][box], reference[0][box]
            ma, mb = (kernel * a).sum(), (kernel * b).sum()
            va, vb = (kernel * (a - ma) ** 2).sum(), (kernel * (b - mb) ** 2).sum()
            both = (kernel * (a - ma) * (b - mb)).sum()
            values.append(
                (2 * ma * mb + c1) * (2 * both + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
            )
    assert len(values) < 400
    assert measured(spoiled, reference, mask)["ssim"] == pytest.approx(np.mean(values), abs=1e-6)


@pytest.mark.parametrize("size", [32, 64, 112])
def test_windows_of_merged_tiles_are_those_of_the_whole(size: int) -> None:
    mask = np.ones(REFERENCE.shape[1:], bool)
    mask[185:189, 50:53] = False
    total = Windows(255.0)
    for tile in cut(whole(OUTPUT, REFERENCE, mask), size):
        part = Windows(255.0)
        part.update(tile)
        total.merge(part)
    assert total.results() == pytest.approx(measured(OUTPUT, REFERENCE, mask), abs=1e-6)


def test_an_odd_number_of_rows_is_halved_the_same_in_tiles() -> None:
    sr, reference = OUTPUT[:, :187, :179], REFERENCE[:, :187, :179]
    total = Windows(255.0)
    for tile in cut(whole(sr, reference), 48):
        total.update(tile)
    expected = torch_ms_ssim(*tensors(sr, reference))
    assert total.results()["ms_ssim"] == pytest.approx(expected, abs=1e-6)


def test_small_images_have_no_multiscale_similarity() -> None:
    results = measured(OUTPUT[:, :160, :160], REFERENCE[:, :160, :160])
    assert math.isnan(results["ms_ssim"])
    assert not math.isnan(results["ssim"])


def test_images_below_a_window_have_no_similarity() -> None:
    assert all(
        math.isnan(value) for value in measured(OUTPUT[:, :9, :40], REFERENCE[:, :9, :40]).values()
    )
