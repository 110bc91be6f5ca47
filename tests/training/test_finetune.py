"""Fine-tuning: weights bring their size, and validation says what became of them."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from specgan import checkpoints
from specgan.objectives.feature_heads import FeatureHeads
from specgan.objectives.perceptual import load_backbone
from specgan_cli.errors import TrainingError
from specgan_cli.training.checkpoint import newest_state
from specgan_cli.training.config.finetune import STAGE, finetuned
from specgan_cli.training.config.load import config_from_dict, load_config
from specgan_cli.training.processes import DistributedContext
from specgan_cli.training.recipes import discriminators
from specgan_cli.training.recipes.discriminators import FeatureAdversary, ship_heads
from support.command import Result, specgan
from support.datasets import make_training_dataset
from support.tiny_networks import tiny_weights
from support.training_configs import make_backbone

RECIPES = Path(__file__).parents[2] / "recipes"
SHORT = ("validation.crop=1", "validation.chips=1", "stages.0.pixels=256", "stages.0.side=16")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_training_dataset(tmp_path_factory.mktemp("finetune") / "ds")


def finetune(dataset: Path, folder: Path, *words: object, steps: int = 1) -> Result:
    config = folder.with_suffix(".toml")
    config.write_text((RECIPES / "finetune.toml").read_text())
    settings = [word for text in SHORT for word in ("--set", text)]
    return specgan(
        "train", dataset, "-o", folder, "--config", config, "--max-steps", steps, *settings,
        "--set", "data.workers=1", "--device", "cpu", "--perceptual",
        make_backbone(folder.with_suffix(".pth")), *words,
    )  # fmt: skip


def test_a_missing_judge_is_said_once(dataset: Path, tmp_path: Path) -> None:
    words = ("train", dataset, "-o", tmp_path / "run", "--finetune", tiny_weights())
    short = ("--set", "validation.chips=1", "--set", "data.workers=1", "--device", "cpu")
    done = specgan(*words, *short, "--max-steps", 1)
    assert (done.code, done.stderr.count("so texture fades")) == (0, 1), done.stderr


def test_the_recipe_is_the_default(tmp_path: Path) -> None:
    config = load_config(RECIPES / "finetune.toml")
    assert config.stages == (STAGE,)
    assert finetuned(load_config(None), "specgan-scene").stages == (STAGE,)


def test_the_recipe_fits_the_shipped_weights() -> None:
    found = finetuned(load_config(RECIPES / "finetune.toml"), "specgan-scene")
    theirs = dict(checkpoints.read_header("specgan-scene").config)
    del theirs["bands"]
    assert found.network.options == theirs


def test_weights_are_refined_and_validated_before_and_after(dataset: Path, tmp_path: Path) -> None:
    done = finetune(dataset, tmp_path / "run", "--finetune", tiny_weights())
    assert done.code == 0, done.stderr
    (shown,) = [line for line in done.stdout.splitlines() if line.startswith("validation at x32")]
    assert "before -> after 1 steps: l1 0." in shown
    assert "perceptual" in shown
    text = (tmp_path / "run/metrics.jsonl").read_text()
    records = [json.loads(line) for line in text.splitlines()]
    assert [r["step"] for r in records if "val/x32/psnr" in r] == [0, 1]
    old = checkpoints.load(tiny_weights()).state_dict()
    new = checkpoints.load(tmp_path / "run/weights.safetensors").state_dict()
    moved = max(float((new[key] - old[key]).abs().max()) for key in old)
    assert 0 < moved < 0.01


def test_a_resumed_session_still_compares_with_the_beginning(dataset: Path, tmp_path: Path) -> None:
    words = ("--finetune", tiny_weights(), "--json")
    first = finetune(dataset, tmp_path / "run", *words).json()
    second = finetune(dataset, tmp_path / "run", *words, "--resume", steps=2).json()
    assert second["step"] == 2
    assert second["before"] == first["before"]
    assert first["before"]["x32/psnr"] == pytest.approx(
        first["validation"]["x32/bicubic/psnr"], abs=20
    )


def test_a_session_that_ends_early_names_the_steps_of_its_validation(
    dataset: Path, tmp_path: Path
) -> None:
    words = ("--finetune", tiny_weights(), "--set", "validation.every=2")
    finetune(dataset, tmp_path / "run", *words, steps=2)
    done = finetune(dataset, tmp_path / "run", *words, "--resume", "--max-minutes", 1e-9, steps=4)
    assert "step 3 of 160" in done.stdout
    assert "validation at x32, before -> after 2 steps: l1" in done.stdout


def test_a_finished_run_is_still_compared(dataset: Path, tmp_path: Path) -> None:
    words = ("--finetune", tiny_weights(), "--json", "--set", "validation.every=1")
    first = finetune(dataset, tmp_path / "run", *words).json()
    again = finetune(dataset, tmp_path / "run", *words, "--resume").json()
    assert again == first


def test_a_run_folder_brings_its_discriminators(dataset: Path, tmp_path: Path) -> None:
    assert finetune(dataset, tmp_path / "a", "--finetune", tiny_weights()).code == 0
    still = ("--set", "stages.0.discriminator_lr=1e-12", "--finetune", tmp_path / "a")
    done = finetune(dataset, tmp_path / "b", *still)
    assert done.code == 0, done.stderr
    first, second = (newest_state(tmp_path / name / "checkpoints") for name in "ab")
    assert first is not None and second is not None
    heads = first["recipe"]["discriminators"]
    for key, value in second["recipe"]["discriminators"].items():
        if key.endswith(("original", "weight", "bias")):
            torch.testing.assert_close(value, heads[key], rtol=0, atol=1e-6)


def adversary(backbone: Path) -> FeatureAdversary:
    return FeatureAdversary(load_config(None), load_backbone(backbone), DistributedContext())


def test_shipped_weights_bring_their_discriminators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    backbone = make_backbone(tmp_path / "backbone.pth")
    trained, fresh = adversary(backbone), adversary(backbone)
    monkeypatch.setattr(discriminators, "SHIPPED", tmp_path / "heads")
    ship_heads(trained.state(), tmp_path / "heads/mine.safetensors")
    fresh.adopt_shipped("others")
    key = "heads.0.enter.parametrizations.weight.original"
    before = fresh.heads.state_dict()[key].clone()
    assert not torch.equal(before, trained.heads.state_dict()[key])
    fresh.adopt_shipped("mine")
    for name, value in fresh.heads.state_dict().items():
        torch.testing.assert_close(value, trained.heads.state_dict()[name], rtol=1e-3, atol=1e-3)
    save_file({"heads.0.size": torch.ones(3)}, tmp_path / "heads/mine.safetensors")
    fresh.adopt_shipped("mine")
    assert "another backbone" in caplog.text


def test_the_shipped_discriminators_are_for_the_backbone_that_the_recipe_names() -> None:
    found = load_file(discriminators.SHIPPED / "specgan-scene.safetensors")
    heads = FeatureHeads(channels=(64, 192, 384, 256, 256))  # AlexNet's five stages
    heads.load_state_dict(found)
    assert all(bool(value.isfinite().all()) for value in found.values())


def test_another_size_is_explained_in_one_line() -> None:
    config = config_from_dict({"network": {"size": "base", "options": {"guide": 8}}})
    with pytest.raises(TrainingError, match=r"\(guide: '32' -> '8'\); leave \[network\] and"):
        finetuned(config, "specgan-scene")


def test_size_goes_without(dataset: Path, tmp_path: Path) -> None:
    done = finetune(dataset, tmp_path / "run", "--finetune", "specgan-scene", "--size", "small")
    assert done.code == 2
    assert "leave --init, --size out" in done.stderr
    assert not (tmp_path / "run").exists()
