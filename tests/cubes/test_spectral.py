"""Laws of spectral resampling."""

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specgan.bands import CANONICAL_BANDS, Bands
from specgan_cli.cubes.spectral import known_bands, resampling_matrix, water_bands
from specgan_cli.errors import MismatchError

NEON_LIKE = Bands.from_wavelengths(np.arange(381.0, 2510.0, 5.0), np.full(426, 5.8))


@st.composite
def band_sets(draw):
    steps = draw(st.lists(st.floats(0.5, 60.0), min_size=3, max_size=120))
    centres = 350.0 + np.cumsum(steps)
    width = draw(st.floats(0.5, 40.0))
    order = np.random.default_rng(draw(st.integers(0, 99))).permutation(centres.size)
    return Bands.from_wavelengths(centres[order], np.full(centres.size, width))


@settings(max_examples=60, deadline=None)
@given(band_sets())
def test_flat_spectra_stay_flat(source):
    matrix, _ = resampling_matrix(source, CANONICAL_BANDS)
    np.testing.assert_allclose(matrix @ np.full(len(source), 0.37), 0.37, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(band_sets())
def test_straight_spectra_stay_straight_inside_the_covered_range(source):
    matrix, _ = resampling_matrix(source, CANONICAL_BANDS)
    line = 0.1 + 4e-4 * np.asarray(source.wavelengths_nm)
    centres = np.asarray(CANONICAL_BANDS.wavelengths_nm)
    inside = (centres >= min(source.wavelengths_nm)) & (centres <= max(source.wavelengths_nm))
    np.testing.assert_allclose((matrix @ line)[inside], (0.1 + 4e-4 * centres)[inside], atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(band_sets())
def test_no_weight_is_negative_and_coverage_is_a_share(source):
    matrix, coverage = resampling_matrix(source, CANONICAL_BANDS)
    assert matrix.min() >= -1e-9
    assert coverage.min() >= 0.0
    assert coverage.max() <= 1.0


def test_energy_of_a_spectral_feature_is_conserved():
    nm = np.asarray(NEON_LIKE.wavelengths_nm)
    feature = np.exp(-0.5 * ((nm - 690.0) / 30.0) ** 2)
    matrix, _ = resampling_matrix(NEON_LIKE, CANONICAL_BANDS)
    before = feature.sum() * 5.0
    after = (matrix @ feature).sum() * (670.0 / 47)
    assert after == pytest.approx(before, rel=1e-3)


def test_bands_resampled_to_themselves_are_unchanged():
    matrix, coverage = resampling_matrix(CANONICAL_BANDS, CANONICAL_BANDS)
    np.testing.assert_allclose(matrix, np.eye(48), atol=1e-9)
    assert coverage[1:-1].min() > 0.99


def test_the_order_of_source_bands_does_not_matter():
    backwards = Bands(NEON_LIKE.wavelengths_nm[::-1], NEON_LIKE.fwhm_nm[::-1])
    forward, _ = resampling_matrix(NEON_LIKE, CANONICAL_BANDS)
    reverse, _ = resampling_matrix(backwards, CANONICAL_BANDS)
    np.testing.assert_allclose(reverse[:, ::-1], forward, atol=1e-12)


def test_duplicate_bands_are_averaged():
    source = Bands.from_wavelengths([400.0, 500.0, 500.0, 600.0], [100.0] * 4)
    matrix, _ = resampling_matrix(source, Bands.from_wavelengths([500.0], [100.0]))
    np.testing.assert_allclose(matrix, [[0.0, 0.5, 0.5, 0.0]], atol=1e-12)


def test_bad_bands_have_no_weight():
    bad = np.zeros(426, dtype=bool)
    bad[40:50] = True
    matrix, coverage = resampling_matrix(NEON_LIKE, CANONICAL_BANDS, bad)
    assert np.all(matrix[:, bad] == 0.0)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-12)
    assert coverage.min() < 0.5
    assert np.median(coverage) > 0.99


def test_total_response_has_the_width_of_the_target():
    centres = np.arange(300.0, 800.0, 1.0)
    source = Bands.from_wavelengths(centres, np.full(centres.size, 8.0))
    matrix, _ = resampling_matrix(source, Bands.from_wavelengths([550.0], [17.0]))
    variance = matrix[0] @ (centres - 550.0) ** 2
    # A straight line between samples 1 nm apart adds 1/6 nm^2 to the variance.
    expected = (17.0**2 - 8.0**2) / (8.0 * np.log(2.0)) + 1.0 / 6.0
    assert variance == pytest.approx(expected, rel=1e-3)


def _brute_force(nm, fwhm, spectrum, centre, width):
    """A fine sum over the straight-line spectrum with the response that is still missing."""
    fine = np.linspace(nm[0], nm[-1], 2_000_001)
    own = np.interp(centre, nm, fwhm)
    sigma = np.sqrt(width**2 - own**2) / 2.354820045
    reach = min(centre - nm[0], nm[-1] - centre)
    response = np.exp(-0.5 * ((fine - centre) / sigma) ** 2) * (np.abs(fine - centre) <= reach)
    return np.sum(response * np.interp(fine, nm, spectrum)) / np.sum(response)


def test_a_real_neon_spectrum_agrees_with_a_brute_force_integral(shared_data):
    import rasterio

    folder = shared_data / "neon_pair_40m"
    with rasterio.open(folder / "HARV_026_hsi.tif") as dataset:
        spectrum = dataset.read()[:, 20, 20] / 10000.0
    with open(folder / "wavelengths_426_nm.csv", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    nm = np.array([float(row[-1]) for row in rows if row[-1].replace(".", "").isdigit()])
    fwhm = np.full(426, 5.8)
    source = Bands.from_wavelengths(nm, fwhm)
    matrix, _ = resampling_matrix(source, CANONICAL_BANDS)
    for index in (1, 17, 22, 23, 24, 40):
        expected = _brute_force(
            nm, fwhm, spectrum, CANONICAL_BANDS.wavelengths_nm[index], 670.0 / 47
        )
        assert (matrix @ spectrum)[index] == pytest.approx(expected, abs=1e-4)


def test_the_water_bands_of_neon_are_known():
    flagged = np.asarray(NEON_LIKE.wavelengths_nm)[water_bands(NEON_LIKE)]
    assert 1400.0 in flagged.round(-1)
    assert flagged.size > 40
    assert not np.any(flagged < 1340.0)


def test_what_a_camera_of_four_bands_measures() -> None:
    camera = Bands.from_wavelengths([480.0, 560.0, 660.0, 830.0], [60.0, 60.0, 60.0, 110.0])
    _, coverage = resampling_matrix(camera, CANONICAL_BANDS)
    known = known_bands(coverage, CANONICAL_BANDS, "camera.tif")
    centres = np.asarray(CANONICAL_BANDS.wavelengths_nm)
    assert known[(centres > 790) & (centres < 870)].all()
    assert not known[(centres > 700) & (centres < 770)].any()
    assert not known[(centres < 440) | (centres > 890)].any()


def test_a_cube_beyond_the_near_infrared_is_refused() -> None:
    thermal = Bands.from_wavelengths([1600.0, 2200.0], [90.0, 180.0])
    _, coverage = resampling_matrix(thermal, CANONICAL_BANDS)
    with pytest.raises(MismatchError, match=r"swir\.tif: none of its bands .* 380 and 1050 nm"):
        known_bands(coverage, CANONICAL_BANDS, "swir.tif")
