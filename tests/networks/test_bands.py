"""Band sets."""

import pytest

from specgan.bands import CANONICAL_BANDS, Bands
from specgan.errors import ShapeError


def test_canonical_bands_are_the_48_of_the_published_cube():
    assert len(CANONICAL_BANDS) == 48
    assert CANONICAL_BANDS.wavelengths_nm[0] == 380.0
    assert CANONICAL_BANDS.wavelengths_nm[-1] == 1050.0
    assert CANONICAL_BANDS.wavelengths_nm[1] == pytest.approx(380.0 + 670.0 / 47)
    assert CANONICAL_BANDS.fwhm_nm == pytest.approx([670.0 / 47] * 48)


def test_missing_widths_are_the_local_spacing_in_the_given_order():
    bands = Bands.from_wavelengths([700.0, 500.0, 400.0])
    assert bands.wavelengths_nm == (700.0, 500.0, 400.0)
    assert bands.fwhm_nm[0] == pytest.approx(200.0)
    assert bands.fwhm_nm[2] == pytest.approx(100.0)
    assert 100.0 < bands.fwhm_nm[1] < 200.0


def test_a_single_or_repeated_centre_still_has_a_width():
    assert Bands.from_wavelengths([550.0, 550.0]).fwhm_nm == (10.0, 10.0)


@pytest.mark.parametrize("centres", [[-1.0, 500.0], [float("nan"), 500.0], [0.0, 1.0]])
def test_impossible_wavelengths_are_refused(centres):
    with pytest.raises(ShapeError, match="positive"):
        Bands.from_wavelengths(centres)


def test_one_width_for_every_band_is_required():
    with pytest.raises(ShapeError, match="2 wavelengths but 1 FWHM"):
        Bands((400.0, 500.0), (10.0,))


def test_matching_tolerates_rounding_in_files():
    rounded = Bands.from_wavelengths(
        [round(nm, 2) for nm in CANONICAL_BANDS.wavelengths_nm], CANONICAL_BANDS.fwhm_nm
    )
    assert rounded.matches(CANONICAL_BANDS)
    assert not rounded.matches(Bands.from_wavelengths([500.0]))


def test_between_gives_indices():
    assert Bands.from_wavelengths([650.0, 450.0, 550.0]).between(500.0, 700.0) == (0, 2)
