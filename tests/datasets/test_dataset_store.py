"""Laws of the dataset on disk."""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specgan.bands import CANONICAL_BANDS
from specgan_cli.datasets.dataset import ChipArrays, ChipRecord, Dataset, check
from specgan_cli.datasets.degradation import Degradation
from specgan_cli.datasets.manifest import Rejected
from specgan_cli.datasets.statistics import BandTotals, sum_totals
from specgan_cli.errors import DatasetError
from support.datasets import chip_record, save_chips

RECORD = ChipRecord(
    id="plot_0_0",
    split="train",
    group="plot",
    label=None,
    source="plot.tif",
    hsi_source="cube.tif",
    hsi_kind="real",
    crs="EPSG:32617",
    bounds=(0.0, 0.0, 6.4, 6.4),
    gsd=0.1,
    shape_yx=(64, 64),
    shard="",
    index=-1,
)


def make_sample(seed: int, size: int = 64, hsi: bool = True) -> ChipArrays:
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 256, (3, size, size), dtype=np.uint8)
    mask = (rng.random((size, size)) < 0.9).astype(np.uint8)
    if not hsi:
        return ChipArrays(rgb, mask, None, None, None, 0.3)
    cube = rng.integers(0, 6000, (48, size // 8, size // 8), dtype=np.int16)
    cube_mask = (rng.random((size // 8, size // 8)) < 0.9).astype(np.uint8)
    return ChipArrays(rgb, mask, cube, cube_mask, 8, 0.1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    chips = [(replace(RECORD, id=f"a{seed}"), make_sample(seed)) for seed in range(3)]
    chips.append((replace(RECORD, id="v", split="val"), make_sample(7)))
    bare = make_sample(8, 96, hsi=False)
    chips.append((chip_record("n", bare), bare))
    return save_chips(
        tmp_path / "dataset",
        chips,
        degradation=Degradation("gaussian", mtf=0.25),
        rejected=(Rejected("cloud.tif", "blank"),),
    )


def test_chips_come_back_as_they_went_in(folder: Path) -> None:
    dataset = Dataset.open(folder)
    assert {chip.id for chip in dataset.chips} == {"a0", "a1", "a2", "v", "n"}
    for chip in dataset.chips:
        seeds = {"v": 7, "n": 8}
        seed = seeds.get(chip.id, int(chip.id[1:] or 0) if chip.id[0] == "a" else 0)
        expected = make_sample(seed, chip.shape_yx[0], hsi=chip.id != "n")
        sample = dataset.read(chip)
        np.testing.assert_array_equal(sample.rgb, expected.rgb)
        np.testing.assert_array_equal(sample.mask, expected.mask)
        assert sample.hsi_factor == expected.hsi_factor == dataset.hsi_factor(chip)
        if expected.hsi is None:
            assert sample.hsi is None and sample.hsi_mask is None
        else:
            np.testing.assert_array_equal(sample.hsi, expected.hsi)
            np.testing.assert_array_equal(sample.hsi_mask, expected.hsi_mask)


def test_manifest_keeps_what_the_writer_was_told(folder: Path) -> None:
    dataset = Dataset.open(folder)
    assert dataset.scale == 32
    assert dataset.bands == CANONICAL_BANDS
    assert dataset.degradation == Degradation("gaussian", mtf=0.25)
    assert [entry.reason for entry in dataset.manifest.rejected] == ["blank"]
    assert [chip.id for chip in dataset.split("val")] == ["v"]
    assert dataset.split("val")[0].bounds == (0.0, 0.0, 6.4, 6.4)


def test_crop_is_part_of_chip(folder: Path) -> None:
    dataset = Dataset.open(folder)
    chip = dataset.split("val")[0]
    whole, part = dataset.read(chip), dataset.read(chip, (8, 16, 32, 40))
    np.testing.assert_array_equal(part.rgb, whole.rgb[:, 8:40, 16:56])
    assert whole.hsi is not None and part.hsi is not None
    np.testing.assert_array_equal(part.hsi, whole.hsi[:, 1:5, 2:7])


@pytest.mark.parametrize("crop", [(0, 0, 65, 64), (-8, 0, 8, 8), (4, 0, 8, 8)])
def test_crop_that_does_not_fit_is_refused(folder: Path, crop: tuple[int, int, int, int]) -> None:
    dataset = Dataset.open(folder)
    with pytest.raises(ValueError, match="crop"):
        dataset.read(dataset.split("val")[0], crop)


def test_statistics_are_those_of_valid_training_pixels(folder: Path) -> None:
    samples = [make_sample(seed) for seed in range(3)]
    chosen = np.concatenate([s.hsi[:, s.hsi_mask == 1] for s in samples], axis=1) / 10000.0
    statistics = Dataset.open(folder).statistics
    np.testing.assert_allclose(statistics.hsi_mean, chosen.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(statistics.hsi_std, chosen.std(axis=1), rtol=1e-9)
    assert statistics.hsi_pixels == chosen.shape[1]


def test_totals_do_not_depend_on_order() -> None:
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 65536, (3, 20, 20), dtype=np.uint16) for _ in range(5)]
    parts = [BandTotals.of(image, np.ones((20, 20))) for image in images]
    assert sum_totals(parts, 3) == sum_totals(parts[::-1], 3)
    joined = np.concatenate(images, axis=1)
    assert sum_totals(parts, 3) == BandTotals.of(joined, np.ones((100, 20)))


def test_check_names_the_damaged_shard(folder: Path) -> None:
    assert check(folder) == []
    victim = folder / "shards" / "val-0000.hsi.npy"
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.write_bytes(content)
    assert check(folder) == ["shard val-0000: val-0000.hsi.npy was changed or damaged"]


def test_truncated_shard_is_refused_on_opening(folder: Path) -> None:
    victim = folder / "shards" / "train-0000.rgb.npy"
    victim.write_bytes(victim.read_bytes()[:-10])
    with pytest.raises(DatasetError, match=r"train-0000\.rgb\.npy has"):
        Dataset.open(folder)


def test_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="specgan prepare"):
        Dataset.open(tmp_path)


def test_manifest_of_another_version_is_refused(folder: Path) -> None:
    manifest = folder / "dataset.json"
    manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 99'))
    with pytest.raises(DatasetError, match="version 99"):
        Dataset.open(folder)


def test_damaged_manifest_is_refused(folder: Path) -> None:
    manifest = folder / "dataset.json"
    manifest.write_text(manifest.read_text().replace('"statistics"', '"static"'))
    with pytest.raises(DatasetError, match="damaged"):
        Dataset.open(folder)


def lose_band(document: dict[str, Any]) -> None:
    for values in (*document["bands"].values(), *document["statistics"].values()):
        if isinstance(values, list) and len(values) == len(CANONICAL_BANDS):
            values.pop()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda document: document["shards"][0].update(count=0), "at least 1"),
        (lambda document: document["shards"][0].update(hsi_factor=0), "at least 1"),
        (lambda document: document["shards"][0].update(shape_yx=[64, -64]), "at least 1"),
        (lambda document: document["shards"][0]["files"].pop("mask"), "expected"),
        (lambda document: document["shards"][0].update(hsi_factor=None), "expected"),
        (lambda document: document["chips"][0].update(shard="none"), "no shard holds it"),
        (lambda document: document["chips"][0].update(index=99), "no shard holds it"),
        (lambda document: document["chips"][0].update(index=-1), "no shard holds it"),
        (lambda document: document["chips"][0].update(shape_yx=[64, 65]), "no shard holds it"),
        (lambda document: document["chips"][0].update(gsd=0), "above 0"),
        (lambda document: document["chips"][0].update(hsi_known=[48]), "hsi_known"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    manifest = folder / "dataset.json"
    document = json.loads(manifest.read_text())
    change(document)
    manifest.write_text(json.dumps(document))
    with pytest.raises(DatasetError, match=f"damaged.*{words}"):
        Dataset.open(folder)


def test_a_manifest_that_lost_a_band_does_not_fit_its_shards(folder: Path) -> None:
    manifest = folder / "dataset.json"
    document = json.loads(manifest.read_text())
    lose_band(document)
    manifest.write_text(json.dumps(document))
    dataset = Dataset.open(folder)
    with pytest.raises(DatasetError, match=r"hsi\.npy holds int16 of shape"):
        dataset.read(dataset.split("train")[0])


def test_dataset_goes_to_worker_processes_without_its_maps(folder: Path) -> None:
    dataset = Dataset.open(folder)
    chip = dataset.chips[0]
    before = dataset.read(chip)
    message = pickle.dumps(dataset)
    assert len(message) < 20_000
    np.testing.assert_array_equal(pickle.loads(message).read(chip).rgb, before.rgb)


def test_dataset_module_needs_numpy_alone() -> None:
    program = (
        "import sys, specgan_cli.datasets.dataset, specgan_cli.datasets.degradation;"
        "print(sorted({'rasterio', 'scipy', 'pyproj', 'click'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
