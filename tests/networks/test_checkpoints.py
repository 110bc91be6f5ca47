"""Weights files: round trips, determinism, and every kind of bad file."""

import copy
import dataclasses
import json
import os
import shutil
import stat
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import specgan
from specgan import checkpoints
from specgan.bands import CANONICAL_BANDS, Bands
from specgan.errors import WeightsError
from specgan.header import Header
from specgan.published.network import PublishedNetwork
from support.tiny_networks import tiny_weights

CONFIG = {
    "scale": 32,
    "features": 8,
    "fusion_channels": 4,
    "growth": 2,
    "layers": 2,
    "blocks": 1,
}
HEADER = Header(
    architecture="published",
    config=CONFIG,
    scale=32,
    bands=CANONICAL_BANDS,
    hsi_mean=(0.5,) * 48,
    hsi_std=(2.0,) * 48,
    degradation={"operator": "area"},
    training={"licence": "none"},
    metrics={"psnr": 31.5},
    created="2026-01-02T03:04:05Z",
)


@pytest.fixture(scope="module")
def network() -> PublishedNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        return PublishedNetwork(**CONFIG)


@pytest.fixture
def saved(tmp_path: Path, network: PublishedNetwork) -> Path:
    return checkpoints.save(tmp_path / "net.safetensors", network, HEADER)


def rewrite_head(path: Path, change: Callable[[dict], None]) -> None:
    """Change the JSON head of a safetensors file and leave its tensors."""
    content = path.read_bytes()
    (count,) = struct.unpack("<Q", content[:8])
    head = json.loads(content[8 : 8 + count])
    change(head)
    text = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + count :])


def change_header(path: Path, **fields: object) -> None:
    def change(head: dict) -> None:
        header = json.loads(head["__metadata__"]["specgan"])
        head["__metadata__"]["specgan"] = json.dumps({**header, **fields})

    rewrite_head(path, change)


def test_checkpoints_rebuild_the_network_from_the_file_alone(
    saved: Path, network: PublishedNetwork
) -> None:
    loaded = specgan.load(saved)
    assert isinstance(loaded, PublishedNetwork)
    assert not loaded.training
    assert loaded.header == dataclasses.replace(HEADER, version=specgan.__version__)
    state = network.state_dict()
    assert loaded.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[key]) for key, value in loaded.state_dict().items())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_checkpoints_rebuild_the_scene_network(tmp_path: Path) -> None:
    from specgan.scene.network import SceneNetwork

    with torch.random.fork_rng(devices=[]):
        scene = SceneNetwork.preset("small")
    header = dataclasses.replace(
        HEADER, architecture="scene", config=json.loads(json.dumps(vars(scene.config)))
    )
    path = checkpoints.save(tmp_path / "scene.safetensors", scene, header)
    state = torch.random.get_rng_state()
    loaded = specgan.load(path)
    assert torch.equal(torch.random.get_rng_state(), state), "loading must not draw from the seed"
    expected = scene.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in loaded.state_dict().items())


@pytest.mark.parametrize("fidelity", [0.0, 0.25, 1.0])
def test_checkpoints_mix_in_the_second_set(
    fidelity: float, saved: Path, network: PublishedNetwork
) -> None:
    other = copy.deepcopy(network)
    with torch.no_grad():
        for value in other.parameters():
            value.add_(1.0)
    checkpoints.save(saved.with_name(f"{saved.stem}-means.safetensors"), other, HEADER)
    mixed = specgan.load(saved, fidelity=fidelity)
    for name, value in network.named_parameters():
        expected = value + fidelity
        torch.testing.assert_close(mixed.get_parameter(name), expected, atol=1e-6, rtol=0)
    assert mixed.header.config == CONFIG
    both = checkpoints.sha256(saved, fidelity=1.0).split("+")
    assert both == [
        checkpoints.sha256(path)
        for path in (saved, saved.with_name(f"{saved.stem}-means.safetensors"))
    ]


def test_checkpoints_refuse_fidelity_without_a_second_set(saved: Path) -> None:
    with pytest.raises(WeightsError, match=f"no second set {saved.stem}-means.safetensors"):
        specgan.load(saved, fidelity=0.5)


def test_checkpoints_refuse_a_second_set_of_another_design(
    saved: Path, network: PublishedNetwork
) -> None:
    config = {**CONFIG, "features": 16}
    other = PublishedNetwork(**config)
    header = dataclasses.replace(HEADER, config=config)
    checkpoints.save(saved.with_name(f"{saved.stem}-means.safetensors"), other, header)
    with pytest.raises(WeightsError, match="another design"):
        specgan.load(saved, fidelity=0.5)


def test_checkpoints_header_is_read_without_tensors(saved: Path) -> None:
    found = checkpoints.read_header(saved)
    assert found.bands == CANONICAL_BANDS
    assert found.metrics == {"psnr": 31.5}
    assert found.created == HEADER.created


def test_checkpoints_repeat_their_bytes(
    saved: Path, tmp_path: Path, network: PublishedNetwork
) -> None:
    again = checkpoints.save(tmp_path / "again.safetensors", network, HEADER)
    assert again.read_bytes() == saved.read_bytes()
    assert checkpoints.sha256(again) == checkpoints.sha256(saved)


def test_checkpoints_in_half_precision_load_as_float32(
    tmp_path: Path, network: PublishedNetwork
) -> None:
    path = checkpoints.save(tmp_path / "half.safetensors", network, HEADER, dtype=torch.float16)
    loaded = checkpoints.load(path)
    for key, value in network.state_dict().items():
        assert loaded.state_dict()[key].dtype == torch.float32
        assert torch.equal(loaded.state_dict()[key], value.half().float())
    assert next(checkpoints.load(path, dtype=torch.bfloat16).parameters()).dtype == torch.bfloat16


def test_checkpoints_replace_files_whole(saved: Path, network: PublishedNetwork) -> None:
    before = saved.read_bytes()
    bad = dataclasses.replace(HEADER, metrics={"psnr": float("inf")})
    with pytest.raises(WeightsError, match="JSON"):
        checkpoints.save(saved, network, bad)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_checkpoints_have_the_mode_of_other_files(saved: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(saved.stat().st_mode) == 0o666 & ~mask


def test_checkpoints_say_where_they_cannot_be_written(
    tmp_path: Path, network: PublishedNetwork
) -> None:
    with pytest.raises(WeightsError, match=r"cannot write weights to .*absent"):
        checkpoints.save(tmp_path / "absent" / "net.safetensors", network, HEADER)


def test_checkpoints_refuse_weights_that_are_not_finite(
    tmp_path: Path, network: PublishedNetwork
) -> None:
    with torch.no_grad():
        kept = network.bank.constant[0, 0, 0, 0].clone()
        network.bank.constant[0, 0, 0, 0] = 1e6
        with pytest.raises(WeightsError, match=r"bank.constant is not finite as torch.float16"):
            checkpoints.save(tmp_path / "x.safetensors", network, HEADER, dtype=torch.float16)
        network.bank.constant[0, 0, 0, 0] = kept
    path = checkpoints.save(tmp_path / "x.safetensors", network, HEADER)
    content = bytearray(path.read_bytes())
    content[-4:] = struct.pack("<f", float("inf"))
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="not finite"):
        checkpoints.load(path)


def test_checkpoints_list_the_shipped_names() -> None:
    with pytest.raises(WeightsError, match="unknown weights 'no-such'; shipped weights are: ") as e:
        checkpoints.load("no-such")
    assert (", ".join(checkpoints.names()) or "none") in str(e.value)
    with pytest.raises(WeightsError, match=r"no weights file a/b\.safetensors"):
        checkpoints.load("a/b.safetensors")


def test_checkpoints_refuse_a_folder(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is a folder"):
        checkpoints.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no complete safetensors file"),
        (b"II*\x00" + bytes(40), "no complete safetensors file"),
        (struct.pack("<Q", 100) + b'{"a":', "no complete safetensors file"),
        (struct.pack("<Q", 9) + b'{"a": 1}}', "no complete safetensors file"),
        (struct.pack("<Q", 8) + b'{"a": 1}', "no complete safetensors file"),
        (b"\x80\x02}q\x00.", "a PyTorch checkpoint"),
    ],
)
def test_checkpoints_refuse_other_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        checkpoints.load(path)


def test_checkpoints_refuse_a_pickle_and_do_not_run_it(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="specgan models import"):
        checkpoints.load(path)


def test_checkpoints_refuse_a_truncated_file(saved: Path) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[:-10])
    with pytest.raises(WeightsError, match="no complete safetensors file"):
        checkpoints.load(saved)


def test_checkpoints_refuse_files_of_others(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, path, metadata={"format": "pt"})
    with pytest.raises(WeightsError, match="did not write: its metadata holds format"):
        checkpoints.load(path)


def test_checkpoints_refuse_a_head_that_lies_about_a_shape(saved: Path) -> None:
    def change(head: dict) -> None:
        head["image.0.weight"]["shape"] = [3, 6, 3, 4]

    rewrite_head(saved, change)
    with pytest.raises(WeightsError, match="no complete safetensors file"):
        checkpoints.load(saved)


def test_checkpoints_refuse_a_config_of_another_network(saved: Path) -> None:
    change_header(saved, config={**CONFIG, "features": 16})
    with pytest.raises(WeightsError, match=r"has shape \(.*expected \(.*more\)"):
        checkpoints.load(saved)


def test_checkpoints_refuse_missing_and_unexpected_tensors(saved: Path) -> None:
    def change(head: dict) -> None:
        head["image.0.extra"] = head.pop("image.0.weight")

    rewrite_head(saved, change)
    with pytest.raises(
        WeightsError, match=r"image\.0\.weight is missing; image\.0\.extra is not expected"
    ):
        checkpoints.load(saved)


@pytest.mark.parametrize(
    "config",
    [
        {"scale": 8},
        {"scale": 32.0},
        {"colour": 1},
        {"features": -8},
        {"features": "many"},
        {"blocks": [1]},
        {"blocks": -1},
        {"blocks": 10**9},
        {"growth": True},
    ],
)
def test_checkpoints_refuse_a_config_that_builds_nothing(saved: Path, config: dict) -> None:
    change_header(saved, config={**CONFIG, **config})
    with pytest.raises(WeightsError, match="config does not describe a published network"):
        checkpoints.load(saved)


@pytest.mark.parametrize(
    "config",
    [
        {"blocks": [1, 1, 1, 1, -1]},
        {"blocks": [1, 1, 1, 1]},
        {"blocks": [10**9, 1, 1, 1, 1]},
        {"channels": [8, 8, 8, 8, 8, 8, 8]},
        {"channels": [0, 8, 8, 8, 8, 8]},
        {"guide": 0},
        {"bank": 1.0},
        {"bands": -1},
    ],
)
def test_checkpoints_refuse_numbers_that_make_no_scene_network(
    tmp_path: Path, config: dict
) -> None:
    path = tmp_path / "w.safetensors"
    shutil.copy(tiny_weights(), path)
    head = checkpoints.read_header(path)
    change_header(path, config={**head.config, **config})
    with pytest.raises(WeightsError, match=f"not describe a scene network: {next(iter(config))}"):
        checkpoints.load(path)


def test_sizes_in_a_header_cost_no_memory(tmp_path: Path) -> None:
    """Networks of these sizes would take hundreds of gigabytes."""
    path = tmp_path / "w.safetensors"
    shutil.copy(tiny_weights(), path)
    head = checkpoints.read_header(path)
    change_header(path, config={**head.config, "channels": [4096] * 6, "blocks": [50] * 5})
    with pytest.raises(WeightsError, match="does not hold the network that its header describes"):
        checkpoints.load(path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"format": "specgan-weights/9"}, "format 'specgan-weights/9'"),
        ({"architecture": "other"}, "architecture: 'other' is none of scene, published"),
        ({"scale": 24}, "scale 24; expected a power of two"),
        ({"scale": True}, "scale: True should be int"),
        ({"hsi_mean": [0.5]}, "1 values in hsi_mean for 48 bands"),
        ({"hsi_std": [0.0] * 48}, "hsi_std that is not positive"),
        ({"hsi_std": ["a"] * 48}, r"hsi_std\.0: 'a' should be float"),
        ({"bands": {"wavelengths_nm": [400.0]}}, r"lacks bands\.fwhm_nm"),
        ({"training": []}, r"training: \[\] should be a table"),
        ({"version": 1}, "version: 1 should be str"),
    ],
)
def test_checkpoints_refuse_a_wrong_header(
    saved: Path, fields: dict[str, object], message: str
) -> None:
    change_header(saved, **fields)
    with pytest.raises(WeightsError, match=message) as error:
        checkpoints.load(saved)
    assert str(saved) in str(error.value)


def test_checkpoints_refuse_a_header_with_a_field_missing(saved: Path) -> None:
    def change(head: dict) -> None:
        header = json.loads(head["__metadata__"]["specgan"])
        del header["bands"], header["scale"]
        head["__metadata__"]["specgan"] = json.dumps(header)

    rewrite_head(saved, change)
    with pytest.raises(WeightsError, match="lacks scale, bands"):
        checkpoints.read_header(saved)


def test_checkpoints_header_survives_json() -> None:
    header = dataclasses.replace(
        HEADER, bands=Bands((400.5, 500.25), (10.0, 12.5)), hsi_mean=(0.1, 0.2), hsi_std=(1.0, 3.0)
    )
    assert Header.from_json(header.to_json()) == header


def test_checkpoints_canonical_bands_are_even() -> None:
    assert len(CANONICAL_BANDS) == 48
    assert CANONICAL_BANDS.wavelengths_nm[0] == 380
    assert CANONICAL_BANDS.wavelengths_nm[-1] == 1050
    steps = {
        round(b - a, 9)
        for a, b in zip(
            CANONICAL_BANDS.wavelengths_nm[:-1], CANONICAL_BANDS.wavelengths_nm[1:], strict=True
        )
    }
    assert steps == {round(CANONICAL_BANDS.fwhm_nm[0], 9)}


def test_weights_that_cannot_be_read_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> None:
        raise RuntimeError("unable to open file in read-only mode: Input/output error (5)")

    monkeypatch.setattr("safetensors.torch.load_file", broken)
    with pytest.raises(WeightsError, match=r"cannot be read: .*Input/output"):
        checkpoints.load("specgan-scene")
