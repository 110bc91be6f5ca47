"""`specgan evaluate --sr --reference`: the same figures as in memory, whatever the grids."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.enums
from affine import Affine

from specgan_cli.evaluation import comparison, rasters
from specgan_cli.evaluation.baselines import interpolate
from specgan_cli.evaluation.image_pair import Units, whole
from specgan_cli.evaluation.metrics.catalogue import check_names
from specgan_cli.evaluation.metrics.suite import Suite
from support.command import specgan
from support.datasets import blobs
from support.rasters import write_raster

Images = tuple[np.ndarray, np.ndarray, np.ndarray]
Paths = tuple[Path, Path, Path]

CORNER = (726400.0, 4699000.0)
NAMES = (
    "psnr,rmse,mae,bias,ergas,sam,ssim,ms_ssim,uqi,published_psnr,published_ssim,lr_psnr,"
    "lr_largest,edge_transfer,edge_strength,grid_step,seam,colour_spread"
).split(",")


def write(
    path: Path,
    values: np.ndarray,
    *,
    res: float = 0.5,
    corner: tuple[float, float] = CORNER,
    **options: Any,
) -> Path:
    transform = Affine(res, 0, corner[0], 0, -res, corner[1])
    return write_raster(path, values, transform=transform, **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rasters")


@pytest.fixture(scope="module")
def images() -> Images:
    """Reference, a degraded output with a hole, and the input at factor 8, all uint8."""
    reference = blobs(11, 224)
    rng = np.random.default_rng(12)
    sr = np.clip(reference + rng.normal(0, 15, reference.shape), 1, 255).astype(np.uint8)
    sr[:, 200:210, 100:120] = 0
    lr = reference.reshape(3, 28, 8, 28, 8).mean((2, 4)).round().astype(np.uint8)
    return reference, sr, lr


@pytest.fixture(scope="module")
def paths(folder: Path, images: Images) -> Paths:
    reference, sr, lr = images
    return (
        write(folder / "reference.tif", reference),
        write(folder / "sr.tif", sr, nodata=0),
        write(folder / "lr.tif", lr, res=4.0),
    )


def evaluated(*words: object) -> dict[str, Any]:
    outcome = specgan("evaluate", *words, "--json", "--device", "cpu")
    assert outcome.code == 0, outcome.stderr
    return json.loads(outcome.stdout)


def in_memory(
    sr: np.ndarray,
    reference: np.ndarray,
    valid: np.ndarray,
    lr: np.ndarray | None,
    names: Sequence[str] = NAMES,
) -> dict[str, float]:
    suite = Suite(Units(0.0, 255.0, 8), names)
    suite.update(whole(sr, reference, valid, lr=lr, scale=8, gsd=0.5))
    return suite.results()


@pytest.mark.parametrize("block", [96, 512])
def test_tiled_rasters_measure_as_the_whole_image_in_memory(
    paths: Paths, images: Images, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(rasters, "BLOCK", block)
    reference, sr, lr = images
    reference_path, sr_path, lr_path = (str(path) for path in paths)
    pair = comparison.prepare(sr_path, reference_path, lr_path)
    result = rasters.compare(pair, check_names(NAMES))
    pair.close()
    valid = (sr != 0).all(0)
    for method, image in (
        ("output", sr),
        ("bicubic", interpolate(lr.astype(float), 8, "bicubic")),
        ("lanczos", interpolate(lr.astype(float), 8, "lanczos")),
        ("nearest", interpolate(lr.astype(float), 8, "nearest")),
    ):
        found = {name: result.mean(name, method).mean for name in NAMES}
        expected = in_memory(image, reference, valid, lr)
        assert found == pytest.approx(expected, abs=1e-6, nan_ok=True), method


def test_the_command_prints_all_three_methods(paths: Paths) -> None:
    reference, sr, lr = paths
    outcome = specgan("evaluate", "--sr", sr, "--reference", reference, "--lr", lr)
    assert outcome.code == 0
    assert all(name in outcome.stdout for name in ("output", "bicubic", "nearest", "psnr (dB)"))


def test_the_report_of_rasters_shows_its_blocks(paths: Paths, folder: Path) -> None:
    reference, sr, lr = paths
    out = folder / "report"
    words = ("--sr", sr, "--reference", reference, "--lr", lr, "--metrics", "psnr", "-o", out)
    assert specgan("evaluate", *words).code == 0
    page = (out / "index.html").read_text(encoding="utf-8")
    for title in ("LR input", "output", "error of output", "reference", "bicubic", "nearest"):
        assert f'alt="{title}"' in page
    chips = json.loads((out / "report.json").read_text())["chips"]
    assert {chip["chip"] for chip in chips} == {"0_0"}


def test_the_range_of_floats_is_estimated_over_all_of_the_raster(folder: Path) -> None:
    reference = np.full((1, 600, 40), 0.2, np.float32)
    reference[:, 300:] = 0.8
    reference += np.random.default_rng(3).normal(0, 0.01, reference.shape).astype(np.float32)
    words = (
        "--sr",
        write(folder / "e.tif", reference),
        "--reference",
        write(folder / "g.tif", reference),
    )
    low, high = evaluated(*words, "--metrics", "psnr")["range"]
    assert low < 0.2 < 0.8 < high < 1.2


def test_only_the_shared_ground_counts(folder: Path, images: Images, paths: Paths) -> None:
    reference, sr, lr = images
    part = write(folder / "part.tif", sr[:, 16:176, 40:], corner=(CORNER[0] + 20, CORNER[1] - 8))
    found = evaluated("--sr", part, "--reference", paths[0], "--lr", paths[2], "--metrics", "rmse")
    expected = in_memory(
        sr[:, 16:176, 40:], reference[:, 16:176, 40:], None, lr[:, 2:22, 5:], ("rmse",)
    )
    assert found["summary"]["all"]["output"]["rmse"]["mean"] == pytest.approx(expected["rmse"])


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # rasterio 1.4 with affine 3
def test_an_output_in_another_crs_is_warped_onto_the_reference(folder: Path, paths: Paths) -> None:
    from rasterio.warp import Resampling, calculate_default_transform, reproject

    with rasterio.open(paths[0]) as source:
        transform, width, height = calculate_default_transform(
            source.crs, "EPSG:32619", source.width, source.height, *source.bounds
        )
        moved = np.zeros((3, height, width), np.uint8)
        reproject(
            rasterio.band(source, (1, 2, 3)),
            moved,
            dst_transform=transform,
            dst_crs="EPSG:32619",
            resampling=Resampling.cubic,
        )
    path = folder / "moved.tif"
    write_raster(path, moved, nodata=0, crs="EPSG:32619", transform=transform)
    found = evaluated("--sr", path, "--reference", paths[0], "--metrics", "psnr", "-x", "8")
    assert found["summary"]["all"]["output"]["psnr"]["mean"] > 20
    assert any("warped" in note for note in found["notes"])


def test_baselines_come_from_the_reference_where_no_input_is_given(
    paths: Paths, images: Images
) -> None:
    reference, sr, _ = images
    found = evaluated("--sr", paths[1], "--reference", paths[0], "-x", "8", "--metrics", "rmse")
    means = reference.reshape(3, 28, 8, 28, 8).mean((2, 4))
    nearest = interpolate(means, 8, "nearest")
    expected = in_memory(nearest, reference, (sr != 0).all(0), means, ("rmse",))
    assert found["summary"]["all"]["nearest"]["rmse"]["mean"] == pytest.approx(expected["rmse"])
    assert any("block means" in note for note in found["notes"])


def test_the_factor_is_read_from_the_output_s_tags(
    folder: Path, images: Images, paths: Paths
) -> None:
    path = write(folder / "tagged.tif", images[1])
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(SPECGAN_SCALE="8")
    assert evaluated("--sr", path, "--reference", paths[0], "--metrics", "psnr")["scale"] == 8


def test_without_a_factor_there_are_no_baselines(paths: Paths) -> None:
    found = evaluated("--sr", paths[1], "--reference", paths[0], "--metrics", "psnr,ssim")
    assert found["methods"] == ["output"]
    assert any("No factor is known" in note for note in found["notes"])


def test_one_band_of_sixteen_bits_in_given_units(folder: Path) -> None:
    reference = (blobs(21)[:1].astype(np.uint16) * 200).astype(np.uint16)
    sr = (reference * 0.9).astype(np.uint16)
    words = (
        "--sr",
        write(folder / "sr16.tif", sr),
        "--reference",
        write(folder / "t16.tif", reference),
    )
    found = evaluated(*words, "--range", "0,60000", "--metrics", "psnr")
    expected = 10 * np.log10(60000**2 / np.mean((reference.astype(float) - sr) ** 2))
    assert found["summary"]["all"]["output"]["psnr"]["mean"] == pytest.approx(expected, abs=1e-6)


def test_different_dtypes_are_scaled_and_it_is_said(
    folder: Path, images: Images, paths: Paths
) -> None:
    path = write(folder / "float.tif", (images[0] / 255).astype(np.float32))
    found = evaluated("--sr", path, "--reference", paths[0], "--metrics", "rmse")
    assert found["summary"]["all"]["output"]["rmse"]["mean"] < 1e-4
    assert any("1 in the output was taken for 255" in note for note in found["notes"])


def test_not_a_number_is_left_out(folder: Path, images: Images) -> None:
    reference = images[0].astype(np.float32)
    sr = reference + 1
    sr[1, :50, :50] = np.nan
    words = (
        "--sr",
        write(folder / "nan.tif", sr),
        "--reference",
        write(folder / "f.tif", reference),
    )
    found = evaluated(*words, "--range", "0,255", "--metrics", "rmse")
    assert found["summary"]["all"]["output"]["rmse"]["mean"] == pytest.approx(1.0)


def refused(code: int, *words: object) -> str:
    outcome = specgan("evaluate", *words)
    assert outcome.code == code
    assert len(outcome.stderr.strip().splitlines()) == 1
    return outcome.stderr


def test_rasters_of_different_places_are_refused(
    folder: Path, images: Images, paths: Paths
) -> None:
    far = write(folder / "far.tif", images[1], corner=(100000.0, 100000.0))
    assert "share no ground" in refused(3, "--sr", far, "--reference", paths[0])


def test_different_band_counts_are_refused(folder: Path, images: Images, paths: Paths) -> None:
    one = write(folder / "one.tif", images[1][:1])
    assert "have 1 and 3 bands" in refused(3, "--sr", one, "--reference", paths[0])


def test_wholly_masked_rasters_are_refused(folder: Path, images: Images, paths: Paths) -> None:
    empty = write(folder / "empty.tif", np.zeros_like(images[1]), nodata=0)
    assert "no pixel is valid" in refused(3, "--sr", empty, "--reference", paths[0])


def test_a_wrong_factor_is_refused(paths: Paths) -> None:
    words = ("--sr", paths[1], "--reference", paths[0], "--lr", paths[2], "-x", "16")
    assert "8 times" in refused(3, *words)


def test_a_missing_raster_is_refused(paths: Paths) -> None:
    assert "no such file" in refused(1, "--sr", "nowhere.tif", "--reference", paths[0])


def test_a_raster_without_crs_is_refused_beside_one_that_has_it(
    folder: Path, images: Images, paths: Paths
) -> None:
    bare = write(folder / "bare.tif", images[1], crs=None)
    assert "CRS" in refused(3, "--sr", bare, "--reference", paths[0])


def test_rasters_without_crs_are_compared_on_the_same_grid(folder: Path, images: Images) -> None:
    reference, sr, _ = images
    words = [
        write(folder / f"bare{k}.tif", image, crs=None) for k, image in enumerate((sr, reference))
    ]
    found = evaluated("--sr", words[0], "--reference", words[1], "--metrics", "rmse")
    expected = np.sqrt(np.mean((reference.astype(float) - sr) ** 2))
    assert found["summary"]["all"]["output"]["rmse"]["mean"] == pytest.approx(expected)


def measured(folder: Path, lr: Path, images: Images, *words: object) -> dict[str, Any]:
    """Return the figures of an output that is the reference itself."""
    truth = write(folder / "truth.tif", images[0])
    names = ("--metrics", "psnr,lr_psnr", *words)
    found = evaluated("--sr", truth, "--reference", truth, "--lr", lr, *names)
    return {key: value["mean"] for key, value in found["summary"]["all"]["output"].items()}


COLOURS = {name: rasterio.enums.ColorInterp[name] for name in ("red", "green", "blue")}


@pytest.mark.parametrize("kind", ["colours", "descriptions", "wavelengths", "four", "--bands"])
def test_each_raster_is_read_as_red_green_and_blue(
    tmp_path: Path, images: Images, kind: str
) -> None:
    """The input is stored as blue, green, red, or has a band more."""
    lr = images[2][::-1] if kind != "four" else np.concatenate([images[2], images[2][:1] // 2])
    grey = {"photometric": "MINISBLACK"}
    colours = tuple(COLOURS[name] for name in ("blue", "green", "red"))
    options = {"colours": {"colorinterp": colours}, "four": {}}.get(kind, grey)
    path = write(tmp_path / "lr.tif", lr, res=4.0, **options)
    with rasterio.open(path, "r+") as dataset:
        if kind == "descriptions":
            dataset.descriptions = ("B02", "B03", "B04")
        if kind == "wavelengths":
            for band, nm in enumerate((490, 560, 665), 1):
                dataset.update_tags(band, wavelength=str(nm))
    words = ("--bands", "lr=3,2,1") if kind == "--bands" else ()
    assert measured(tmp_path, path, images, *words)["lr_psnr"] > 50


def test_bands_for_all_rasters_and_for_one(tmp_path: Path, images: Images) -> None:
    plain = write(tmp_path / "lr.tif", images[2], res=4.0)
    words = ("--bands", "3,2,1", "--bands", "lr=1,2,3")
    assert measured(tmp_path, plain, images, *words)["lr_psnr"] < 40
    assert measured(tmp_path, plain, images, "--bands", "3,2,1")["lr_psnr"] > 50


def test_a_pixel_with_one_band_of_nodata_counts(tmp_path: Path) -> None:
    reference = np.full((3, 16, 16), 90, np.uint8)
    reference[:, 4:12, 4:12] = np.array([200, 0, 0])[:, None, None]
    sr = reference.copy()
    sr[0, 4:12, 4:12] = 160
    paths = [write(tmp_path / f"{k}.tif", v, nodata=0) for k, v in enumerate((sr, reference))]
    found = evaluated("--sr", paths[0], "--reference", paths[1], "--metrics", "mae")
    assert found["summary"]["all"]["output"]["mae"]["mean"] == pytest.approx(40 / 3 / 4)


@pytest.mark.parametrize("words", [("--src-nodata", "7"), ("--src-nodata", "sr=7")])
def test_nodata_can_be_given(tmp_path: Path, words: tuple[str, str]) -> None:
    reference = np.full((3, 16, 16), 90, np.uint8)
    sr = reference.copy()
    sr[:, :4] = 7
    paths = [write(tmp_path / f"{k}.tif", v) for k, v in enumerate((sr, reference))]
    found = evaluated("--sr", paths[0], "--reference", paths[1], "--metrics", "mae", *words)
    assert found["summary"]["all"]["output"]["mae"]["mean"] == 0


@pytest.mark.parametrize("words", [("--bands", "hr=1,2,3"), ("--src-nodata", "lr=many")])
def test_options_of_one_raster_that_cannot_be_are_refused(
    paths: Paths, words: tuple[str, str]
) -> None:
    outcome = specgan("evaluate", "--sr", paths[1], "--reference", paths[0], *words)
    assert outcome.code == 2
    assert words[0] in outcome.stderr


def test_metres_called_degrees_share_no_ground(folder: Path, images: Images, paths: Paths) -> None:
    wrong = write(folder / "degrees.tif", images[1], crs="EPSG:4326")
    assert "share no ground" in refused(3, "--sr", wrong, "--reference", paths[0])


@pytest.mark.parametrize("marks", ["nodata", "mask", "alpha", "both", "option", "values"])
def test_marks_of_missing_pixels_survive_a_warp(tmp_path: Path, marks: str) -> None:
    """The output lies half a pixel off; its missing left half would be 83 off."""
    reference = np.full((3, 32, 32), 90, np.uint8)
    sr = reference.copy()
    sr[:, :, :16] = 7
    options: dict[str, Any] = {"nodata": 7} if marks == "nodata" else {}
    mask = np.ones((32, 32), bool)
    mask[:, :16] = False
    if marks == "alpha":
        sr = np.concatenate([sr, mask[None].astype(np.uint8) * 255])
        names = ("red", "green", "blue", "alpha")
        options["colorinterp"] = tuple(rasterio.enums.ColorInterp[name] for name in names)
    if marks in ("mask", "both"):
        options["mask"] = mask
    if marks == "both":
        options["nodata"] = 5
    moved = (CORNER[0] + 0.25, CORNER[1] - 0.25)
    output = write(tmp_path / "sr.tif", sr, corner=moved, **options)
    if marks == "values":
        with rasterio.open(output, "r+") as dataset:
            dataset.update_tags(NODATA_VALUES="7 7 7")
    path = write(tmp_path / "reference.tif", reference)
    words = ("--src-nodata", "sr=7") if marks == "option" else ()
    found = evaluated("--sr", output, "--reference", path, "--metrics", "mae", *words)
    assert found["summary"]["all"]["output"]["mae"]["mean"] < 0.01
