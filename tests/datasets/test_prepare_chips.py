"""Laws of the chips of a prepared dataset: their pixels, their cubes, their splits."""

import csv
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from specgan_cli.alignment.options import AlignOptions
from specgan_cli.datasets.building.pairs import read_pairs
from specgan_cli.datasets.building.source import hsi_factor
from specgan_cli.datasets.building.splits import Shares
from specgan_cli.datasets.dataset import Dataset
from specgan_cli.errors import DatasetError
from specgan_cli.workflows.prepare_dataset import DatasetOptions, prepare_dataset
from support.prepare_data import (
    ORIGIN,
    TRUSTED,
    at,
    coordinate_scene,
    cube_values,
    small,
    textured,
    write,
)


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
    assert [path.name for path in tmp_path.iterdir()] == ["rgb"]


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


def test_image_that_is_its_own_cube_lies_on_itself(tmp_path: Path) -> None:
    image = np.rint(20 + 200 * np.stack([smooth(seed, 240) for seed in range(4)]))
    write(tmp_path / "four.tif", image.astype(np.uint8), at(0, 0))
    table = tmp_path / "pairs.csv"
    bands = "635:32 555:60 465:60 845:74"
    table.write_text(f"rgb,hsi,hsi_scale,wavelengths\nfour.tif,four.tif,255,{bands}\n")
    prepare_dataset(read_pairs([table]), tmp_path / "out", DatasetOptions(scale=8, chip=24))
    dataset = Dataset.open(tmp_path / "out")
    assert dataset.manifest.options["alignments"] == {}
    assert dataset.read(dataset.chips[0]).hsi is not None


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
    report = prepare_dataset(
        read_pairs([table], root=shared_data),
        tmp_path / "out",
        DatasetOptions(alignment=TRUSTED),
    )
    assert report.chips["test"] == 1 and report.pairs == {"real": 3}
    dataset = Dataset.open(tmp_path / "out")
    sample = dataset.read(dataset.split("test")[0])
    assert sample.rgb.shape == (3, 384, 384)
    assert sample.hsi is not None and sample.hsi.shape == (48, 48, 48) and sample.hsi_factor == 8
    luminance = sample.rgb.reshape(3, 48, 8, 48, 8).mean(axis=(0, 2, 4))
    brightness = sample.hsi[5:22].mean(axis=0)
    assert np.corrcoef(luminance.ravel(), brightness.ravel())[0, 1] > 0.8
