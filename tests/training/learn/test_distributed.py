"""What several processes draw is what one would."""

import pytest
import torch

from training.data import seeding
from training.learn.distributed import Processes, WholeBatchDropout


def test_dropout_of_two_halves_is_that_of_the_whole() -> None:
    """Two processes, played one after the other."""
    x = torch.ones(6, 5)
    dropout = torch.nn.Dropout(0.4)

    def dropped(part: torch.Tensor, *, rank: int, count: int) -> torch.Tensor:
        seeding.seed_step(seed=0, epoch=0, step=0)
        processes = Processes(rank=rank, count=count, device=torch.device("cpu"))
        with WholeBatchDropout(processes):
            result: torch.Tensor = dropout(part)
        return result

    whole = dropped(x, rank=0, count=1)
    halves = [dropped(x[3 * rank : 3 * rank + 3], rank=rank, count=2) for rank in (0, 1)]
    assert torch.equal(torch.cat(halves), whole)
    assert whole.unique().tolist() == pytest.approx([0.0, 1 / 0.6])
    dropout.eval()
    assert torch.equal(dropped(x, rank=0, count=1), x)
