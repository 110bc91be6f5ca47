"""Several processes that train one network: gradients are averaged by hand after each backward.

Not `DistributedDataParallel`: the discriminators are called several times a step, partly frozen,
which its hooks do not take; one flat all-reduce does, and equals one process with the joint batch.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import torch
import torch.distributed as distributed
from torch import Tensor, nn

from specgan_cli.training.config.schema import Precision


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

    def precision(self, choice: Precision) -> torch.autocast:
        """Return the context of forward passes.

        Args:
            choice: "auto" is bfloat16 where the device computes in it, on a GPU or on a CPU.
        """
        short = choice == "bfloat16" or (choice == "auto" and has_bfloat16(self.device))
        return torch.autocast(self.device.type, torch.bfloat16, enabled=short)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their mean over processes; None stays where no process has one."""
        if self.world == 1:
            return
        every = list(parameters)
        present = torch.tensor([float(p.grad is not None) for p in every], device=self.device)
        distributed.all_reduce(present)
        gradients = []
        for p, count in zip(every, present.tolist(), strict=True):
            if count:
                p.grad = torch.zeros_like(p) if p.grad is None else p.grad
                gradients.append(p.grad)
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.world
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def average_tensors(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return the mean of each tensor over processes."""
        if self.world > 1:
            for tensor in tensors:
                distributed.all_reduce(tensor)
        return [tensor / self.world for tensor in tensors]

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
        # Apple's GPUs have no double precision, and it is slow on others.
        dtype = torch.float64 if self.device.type == "cpu" else torch.float32
        tensor: Tensor = torch.tensor([value], dtype=dtype, device=self.device)
        distributed.all_reduce(tensor, op=operation)
        return float(tensor)


def has_bfloat16(device: torch.device) -> bool:
    """Tell whether convolutions in bfloat16 are faster on a device than in single precision."""
    if device.type != "cpu":
        return device.type == "cuda"
    # Private in torch; where it is missing, single precision is never wrong.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return bool(supported())


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
