"""Laws of lists of pairs, and of what their images hold."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from specgan_cli.datasets.building.pairs import read_pairs
from specgan_cli.datasets.dataset import Dataset
from specgan_cli.errors import DatasetError
from specgan_cli.workflows.prepare_dataset import prepare_dataset
from support.command import specgan
from support.prepare_data import at, cube_values, small, textured, write


def test_published_layout_is_read(tmp_path: Path, wavelengths: Path) -> None:
    for part, count in (("train", 2), ("valid", 1), ("test", 1)):
        for index in range(count):
            write(tmp_path / "set" / part / "RGBHR" / f"{index}.tif", textured(index), None)
            write(tmp_path / "set" / part / "HSI" / f"{index}.tif", cube_values(8, 8), None)
    done = specgan(
        "prepare",
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
    report = done.json()
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image\na.tif\n", "no column `rgb`"),
        ("rgb\nmissing.tif\n", "1 file of the lists is missing: missing.tif"),
        ("rgb\na.tif\nb.tif\n", "2 files of the lists are missing: a.tif, b.tif"),
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


def test_group_under_two_splits_is_refused(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text("rgb,group,split\nrgb/s00.tif,g,train\nrgb/s01.tif,g,val\n")
    with pytest.raises(DatasetError, match="group g"):
        prepare_dataset(read_pairs([table]), tmp_path / "out", small())


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
    words = ("prepare", tmp_path / "rgb", "-o", tmp_path / "out", "-x", 8)
    refused = specgan(*words)
    assert refused.code == 1 and "has no geotransform" in refused.stderr
    assert specgan(*words, "--assume-gsd", 0.3).code == 0
    chip = Dataset.open(tmp_path / "out").chips[0]
    assert chip.crs is None and chip.bounds is None
    assert chip.gsd == pytest.approx(0.3)


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


def test_float_image_of_bytes_is_stored_as_bytes(tmp_path: Path) -> None:
    values = textured(1).astype(np.float32)
    write(tmp_path / "a.tif", values, at(0, 0), nodata=-3.4e38)
    prepare_dataset(read_pairs([tmp_path / "a.tif"]), tmp_path / "out", small())
    dataset = Dataset.open(tmp_path / "out")
    np.testing.assert_array_equal(dataset.read(dataset.chips[0]).rgb, textured(1))


def test_16_bit_range_is_robust_and_in_the_statistics(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(400, 1401, (3, 256, 256)).astype(np.uint16)
    values[:, 0, 0] = 60000
    write(tmp_path / "a.tif", values, at(0, 0))
    prepare_dataset(read_pairs([tmp_path / "a.tif"]), tmp_path / "out", small(chip=32))
    statistics = Dataset.open(tmp_path / "out").statistics
    assert statistics.rgb_low == pytest.approx(420 - 0.25 * 960, abs=4)
    assert statistics.rgb_high == pytest.approx(1380 + 0.25 * 960, abs=4)


@pytest.mark.parametrize("bands", ["3 2 1", "'3,2,1'", "B04;B03;B02", "665 560 490"])
def test_a_list_says_which_bands_are_red_green_and_blue(tmp_path: Path, bands: str) -> None:
    """The plain image takes those of the option, and the other one its own."""
    values = textured(1)
    path = write(tmp_path / "a.tif", values, at(0, 0), photometric="MINISBLACK")
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("B02 490 nm", "B03 560 nm", "B04 665 nm")
    write(tmp_path / "b.tif", values, at(100, 0), photometric="MINISBLACK")
    quoted = bands.replace("'", '"')
    (tmp_path / "list.csv").write_text(f"rgb,split,bands\na.tif,train,{quoted}\nb.tif,train,\n")
    words = ("-x", 8, "-o", tmp_path / "out", "--bands", "2,2,2")
    assert specgan("prepare", tmp_path / "list.csv", *words).code == 0
    dataset = Dataset.open(tmp_path / "out")
    chips = {chip.group: dataset.read(chip).rgb for chip in dataset.chips}
    assert (chips["a"] == values[::-1]).all()
    assert (chips["b"] == values[[1, 1, 1]]).all()


def test_bands_that_nothing_tells_are_warned_of_once(tmp_path: Path) -> None:
    values = np.concatenate([textured(1), textured(2)[:1]])
    for name in ("a", "b"):
        write(tmp_path / f"{name}.tif", values, at(0, 0), photometric="MINISBLACK")
    words = (tmp_path / "a.tif", tmp_path / "b.tif", "-x", 8, "-o", tmp_path / "out")
    done = specgan("prepare", *words)
    assert done.code == 0
    assert done.stderr.count("because nothing tells") == 2


def test_bands_that_are_not_three_are_refused_with_their_line(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", textured(1), at(0, 0))
    (tmp_path / "list.csv").write_text("rgb,bands\na.tif,3 2\n")
    with pytest.raises(DatasetError, match=r"line 2: bands '3 2' are not three"):
        read_pairs([tmp_path / "list.csv"])
