"""`specgan evaluate DATASET`: figures, ablation, thresholds, files and refusals."""

import csv
import json
import math
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from specgan.errors import ShapeError
from specgan_cli.datasets.dataset import Dataset
from specgan_cli.evaluation.baselines import interpolate
from specgan_cli.evaluation.chips import EvalChip, read_chip
from specgan_cli.evaluation.image_pair import Units
from specgan_cli.evaluation.methods import (
    Interpolation,
    Network,
    Partners,
    ablation,
    load_network,
    visible_bands,
)
from specgan_cli.evaluation.metrics.catalogue import METRICS, check_names
from specgan_cli.evaluation.runner import run
from specgan_cli.resampling.cube_on_grid import FINEST
from support.command import Result, specgan
from support.datasets import make_evaluation_dataset
from support.tiny_networks import tiny_weights

Report = tuple[Result, Path]

FAST = ("psnr", "rmse", "lr_psnr", "spectrum", "grid_step", "colour_spread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_evaluation_dataset(tmp_path_factory.mktemp("evaluate") / "dataset")


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Dataset:
    return Dataset.open(folder)


@pytest.fixture(scope="module")
def report(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """One whole run, and what it wrote."""
    out = tmp_path_factory.mktemp("report") / "report"
    outcome = specgan(
        *("evaluate", folder, "--weights", tiny_weights(), "-x", "8", "--ablate", "hsi"),
        *("--metrics", ",".join(FAST), "-o", out, "--json", "--device", "cpu"),
    )
    assert outcome.code == 0, outcome.stderr
    return outcome, out


def test_json_is_the_only_thing_on_stdout(report: Report) -> None:
    document = json.loads(report[0].stdout)
    assert document["format"] == "specgan-report/1"
    assert document["methods"][0] == "tiny"
    assert document["methods"][-3:] == ["bicubic", "lanczos", "nearest"]


def test_report_folder_holds_the_same_document(report: Report) -> None:
    outcome, out = report
    assert json.loads((out / "report.json").read_text()) == json.loads(outcome.stdout)
    assert sorted(path.name for path in out.iterdir()) == [
        "chips.csv",
        "index.html",
        "report.json",
    ]


def test_figures_are_those_of_the_images(report: Report, dataset: Dataset) -> None:
    with (report[1] / "chips.csv").open() as stream:
        rows = {(row["chip"], row["method"]): row for row in csv.DictReader(stream)}
    record = next(chip for chip in dataset.split("val") if chip.id == "chip2")
    sample = dataset.read(record)
    lr, _ = dataset.degradation.apply(sample.rgb, sample.mask, 8)
    output = np.rint(np.clip(interpolate(lr.astype(float), 8, "nearest"), 0, 255))
    error = (output - sample.rgb)[:, sample.mask.astype(bool)]
    expected = math.sqrt((error**2).mean())
    assert float(rows["chip2", "nearest"]["rmse"]) == pytest.approx(expected, abs=1e-6)


def test_summary_is_the_mean_over_chips(report: Report) -> None:
    document = json.loads(report[0].stdout)
    values = [row["psnr"] for row in document["chips"] if row["method"] == "bicubic"]
    assert document["summary"]["all"]["bicubic"]["psnr"]["mean"] == pytest.approx(np.mean(values))
    assert document["summary"]["all"]["bicubic"]["psnr"]["count"] == 8


def test_sets_are_reported_apart(report: Report) -> None:
    document = json.loads(report[0].stdout)
    assert set(document["summary"]) == {"all", "pairs", "aerial"}
    assert document["summary"]["pairs"]["tiny"]["psnr"]["count"] == 4


def test_ablation_compares_the_chips_that_have_a_cube(report: Report) -> None:
    changes = json.loads(report[0].stdout)["ablation"]["tiny"]["pairs"]
    assert set(changes) == {"without HSI", "shuffled HSI", "three bands"}
    for change in changes.values():
        assert change["psnr"]["count"] == 4
        assert change["psnr"]["low"] <= change["psnr"]["mean"] <= change["psnr"]["high"]
        assert change["psnr"]["mean"] != 0


def test_every_octave_has_a_step_ratio_beside_the_reference_s(report: Report) -> None:
    steps = json.loads(report[0].stdout)["grid_steps"]["pairs"]["tiny"]
    assert set(steps) == {"x2", "x4", "x8"}
    assert all(pair["sr"] > 0 and pair["reference"] > 0 for pair in steps.values())


def test_a_network_keeps_the_input_s_means(report: Report) -> None:
    document = json.loads(report[0].stdout)
    assert document["summary"]["all"]["tiny"]["lr_psnr"]["mean"] > 55


def test_the_same_run_gives_the_same_figures(folder: Path, report: Report) -> None:
    again = specgan(
        *("evaluate", folder, "--weights", tiny_weights(), "-x", "8", "--ablate", "hsi"),
        *("--metrics", ",".join(FAST), "--json", "--device", "cpu"),
    )
    first, second = json.loads(report[0].stdout), json.loads(again.stdout)
    assert first["summary"] == second["summary"]


def test_a_threshold_that_holds_exits_0(folder: Path) -> None:
    words = ("evaluate", folder, "--weights", tiny_weights(), "-x", "8", "--limit", "2")
    assert specgan(*words, "--metrics", "psnr", "--fail-under", "psnr=1").code == 0


def test_a_threshold_that_fails_exits_1_and_says_by_how_much(folder: Path) -> None:
    words = ("evaluate", folder, "--weights", tiny_weights(), "-x", "8", "--limit", "2")
    outcome = specgan(*words, "--metrics", "psnr,rmse", "--fail-under", "psnr=99")
    assert outcome.code == 1
    assert "psnr of tiny is" in outcome.stderr
    assert "under 99" in outcome.stderr
    outcome = specgan(*words, "--metrics", "psnr,rmse", "--fail-under", "rmse=0.1")
    assert "rmse of tiny is" in outcome.stderr
    assert "over 0.1" in outcome.stderr


def test_an_unknown_metric_is_refused_with_the_list(folder: Path) -> None:
    outcome = specgan("evaluate", folder, "--weights", tiny_weights(), "--metrics", "fid")
    assert outcome.code == 2
    assert "no metric 'fid'" in outcome.stderr
    assert "psnr" in outcome.stderr and "frechet_distance" in outcome.stderr


def test_a_folder_without_a_dataset_is_refused(tmp_path: Path) -> None:
    outcome = specgan("evaluate", tmp_path, "--weights", tiny_weights())
    assert outcome.code == 1
    assert "is no dataset" in outcome.stderr


def test_an_empty_split_is_refused_with_the_counts(folder: Path) -> None:
    outcome = specgan("evaluate", folder, "--weights", tiny_weights(), "--split", "test")
    assert outcome.code == 1
    assert "8 val" in outcome.stderr


def test_a_chip_that_vanished_is_refused(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    next((copy / "shards").glob("val-0000.rgb.npy")).unlink()
    outcome = specgan("evaluate", copy, "--weights", tiny_weights(), "-x", "8")
    assert outcome.code == 1
    assert "val-0000.rgb.npy is missing" in outcome.stderr


def test_a_report_is_not_overwritten_unasked(folder: Path, report: Report) -> None:
    words = ("evaluate", folder, "--weights", tiny_weights(), "-o", report[1])
    outcome = specgan(*words)
    assert outcome.code == 1
    assert "--overwrite" in outcome.stderr


@pytest.mark.parametrize("name", ["index.html", "chips.csv"])
def test_a_report_replaces_nothing_unasked(folder: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    outcome = specgan("evaluate", folder, "--weights", tiny_weights(), "-o", tmp_path)
    assert outcome.code == 1
    assert name in outcome.stderr and "--overwrite" in outcome.stderr
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_dataset_and_rasters_do_not_go_together(folder: Path) -> None:
    assert specgan("evaluate", folder, "--sr", "a.tif", "--reference", "b.tif").code == 2
    assert specgan("evaluate").code == 2
    assert specgan("evaluate", "--sr", "a.tif").code == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ds", "--lr", "a.tif", "--range", "0,1"), "--lr, --range: only for rasters"),
        (("--sr", "a", "--reference", "b", "--probe"), "--probe: only for a DATASET"),
        (("--sr", "a", "--reference", "b", "--fidelity", "0.5"), "--fidelity: only for a DATASET"),
    ],
)
def test_options_of_the_other_form_are_refused(words: tuple[str, ...], message: str) -> None:
    outcome = specgan("evaluate", *words)
    assert outcome.code == 2
    assert message in outcome.stderr


def test_without_a_model_the_perceptual_column_is_empty_and_says_why(folder: Path) -> None:
    outcome = specgan(
        *("evaluate", folder, "--weights", tiny_weights(), "-x", "8", "--limit", "1", "--json"),
        *("--metrics", "perceptual,psnr"),
    )
    document = json.loads(outcome.stdout)
    assert document["summary"]["all"]["tiny"]["perceptual"]["mean"] is None
    assert any("--perceptual" in note for note in document["notes"])


def test_metric_names_keep_the_catalogue_s_order() -> None:
    assert check_names(["ssim", "psnr"]) == ("psnr", "ssim")
    assert check_names([]) == tuple(METRICS)


def test_variants_change_what_the_network_sees(dataset: Dataset) -> None:
    device = torch.device("cpu")
    network = Network("tiny", load_network(tiny_weights(), 8, dataset.bands, device), device)
    paired = tuple(chip for chip in dataset.split("val") if chip.hsi_kind != "none")
    chip = read_chip(dataset, paired[0], 8)
    variants = ablation(network, Partners(dataset, paired))
    outputs = [method.predict(chip)[-1] for method in (network, *variants)]
    for index, first in enumerate(outputs):
        for second in outputs[index + 1 :]:
            assert np.abs(first - second).max() > 0


def test_a_cube_finer_than_the_input_guides_the_octaves_that_it_resolves(dataset: Dataset) -> None:
    device = torch.device("cpu")
    network = Network("tiny", load_network(tiny_weights(), 32, dataset.bands, device), device)
    record = next(chip for chip in dataset.split("val") if chip.hsi_kind != "none")
    chip = read_chip(dataset, record, 32)
    factor = dataset.hsi_factor(record)
    assert factor is not None
    shapes = [grid.valid.shape for grid in chip.cube]
    sides = [32 >> level for level in range(FINEST + 1)]  # as `upscale` reads a cube
    assert shapes == [(64 // side, 64 // side) for side in sides if side >= factor]
    assert len(shapes) > 1
    finest = replace(chip.cube[-1], values=chip.cube[-1].values[:, ::-1].copy())
    other = replace(chip, cube=(*chip.cube[:-1], finest), kept={})
    assert np.abs(network.predict(chip)[-1] - network.predict(other)[-1]).max() > 0
    alone = replace(chip, cube=chip.cube[:1], kept={})
    assert np.abs(network.predict(chip)[-1] - network.predict(alone)[-1]).max() > 0


def test_shuffled_cubes_come_from_another_place(dataset: Dataset) -> None:
    paired = tuple(chip for chip in dataset.split("val") if chip.hsi_kind != "none")
    partners = Partners(dataset, paired)
    for record in paired:
        other = partners.find(read_chip(dataset, record, 8))
        assert other is not None
        assert other.record.group != record.group


def test_three_bands_are_the_visible_ones() -> None:
    centres = np.linspace(380, 1050, 48)
    kept = np.flatnonzero(visible_bands(centres)[:, 0, 0])
    assert np.abs(centres[kept] - [450, 550, 650]).max() < 8


def test_several_weights_stand_side_by_side(folder: Path) -> None:
    words = ("--weights", tiny_weights(), "--weights", tiny_weights(), "--metrics", "psnr")
    outcome = specgan("evaluate", folder, *words, "-x", "4", "--limit", "2", "--json")
    document = json.loads(outcome.stdout)
    assert document["methods"] == ["tiny", "tiny (2)", "bicubic", "lanczos", "nearest"]
    summary = document["summary"]["all"]
    assert summary["tiny"] == summary["tiny (2)"]
    assert len(document["weights"]["tiny"]) == 64


def test_full_fidelity_is_smoother_than_full_detail(folder: Path) -> None:
    words = ("evaluate", folder, "--weights", tiny_weights(), "-x", "8", "--limit", "4", "--json")
    strengths = []
    for fidelity in ("0", "1"):
        outcome = specgan(*words, "--metrics", "edge_strength", "--fidelity", fidelity)
        summary = json.loads(outcome.stdout)["summary"]["all"]
        strengths.append(summary["tiny"]["edge_strength"]["mean"])
    assert strengths[1] < strengths[0]


class Picky:
    """A method that takes chips of one size only, as the published networks do."""

    name = "picky"

    def applies(self, chip: EvalChip) -> bool:
        """Want to take every chip."""
        return True

    def predict(self, chip: EvalChip) -> list[np.ndarray]:
        """Refuse chips with a cube."""
        if chip.cube:
            raise ShapeError("8 x 8 only")
        return [chip.hr_reference]


def test_chips_that_a_network_cannot_take_are_counted(dataset: Dataset) -> None:
    chips = (read_chip(dataset, record, 8) for record in dataset.split("val"))
    result = run(chips, [Picky()], check_names(["psnr"]), Units(0, 255, 8))
    assert result.skipped == {"picky": 4}
    assert len(result.rows) == 4


def test_memory_does_not_grow_with_the_number_of_chips(dataset: Dataset) -> None:
    records = dataset.split("val")
    peaks = []
    for copies in (2, 12):
        tracemalloc.start()
        chips = (read_chip(dataset, record, 8) for record in records[:2] * copies)
        run(chips, [Interpolation("bicubic")], check_names(FAST), Units(0, 255, 8))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # 20 more chips of 3 x 64 x 64 as float64 would be 4 MB with their masks and outputs.
    assert peaks[1] - peaks[0] < 300_000
