"""The `models` command: list, show, import."""

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from specgan import checkpoints
from specgan.errors import WeightsError
from specgan.published.importer import import_published, read_checkpoint
from specgan.published.names import (
    NETWORK_RULES,
    published_name,
    published_shape,
)
from specgan.published.network import PublishedNetwork
from support.command import Result, specgan

SIZES = {"features": 8, "fusion_channels": 4, "growth": 2, "layers": 2, "blocks": 1}


def run(*words: object) -> Result:
    """Run a subcommand that succeeds."""
    result = specgan("models", *words)
    assert (result.code, result.stderr) == (0, "")
    return result


def failure(*words: object) -> str:
    """Return the one line of a subcommand that fails."""
    result = specgan("models", *words)
    assert (result.code, result.stdout) == (1, "")
    assert result.stderr.startswith("specgan: error: ") and result.stderr.count("\n") == 1
    return result.stderr


@pytest.fixture(scope="module")
def network() -> PublishedNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return PublishedNetwork(scale=16, **SIZES).eval()


@pytest.fixture
def tensors(network: PublishedNetwork) -> dict[str, Tensor]:
    """A whole published model in small, as the authors' training saves it."""
    whole = {}
    for name, value in network.state_dict().items():
        key = published_name(name, NETWORK_RULES)
        whole[f"generator.{key}"] = value.reshape(published_shape(key, tuple(value.shape)))
    row = torch.tensor([1.0, 3.0, 3.0, 1.0])
    whole["generator.generator.to_rgbs.0.upsample.kernel"] = torch.outer(row, row) / 16
    whole["discriminator.convs.1.skip.0.kernel"] = torch.outer(row, row) / 64
    whole["generator.generator.style_mapping.1.bias"] = torch.zeros(8)
    whole["perceptual_loss.vgg.features.0.weight"] = torch.zeros(2)
    return whole


@pytest.fixture
def checkpoint(tmp_path: Path, tensors: dict[str, Tensor]) -> Path:
    path = tmp_path / "x16.pth"
    torch.save({"meta": {"epoch": 3}, "state_dict": tensors}, path)
    return path


def test_models_import_keeps_every_tensor(
    checkpoint: Path, tmp_path: Path, network: PublishedNetwork
) -> None:
    run("import", checkpoint, "-o", tmp_path / "x16.safetensors")
    loaded = checkpoints.load(tmp_path / "x16.safetensors")
    expected = network.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[key]) for key, value in loaded.state_dict().items())


def test_models_import_records_the_published_scaling(checkpoint: Path, tmp_path: Path) -> None:
    run("import", checkpoint, "-o", tmp_path / "x16.safetensors")
    header = checkpoints.read_header(tmp_path / "x16.safetensors")
    assert (header.architecture, header.scale) == ("published", 16)
    assert header.config == {"scale": 16, **SIZES}
    assert header.rgb_scaling["published_input_range"] == [-0.25, 0.25]
    # Reflectance 0 and 1 standardise to the ends of the published range.
    assert {(0 - m) / s for m, s in zip(header.hsi_mean, header.hsi_std, strict=True)} == {-0.25}
    assert {(1 - m) / s for m, s in zip(header.hsi_mean, header.hsi_std, strict=True)} == {0.25}
    assert "x16.pth" in header.training["source"]


def test_models_import_repeats_its_bytes(checkpoint: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / f"{name}.safetensors" for name in "ab"]
    for output in outputs:
        run("import", checkpoint, "-o", output)
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def test_models_import_in_half_precision(checkpoint: Path, tmp_path: Path) -> None:
    result = run("import", checkpoint, "-o", tmp_path / "half.safetensors", "--half", "--json")
    report = result.json()
    assert report["network"]["types"] == ["F16"]
    assert report["unused"] == ["generator.style_mapping.1.bias"]


def test_models_import_takes_a_bare_network(
    tensors: dict[str, Tensor], network: PublishedNetwork
) -> None:
    bare = {
        key.removeprefix("generator."): value
        for key, value in tensors.items()
        if key.startswith("generator.")
    }
    imported = import_published(bare)
    assert torch.equal(imported.network.bank.constant, network.bank.constant)


def test_models_import_names_what_does_not_fit(tensors: dict[str, Tensor]) -> None:
    del tensors["generator.decoder_out.0.bias"]
    tensors["generator.encoder.1.0.bias"] = torch.zeros(9)
    tensors["generator.surplus"] = torch.zeros(1)
    tensors["generator.generator.to_rgbs.0.upsample.kernel"] = torch.ones(4, 4)
    with pytest.raises(WeightsError) as error:
        import_published(tensors)
    message = str(error.value)
    assert "1 missing: decoder_out.0.bias" in message
    assert "1 unexpected: surplus" in message
    assert "encoder.1.0.bias has shape (9,), expected (8,)" in message
    assert "to_rgbs.0.upsample.kernel is not the published filter" in message


def test_models_import_refuses_other_networks() -> None:
    with pytest.raises(WeightsError, match=r"no published SpecGAN checkpoint.*layer\.weight"):
        import_published({"layer.weight": torch.zeros(3)})


class Payload:
    """Would make a file when it is unpickled by a careless reader."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_models_import_runs_no_code(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    path = tmp_path / "evil.pth"
    torch.save({"state_dict": {}, "x": Payload(trap)}, path)
    error = failure("import", path, "-o", tmp_path / "out.safetensors")
    assert "nothing in it was run" in error
    assert "mkdir" in error
    assert "weights_only" not in error  # torch advises to run it
    assert not trap.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds list; expected a state dict"),
        ({}, "holds dict; expected a state dict"),
        ({"state_dict": {"a": 1}}, "'a' is no tensor"),
    ],
)
def test_models_import_refuses_what_is_no_state_dict(
    tmp_path: Path, content: object, message: str
) -> None:
    path = tmp_path / "x.pth"
    torch.save(content, path)
    with pytest.raises(WeightsError, match=message):
        read_checkpoint(path)


def test_models_import_refuses_damaged_files(tmp_path: Path, checkpoint: Path) -> None:
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: len(content) // 2])
    for path, text in ((checkpoint, None), (tmp_path / "a.pth", b"text"), (tmp_path / "b", b"")):
        if text is not None:
            path.write_bytes(text)
        with pytest.raises(WeightsError, match=path.name):
            read_checkpoint(path)


def test_models_import_refuses_a_missing_file(tmp_path: Path) -> None:
    error = failure("import", tmp_path / "absent.pth", "-o", tmp_path / "out.safetensors")
    assert "no such file" in error and "absent.pth" in error


def test_models_import_replaces_only_when_told(checkpoint: Path, tmp_path: Path) -> None:
    output = tmp_path / "x16.safetensors"
    output.write_bytes(b"mine")
    error = failure("import", checkpoint, "-o", output)
    assert "--overwrite" in error
    assert output.read_bytes() == b"mine"
    run("import", checkpoint, "-o", output, "--overwrite")
    assert checkpoints.read_header(output).scale == 16


def test_models_import_refuses_impossible_outputs(checkpoint: Path, tmp_path: Path) -> None:
    assert "no such folder" in failure("import", checkpoint, "-o", tmp_path / "no" / "x")
    assert "is an input" in failure("import", checkpoint, "-o", checkpoint, "--overwrite")


def test_models_list_names_the_shipped_weights() -> None:
    report = run("list", "--json").json()
    assert [entry["name"] for entry in report["weights"]] == checkpoints.names()
    assert all(name in run("list").stdout for name in checkpoints.names())


def test_models_show_tells_what_the_header_holds(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "x16.safetensors"
    run("import", checkpoint, "-o", path)
    facts = run("show", path, "--json").json()
    assert facts["sha256"] == checkpoints.sha256(path)
    assert facts["bytes"] == path.stat().st_size
    assert facts["header"]["scale"] == 16
    assert len(facts["header"]["bands"]["wavelengths_nm"]) == 48
    text = run("show", path).stdout
    assert "48, 380 to 1050 nm" in text
    assert "degradation:   not recorded" in text


def test_models_show_counts_values(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "x16.safetensors"
    run("import", checkpoint, "-o", path)
    network = checkpoints.load(path)
    values = sum(tensor.numel() for tensor in network.state_dict().values())
    assert run("show", path, "--json").json()["values"] == values


def test_models_show_refuses_unknown_names() -> None:
    assert "shipped weights are" in failure("show", "no-such")
