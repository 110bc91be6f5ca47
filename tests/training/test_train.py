"""Laws of a training run: resuming, stopping, refusing, and what it leaves behind."""

import errno
import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from specgan import checkpoints as weights_files
from specgan_cli.datasets.dataset import Dataset
from specgan_cli.errors import DatasetError, OutputError, SpecganError, TrainingError
from specgan_cli.training import checkpoint
from specgan_cli.training.config.load import config_from_dict, load_config
from specgan_cli.training.loop import Limits
from specgan_cli.training.recipes import scene as recipe_scene
from specgan_cli.training.recipes.base import check_finite
from specgan_cli.training.recipes.losses import Term
from specgan_cli.training.session import Outcome, Session
from specgan_cli.workflows.train import train, verdict
from support.command import specgan
from support.datasets import make_training_dataset
from support.training_configs import STAGES, make_backbone

Runner = Callable[..., Outcome]


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_training_dataset(tmp_path_factory.mktemp("train") / "ds")


@pytest.fixture
def run(dataset: Path, tmp_path: Path) -> Runner:
    """Return a function that trains in `tmp_path / name` with the ten-step configuration."""
    config_path = tmp_path / "config.toml"
    config_path.write_text(STAGES)
    backbone = make_backbone(tmp_path / "backbone.pth")

    def start(
        name: str = "run",
        overrides: tuple[str, ...] = (),
        listener: Callable[[Mapping[str, Any]], None] = lambda record: None,
        **options: Any,
    ) -> Outcome:
        config = load_config(config_path, ("data.workers=1", *overrides))
        session = Session(dataset, tmp_path / name, config, **{"perceptual": backbone, **options})
        return train(session, "cpu", listener)

    return start


def test_no_run_is_written_into_a_dataset(dataset: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(STAGES)
    words = ("train", dataset, "-o", dataset, "--config", config)
    words = (*words, "--perceptual", make_backbone(tmp_path / "backbone.pth"))
    before = sorted(dataset.rglob("*"))
    assert specgan(*words).code == 1
    done = specgan(*words, "--resume")
    assert done.code == 1
    assert "is no run" in done.stderr
    assert sorted(dataset.rglob("*")) == before


def newest(folder: Path) -> dict[str, Any]:
    state = checkpoint.newest_state(folder / "checkpoints")
    assert state is not None
    return state


def assert_same(first: Any, second: Any, where: str = "") -> None:
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second), where
    elif isinstance(first, Mapping):
        assert first.keys() == second.keys(), where
        for key in first:
            assert_same(first[key], second[key], f"{where}.{key}")
    elif isinstance(first, list | tuple):
        assert len(first) == len(second), where
        for index, pair in enumerate(zip(first, second, strict=True)):
            assert_same(*pair, f"{where}.{index}")
    else:
        assert first == second, where


def test_two_sessions_equal_one_to_the_bit(run: Runner, tmp_path: Path) -> None:
    run("whole")
    # Step 5 lies inside a stage with discriminators, between two checkpoints.
    assert run("parts", limits=Limits(steps=5)).step == 5
    assert run("parts", resume=True).step == 10
    assert_same(newest(tmp_path / "whole"), newest(tmp_path / "parts"))
    records = [
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("whole", "parts")
    ]
    for record in records[0] + records[1]:
        for key in ("steps_per_s", "waiting", "peak_mib"):
            record.pop(key, None)
    losses = [[r for r in part if "gradient" in r] for part in records]
    assert losses[0] == losses[1]
    assert [r["step"] for r in losses[0]] == list(range(1, 11))


def test_a_run_leaves_everything_that_describes_it(run: Runner, tmp_path: Path) -> None:
    outcome = run()
    folder = tmp_path / "run"
    config = json.loads((folder / "config.json").read_text())
    assert config["stages"][1]["scales"] == [4, 8]
    assert len(config["dataset_sha256"]) == 64
    (session,) = json.loads((folder / "environment.json").read_text())
    assert session["torch"] == torch.__version__
    assert [p.name for p in sorted((folder / "checkpoints").iterdir())] == [
        "step-000000004.pt",
        "step-000000008.pt",
        "step-000000010.pt",
    ]
    assert (folder / "samples" / "step-000000010.png").read_bytes()[:4] == b"\x89PNG"
    header = weights_files.read_header(folder / "weights.safetensors")
    assert header.scale == 32
    assert header.training["recipe"] == "scene"
    assert header.metrics["x32/psnr"] == pytest.approx(outcome.validation["x32/psnr"], rel=1e-4)
    assert (folder / "best.safetensors").exists()
    assert "bicubic's" in str(verdict(outcome))


def test_exported_weights_load_and_run(run: Runner, tmp_path: Path) -> None:
    run(limits=Limits(steps=1), overrides=("validation.every=0",))
    network = weights_files.load(tmp_path / "run" / "weights.safetensors")
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 2, 2)).shape == (1, 3, 64, 64)
    state = newest(tmp_path / "run")["recipe"]["average"]
    exported = network.state_dict()
    for key, value in state.items():
        torch.testing.assert_close(exported[key], value, rtol=1e-3, atol=1e-3)


def test_the_average_follows_the_weights(run: Runner, tmp_path: Path) -> None:
    run(limits=Limits(steps=2), overrides=("optimiser.ema=0.0", "validation.every=0"))
    state = newest(tmp_path / "run")["recipe"]
    assert_same(dict(state["network"]), dict(state["average"]))


def test_events_are_written_for_tensorboard(run: Runner, tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run(limits=Limits(steps=2), overrides=("validation.every=1",))
    events = accumulator.EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("l1/x2")] == [1, 2]
    assert events.Images("samples")[0].encoded_image_string[:4] == b"\x89PNG"


def test_losses_on_features_need_a_backbone(run: Runner) -> None:
    with pytest.raises(TrainingError, match="--perceptual FILE"):
        run(perceptual=None)


def test_the_default_plan_without_a_backbone_is_fidelity_alone(
    dataset: Path, tmp_path: Path
) -> None:
    config = load_config(None, ("network.size=small", "validation.every=0"))
    session = Session(dataset, tmp_path / "run", config, limits=Limits(steps=1))
    assert train(session, "cpu").steps == config.stages[0].steps


def test_a_fidelity_stage_leaves_the_bank_silent_and_texture_wakes_it(
    run: Runner, tmp_path: Path
) -> None:
    quiet = ("validation.every=0",)
    voices = []
    for steps in (3, 4):
        run(overrides=quiet, limits=Limits(steps=steps), resume=steps > 3)
        network = newest(tmp_path / "run")["recipe"]["network"]
        voices.append(bool(network["octave.0.bank.join.weight"].any()))
    assert voices == [False, True]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_the_run_goes_on(
    run: Runner, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    def kill(record: Mapping[str, Any]) -> None:
        if record["step"] == 2:
            os.kill(os.getpid(), number)

    outcome = run(listener=kill, overrides=("validation.every=0",))
    assert (outcome.code, outcome.step) == (code, 2)
    assert newest(tmp_path / "run")["step"] == 2
    limits = Limits(steps=3)
    assert run(resume=True, overrides=("validation.every=0",), limits=limits).step == 3


def test_minutes_end_a_session_with_a_checkpoint(run: Runner, tmp_path: Path) -> None:
    outcome = run(limits=Limits(minutes=1e-9))
    assert (outcome.code, outcome.step) == (0, 1)
    assert newest(tmp_path / "run")["step"] == 1


def test_a_stage_can_be_the_first(run: Runner, tmp_path: Path) -> None:
    seen = []
    run(overrides=("start_stage=3", "validation.every=0"), listener=seen.append)
    assert {record["stage"] for record in seen} == {3}
    assert seen[0]["step"] == 7


def test_init_begins_from_weights(run: Runner, tmp_path: Path) -> None:
    quiet = ("validation.every=0", "stages.0.lr=1e-9")
    run("first", overrides=("validation.every=0",), limits=Limits(steps=2))
    source = tmp_path / "first" / "weights.safetensors"
    run("second", overrides=quiet, init=str(source), limits=Limits(steps=1))
    old = weights_files.load(source).state_dict()
    for key, value in newest(tmp_path / "second")["recipe"]["network"].items():
        torch.testing.assert_close(value, old[key], rtol=0, atol=1e-6)
    with pytest.raises(TrainingError, match="same size"):
        run("third", overrides=("network.options.guide=8",), init=str(source))


def test_init_begins_from_a_run_with_its_discriminators(run: Runner, tmp_path: Path) -> None:
    quiet = ("validation.every=0", "start_stage=2")
    run("first", overrides=quiet, limits=Limits(steps=5))
    old = newest(tmp_path / "first")["recipe"]
    still = (*quiet, "stages.1.lr=1e-9", "stages.1.discriminator_lr=1e-9")
    run("second", overrides=still, init=str(tmp_path / "first"), limits=Limits(steps=4))
    new = newest(tmp_path / "second")["recipe"]
    for name, wanted in (("network", old["average"]), ("discriminators", old["discriminators"])):
        for key, value in new[name].items():
            if key.endswith(("original", "weight", "bias")):  # not what is measured on the way
                torch.testing.assert_close(value, wanted[key], rtol=0, atol=1e-6)
    with pytest.raises(TrainingError, match="another recipe, size"):
        run("third", overrides=("network.options.bank=8",), init=str(tmp_path / "first"))
    with pytest.raises(TrainingError, match="without checkpoints"):
        run("fourth", init=str(tmp_path))


def test_an_existing_folder_is_not_overwritten(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(OutputError, match="--resume"):
        run()


def test_resuming_with_another_configuration_names_the_keys(run: Runner) -> None:
    run(limits=Limits(steps=1), overrides=("validation.every=0",))
    with pytest.raises(TrainingError, match=r"stages\.1\.gan: 0\.1 -> 0\.2") as caught:
        run(resume=True, overrides=("validation.every=0", "stages.1.gan=0.2", "log_every=3"))
    assert "seed" not in str(caught.value)
    assert "log_every" not in str(caught.value)


def test_runs_of_older_versions_resume(run: Runner, tmp_path: Path) -> None:
    run(limits=Limits(steps=1), overrides=("validation.every=0",))
    path = tmp_path / "run" / "config.json"
    content = json.loads(path.read_text())
    del content["stages"][0]["lattice"]  # as written before that key existed
    path.write_text(json.dumps(content))
    outcome = run(limits=Limits(steps=2), overrides=("validation.every=0",), resume=True)
    assert outcome.step == 2


def test_a_resumed_run_sweeps_what_a_kill_left(run: Runner, tmp_path: Path) -> None:
    run(limits=Limits(steps=1), overrides=("validation.every=0",))
    left = tmp_path / "run" / ".weights.safetensors.0123456789abcdef.partial"
    others = tmp_path / "run" / ".scene.tif.partial"  # of an upscale that is under way
    for path in (left, others):
        path.write_text("half")
    run(limits=Limits(steps=2), overrides=("validation.every=0",), resume=True)
    assert not left.exists()
    assert others.exists()


def test_divergence_stops_with_step_loss_and_advice(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = recipe_scene.pixel_terms

    def spoilt(*arguments: Any) -> dict[str, Term]:
        terms = real(*arguments)
        return {name: Term(t.value * spoilt.factor, t.weight) for name, t in terms.items()}

    spoilt.factor = 1.0
    monkeypatch.setattr(recipe_scene, "pixel_terms", spoilt)
    run(limits=Limits(steps=1), overrides=("validation.every=0",))
    before = newest(tmp_path / "run")
    spoilt.factor = float("nan")
    with pytest.raises(TrainingError, match=r"step 2: l1/x2 is nan.*half the learning rate"):
        run(resume=True, overrides=("validation.every=0",))
    assert_same(before, newest(tmp_path / "run"))
    with pytest.raises(TrainingError, match="diverged"):
        check_finite(0, {"l1": 1e9}, 1e-3)


def test_a_full_disk_leaves_the_last_checkpoint(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(limits=Limits(steps=1), overrides=("validation.every=0",))
    before = newest(tmp_path / "run")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(TrainingError, match=r"No space left.*--resume"):
            checkpoint.save_checkpoint(tmp_path / "run" / "checkpoints", 2, {"step": 2})
    assert_same(before, newest(tmp_path / "run"))
    assert not list((tmp_path / "run" / "checkpoints").glob(".*"))


def test_lines_beyond_the_checkpoint_are_made_again(run: Runner, tmp_path: Path) -> None:
    quiet = ("validation.every=0",)
    run(overrides=quiet, limits=Limits(steps=1))
    metrics = tmp_path / "run" / "metrics.jsonl"
    first = metrics.read_text()
    metrics.write_text(first + json.dumps({"step": 2, "stage": 1}) + '\n{"step": 3, "sta')
    run(overrides=quiet, resume=True, limits=Limits(steps=2))
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 1, 2, 2]  # losses and validation of each
    assert "l1/x2" in lines[2]
    assert metrics.read_text().startswith(first)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    for step in range(1, 6):
        checkpoint.save_checkpoint(tmp_path, step, {"step": step})
    assert [p.name[5:14] for p in checkpoint.checkpoints(tmp_path)] == [
        f"{step:09d}" for step in (3, 4, 5)
    ]
    (tmp_path / "step-000000005.pt").write_bytes(b"PK\x03\x04 torn")
    assert checkpoint.newest_state(tmp_path) == {"step": 4}
    for path in checkpoint.checkpoints(tmp_path):
        path.write_bytes(b"")
    with pytest.raises(TrainingError, match="no checkpoint"):
        checkpoint.newest_state(tmp_path)


def test_datasets_that_cannot_train_are_refused(run: Runner, dataset: Path, tmp_path: Path) -> None:
    document = json.loads((dataset / "dataset.json").read_text())
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "version": ({"version": 99}, "version"),
        "scale": ({"scale": 8}, "scale 8"),
        "empty": (
            {"chips": [c for c in document["chips"] if c["split"] != "train"]},
            "train split",
        ),
    }
    for name, (change, words) in cases.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "shards").symlink_to(dataset / "shards")
        (folder / "dataset.json").write_text(json.dumps(document | change))
        session = Session(folder, tmp_path / f"run-{name}", config_from_dict({}))
        with pytest.raises(DatasetError, match=words):
            train(session, "cpu")
        assert not (tmp_path / f"run-{name}").exists()


def test_a_corrupt_shard_is_named(dataset: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "ds"
    shutil.copytree(dataset, folder)
    victim = next(path for path in (folder / "shards").iterdir() if path.name.endswith("rgb.npy"))
    content = bytearray(victim.read_bytes())
    content[-100] ^= 255
    victim.write_bytes(bytes(content))
    session = Session(folder, tmp_path / "run", config_from_dict({}))
    digest = json.loads((dataset / "dataset.json").read_text())["shards"]
    expected = {entry["sha256"] for shard in digest for entry in shard["files"].values()}
    with pytest.raises(DatasetError, match=victim.name) as caught:
        train(session, "cpu")
    assert any(value[:12] in str(caught.value) for value in expected)


def test_one_chip_is_enough_to_train(run: Runner, dataset: Path, tmp_path: Path) -> None:
    only = Dataset.open(dataset).split("train")[0].id
    override = f'data.sources=[{{id = "{only}"}}]'
    assert run(overrides=(override, "validation.every=0"), limits=Limits(steps=1)).step == 1


def test_the_command_trains_and_answers_in_json(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(STAGES)
    words = ["train", str(dataset), "-o", str(tmp_path / "run"), "--device", "cpu", "--json"]
    words += ["--config", str(tmp_path / "config.toml"), "--max-steps", "1"]
    words += ["--perceptual", str(make_backbone(tmp_path / "backbone.pth"))]
    document = specgan(*words).json()
    assert (document["step"], document["steps"]) == (1, 10)
    assert Path(document["weights"]).exists()


def test_a_missing_perceptual_file_is_refused(run: Runner, tmp_path: Path) -> None:
    with pytest.raises(SpecganError, match="nothing"):
        run(perceptual=tmp_path / "nothing.pth")
