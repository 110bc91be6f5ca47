"""The published networks agree with the authors' code on golden vectors."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from specgan.published.importer import Imported, import_published
from specgan.published.names import NETWORK_RULES, published_name
from specgan.published.network import PublishedNetwork
from support.published_fill import (
    GOLDEN,
    crc32,
    decimate,
    fill,
    fill_published,
    read_inventory,
    statistics,
    uniform,
)

only_x32 = pytest.mark.parametrize("imported", [32], indirect=True, ids=["x32"])


@pytest.fixture(scope="module", params=[32, 16], ids=["x32", "x16"])
def imported(request: pytest.FixtureRequest) -> Iterator[Imported]:
    """The golden weights, brought in as a user's checkpoint of the whole model would be."""
    filled = fill_published(f"specgan_x{request.param}")
    whole = {f"generator.{key}": value for key, value in filled.items()}
    whole["perceptual_loss.vgg.mean"] = torch.zeros(3)
    yield import_published(whole)


@pytest.fixture
def network(imported: Imported) -> Iterator[PublishedNetwork]:
    """The network in float32, put back into it afterwards."""
    for parameter in imported.network.parameters():
        parameter.requires_grad_(False)
    yield imported.network
    imported.network.float()


def golden(network: PublishedNetwork) -> dict[str, np.ndarray]:
    with np.load(GOLDEN / f"x{network.scale}_small.npz") as file:
        return dict(file)


def call(network: PublishedNetwork, tile: Tensor) -> Tensor:
    """Make the public call with a golden input, whose 51 bands are in the published scaling."""
    return network(tile[:, 48:] * 4, tile[:, :48])


def record(network: PublishedNetwork, tile: Tensor) -> dict[str, Tensor]:
    """Return the output and the tensors inside that the golden files hold."""
    found: dict[str, Tensor] = {}

    def keep(name: str, index: int | None = None) -> object:
        def hook(_module: object, _inputs: object, output: Tensor) -> None:
            found[name] = output if index is None else output[index]

        return hook

    handles = [
        network.fusion.register_forward_hook(keep("fusion_X", 0)),
        network.fusion.register_forward_hook(keep("fusion_Y", 1)),
        network.encoder[-1].register_forward_hook(keep("latent")),
        network.bank.convs[-1].register_forward_hook(keep("last_feature")),
        network.bank.rgbs[-1].register_forward_hook(keep("last_skip")),
        network.decoder[-1].register_forward_hook(keep("decoder_pre_out")),
    ]
    found["output"] = call(network, tile)
    for handle in handles:
        handle.remove()
    found["latent"] = found["latent"].view(len(tile), 14, 512)
    return found


def test_published_fill_has_every_crc(imported: Imported) -> None:
    inventory = read_inventory(f"specgan_x{imported.network.scale}")
    found = {
        published_name(name, NETWORK_RULES): crc32(value)
        for name, value in imported.network.state_dict().items()
    }
    left_out = {key for key in inventory if key.endswith("kernel")} | set(imported.unused)
    assert found == {key: row[2] for key, row in inventory.items() if key not in left_out}
    assert set(imported.unused) == {key for key in inventory if ".style_mapping." in key}


def test_published_unused_fill_has_every_crc() -> None:
    inventory = read_inventory("specgan_x32")
    keys = [key for key in inventory if "style_mapping" in key or key.endswith("kernel")]
    assert len(keys) == 28
    for key in keys:
        shape, kind, crc = inventory[key]
        assert crc32(torch.from_numpy(fill(key, shape, kind))) == crc, key


def test_published_output_agrees_in_float32(network: PublishedNetwork) -> None:
    values = golden(network)
    output = call(network, torch.from_numpy(values["input"][:1]))
    assert output.shape == (1, 3, 256, 256)
    expected = values["output_f64__dec"][:1]
    np.testing.assert_allclose(decimate(output), expected, rtol=0, atol=1e-4)


@pytest.mark.slow
@only_x32
def test_published_gradient_agrees_in_float64(network: PublishedNetwork) -> None:
    """Of the first image, since images do not see each other: with the full file all of them."""
    tile = torch.from_numpy(golden(network)["input"][:1]).double().requires_grad_()
    output = call(network.double(), tile)
    weight = torch.from_numpy(uniform(2024, (2, 3, 256, 256))[:1]).double()
    (gradient,) = torch.autograd.grad((output * weight).sum(), tile)
    with np.load(GOLDEN / "x32_gradient.npz") as file:
        expected = file["grad_input_f64"][:1]
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.slow
def test_published_tensors_inside_agree(network: PublishedNetwork) -> None:
    values = golden(network)
    found = record(network.double(), torch.from_numpy(values["input"]).double())
    for name, tensor in found.items():
        dtype_floor = 1e-6 * np.abs(values[f"{name}__dec"]).max()
        np.testing.assert_allclose(
            statistics(tensor), values[f"{name}__stats"], rtol=1e-9, atol=1e-9, err_msg=name
        )
        if name == "output":
            expected, tolerance = values["output_f64__dec"], 1e-9
        else:
            expected, tolerance = values[f"{name}__dec"], 100 * dtype_floor
        np.testing.assert_allclose(decimate(tensor), expected, rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.slow
@only_x32
def test_published_x32_agrees_everywhere(network: PublishedNetwork, shared_data: Path) -> None:
    """All of output and gradient, with the full golden file, which is too big to be in here."""
    path = shared_data.parent / "golden" / "x32.npz"
    if not path.is_file():
        pytest.skip("the full golden file is beside the real rasters")
    with np.load(path) as file:
        values = {key: file[key] for key in ("input", "output_f64", "grad_input_f64")}
    tile = torch.from_numpy(values["input"]).double().requires_grad_()
    output = call(network.double(), tile)
    np.testing.assert_allclose(output.detach(), values["output_f64"], rtol=0, atol=1e-9)
    weight = torch.from_numpy(uniform(2024, tuple(output.shape))).double()
    (gradient,) = torch.autograd.grad((output * weight).sum(), tile)
    expected = values["grad_input_f64"]
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
