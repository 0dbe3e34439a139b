"""Dropout that does not depend on how many processes share a batch.

Each process draws the whole batch's mask from generators that all have the same state
(`seeding.seed_step`) and takes its own part of it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from training.learn.distributed import Processes


class WholeBatchDropout(TorchFunctionMode):
    """Within it, every dropout is of the whole batch; the batch is the first axis."""

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
