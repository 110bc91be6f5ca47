"""Several processes that train one network: gradients are averaged by hand after each backward.

Not `DistributedDataParallel`: the generator and discriminators are called several times a step,
partly frozen and with second derivatives (R1), which its hooks do not take; one flat all-reduce
does, and equals one process with the joint batch.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import torch
import torch.distributed as distributed
from torch import Tensor, nn


@dataclass(frozen=True)
class DistributedContext:
    """The processes of a run, as one of them sees them."""

    rank: int = 0
    """This process, from 0."""

    world: int = 1
    """Processes together."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    """Where this process computes."""

    @property
    def is_main(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def precision(self) -> torch.autocast:
        """Return the context of forward passes: bfloat16 on a GPU, float32 elsewhere."""
        return torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda")

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their mean over processes; None stays None (the same on all)."""
        if self.world == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        if not gradients:
            return
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.world
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def average(self, value: float) -> float:
        """Average a number over processes."""
        return self._reduce(value, distributed.ReduceOp.SUM) / self.world

    def largest(self, value: float) -> float:
        """Return the largest of the processes' numbers."""
        return self._reduce(value, distributed.ReduceOp.MAX)

    def broadcast(self, module: nn.Module) -> None:
        """Give every process the first one's weights."""
        if self.world > 1:
            for tensor in module.state_dict().values():
                distributed.broadcast(tensor, src=0)

    def _reduce(self, value: float, operation: distributed.ReduceOp.RedOpType) -> float:
        if self.world == 1:
            return value
        tensor: Tensor = torch.tensor([value], dtype=torch.float64, device=self.device)
        if self.device.type == "cuda":
            tensor = tensor.float()
        distributed.all_reduce(tensor, op=operation)
        return float(tensor)


@contextmanager
def join_processes(device: torch.device) -> Iterator[DistributedContext]:
    """Join the processes that `torchrun` started, or be alone.

    Args:
        device: Where to compute; with CUDA, `torchrun`'s LOCAL_RANK chooses the card.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ and "WORLD_SIZE" not in os.environ:
        yield DistributedContext(device=device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=timedelta(hours=1))
    try:
        yield DistributedContext(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()
