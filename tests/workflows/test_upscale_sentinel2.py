"""Sentinel-2 products as they come: SAFE folders, their .zip, and single bands."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from support.command import Result, specgan
from support.rasters import write_raster
from support.safe import write_safe, zip_safe
from support.tiny_networks import tiny_weights


def ten_metre_bands() -> dict[str, np.ndarray]:
    """Return bands of distinct levels, dark enough to meet the floor, and one missing corner."""
    random = np.random.default_rng(0)
    bands = {
        name: random.integers(1000, top, (24, 30)).astype("uint16")
        for name, top in (("B02", 1500), ("B03", 2500), ("B04", 3500), ("B08", 6000))
    }
    for values in bands.values():
        values[:3, :4] = 0
    return bands


def upscale(out: Path, *words: object) -> Result:
    return specgan("upscale", *words, "-x", 2, "-o", out, "--weights", tiny_weights())


def means(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        values = dataset.read().astype(float)
    bands, rows, cols = values.shape
    return values.reshape(bands, rows // 2, 2, cols // 2, 2).mean((2, 4))


@pytest.mark.parametrize("level", ["2A", "1C"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_product_is_read_as_red_green_blue(tmp_path: Path, level: str, packed: bool) -> None:
    bands = ten_metre_bands()
    safe = write_safe(tmp_path, bands, level=level)
    out = tmp_path / "out.tif"
    done = upscale(out, zip_safe(safe) if packed else safe)
    assert (done.code, done.stderr.count("warning")) == (0, 0), done.stderr
    expected = np.stack([bands[name] for name in ("B04", "B03", "B02")])
    assert np.array_equal(means(out), expected)
    with rasterio.open(out) as dataset:
        assert dataset.crs == "EPSG:32634"
        assert dataset.transform[:6] == (5, 0, 300000, 0, -5, 6100020)
        assert dataset.nodata == 0
        assert np.array_equal(dataset.dataset_mask()[::2, ::2] > 0, expected.all(0))


def test_a_product_keeps_offset_quantification_and_the_floor(tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    assert upscale(out, write_safe(tmp_path, ten_metre_bands())).code == 0
    with rasterio.open(out) as dataset:
        assert (dataset.scales, dataset.offsets) == ((1e-4,) * 3, (-0.1,) * 3)
        values = dataset.read()
    assert values[:, values.any(0)].min() >= 1000


def test_a_product_before_baseline_four_has_no_offset(tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    assert upscale(out, write_safe(tmp_path, ten_metre_bands(), offset=None)).code == 0
    with rasterio.open(out) as dataset:
        assert (dataset.scales, dataset.offsets) == ((1e-4,) * 3, (0.0,) * 3)


def test_single_bands_are_stacked_by_their_names(tmp_path: Path) -> None:
    bands = ten_metre_bands()
    files = sorted(write_safe(tmp_path, bands).glob("GRANULE/*/IMG_DATA/R10m/*_B0[234]_10m.jp2"))
    out = tmp_path / "out.tif"
    done = upscale(out, *files, "--stack")
    assert done.code == 0, done.stderr
    assert np.array_equal(means(out), [bands["B04"], bands["B03"], bands["B02"]])
    with rasterio.open(out) as dataset:
        assert dataset.tags()["SPECGAN_INPUT"] == " ".join(map(str, files))


def test_files_without_names_of_bands_are_stacked_in_their_order(make_raster, tmp_path) -> None:
    files = [make_raster(np.full((1, 8, 8), i, "uint8"), name=f"{i}.tif") for i in (9, 30, 4)]
    out = tmp_path / "out.tif"
    assert upscale(out, *files, "--stack").code == 0
    assert means(out)[:, 0, 0].tolist() == [9, 30, 4]


def test_files_of_a_stack_share_one_grid(make_raster, tmp_path: Path) -> None:
    files = [make_raster(count=1, name=f"{i}.tif") for i in range(2)]
    files.append(make_raster(count=1, name="small.tif", shape_yx=(6, 8)))
    done = upscale(tmp_path / "out.tif", *files, "--stack")
    assert done.code == 3
    assert "small.tif: 8 x 6 pixels of 3.2 are not on the grid of" in done.stderr
    assert "gdalwarp -r bilinear -tr 3.2 3.2 -te" in done.stderr


def test_a_stack_does_not_replace_one_of_its_files(tmp_path: Path) -> None:
    values = np.ones((1, 8, 8), "uint8")
    files = [write_raster(tmp_path / f"{i}.tif", values) for i in range(3)]
    done = upscale(files[2], *files, "--stack", "--overwrite")
    assert (done.code, "input" in done.stderr) == (1, True)


def test_a_stack_is_one_scene(tmp_path: Path) -> None:
    done = specgan("upscale", "a.jp2", "b.jp2", "--stack", "--out-dir", tmp_path)
    assert (done.code, "one scene of all files" in done.stderr) == (2, True)


def test_a_product_guides_itself_with_near_infrared(tmp_path: Path) -> None:
    """Its layers of aerosol and water vapour have no wavelength, and are left out."""
    safe = write_safe(tmp_path, ten_metre_bands())
    out = tmp_path / "out.tif"
    done = upscale(out, safe, "--hsi", "self", "--also", "nir=B8")
    assert done.code == 0, done.stderr
    assert np.array_equal(means(out)[3], ten_metre_bands()["B08"])


@pytest.mark.parametrize(
    ("gone", "words"), [("B03", ()), ("B08", ("--also", "4")), ("B08", ("--hsi", "self"))]
)
def test_a_product_without_the_image_of_a_band_is_refused(
    tmp_path: Path, gone: str, words: tuple[str, ...]
) -> None:
    """GDAL reads it as zeros, without a word."""
    safe = write_safe(tmp_path, ten_metre_bands())
    next(safe.glob(f"GRANULE/*/IMG_DATA/R10m/*_{gone}_*")).unlink()
    done = upscale(tmp_path / "out.tif", safe, *words)
    assert (done.code, f"_{gone}_10m.jp2" in done.stderr) == (1, True), done.stderr
