"""Laws of `specgan prepare PAIRS... -o dataset/`."""

import csv
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from rasterio.errors import NotGeoreferencedWarning

from specgan.bands import CANONICAL_BANDS
from specgan_cli.alignment import AlignOptions
from specgan_cli.cli.main import cli
from specgan_cli.datasets.building import build as steps
from specgan_cli.datasets.building.pairs import read_pairs
from specgan_cli.datasets.building.source import hsi_factor
from specgan_cli.datasets.building.splits import Shares
from specgan_cli.datasets.dataset import Dataset
from specgan_cli.errors import DatasetError, OutputError
from specgan_cli.workflows.prepare_dataset import DatasetOptions, prepare_dataset

TRUSTED = AlignOptions(align=False)
ORIGIN = (726400.0, 4699000.0)


def write(path: Path, values: np.ndarray, transform: Affine | None, **profile: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"driver": "GTiff", "count": values.shape[0], "dtype": str(values.dtype)}
    options |= {"height": values.shape[1], "width": values.shape[2]}
    if transform is not None:
        options |= {"transform": transform, "crs": "EPSG:32618"}
    with warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning):
        with rasterio.open(path, "w", **options | profile) as file:
            file.write(values)
    return path


def coordinate_scene(path: Path, rows: int, cols: int, origin: tuple[float, float]) -> Path:
    """Write uint16 whose bands are row, column and a number of the scene."""
    row, col = np.mgrid[:rows, :cols].astype(np.uint16)
    number = np.full((rows, cols), len(path.stem), np.uint16)
    transform = Affine(0.1, 0, origin[0], 0, -0.1, origin[1])
    return write(path, np.stack([row, col, number]), transform)


def textured(seed: int, rows: int = 64, cols: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 255, (3, rows, cols), dtype=np.uint8)


def at(x: float, y: float, gsd: float = 0.1) -> Affine:
    return Affine(gsd, 0, ORIGIN[0] + x, 0, -gsd, ORIGIN[1] + y)


def cube_values(rows: int, cols: int) -> np.ndarray:
    """Reflectance x 10000, 48 bands: each pixel tells its row and column."""
    band, row, col = np.meshgrid(np.arange(48), np.arange(rows), np.arange(cols), indexing="ij")
    return (500 + 10 * band + 100 * row + 7 * col).astype(np.int16)


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


def digest(path: Path) -> dict[str, bytes]:
    return {
        file.relative_to(path).as_posix(): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["prepare", *map(str, words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def small(scale: int = 8, **fields: object) -> DatasetOptions:
    return DatasetOptions(scale=scale, **fields)  # type: ignore[arg-type]


def test_chips_lie_where_their_source_pixels_are(tmp_path: Path) -> None:
    paths = [
        coordinate_scene(tmp_path / "a.tif", 150, 210, (726400.0, 4699000.0)),
        coordinate_scene(tmp_path / "bcd.tif", 97, 64, (727000.3, 4699500.7)),
    ]
    options = small(chip=8, rgb_range=(0.0, 1000.0))
    prepare_dataset(read_pairs(paths), tmp_path / "out", options)
    dataset = Dataset.open(tmp_path / "out")
    assert len(dataset.chips) > 4
    for record in dataset.chips:
        with rasterio.open(record.source) as source:
            assert record.bounds is not None
            window = source.window(*record.bounds)
        rgb = dataset.read(record).rgb
        assert rgb.shape[1:] == record.shape_yx == (round(window.height), round(window.width))
        rows = round(window.row_off) + np.arange(record.shape_yx[0])
        cols = round(window.col_off) + np.arange(record.shape_yx[1])
        np.testing.assert_array_equal(rgb[0], np.broadcast_to(rows[:, None], rgb.shape[1:]))
        np.testing.assert_array_equal(rgb[1], np.broadcast_to(cols, rgb.shape[1:]))
        assert (rgb[2] == len(Path(record.source).stem)).all()


def test_cube_lies_where_the_image_lies(tmp_path: Path, wavelengths: Path) -> None:
    rgb = write(tmp_path / "rgb.tif", textured(0, 96, 96), at(0, 0))
    # Pixels of 0.8 m, three more on every side than the image has.
    cube = write(tmp_path / "hsi.tif", cube_values(18, 18), at(-2.4, 2.4, 0.8))
    table = tmp_path / "pairs.csv"
    table.write_text(
        f"rgb,hsi,hsi_scale,wavelengths\n{rgb.name},{cube.name},10000,{wavelengths.name}\n"
    )
    options = small(chip=5, alignment=TRUSTED, shares=Shares(0, 0))
    prepare_dataset(read_pairs([table]), tmp_path / "out", options)
    dataset = Dataset.open(tmp_path / "out")
    assert len(dataset.chips) == 4
    for record in dataset.chips:
        sample = dataset.read(record)
        assert sample.hsi is not None and sample.hsi_mask is not None and sample.hsi_mask.all()
        assert sample.hsi_factor == 8 and record.bounds is not None
        row = round((ORIGIN[1] + 2.4 - record.bounds[3]) / 0.8)
        col = round((record.bounds[0] - ORIGIN[0] + 2.4) / 0.8)
        expected = cube_values(18, 18)[:, row : row + 5, col : col + 5]
        np.testing.assert_allclose(sample.hsi, expected, atol=1)


def test_part_of_image_outside_cube_is_masked(tmp_path: Path, wavelengths: Path) -> None:
    rgb = write(tmp_path / "rgb.tif", textured(0, 64, 64), at(0, 0))
    cube = write(tmp_path / "hsi.tif", cube_values(8, 4), at(0, 0, 0.8))
    table = tmp_path / "pairs.csv"
    table.write_text(f"rgb,hsi,hsi_scale,wavelengths\n{rgb},{cube},10000,{wavelengths}\n")
    prepare_dataset(read_pairs([table]), tmp_path / "out", small(alignment=TRUSTED))
    sample = Dataset.open(tmp_path / "out").read(Dataset.open(tmp_path / "out").chips[0])
    assert sample.hsi is not None and sample.hsi_mask is not None
    assert sample.hsi_mask[:, :4].all() and not sample.hsi_mask[:, 4:].any()
    assert not sample.hsi[:, :, 4:].any()


def test_bytes_do_not_depend_on_jobs(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specgan_cli.datasets.building.plan.SHARD_BYTES", 40_000)
    pairs = read_pairs([folder])
    prepare_dataset(pairs, tmp_path / "one", small(chip=4))
    prepare_dataset(pairs, tmp_path / "two", small(chip=4), jobs=2)
    assert len(digest(tmp_path / "one")) > 8
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_splits_by_blocks_keep_the_guard_distance(tmp_path: Path) -> None:
    write(tmp_path / "big.tif", textured(3, 512, 512), at(0, 0))
    options = small(chip=4, split_by="blocks", guard_m=2.0, block_m=10.0, shares=Shares(0.3, 0.2))
    report = prepare_dataset(read_pairs([tmp_path / "big.tif"]), tmp_path / "out", options)
    chips = Dataset.open(tmp_path / "out").chips
    assert set(report.chips) == {"train", "val", "test"}
    assert report.rejected["near another split"] > 0
    for one in chips:
        for other in chips:
            if one.split < other.split:
                assert one.bounds is not None and other.bounds is not None
                across = max(one.bounds[0], other.bounds[0]) - min(one.bounds[2], other.bounds[2])
                along = max(one.bounds[1], other.bounds[1]) - min(one.bounds[3], other.bounds[3])
                assert max(across, along) >= 2.0 - 1e-6


def test_overlapping_scenes_of_two_splits_share_no_ground(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", textured(1, 128, 128), at(0, 0))
    write(tmp_path / "b.tif", textured(2, 128, 128), at(6.4, 0))
    table = tmp_path / "pairs.csv"
    table.write_text("rgb,group,split\na.tif,a,train\nb.tif,b,valid\n")
    report = prepare_dataset(read_pairs([table]), tmp_path / "out", small(chip=8))
    assert report.chips == {"train": 2, "val": 4}
    assert report.rejected == {"near another split": 2}


def test_scenes_of_two_crs_share_no_ground(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", textured(1), at(0, 0))
    with rasterio.open(tmp_path / "a.tif") as file:
        bounds = rasterio.warp.transform_bounds(file.crs, "EPSG:4326", *file.bounds)
    step = (bounds[2] - bounds[0]) / 64
    transform = Affine(step, 0, bounds[0], 0, -step, bounds[3])
    write(tmp_path / "b.tif", textured(2), transform, crs="EPSG:4326")
    write(tmp_path / "far.tif", textured(2), at(3000, 0))
    table = tmp_path / "pairs.csv"
    table.write_text("rgb,split\na.tif,train\nb.tif,val\nfar.tif,train\n")
    report = prepare_dataset(read_pairs([table]), tmp_path / "out", small())
    assert report.rejected == {"near another split": 1}
    assert {Path(chip.source).stem for chip in Dataset.open(tmp_path / "out").chips} == {"b", "far"}


def test_guard_between_crs_is_in_metres_of_ground(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", textured(1), at(0, 0))
    write(tmp_path / "far.tif", textured(1), at(3000, 0))
    # UTM 19 at the same place: 20 m to the east of a's right edge, a little turned.
    xs, ys = rasterio.warp.transform(
        "EPSG:32618", "EPSG:32619", [ORIGIN[0] + 26.4], [ORIGIN[1] - 3.2]
    )
    transform = Affine(0.1, 0, xs[0], 0, -0.1, ys[0] + 3.2)
    write(tmp_path / "b.tif", textured(2), transform, crs="EPSG:32619")
    (tmp_path / "pairs.csv").write_text("rgb,split\na.tif,train\nb.tif,val\nfar.tif,train\n")
    pairs = read_pairs([tmp_path / "pairs.csv"])
    apart = prepare_dataset(pairs, tmp_path / "out18", small(guard_m=18.0))
    near = prepare_dataset(pairs, tmp_path / "out24", small(guard_m=24.0))
    assert apart.rejected == {}
    assert near.rejected == {"near another split": 1}


def test_blank_and_nodata_chips_are_counted(tmp_path: Path) -> None:
    empty = textured(1, 64, 64)
    empty[:, :20] = 0
    write(tmp_path / "rgb" / "empty.tif", empty, at(0, 0), nodata=0)
    write(tmp_path / "rgb" / "flat.tif", np.full((3, 64, 64), 90, np.uint8), at(100, 0))
    write(tmp_path / "rgb" / "good.tif", textured(2), at(200, 0))
    write(tmp_path / "rgb" / "tiny.tif", textured(2, 7, 64), at(300, 0))
    (tmp_path / "rgb" / "junk.tif").write_bytes(b"II*\0 not a raster")
    report = prepare_dataset(read_pairs([tmp_path / "rgb"]), tmp_path / "out", small())
    assert report.rejected == {"blank": 1, "nodata": 1, "too small": 1, "unreadable": 1}
    assert sum(report.chips.values()) == 1


def test_nothing_left_is_an_error_that_says_why(tmp_path: Path) -> None:
    write(tmp_path / "rgb" / "flat.tif", np.full((3, 64, 64), 90, np.uint8), at(100, 0))
    with pytest.raises(DatasetError, match="1 blank"):
        prepare_dataset(read_pairs([tmp_path / "rgb"]), tmp_path / "out", small())
    assert not (tmp_path / "out").exists()


def test_nodata_column_none_takes_white_as_a_value(tmp_path: Path) -> None:
    values = textured(1)
    values[:, :30] = 255
    write(tmp_path / "a.tif", values, at(0, 0), nodata=255)
    (tmp_path / "pairs.csv").write_text("rgb,nodata\na.tif,none\n")
    prepare_dataset(read_pairs([tmp_path / "pairs.csv"]), tmp_path / "out", small())
    dataset = Dataset.open(tmp_path / "out")
    assert dataset.read(dataset.chips[0]).mask.all()


def test_images_without_crs_need_a_pixel_size(tmp_path: Path) -> None:
    write(tmp_path / "rgb" / "a.png", textured(1), None, driver="PNG")
    code, _ = 0, ""
    with pytest.raises(Exception, match=r"CRS|geotransform|ground"):
        prepare_dataset(read_pairs([tmp_path / "rgb"]), tmp_path / "out", small())
    code, _ = run(tmp_path / "rgb", "--assume-gsd", 0.3, "-o", tmp_path / "out", "-x", 8)
    chip = Dataset.open(tmp_path / "out").chips[0]
    assert code == 0 and chip.crs is None and chip.bounds is None
    assert chip.gsd == pytest.approx(0.3)


def test_published_layout_is_read(tmp_path: Path, wavelengths: Path) -> None:
    for part, count in (("train", 2), ("valid", 1), ("test", 1)):
        for index in range(count):
            write(tmp_path / "set" / part / "RGBHR" / f"{index}.tif", textured(index), None)
            write(tmp_path / "set" / part / "HSI" / f"{index}.tif", cube_values(8, 8), None)
    code, output = run(
        tmp_path / "set",
        "--assume-gsd",
        0.5,
        "--wavelengths",
        wavelengths,
        "--hsi-scale",
        10000,
        "-o",
        tmp_path / "out",
        "-x",
        8,
        "--json",
    )
    report = json.loads(output)
    assert code == 0
    assert report["chips"] == {"train": 2, "val": 1, "test": 1}
    assert report["pairs"] == {"real": 4}
    dataset = Dataset.open(tmp_path / "out")
    sample = dataset.read(dataset.split("test")[0])
    assert sample.hsi_factor == 8 and sample.hsi is not None
    np.testing.assert_allclose(sample.hsi, cube_values(8, 8), atol=1)


def test_folders_of_equal_names_are_paired(tmp_path: Path, wavelengths: Path) -> None:
    for index in range(3):
        write(tmp_path / "rgb" / f"{index}.tif", textured(index), at(100 * index, 0))
    write(tmp_path / "hsi" / "1.tif", cube_values(8, 8), at(100, 0, 0.8))
    pairs = read_pairs([tmp_path / "rgb"], tmp_path / "hsi")
    assert [pair.hsi is not None for pair in pairs] == [False, True, False]
    assert [pair.hsi_kind for pair in pairs] == ["none", "real", "none"]


def test_float_image_of_bytes_is_stored_as_bytes(tmp_path: Path) -> None:
    values = textured(1).astype(np.float32)
    write(tmp_path / "a.tif", values, at(0, 0), nodata=-3.4e38)
    prepare_dataset(read_pairs([tmp_path / "a.tif"]), tmp_path / "out", small())
    dataset = Dataset.open(tmp_path / "out")
    np.testing.assert_array_equal(dataset.read(dataset.chips[0]).rgb, textured(1))


def test_mixed_types_need_a_range(tmp_path: Path) -> None:
    write(tmp_path / "rgb" / "a.tif", textured(1), at(0, 0))
    write(tmp_path / "rgb" / "b.tif", textured(2).astype(np.uint16) * 16, at(100, 0))
    pairs = read_pairs([tmp_path / "rgb"])
    with pytest.raises(DatasetError, match="--rgb-range"):
        prepare_dataset(pairs, tmp_path / "out", small())
    prepare_dataset(pairs, tmp_path / "out", small(rgb_range=(0.0, 4080.0)))
    dataset = Dataset.open(tmp_path / "out")
    record = next(chip for chip in dataset.chips if chip.source.endswith("b.tif"))
    np.testing.assert_array_equal(dataset.read(record).rgb, textured(2))


def test_16_bit_range_is_robust_and_in_the_statistics(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(400, 1401, (3, 256, 256)).astype(np.uint16)
    values[:, 0, 0] = 60000
    write(tmp_path / "a.tif", values, at(0, 0))
    prepare_dataset(read_pairs([tmp_path / "a.tif"]), tmp_path / "out", small(chip=32))
    statistics = Dataset.open(tmp_path / "out").statistics
    assert statistics.rgb_low == pytest.approx(420 - 0.25 * 960, abs=4)
    assert statistics.rgb_high == pytest.approx(1380 + 0.25 * 960, abs=4)


def test_group_under_two_splits_is_refused(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text("rgb,group,split\nrgb/s00.tif,g,train\nrgb/s01.tif,g,val\n")
    with pytest.raises(DatasetError, match="group g"):
        prepare_dataset(read_pairs([table]), tmp_path / "out", small())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image\na.tif\n", "no column `rgb`"),
        ("rgb\nmissing.tif\n", "1 files of the lists are missing"),
        ("rgb\nrgb/s00.tif\nrgb/s00.tif\n", "named twice"),
        ("rgb,split\nrgb/s00.tif,never\n", "line 2: split 'never'"),
        ("rgb,gsd\nrgb/s00.tif,-1\n", "line 2: gsd"),
        ("rgb,hsi_kind\nrgb/s00.tif,real\n", "hsi_kind"),
        ("rgb\n", "no image"),
    ],
)
def test_malformed_list_is_refused(folder: Path, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_pairs([tmp_path / "pairs.csv"])


def test_dry_run_writes_nothing(folder: Path, tmp_path: Path) -> None:
    code, output = run(folder, "-o", tmp_path / "out", "-x", 8, "--dry-run", "--json")
    report = json.loads(output)
    assert code == 0 and report["dry_run"] and sum(report["chips"].values()) == 12
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rgb"]
    prepared = prepare_dataset(read_pairs([folder]), tmp_path / "out", small())
    assert prepared.chips == report["chips"]


def test_existing_dataset_needs_overwrite(folder: Path, tmp_path: Path) -> None:
    pairs = read_pairs([folder])
    prepare_dataset(pairs, tmp_path / "out", small())
    before = digest(tmp_path / "out")
    with pytest.raises(OutputError, match="--overwrite"):
        prepare_dataset(pairs[:6], tmp_path / "out", small())
    assert digest(tmp_path / "out") == before
    prepare_dataset(pairs[:6], tmp_path / "out", small(), overwrite=True)
    assert len(Dataset.open(tmp_path / "out").chips) == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "rgb"]


def test_foreign_folder_is_never_replaced(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match="never replaced"):
        prepare_dataset(read_pairs([folder]), tmp_path / "out", small(), overwrite=True)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "precious"


def test_check_names_the_bad_shard(folder: Path, tmp_path: Path) -> None:
    run(folder, "-o", tmp_path / "out", "-x", 8)
    code, output = run("--check", tmp_path / "out")
    assert code == 0 and "as it was written" in output
    victim = tmp_path / "out" / "shards" / "train-0000.rgb.npy"
    content = bytearray(victim.read_bytes())
    content[500] ^= 255
    victim.write_bytes(content)
    with pytest.raises(DatasetError, match=r"train-0000\.rgb\.npy was changed"):
        run("--check", tmp_path / "out")


def test_contact_sheet_is_a_picture(folder: Path, tmp_path: Path) -> None:
    prepare_dataset(read_pairs([folder]), tmp_path / "out", small())
    with warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning):
        with rasterio.open(tmp_path / "out" / "contact_sheet.png") as sheet:
            assert sheet.driver == "PNG" and sheet.count == 3
            assert sheet.read().std() > 20


def stopped_after(count: int, error: BaseException) -> Callable[[str, int, int], None]:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "writing shards" and done >= count:
            raise error

    return stop


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "no room")])
def test_stopped_run_goes_on_and_gives_the_same_bytes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr("specgan_cli.datasets.building.plan.SHARD_BYTES", 40_000)
    pairs = read_pairs([folder])
    prepare_dataset(pairs, tmp_path / "whole", small())
    with pytest.raises((KeyboardInterrupt, OutputError)) as raised:
        prepare_dataset(pairs, tmp_path / "out", small(), progress=stopped_after(3, error))
    if isinstance(error, OSError):
        assert "the disk is full" in str(raised.value)
    assert not (tmp_path / "out").exists()
    written: list[str] = []
    real = steps.write_shard
    monkeypatch.setattr(steps, "write_shard", lambda *a: (written.append(a[1]), real(*a))[1])
    prepare_dataset(pairs, tmp_path / "out", small())
    assert len(written) == len(list((tmp_path / "whole" / "shards").glob("*.rgb.npy"))) - 3
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")


def test_changed_input_starts_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specgan_cli.datasets.building.plan.SHARD_BYTES", 40_000)
    pairs = read_pairs([folder])
    with pytest.raises(KeyboardInterrupt):
        prepare_dataset(
            pairs, tmp_path / "out", small(), progress=stopped_after(3, KeyboardInterrupt())
        )
    for path in folder.iterdir():
        write(path, textured(99), at(0, 100 * int(path.stem[1:])))
    prepare_dataset(pairs, tmp_path / "out", small())
    dataset = Dataset.open(tmp_path / "out")
    for chip in dataset.chips:
        np.testing.assert_array_equal(dataset.read(chip).rgb, textured(99))


def test_two_runs_at_once_are_refused(folder: Path, tmp_path: Path) -> None:
    pairs = read_pairs([folder])
    messages = []

    def second(stage: str, done: int, total: int) -> None:
        if stage == "writing shards" and not messages:
            with pytest.raises(OutputError) as raised:
                prepare_dataset(pairs, tmp_path / "out", small())
            messages.append(str(raised.value))

    prepare_dataset(pairs, tmp_path / "out", small(), progress=second)
    assert "another run" in messages[0]
    assert len(Dataset.open(tmp_path / "out").chips) == 12


def test_killed_run_goes_on_and_gives_the_same_bytes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specgan_cli.datasets.building.plan.SHARD_BYTES", 17_000)
    program = (
        "import sys, time\n"
        "from specgan_cli.datasets.building import plan as dataset_plan\n"
        "from specgan_cli.workflows import prepare_dataset as prepare\n"
        "from specgan_cli.datasets.building.pairs import read_pairs\n"
        "dataset_plan.SHARD_BYTES = 17_000\n"
        "def slow(stage, done, total):\n"
        "    print(stage, done, flush=True)\n"
        "    time.sleep(0.2 if stage == 'writing shards' else 0)\n"
        "prepare.prepare_dataset(read_pairs([sys.argv[1]]), sys.argv[2],\n"
        "    prepare.DatasetOptions(scale=8), progress=slow)\n"
    )
    command = [sys.executable, "-c", program, str(folder), str(tmp_path / "out")]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith(b"writing shards 4"):
            break
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert not (tmp_path / "out").exists()
    assert len(list((tmp_path / ".out.partial" / "done").glob("*.json"))) >= 4
    prepare_dataset(read_pairs([folder]), tmp_path / "out", small())
    prepare_dataset(read_pairs([folder]), tmp_path / "whole", small())
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")
    assert not (tmp_path / ".out.partial").exists()


def test_disk_that_cannot_hold_the_dataset_is_refused_first(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(OutputError, match=r"needs up to .* GB"):
        prepare_dataset(read_pairs([folder]), tmp_path / "out", small())


def test_memory_does_not_grow_with_the_scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specgan_cli.datasets.building.plan.SHARD_BYTES", 500_000)
    # The sheet grows up to its 48 chips, and no further.
    monkeypatch.setattr(
        "specgan_cli.workflows.prepare_dataset.contact_sheet", lambda *ignored: None
    )
    peaks_mb = []
    for rows in (1024, 4096):
        path = tmp_path / f"{rows}.tif"
        write(path, textured(0, rows, 768), at(0, 0), tiled=True, blockxsize=256, blockysize=256)
        pairs = read_pairs([path])
        tracemalloc.start()
        prepare_dataset(pairs, tmp_path / f"out{rows}", small(scale=32, chip=8))
        peaks_mb.append(tracemalloc.get_traced_memory()[1] / 1e6)
        tracemalloc.stop()
    # The larger scene holds 7 MB more than the smaller.
    assert peaks_mb[0] < 12 and peaks_mb[1] - peaks_mb[0] < 1


def test_real_pairs_become_a_dataset(shared_data: Path, tmp_path: Path) -> None:
    listed = Path(__file__).parents[2] / "recipes" / "neon_ucmerced" / "neon_pairs.csv"
    with listed.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    wanted = [row for row in rows if row["split"] == "test"] + rows[:2]
    table = tmp_path / "pairs.csv"
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(wanted)
    began = time.monotonic()
    report = prepare_dataset(
        read_pairs([table], root=shared_data),
        tmp_path / "out",
        DatasetOptions(alignment=TRUSTED),
    )
    assert time.monotonic() - began < 30
    assert report.chips["test"] == 1 and report.pairs == {"real": 3}
    dataset = Dataset.open(tmp_path / "out")
    sample = dataset.read(dataset.split("test")[0])
    assert sample.rgb.shape == (3, 384, 384)
    assert sample.hsi is not None and sample.hsi.shape == (48, 48, 48) and sample.hsi_factor == 8
    luminance = sample.rgb.reshape(3, 48, 8, 48, 8).mean(axis=(0, 2, 4))
    brightness = sample.hsi[5:22].mean(axis=0)
    assert np.corrcoef(luminance.ravel(), brightness.ravel())[0, 1] > 0.8


def test_one_scene_is_given_its_cube(tmp_path: Path, wavelengths: Path) -> None:
    scene = write(tmp_path / "rgb.tif", textured(0, 96, 96), at(0, 0))
    cube = write(tmp_path / "hsi.tif", cube_values(18, 18), at(-2.4, 2.4, 0.8))
    words = ["--hsi", cube, "--wavelengths", wavelengths, "--hsi-scale", 10000, "--no-align"]
    code, output = run(scene, *words, "-o", tmp_path / "aligned.tif", "--json")
    assert code == 0 and json.loads(output)["alignment"]["estimated"] is False
    with rasterio.open(tmp_path / "aligned.tif") as aligned, rasterio.open(scene) as rgb:
        assert aligned.transform == rgb.transform and aligned.crs == rgb.crs
        assert (aligned.count, aligned.height, aligned.width) == (48, 96, 96)
        centre = aligned.read(10)[4::8, 4::8].astype(float)
    np.testing.assert_allclose(centre, cube_values(18, 18)[9, 3:15, 3:15], atol=60)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name an RGB scene"),
        (["a.tif", "b.tif", "--hsi", "c.tif", "-o", "o.tif"], "one scene"),
        (["a.tif"], "name the output"),
        (["a.tif", "--hsi", "c.tif", "-o", "o.tif", "--chip", "4"], "--chip belongs to datasets"),
        (["a.csv", "-o", "out", "--quicklook", "q.png"], "--quicklook belongs to one scene"),
        (["a.csv", "-o", "out", "--chip", "4", "--overlap", "4"], "--overlap 4 must be less"),
        (["a.csv", "-o", "out", "--val", "0.6", "--test", "0.4"], "nothing to train"),
        (["a.csv", "-o", "out", "--rgb-range", "5,5"], "lower value first"),
        (["a.csv", "-o", "out", "-x", "3"], "'3' is not one of"),
    ],
)
def test_meaningless_options_are_usage_errors(words: list[str], message: str) -> None:
    code, output = run(*words)
    assert code == 2 and message in output


def test_interrupted_run_exits_130_and_leaves_no_dataset(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "specgan_cli", "prepare", str(folder)]
    child = subprocess.Popen(
        [*command, "-o", str(tmp_path / "out"), "-x", "8", "-j", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / ".out.partial").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert (child.returncode, errors.strip()) == (130, b"specgan: error: interrupted")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("gsd", "cube", "scale", "factor"),
    [
        (0.1, 1.0, 32, 8),
        (0.1, 0.8, 32, 8),
        (0.1, 10.0, 32, 32),
        (0.1, 10.0, 4, 4),
        (0.3, 2.36, 32, 8),
        (0.3, 2.2, 32, 4),
        (0.3, 0.2, 32, 1),
    ],
)
def test_cube_is_kept_at_about_its_own_resolution(
    gsd: float, cube: float, scale: int, factor: int
) -> None:
    assert hsi_factor(gsd, cube, scale) == factor


def smooth(seed: int, size: int) -> np.ndarray:
    """Return a random landscape, size x size, 0..1, with structure of a dozen pixels and more."""
    rng = np.random.default_rng(seed)
    waves = np.fft.fftfreq(size)
    low_pass = np.exp(-((waves[:, None] ** 2 + waves[None, :] ** 2) * (12.0**2)))
    field = np.fft.ifft2(np.fft.fft2(rng.standard_normal((size, size))) * low_pass).real
    return np.asarray((field - field.min()) / np.ptp(field))


def landscape_pair(
    folder: Path, wavelengths: Path, of_image: np.ndarray, of_cube: np.ndarray
) -> Path:
    """Write an image of 240 pixels at 0.1 m, and a cube of 24 pixels at 1 m of the same bounds."""
    image = np.rint(20 + 200 * of_image).astype(np.uint8)
    write(folder / "rgb.tif", np.stack([image, image, image]), at(0, 0))
    coarse = of_cube.reshape(24, 10, 24, 10).mean(axis=(1, 3))
    values = np.rint(200 + 2000 * coarse).astype(np.int16)
    write(folder / "hsi.tif", np.repeat(values[None], 48, axis=0), at(0, 0, 1.0))
    table = folder / "pairs.csv"
    table.write_text(f"rgb,hsi,hsi_scale,wavelengths\nrgb.tif,hsi.tif,10000,{wavelengths}\n")
    return table


def test_displaced_cube_is_brought_back(tmp_path: Path, wavelengths: Path) -> None:
    ground = smooth(4, 240)
    # The georeference puts the cube's content 1.3 m west and 0.7 m south of its place.
    displaced = np.roll(ground, (7, -13), axis=(0, 1))
    table = landscape_pair(tmp_path, wavelengths, ground, displaced)
    correlations = []
    for aligned in (False, True):
        out = tmp_path / f"out{aligned}"
        options = DatasetOptions(
            scale=8, chip=24, alignment=AlignOptions(align=aligned), shares=Shares(0, 0)
        )
        prepare_dataset(read_pairs([table]), out, options)
        dataset = Dataset.open(out)
        sample = dataset.read(dataset.chips[0])
        assert sample.hsi is not None
        image = sample.rgb[1].reshape(24, 8, 24, 8).mean(axis=(1, 3))
        inner = np.s_[3:-3, 3:-3]
        correlations.append(np.corrcoef(image[inner].ravel(), sample.hsi[20][inner].ravel())[0, 1])
    assert correlations[0] < 0.3 and correlations[1] > 0.85
    found = dataset.manifest.options["alignments"]["rgb.tif"]
    assert found["shift_xy"] == pytest.approx([1.3, 0.7], abs=0.05)


def test_cube_of_other_ground_is_rejected_as_misaligned(tmp_path: Path, wavelengths: Path) -> None:
    table = landscape_pair(tmp_path, wavelengths, smooth(4, 240), smooth(5, 240))
    write(tmp_path / "good.tif", textured(1, 192, 192), at(500, 0))
    pairs = [*read_pairs([table]), *read_pairs([tmp_path / "good.tif"])]
    report = prepare_dataset(pairs, tmp_path / "out", small(scale=32))
    assert report.rejected == {"misaligned": 1}
    assert report.pairs == {"none": 1}
