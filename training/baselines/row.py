"""What is said of one network that the paper compares with."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from m3net.config import Size3

TEXT_SIZE: Size3 = (56, 64, 64)
"""What Sec. 4.3 says all baselines were given; Tables 3 and 7 are evidently of (56, 32, 32)."""

Make = Callable[[Size3, bool], nn.Module]
"""(size, narrow) -> the network; narrow: the same layers, a few channels wide, for smoke runs."""


class BaselineUnavailable(LookupError):
    """The row cannot be run; the message is the reason that its tables print."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """One row.

    parameters          : of ours on `TEXT_SIZE`; None for a row that cannot be built
    parameters_m_paper  : Table 7's, in millions
    weights             : what its authors' weights are called, to be given with --init; None: the
                          row starts from nothing, as published
    status              : "works", or why not
    departs             : what differs from its paper, or from Tables 3 and 7, one sentence each
    """

    name: str
    paper: str
    make: Make | None
    parameters: int | None
    parameters_m_paper: float | None = None
    input: str
    weights: str | None = None
    status: str = "works"
    departs: tuple[str, ...] = ()

    @property
    def parameters_m(self) -> float | None:
        """Ours, in millions."""
        return None if self.parameters is None else self.parameters / 1e6
