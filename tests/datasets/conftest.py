"""What tests of prepared datasets share."""

from pathlib import Path

import pytest

from specgan.bands import CANONICAL_BANDS
from support.prepare_data import at, textured, write


@pytest.fixture
def wavelengths(tmp_path: Path) -> Path:
    path = tmp_path / "wavelengths.csv"
    lines = [f"{nm},{CANONICAL_BANDS.fwhm_nm[0]}" for nm in CANONICAL_BANDS.wavelengths_nm]
    path.write_text("wavelength_nm,fwhm_nm\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve textured scenes, each far from the others."""
    for index in range(12):
        write(tmp_path / "rgb" / f"s{index:02d}.tif", textured(index), at(100.0 * index, 0.0))
    return tmp_path / "rgb"
