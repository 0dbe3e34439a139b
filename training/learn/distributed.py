"""Several processes that compute what one would: started by torchrun, or there is just one.

Each process sees its part of every batch.  What the loss needs is gathered, so that each process
computes the loss of the whole batch (InfoNCE and the covariances see all nodules), but sends
gradients back through its own part alone; these are then summed.  In this way nothing depends on
how many processes there are, but for BatchNorm, whose statistics are synchronised on GPUs.

DistributedDataParallel would average, and waits for gradients that a loss of weight 0 never gives.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """This process among all.  rank 0 writes the files."""

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this one writes."""
        return self.rank == 0

    @property
    def shares_norms(self) -> bool:
        """Whether BatchNorm takes its statistics from all processes: torch can on GPUs alone."""
        return self.count > 1 and self.device.type == "cuda"

    def gather(self, x: Tensor) -> Tensor:
        """(B, ...) of each -> (count * B, ...) of all, with gradients for this one's part."""
        return x if self.count == 1 else _Gather.apply(x, self)  # type: ignore[no-untyped-call]  # torch

    def gather_objects(self, mine: T) -> list[T]:
        """One of each process, in order."""
        if self.count == 1:
            return [mine]
        all_of: list[Any] = [None] * self.count
        distributed.all_gather_object(all_of, mine)
        return all_of

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Each gradient becomes the sum over all processes."""
        if self.count > 1:
            self._sum([p.grad for p in parameters if p.grad is not None])

    def average_buffers(self, module: nn.Module) -> None:
        """BatchNorm's running statistics become the mean over all processes."""
        buffers = [b for b in module.buffers() if b.is_floating_point()]
        if self.count > 1 and buffers:
            self._sum(buffers)
            torch._foreach_div_(buffers, float(self.count))

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            distributed.barrier()

    def _sum(self, tensors: list[Tensor]) -> None:
        """In place, all in one message for each type."""
        for dtype in {t.dtype for t in tensors}:
            alike = [t for t in tensors if t.dtype == dtype]
            flat = torch.cat([t.reshape(-1) for t in alike])
            distributed.all_reduce(flat)
            parts = torch.split(flat, [t.numel() for t in alike])
            for tensor, part in zip(alike, parts, strict=True):
                tensor.copy_(part.view_as(tensor))


class _Gather(torch.autograd.Function):
    """All processes' parts, one after the other; back goes the own part's gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, processes: Processes) -> Tensor:
        """(B, ...) -> (count * B, ...)."""
        ctx.part = slice(processes.rank * len(x), (processes.rank + 1) * len(x))
        parts = [torch.empty_like(x) for _ in range(processes.count)]
        distributed.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Every process has the whole loss, so nothing is to be fetched from the others."""
        return gradient[ctx.part].contiguous(), None


class WholeBatchDropout(TorchFunctionMode):
    """Within it, every dropout is of the whole batch; the batch is the first axis.

    Each process draws the whole batch's mask from generators that all have the same state
    (`seeding.seed_step`) and takes its own part of it.
    """

    def __init__(self, processes: Processes) -> None:
        super().__init__()
        self._processes = processes

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Everything but dropout goes its way."""
        if func is functional.dropout:
            return self._dropout(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _dropout(self, x: Tensor, p: float = 0.5, training: bool = True, **_: bool) -> Tensor:
        """As torch's, which can also work in place; this never does."""
        if not training or p == 0:
            return x
        rank, count = self._processes.rank, self._processes.count
        whole = torch.rand((count * len(x), *x.shape[1:]), device=x.device)  # (count * B, ...)
        kept = whole[rank * len(x) : (rank + 1) * len(x)] >= p  # (B, ...)
        return x * kept / (1 - p)


@contextmanager
def processes(device: torch.device) -> Iterator[Processes]:
    """All that torchrun started (or this one alone), each on its own GPU if they have GPUs."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(rank=0, count=1, device=device)
        return
    rank = int(os.environ["RANK"])
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(rank=rank, count=count, device=device)
    finally:
        distributed.destroy_process_group()
