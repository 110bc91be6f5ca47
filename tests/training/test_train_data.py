"""Laws of how the trainer draws samples."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from specgan_cli.datasets.dataset import ChipArrays, Dataset
from specgan_cli.errors import DatasetError
from specgan_cli.training.config.schema import DataConfig, SourceConfig
from specgan_cli.training.data.augment import changed_cube, turned
from specgan_cli.training.data.batch import Kind, SamplingSpec
from specgan_cli.training.data.crop import (
    CropWindow,
    SampleReader,
    Standardization,
    pyramid,
    read_crop,
)
from specgan_cli.training.data.loader import Loader
from specgan_cli.training.data.sampler import Sampler, make_sampler
from support.datasets import chip_record, make_training_dataset, save_chips


def plan_of(*factors: int, octaves: int = 1, crop: int = 3, batch: int = 4) -> SamplingSpec:
    return SamplingSpec(tuple(Kind(factor, octaves, crop, batch, 1.0) for factor in factors))


PLAN = plan_of(32, 16, 8, octaves=3)


WHOLE: dict[str, float] = {
    "hsi_dropout": 0.0, "hsi_holes": 0.0, "hsi_bands": 0.0, "hsi_coarse": 0.0, "hsi_gain": 0.0
}  # fmt: skip
"""Settings that leave cubes as they are."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset.open(make_training_dataset(tmp_path_factory.mktemp("data") / "ds"))


def sampler_of(dataset: Dataset, config: DataConfig | None = None, seed: int = 5) -> Sampler:
    statistics = dataset.statistics
    reader = SampleReader(dataset, Standardization(statistics.hsi_mean, statistics.hsi_std))
    return make_sampler(reader, dataset.split("train"), config or DataConfig(), seed)


def tensors(batch: object) -> list[torch.Tensor]:
    found = []
    for value in vars(batch).values():
        found += [value] if isinstance(value, torch.Tensor) else []
        found += list(value) if isinstance(value, tuple) else []
    return [value for value in found if isinstance(value, torch.Tensor)]


def test_a_batch_depends_on_seed_and_step_alone(dataset: Dataset) -> None:
    first = sampler_of(dataset).draw(PLAN, step=7, micro=0)
    sampler_of(dataset).draw(PLAN, step=6, micro=0)
    again = sampler_of(dataset).draw(PLAN, step=7, micro=0)
    other = sampler_of(dataset).draw(PLAN, step=7, micro=1)
    pairs = list(zip(tensors(first), tensors(again), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)
    assert first.seed != other.seed


def test_two_processes_share_the_batch_of_one(dataset: Dataset) -> None:
    sampler = sampler_of(dataset)
    whole = sampler.draw(plan_of(32, 16, 8, octaves=3, batch=8), 3, 0)
    halves = [sampler.draw(PLAN, 3, 0, rank, 2) for rank in (0, 1)]
    for joint, first, second in zip(tensors(whole), *map(tensors, halves), strict=True):
        assert torch.equal(joint, torch.cat([first, second]))
    assert whole.seed == halves[0].seed == halves[1].seed


def test_lr_and_octaves_are_means_of_the_truth(dataset: Dataset) -> None:
    sampler = sampler_of(dataset)
    for step in range(6):
        batch = sampler.draw(PLAN, step, 0)
        for truth in batch.truths:
            mean = torch.nn.functional.adaptive_avg_pool2d(truth, tuple(batch.lr_rgb.shape[2:]))
            torch.testing.assert_close(mean, batch.lr_rgb, rtol=0, atol=1e-5)
        assert [t.shape[-1] // batch.lr_rgb.shape[-1] for t in batch.truths] == [2, 4, 8]


def test_turns_keep_lr_cube_and_truth_together(tmp_path: Path) -> None:
    # Every band of the cube is the red channel, so they must still agree after any turn.
    rng = np.random.default_rng(1)
    red = rng.integers(10, 240, (8, 8)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    rgb = np.stack([red, red // 2, 255 - red])
    cube = (red[::8, ::8].astype(int)[None] * 10).repeat(48, 0).astype(np.int16)
    ones = np.ones((64, 64), np.uint8)
    sample = ChipArrays(rgb, ones, cube, ones[::8, ::8], 8, 0.1)
    save_chips(tmp_path / "ds", [(chip_record("a", sample), sample)])
    dataset = Dataset.open(tmp_path / "ds")
    reader = SampleReader(dataset, Standardization((0.0,) * 48, (1.0,) * 48))
    config = DataConfig(**WHOLE)
    sampler = make_sampler(reader, dataset.split("train"), config, 0)
    seen = set()
    for step in range(20):
        batch = sampler.draw(plan_of(16, crop=4, batch=1), step, 0)
        grey = (batch.lr_rgb[:, 0] + 1) * 127.5 * 10 / 10000
        torch.testing.assert_close(batch.hsi[0][:, 11], grey, rtol=0, atol=1e-5)
        seen.add(tuple(batch.lr_rgb.flatten().tolist()))
    assert len(seen) > 5


def test_the_eight_turns_are_all_symmetries_of_the_square() -> None:
    image = np.arange(9.0, dtype=np.float32).reshape(1, 3, 3)
    wanted = {np.rot90(side, k).tobytes() for side in (image[0], image[0].T) for k in range(4)}
    assert {turned(image, turn)[0].tobytes() for turn in range(8)} == wanted


def test_dropped_cubes_have_no_mask_and_no_values(dataset: Dataset) -> None:
    config = DataConfig(hsi_dropout=1.0, sources=(SourceConfig(hsi_kind="real"),))
    batch = sampler_of(dataset, config).draw(PLAN, 0, 0)
    assert not any(image.any() for image in (*batch.hsi, *batch.hsi_mask))
    kept = sampler_of(dataset, dataclasses.replace(config, **WHOLE))
    assert all(mask.all() for mask in kept.draw(PLAN, 0, 0).hsi_mask)


def test_groups_are_drawn_by_their_weights(dataset: Dataset) -> None:
    sources = (SourceConfig(weight=3, hsi_kind="real"), SourceConfig(weight=1))
    sampler = sampler_of(dataset, DataConfig(sources=sources, **WHOLE))
    spec = plan_of(32)
    masks = [sampler.draw(spec, step, 0).hsi_mask[0].amax((1, 2, 3)) for step in range(60)]
    assert float(torch.stack(masks).mean()) == pytest.approx(0.75, abs=0.12)


def test_a_weighted_group_without_chips_is_refused(dataset: Dataset) -> None:
    config = DataConfig(sources=(SourceConfig(hsi_kind="simulated"), SourceConfig()))
    with pytest.raises(DatasetError, match=r"data\.sources\.0"):
        sampler_of(dataset, config)


def test_surroundings_are_the_chips_own_pixels_or_their_mirror_image(dataset: Dataset) -> None:
    record = next(chip for chip in dataset.split("train") if chip.hsi_kind == "real")
    reader = sampler_of(dataset).reader
    rng = np.random.default_rng(0)
    whole = read_crop(reader, record, CropWindow(0, 0, (12, 12), 8), 1, rng)
    part = read_crop(reader, record, CropWindow(8, 32, (3, 4), 8, halo=3), 1, rng)
    mirrored = np.pad(whole.lr_rgb, [(0, 0), (3, 3), (3, 3)], mode="symmetric")
    np.testing.assert_allclose(part.lr_rgb, mirrored[:, 1:10, 4:14], atol=1e-6)
    assert [image.shape for image in part.hsi] == [(48, 9, 10)]
    assert part.truths[0].shape == (3, 6, 8)


def test_a_cube_coarser_than_the_lr_grid_is_cut_at_its_own_pixels(dataset: Dataset) -> None:
    record = next(chip for chip in dataset.split("train") if chip.hsi_kind == "real")
    reader = sampler_of(dataset).reader
    rng = np.random.default_rng(0)
    whole = read_crop(reader, record, CropWindow(0, 0, (48, 48), 2), 1, rng)
    part = read_crop(reader, record, CropWindow(6, 10, (5, 5), 2), 1, rng)
    np.testing.assert_array_equal(part.hsi[0], whole.hsi[0][:, 3:8, 5:10])


def test_a_cube_lies_on_every_grid_that_it_resolves(dataset: Dataset) -> None:
    record = next(chip for chip in dataset.split("train") if chip.hsi_kind == "real")
    reader = sampler_of(dataset).reader  # the cube's pixels are 8 of the truth's
    sample = read_crop(reader, record, CropWindow(0, 0, (3, 3), 32), 5, np.random.default_rng(0))
    assert [image.shape[1:] for image in sample.hsi] == [(3, 3), (6, 6), (12, 12)]
    for coarse, fine in itertools.pairwise(sample.hsi):
        means = fine.reshape(48, coarse.shape[1], 2, coarse.shape[2], 2).mean((2, 4))
        np.testing.assert_allclose(means, coarse, atol=1e-5)


def test_cubes_become_those_of_other_sensors() -> None:
    rng = np.random.default_rng(0)
    hsi = (np.ones((48, 2, 2), np.float32), np.ones((48, 4, 4), np.float32))
    config = DataConfig(hsi_dropout=0.0, hsi_holes=0.0, hsi_bands=1.0, hsi_coarse=0.0)
    counts = set()
    for _ in range(30):
        images, masks = changed_cube(hsi, hsi, config, rng)
        bands = masks[0][:, 0, 0]
        assert all((mask == bands[:, None, None]).all() for mask in masks)
        assert all((image[bands == 0] == 0).all() for image in images)
        assert np.ptp(images[1][bands > 0]) == 0
        assert 0.6 < images[1].max() < 1.5
        counts.add(int(bands.sum()))
    assert len(counts) > 8
    assert min(counts) < 8
    assert max(counts) > 40
    coarse, _ = changed_cube(hsi, hsi, dataclasses.replace(config, hsi_coarse=1.0), rng)
    assert len(coarse) == 1


def test_octaves_are_known_only_where_all_their_pixels_are() -> None:
    mask = np.ones((8, 8), np.uint8)
    mask[0, 0] = 0
    _, masks = pyramid(np.zeros((3, 8, 8), np.float32), mask, 8, 3)
    assert [int((m == 0).sum()) for m in masks] == [1, 1, 1]
    assert [m.shape for m in masks] == [(1, 2, 2), (1, 4, 4), (1, 8, 8)]


def test_chips_smaller_than_the_crop_are_used_whole(dataset: Dataset) -> None:
    spec = plan_of(32, crop=50, batch=2)
    shapes = {tuple(sampler_of(dataset).draw(spec, s, 0).lr_rgb.shape[2:]) for s in range(20)}
    assert shapes <= {(3, 3), (3, 4), (4, 3)}
    exact = dataclasses.replace(spec, exact=True)
    with pytest.raises(DatasetError, match="large enough"):
        sampler_of(dataset).draw(exact, 0, 0)


def test_batches_move_to_a_device_whole(dataset: Dataset) -> None:
    batch = sampler_of(dataset).draw(PLAN, 0, 0)
    moved = batch.to(torch.device("meta"))
    assert len(tensors(moved)) == len(tensors(batch)) > 10
    assert all(tensor.is_meta for tensor in tensors(moved))
    assert batch.to(torch.device("cpu")) is batch


def test_the_loader_keeps_the_order_and_raises_where_it_happened() -> None:
    def make(task: int) -> int:
        if task == 5:
            raise ValueError("five")
        return task * task

    loader = Loader(make, range(9), workers=3)
    found = []
    with pytest.raises(ValueError, match="five"):
        for task, item in loader:
            found.append((task, item))
    loader.close()
    assert found == [(n, n * n) for n in range(5)]
