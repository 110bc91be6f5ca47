"""The door: what `import specgan` offers."""

import specgan


def test_what_is_public_is_listed() -> None:
    assert dir(specgan) == sorted(specgan.__all__)


def test_a_loaded_network_keeps_no_graph() -> None:
    network = specgan.load()
    fine = network(next(network.parameters()).new_zeros(1, 3, 2, 2), scale=2)
    assert not fine.requires_grad
