"""The networks that the paper compares with (Tables 2, 3 and 7), behind one interface.

`build("DeepLung", size=(56, 64, 64))` takes (B, 1, 56, 64, 64) and returns logits (B, 2), benign
first.  `BASELINES` says of each row where it comes from, how large it is here and in Table 7, and
what departs.
"""

from torch import nn

from m3net.config import Size3
from training.baselines.row import TEXT_SIZE, Baseline, BaselineUnavailable
from training.baselines.rows import BASELINES

__all__ = ["BASELINES", "TEXT_SIZE", "Baseline", "BaselineUnavailable", "build"]


def build(name: str, *, size: Size3 = TEXT_SIZE, narrow: bool = False) -> nn.Module:
    """The network of one row, freshly initialised: (B, 1, *size) -> logits (B, 2), benign first.

    Raises BaselineUnavailable with the row's reason; KeyError for a name that is no row.
    """
    if name not in BASELINES:
        raise KeyError(f"no baseline {name!r}; there are {', '.join(BASELINES)}")
    row = BASELINES[name]
    if row.make is None:
        raise BaselineUnavailable(f"{name}: {row.status}")
    return row.make(size, narrow)
