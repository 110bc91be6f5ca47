"""One step of the published recipe against losses and gradients computed here on their own."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from specgan import checkpoints
from specgan.objectives import perceptual
from specgan.published.discriminator import PublishedDiscriminator
from specgan.published.network import PublishedNetwork
from specgan_cli.datasets.dataset import Dataset
from specgan_cli.errors import DatasetError, TrainingError
from specgan_cli.training.config.load import config_from_dict
from specgan_cli.training.config.schema import PublishedConfig
from specgan_cli.training.data.batch import Batch
from specgan_cli.training.data.crop import SampleReader
from specgan_cli.training.data.sampler import make_sampler
from specgan_cli.training.loop import Limits
from specgan_cli.training.processes import DistributedContext
from specgan_cli.training.recipes.published import PublishedRecipe
from specgan_cli.training.recipes.schedule import cosine
from specgan_cli.training.session import Session
from specgan_cli.workflows.train import train
from support.datasets import make_training_dataset
from support.vgg import VGG_INDICES, vgg16_state

RATE = 1e-3
"""A hundred times the published rate: then the order of the two updates shows in the numbers."""

SIZES = {"features": 16, "fusion_channels": 4, "growth": 2, "layers": 1, "blocks": 1}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_training_dataset(tmp_path_factory.mktemp("published") / "ds", side=256)


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save(vgg16_state(), path)
    return path


def recipe_of(vgg: Path) -> PublishedRecipe:
    torch.manual_seed(0)
    return PublishedRecipe(
        config=PublishedConfig(steps=100, lr=RATE),
        options=SIZES,
        network=PublishedNetwork(scale=32, **SIZES),
        discriminator=PublishedDiscriminator(features=16),
        backbone=perceptual.load_backbone(vgg),
        dist=DistributedContext(),
    )


def batch_of(recipe: PublishedRecipe, folder: Path) -> Batch:
    dataset = Dataset.open(folder)
    reader = SampleReader(dataset, recipe.standardization(dataset.statistics))
    config = config_from_dict({"data": {"sources": [{"hsi_kind": "real"}]}}).data
    sampler = make_sampler(reader, dataset.split("train"), config, 0)
    return sampler.draw(recipe.step_spec(0).sampling, 0, 0)


def conv4_3(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """Return torchvision's `features[21]` of images in [-1, 1], normalised as though in [0, 1]."""
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    x = (x - mean) / std
    for index in VGG_INDICES[: VGG_INDICES.index(21) + 1]:
        x = functional.max_pool2d(x, 2) if index in (5, 10, 17) else x
        weight, bias = state[f"features.{index}.weight"], state[f"features.{index}.bias"]
        before = functional.conv2d(x, weight, bias, padding=1)
        x = before.relu()
    return before


def bce(logits: Tensor, target: float) -> Tensor:
    """Return -[t log s + (1 - t) log(1 - s)], s the logistic function, the mean over the batch."""
    s = 1 / (1 + torch.exp(-logits.double()))
    return -(target * s.log() + (1 - target) * (1 - s).log()).mean().float()


def adam_step(value: Tensor, gradient: Tensor, rate: float) -> Tensor:
    """Return Adam's first step: both moments corrected, beta (0.9, 0.99), eps 1e-8."""
    return value - rate * gradient / (gradient.abs() + 1e-8)


def test_one_step_follows_the_published_losses_and_order(dataset: Path, vgg: Path) -> None:
    recipe = recipe_of(vgg)
    batch = batch_of(recipe, dataset)
    network, judge = copy.deepcopy(recipe.network), copy.deepcopy(recipe.discriminator)
    losses = recipe.update(0, [batch])

    truth, state = batch.truths[-1], vgg16_state()
    fake = network(batch.lr_rgb, batch.hsi[0], batch.hsi_mask[0][:, :1])
    mse = ((fake - truth) ** 2).mean()
    seen = ((conv4_3(state, fake) - conv4_3(state, truth)) ** 2).mean()
    adversarial = bce(judge(fake), 1.0)
    total = 1.0 * mse + 1e-3 * seen + 0.1 * adversarial
    gradients = torch.autograd.grad(total, list(network.parameters()), allow_unused=True)
    expected = {"mse": mse, "perceptual": 1e-3 * seen, "gan": 0.1 * adversarial}
    for name, value in expected.items():
        assert losses[name] == pytest.approx(value.item(), rel=1e-4)

    named = zip(network.named_parameters(), recipe.network.parameters(), gradients, strict=True)
    checked = 0
    for (name, before), after, gradient in named:
        if gradient is None:
            assert torch.equal(before, after), name
            continue
        clear = gradient.abs() > 1e-6  # Adam's first step is a sign: noise where it is near 0
        wanted = adam_step(before, gradient, RATE)
        torch.testing.assert_close(after[clear], wanted[clear], rtol=0, atol=RATE / 50, msg=name)
        checked += int(clear.sum())
    assert checked > 1000

    # The discriminator learns from the image made before the generator's step, real and fake apart.
    real, made = bce(judge(truth), 1.0), bce(judge(fake.detach()), 0.0)
    assert losses["discriminator/real"] == pytest.approx(real.item(), rel=1e-4)
    assert losses["discriminator/fake"] == pytest.approx(made.item(), rel=1e-4)
    gradients = torch.autograd.grad(real + made, list(judge.parameters()))
    pairs = zip(judge.parameters(), recipe.discriminator.parameters(), gradients, strict=True)
    for before, after, gradient in pairs:
        clear = gradient.abs() > 1e-6
        wanted = adam_step(before, gradient, RATE)
        torch.testing.assert_close(after[clear], wanted[clear], rtol=0, atol=RATE / 50)


def test_the_rate_is_one_cosine_over_the_whole_run(vgg: Path) -> None:
    assert cosine(1e-5, 1e-7, 0.0) == pytest.approx(1e-5)
    assert cosine(1e-5, 1e-7, 0.5) == pytest.approx((1e-5 + 1e-7) / 2)
    assert cosine(1e-5, 1e-7, 1.0) == pytest.approx(1e-7)
    for scale, steps, end in ((32, 1_000_000, 1e-7), (16, 500_000, 1e-8)):
        recipe = PublishedRecipe(
            config=PublishedConfig(),
            options=SIZES,
            network=PublishedNetwork(scale=scale, **SIZES),
            discriminator=PublishedDiscriminator(features=16),
            backbone=None,
            dist=DistributedContext(),
        )
        assert (recipe.steps, recipe.lr_end) == (steps, end)
        assert recipe.optimiser.defaults["betas"] == (0.9, 0.99)
        assert recipe.optimiser.defaults["lr"] == 1e-5
        assert recipe.step_spec(0).sampling.kinds[0].crop == 256 // scale


def test_samples_are_whole_tiles_in_the_published_scaling(dataset: Path, vgg: Path) -> None:
    batch = batch_of(recipe_of(vgg), dataset)
    assert batch.lr_rgb.shape == (4, 3, 8, 8)
    assert batch.truths[-1].shape == (4, 3, 256, 256)
    assert batch.hsi_mask[0].all()
    # Reflectances of 0.05 to 0.75 become (reflectance - 0.5) / 2.
    assert -0.25 <= batch.hsi[0].min() < batch.hsi[0].max() <= 0.25


def session_of(dataset: Path, folder: Path, **options: Any) -> Session:
    content = {
        "recipe": "published",
        "network": {"options": SIZES, "scale": 32},
        "published": {"batch": 1, "steps": 2},
        "validation": {"chips": 1},
        "data": {"sources": [{"hsi_kind": "real"}], "workers": 1},
    }
    return Session(dataset, folder, config_from_dict(content), **options)


def test_a_published_run_resumes_and_exports(dataset: Path, vgg: Path, tmp_path: Path) -> None:
    train(session_of(dataset, tmp_path / "run", perceptual=vgg, limits=Limits(1)), "cpu")
    outcome = train(session_of(dataset, tmp_path / "run", perceptual=vgg, resume=True), "cpu")
    assert outcome.step == 2
    assert "x32/psnr" in outcome.validation
    network = checkpoints.load(outcome.weights)
    assert isinstance(network, PublishedNetwork)
    assert network.header.hsi_mean == (0.5,) * 48
    assert network.header.scale == 32


def test_other_backbones_and_too_small_chips_are_refused(
    dataset: Path, vgg: Path, tmp_path: Path
) -> None:
    other = vgg16_state()
    other = {key.replace("features.", "net.slice9."): value for key, value in other.items()}
    for stage, indices in enumerate([(0, 2), (6, 8), (12, 14, 16), (20, 22, 24), (28, 30, 32)], 1):
        for index in indices:
            other[f"net.slice{stage}.{index}.weight"] = torch.zeros(4, 4, 3, 3)
            other[f"net.slice{stage}.{index}.bias"] = torch.zeros(4)
    torch.save(other, tmp_path / "shift.pth")
    with pytest.raises(TrainingError, match="conv4_3"):
        train(session_of(dataset, tmp_path / "a", perceptual=tmp_path / "shift.pth"), "cpu")
    document = json.loads((dataset / "dataset.json").read_text())
    few = {key: values[:4] for key, values in document["bands"].items()}
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "shards").symlink_to(dataset / "shards")
    (tmp_path / "few" / "dataset.json").write_text(json.dumps(document | {"bands": few}))
    with pytest.raises(DatasetError, match="48"):
        train(session_of(tmp_path / "few", tmp_path / "c"), "cpu")
    small = make_training_dataset(tmp_path / "small", side=96)
    with pytest.raises(DatasetError, match="8 LR pixels"):
        train(session_of(small, tmp_path / "b"), "cpu")
