"""Laws of training configurations and schedules."""

import json
from pathlib import Path

import pytest

from specgan_cli.errors import TrainingError
from specgan_cli.training.config.load import config_from_dict, differences, load_config
from specgan_cli.training.config.schema import StageConfig
from specgan_cli.training.recipes.networks import scene_config
from specgan_cli.training.recipes.schedule import first_step, gan_weight, position, rate_share


def test_the_default_plan_is_fidelity_then_texture() -> None:
    fidelity, texture = config_from_dict({}).stages
    assert (fidelity.method, fidelity.gan, fidelity.noise) == ("muon", 0.0, False)
    assert (texture.method, texture.noise) == ("muon", True)
    assert texture.gan > 0
    assert fidelity.scales == texture.scales == (2, 4, 8, 16, 32)


def test_overrides_reach_every_level(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("seed = 3\n[[stages]]\nsteps = 5\n")
    config = load_config(
        path, ("stages.0.lr=1e-3", "data.hsi_dropout=0.5", "licence=CC0"), {"network.size": "base"}
    )
    assert (config.seed, config.stages[0].steps, config.stages[0].lr) == (3, 5, 1e-3)
    assert (config.data.hsi_dropout, config.licence, config.network.size) == (0.5, "CC0", "base")
    assert load_config(None, ("seed=1", "stages.1.steps=7")).stages[1].steps == 7


def test_a_resolved_configuration_reads_back() -> None:
    stage = {"scales": [32, 8], "scale_weights": [1, 2]}
    config = config_from_dict({"seed": 4, "stages": [stage]})
    assert config_from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("sead=1", "unknown key sead"),
        ("stages.0.scale=1", r"unknown key stages\.0\.scale"),
        ("stages.9.steps=1", "no such key"),
        ("stages.0.steps=many", r"stages\.0\.steps.*should be int"),
        ("stages.0.steps=0", "at least 1"),
        ("data.betas=[1]", "unknown key"),
        ("optimiser.betas=[1]", "2 values"),
        ("stages.1.scales=[8, 4, 2]", "one number for each"),
        ("stages.1.scales=[8, 4, 2, 3, 32]", "numbers out of 2, 4, 8"),
        ("stages.1.scale_weights=[0, 0, 0, 0, 0]", "weight above 0"),
        ("recipe=other", "none of scene, published"),
        ("data.hsi_dropout=2", "between 0 and 1"),
        ("data.sources=[]", "at least one group"),
        ("validation.best=beauty", "none of l1"),
        ("start_stage=9", "stages 1 to 2"),
        ("stages.0.method=sing", "'sing' is none of"),
        ("stages.0.l1=0.0", "all losses have weight 0"),
        ("stages.0.lr=0.0", "above 0"),
        ("stages.0.coarser=2.0", "between 0 and 1"),
        ("seed", "key=value"),
        ("seed=-1", "from 0, below"),
        (f"seed={2**63}", "from 0, below"),
        ("optimiser.betas=[-1, 0.9]", r"betas\.0: -1\.0 should be"),
        ("published.betas=[0.5, 1.0]", r"betas\.1: 1\.0 should be in \[0, 1\)"),
        ("optimiser.momentum=1.0", "momentum"),
        ("optimiser.clip=-1.0", "clip: -1.0 should be between 0 and"),
        ("stages.1.gan=1e308", r"stages\.1\.gan: 1e\+308 should be between"),
        ("stages.0.warmup=-3", "warmup"),
        ("stages.0.scale_weights=[-1, 1, 1, 1, 1]", r"scale_weights\.0"),
        ("validation.samples=-1", "samples"),
        ("data.hsi_gain=1" + 400 * "0", "so many digits"),
        ("seed=1" + 5000 * "0", "should be int"),
    ],
)
def test_wrong_values_are_named(override: str, words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        load_config(None, (override,))


@pytest.mark.parametrize(
    "option", ["blocks=[1, 1, 1, 1, -1]", "channels=[8, 8]", "guide=0", "bank=100000000000000"]
)
def test_numbers_that_make_no_network_are_named(option: str) -> None:
    with pytest.raises(TrainingError, match=rf"network\.options\.{option.split('=')[0]}"):
        scene_config(load_config(None, (f"network.options.{option}",)), bands=48)


def test_the_published_recipe_takes_the_published_scales_and_batches() -> None:
    with pytest.raises(TrainingError, match="16 and 32"):
        load_config(None, ("network.scale=8",), {"recipe": "published"})
    with pytest.raises(TrainingError, match="multiple of 4"):
        load_config(None, ("published.batch=6",), {"recipe": "published"})


def test_files_that_are_no_toml_are_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"missing\.toml"):
        load_config(tmp_path / "missing.toml")
    for text in ("a = = 1", "seed = 1" + 5000 * "0"):
        (tmp_path / "bad.toml").write_text(text)
        with pytest.raises(TrainingError, match=r"bad\.toml is not valid TOML"):
            load_config(tmp_path / "bad.toml")


def test_differences_name_dotted_keys() -> None:
    old = {"a": 1, "b": {"c": [1, 2]}, "d": [1]}
    new = {"a": 1, "b": {"c": [1, 3]}, "d": [1, 2], "e": None}
    assert differences(old, new) == ["b.c.1: 2 -> 3", "d: [1] -> [1, 2]"]
    assert differences(old, old) == []


def test_steps_fall_into_their_stages() -> None:
    stages = [StageConfig(steps=40), StageConfig(steps=30), StageConfig(steps=20)]
    places = [position(stages, step) for step in (0, 39, 40, 89, 10**9)]
    assert [(p.index, p.step) for p in places[:3]] == [(0, 0), (0, 39), (1, 0)]
    assert [p.index for p in places[3:]] == [2, 2]
    assert first_step(stages, 3) == 90


def test_rates_warm_up_and_fall_on_a_cosine() -> None:
    stage = StageConfig(steps=100, warmup=10, lr_end=0.2, gan=0.5, gan_ramp=20)
    at = [position([stage], step) for step in (0, 9, 50, 99)]
    shares = [rate_share(place) for place in at]
    assert shares[0] == pytest.approx(0.1)
    assert shares[2] == pytest.approx(0.6)
    assert shares[1] == pytest.approx(1.0, abs=0.02)
    assert shares[3] == pytest.approx(0.2, abs=0.01)
    assert [gan_weight(place) for place in at[:3]] == pytest.approx([0.025, 0.25, 0.5])


RECIPES = sorted((Path(__file__).parents[2] / "recipes").rglob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_are_configurations(path: Path) -> None:
    config = load_config(path)
    assert config.stages
    assert config_from_dict(config.to_dict()) == config
