"""Laws of the Muon optimiser."""

import copy

import torch
from torch import nn

from specgan_cli.training.recipes.muon import ADAM_SHARE, Muon, orthogonalised


def make(parameters: list[nn.Parameter], lr: float = 0.1) -> Muon:
    optimiser = Muon(parameters, momentum=0.95, weight_decay=0.02, betas=(0.9, 0.99))
    for group in optimiser.param_groups:
        group["lr"] = lr
    return optimiser


def test_updates_have_singular_values_near_one() -> None:
    torch.manual_seed(0)
    for shape in ((8, 40), (40, 8)):
        values = torch.linalg.svdvals(orthogonalised(torch.randn(shape) * 7))
        assert values.min() > 0.6
        assert values.max() < 1.3


def test_kernels_move_by_the_rate_whatever_the_gradient_and_others_as_adam_does() -> None:
    torch.manual_seed(0)
    kernel, bias = nn.Parameter(torch.zeros(6, 5, 3, 3)), nn.Parameter(torch.zeros(6))
    optimiser = make([kernel, bias])
    kernel.grad, bias.grad = 1e-4 * torch.randn_like(kernel), torch.tensor([3.0, -1e-3] * 3)
    optimiser.step()
    values = torch.linalg.svdvals(kernel.detach().flatten(1))
    assert 0.06 < values.min() < values.max() < 0.13
    torch.testing.assert_close(
        bias.detach(), -0.1 * ADAM_SHARE * bias.grad.sign(), rtol=1e-3, atol=0
    )


def test_what_has_no_gradient_stays() -> None:
    used, unused = nn.Parameter(torch.ones(4, 2, 3, 3)), nn.Parameter(torch.ones(4, 2, 3, 3))
    optimiser = make([used, unused])
    for gradient in (torch.randn_like(used), None):
        used.grad, unused.grad = torch.randn_like(used), gradient
        before = unused.detach().clone()
        optimiser.step()
    assert torch.equal(unused.detach(), before)


def test_its_state_goes_on_where_it_was() -> None:
    torch.manual_seed(0)
    first = nn.Parameter(torch.randn(6, 5, 3, 3))
    gradients = [torch.randn_like(first) for _ in range(4)]
    optimiser = make([first])
    for gradient in gradients[:2]:
        first.grad = gradient
        optimiser.step()
    second = nn.Parameter(first.detach().clone())
    resumed = make([second])
    resumed.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    for gradient in gradients[2:]:
        first.grad = second.grad = gradient
        optimiser.step()
        resumed.step()
    assert torch.equal(first, second)
